//! A ZIP that is the same whenever its contents are, written entry by entry, so that it needs little memory however large it
//! becomes. It ends with the SHA-256 of every entry, as `sha256sum --check` reads them.
//!
//! Not here: the signed archive of one case, which is made and opened whole (`audit_bundle.rs`).

use std::io::{Read, Seek, Write};

use obelus_core::Digest;
use sha2::{Digest as _, Sha256};
use zip::ZipWriter;

use crate::audit_bundle::{ArchiveError, check_path, entry_options};

/// The name of the list of digests.
pub const SUMS: &str = "SHA256SUMS";
/// What every reader of ZIP can open.
const MOST_FILES: usize = 60_000;
const MOST_BYTES: u64 = 2 << 30;
/// Bytes read at once.
const RUN: usize = 1 << 16;

/// An archive that is being written.
pub struct ArchiveWriter<W: Write + Seek> {
    zip: ZipWriter<W>,
    sums: String,
    last: String,
    files: usize,
    bytes: u64,
}

impl<W: Write + Seek> ArchiveWriter<W> {
    /// An empty one.
    pub fn new(to: W) -> Self {
        Self { zip: ZipWriter::new(to), sums: String::new(), last: String::new(), files: 0, bytes: 0 }
    }

    /// Adds an entry to its end and gives its SHA-256. Paths ascend, so that one content has one archive.
    ///
    /// # Errors
    /// When the path is none or does not come after the last one, there is too much, or reading or writing fails.
    pub fn add(&mut self, path: &str, from: impl Read) -> Result<Digest, ArchiveError> {
        check_path(path)?;
        if path <= self.last.as_str() || path == SUMS {
            return Err(ArchiveError::Order(path.to_owned()));
        }
        self.files += 1;
        if self.files > MOST_FILES {
            return Err(ArchiveError::TooLarge);
        }
        self.zip.start_file(path, entry_options())?;
        let (digest, bytes) = copied(from, &mut self.zip, MOST_BYTES - self.bytes)?;
        self.bytes += bytes;
        self.sums.push_str(&format!("{digest}  {path}\n"));
        path.clone_into(&mut self.last);
        Ok(digest)
    }

    /// Writes [`SUMS`] and the archive's end, and gives what it was written to.
    ///
    /// # Errors
    /// When writing fails.
    pub fn finish(mut self) -> Result<W, ArchiveError> {
        self.zip.start_file(SUMS, entry_options())?;
        self.zip.write_all(self.sums.as_bytes())?;
        Ok(self.zip.finish()?)
    }
}

/// Copies at most `most` bytes to their end, and gives their SHA-256 and how many there were.
///
/// # Errors
/// When there are more, or reading or writing fails.
pub fn copied(mut from: impl Read, to: &mut impl Write, most: u64) -> Result<(Digest, u64), ArchiveError> {
    let (mut hash, mut run, mut bytes) = (Sha256::new(), vec![0; RUN], 0);
    loop {
        let read = from.read(&mut run)?;
        if read == 0 {
            return Ok((Digest::new(hash.finalize().into()), bytes));
        }
        bytes += read as u64;
        if bytes > most {
            return Err(ArchiveError::TooLarge);
        }
        hash.update(&run[..read]);
        to.write_all(&run[..read])?;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn written(files: &[(&str, &[u8])]) -> Result<Vec<u8>, ArchiveError> {
        let mut archive = ArchiveWriter::new(Cursor::new(Vec::new()));
        for (path, bytes) in files {
            archive.add(path, *bytes)?;
        }
        Ok(archive.finish()?.into_inner())
    }

    #[test]
    fn one_content_has_one_archive_that_lists_the_digest_of_every_entry() {
        let files: [(&str, &[u8]); 3] = [("README.txt", b"read me"), ("case/empty", b""), ("case/x.json", b"{}")];
        let archive = written(&files).unwrap();
        assert_eq!(written(&files).unwrap(), archive);
        let mut zip = zip::ZipArchive::new(Cursor::new(&archive)).unwrap();
        let mut sums = String::new();
        zip.by_name(SUMS).unwrap().read_to_string(&mut sums).unwrap();
        let expected: String =
            files.iter().map(|(path, bytes)| format!("{}  {path}\n", Digest::sha256(bytes))).collect();
        assert_eq!(sums, expected);
        for (path, bytes) in files {
            let mut found = Vec::new();
            zip.by_name(path).unwrap().read_to_end(&mut found).unwrap();
            assert_eq!(found, bytes, "{path}");
        }
    }

    #[test]
    fn what_would_make_another_archive_of_the_same_content_is_refused() {
        for files in [["b", "a"], ["a", "a"], ["a", SUMS]] {
            let refused = written(&files.map(|path| (path, &b""[..]))).unwrap_err();
            assert!(matches!(refused, ArchiveError::Order(_)), "{files:?}: {refused}");
        }
        assert!(matches!(written(&[("../up", b"")]), Err(ArchiveError::Path(_))));
    }
}
