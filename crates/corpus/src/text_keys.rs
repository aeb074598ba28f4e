//! The keys of a corpus' texts, one for each source, in `corpora/.keys/NAME.keys` (0600): beside the corpora and not in
//! them, so that a copy of a corpus is worth nothing without this file. Not here: what is encrypted with them
//! (`vault.rs`).
//!
//! A header of 64 bytes, then 64 bytes a source, ascending by id: SHA-256 of the id, and the AES-256 key. A destroyed key
//! is 32 zeros, written over it in its place: no key that is drawn is zero, and one that is lost is told from one that was
//! destroyed. No record crosses a sector, so that no crash leaves a half of one. Whether a device keeps the old sector
//! somewhere (flash memory, snapshots, copy-on-write file systems) no program can say; `docs/operations.md` does.

use std::{
    fmt,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use obelus_core::Digest;

use crate::{
    durable::{at, sync},
    library::LibraryError,
};

const MAGIC: &[u8] = b"obelus-text-keys/v1\n";
const RECORD_BYTES: usize = 64;
const KEY_BYTES: usize = 32;
/// No corpus can be called so.
const FOLDER: &str = ".keys";
const DESTROYED: [u8; KEY_BYTES] = [0; KEY_BYTES];

/// The keys of all sources of a corpus, in the order of their ids; none where it was destroyed.
#[derive(Clone)]
pub(crate) struct TextKeys(pub(crate) Vec<Option<[u8; KEY_BYTES]>>);

impl fmt::Debug for TextKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TextKeys({} of {})", self.0.iter().flatten().count(), self.0.len())
    }
}

/// Where the keys of the corpus in `dir` lie.
pub(crate) fn path(dir: &Path, name: &str) -> PathBuf {
    dir.parent().unwrap_or(dir).join(FOLDER).join(format!("{name}.keys"))
}

/// Fills `bytes` from the operating system.
pub(crate) fn random(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(|e| io::Error::other(format!("the operating system gives no randomness: {e}")))
}

impl TextKeys {
    /// Fresh keys.
    pub(crate) fn draw(count: usize) -> io::Result<Self> {
        let draw = |_| {
            let mut key = DESTROYED;
            random(&mut key).map(|()| Some(key))
        };
        (0..count).map(draw).collect::<io::Result<_>>().map(Self)
    }

    /// The key of a source by its number; none when it was destroyed.
    pub(crate) fn get(&self, number: usize) -> Option<&[u8; KEY_BYTES]> {
        self.0.get(number)?.as_ref()
    }

    /// Writes the file, whole or not at all, and waits until it is on the disk.
    pub(crate) fn write(&self, path: &Path, ids: &[String]) -> Result<(), LibraryError> {
        let folder = path.parent().unwrap_or(path);
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(at(folder)(e)),
            _ => {}
        }
        let mut bytes = MAGIC.to_vec();
        bytes.resize(RECORD_BYTES, 0);
        for (id, key) in ids.iter().zip(&self.0) {
            bytes.extend_from_slice(Digest::sha256(id).as_bytes());
            bytes.extend_from_slice(&key.unwrap_or(DESTROYED));
        }
        let partial = path.with_added_extension("partial");
        match fs::remove_file(&partial) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(at(&partial)(e)),
            _ => {}
        }
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&partial)
            .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
            .map_err(at(&partial))?;
        fs::rename(&partial, path).map_err(at(path))?;
        sync(folder)
    }

    /// Reads the file of a corpus with these sources.
    pub(crate) fn read(path: &Path, ids: &[String]) -> Result<Self, LibraryError> {
        let refused = |reason: &str| LibraryError::Keys { path: path.to_owned(), reason: reason.to_owned() };
        let bytes = match fs::read(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Err(refused("it is not there")),
            other => other.map_err(at(path))?,
        };
        let mode = fs::metadata(path).map_err(at(path))?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(refused(&format!("it has mode {mode:o}, so that others can read it; chmod 600 it")));
        }
        let (records, rest) = bytes.as_chunks::<RECORD_BYTES>();
        let of_corpus = || refused("it is not the file of this corpus' keys");
        let (header, records) = records.split_first().ok_or_else(of_corpus)?;
        if !header.starts_with(MAGIC) || !rest.is_empty() || records.len() != ids.len() {
            return Err(of_corpus());
        }
        let mut keys = Vec::with_capacity(ids.len());
        for (record, id) in records.iter().zip(ids) {
            let (name, key) = record.split_at(RECORD_BYTES - KEY_BYTES);
            if name != Digest::sha256(id).as_bytes() {
                return Err(of_corpus());
            }
            let key: [u8; KEY_BYTES] = key.try_into().map_err(|_| of_corpus())?;
            keys.push((key != DESTROYED).then_some(key));
        }
        Ok(Self(keys))
    }
}

/// Overwrites the key of one source, and reads back that it is gone. True when there was one. Done twice it ends the same.
pub(crate) fn destroy(path: &Path, ids: &[String], number: usize) -> Result<bool, LibraryError> {
    let was_there = TextKeys::read(path, ids)?.get(number).is_some();
    let offset = ((number + 1) * RECORD_BYTES + RECORD_BYTES - KEY_BYTES) as u64;
    let overwrite = |file: &File| file.write_all_at(&DESTROYED, offset).and_then(|()| file.sync_all());
    OpenOptions::new().write(true).open(path).and_then(|file| overwrite(&file)).map_err(at(path))?;
    if TextKeys::read(path, ids)?.get(number).is_some() {
        return Err(LibraryError::Keys { path: path.to_owned(), reason: "the key is still there".to_owned() });
    }
    Ok(was_there)
}
