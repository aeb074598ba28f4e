//! Files of the library: lines of JSON written so that they survive a power cut, and read back whole or refused. What the
//! files mean is `library`'s business.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use obelus_core::Digest;
use serde::{Serialize, de::DeserializeOwned};

use crate::library::LibraryError;

/// What a file is, where it is not what was written.
pub(crate) fn corrupt(path: &Path, reason: String) -> LibraryError {
    LibraryError::Corrupt { path: path.to_owned(), reason }
}

/// Adds the path to the system's reason.
pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> LibraryError + '_ {
    move |source| LibraryError::Io { path: path.to_owned(), source }
}

/// Makes a directory's entries durable.
pub(crate) fn sync(dir: &Path) -> Result<(), LibraryError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(at(dir))
}

/// The lock of one corpus, until the file is closed.
pub(crate) fn lock(dir: &Path) -> Result<File, LibraryError> {
    let path = dir.join(".lock");
    let lock = File::create(&path).map_err(at(&path))?;
    lock.lock().map_err(at(&path))?;
    Ok(lock)
}

/// Writes a file and waits until it is on the disk.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), LibraryError> {
    let write = || {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(at(path))
}

/// Writes one JSON value a line; gives the SHA-256 of the file.
pub(crate) fn write_lines<T: Serialize>(
    path: &Path,
    items: impl IntoIterator<Item = T>,
) -> Result<Digest, LibraryError> {
    let bytes = lines(path, items)?;
    write_file(path, &bytes)?;
    Ok(Digest::sha256(&bytes))
}

/// One JSON value a line, as the file at `path` has them or would have them.
pub(crate) fn lines<T: Serialize>(path: &Path, items: impl IntoIterator<Item = T>) -> Result<Vec<u8>, LibraryError> {
    let mut bytes = Vec::new();
    for item in items {
        serde_json::to_writer(&mut bytes, &item).map_err(|e| at(path)(e.into()))?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

/// Reads one JSON value a line from a file that has this SHA-256.
pub(crate) fn read_lines<T: DeserializeOwned>(path: &Path, digest: Digest) -> Result<Vec<T>, LibraryError> {
    let bytes = fs::read(path).map_err(at(path))?;
    if digest != Digest::sha256(&bytes) {
        return Err(corrupt(path, "its SHA-256 is not the one in corpus.json".into()));
    }
    parse_lines(path, &bytes)
}

/// Reads one JSON value a line.
pub(crate) fn parse_lines<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<Vec<T>, LibraryError> {
    let text = std::str::from_utf8(bytes).map_err(|e| corrupt(path, e.to_string()))?;
    text.lines()
        .enumerate()
        .map(|(i, line)| serde_json::from_str(line).map_err(|e| corrupt(path, format!("line {}: {e}", i + 1))))
        .collect()
}
