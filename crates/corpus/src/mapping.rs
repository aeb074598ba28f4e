//! A file mapped into memory, read only. The one place of this crate with unsafe code, and nothing else in it.

use std::{fs::File, io, ops::Deref, path::Path};

use memmap2::Mmap;

/// The bytes of a regular file, read by the system when they are used.
///
/// The file must not be changed in place while it is mapped: replace it by rename, or remove it, both of which leave
/// the mapping as it was. Every file that this crate maps is made under another name, renamed once complete and never
/// written again. A reader holds a shared lock on it, so that a writer in this product that asks for the exclusive lock
/// (`File::try_lock`) is told that it is in use.
#[derive(Debug)]
pub struct MappedFile {
    map: Mmap,
    _locked: File,
}

impl MappedFile {
    /// Maps the whole of `path`.
    ///
    /// # Errors
    /// Not a regular file, being written to, or the system's reason.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        file.try_lock_shared().map_err(|e| io::Error::other(format!("it is being written to: {e}")))?;
        #[expect(
            unsafe_code,
            reason = "memmap2's own safe constructor needs fs-verity or a sealed memfd, which ordinary data \
                      directories do not have, and reading into memory would not scale with the corpus"
        )]
        // SAFETY: what must hold is that nobody changes or truncates the file while the slice is alive. The file is
        // written under another name, renamed and never opened for writing afterwards (see the type's documentation),
        // and the shared lock keeps this product's own writers away. Someone who truncates it in spite of that ends
        // this process with SIGBUS. The bytes are only ever read as plain integers, for which every value is valid,
        // and are checked again by whoever uses them as an index.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self { map, _locked: file })
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}
