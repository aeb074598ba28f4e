//! The audit bundle: everything about one case as a ZIP that is the same whenever its contents are, with a manifest of
//! every file, which the issuer signs. Made and opened from bytes.
//!
//! Not here: what belongs into a case's bundle, and whether what is in one verifies (`verify/audit_bundle.rs`).

use std::{
    collections::BTreeMap,
    io::{Cursor, Read as _, Write as _},
};

use obelus_core::Digest;
use serde::{Deserialize, Serialize};
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter, write::SimpleFileOptions};

use crate::canonical::{self, CanonicalError};

/// Format name of the manifest.
pub const FORMAT: &str = "obelus-audit-bundle/v1";
/// The manifest's name in the archive.
pub const MANIFEST: &str = "MANIFEST.json";
/// The name of the signed statement about the manifest, a bundle with its place in the log.
pub const STATEMENT: &str = "MANIFEST.sigstore.json";

const MOST_FILES: usize = 10_000;
const MOST_BYTES: u64 = 1 << 30;

/// Contents of an archive by their paths, which use `/`.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The manifest; canonical JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// Reference of the request.
    pub request: String,
    /// Every file but the manifest and the statement about it, ascending by path.
    pub files: Vec<ListedFile>,
}

/// One file of the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedFile {
    /// Its path.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: Digest,
}

/// Why an archive is not made or not opened.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Not canonical JSON.
    #[error("{MANIFEST}: {0}")]
    Canonical(#[from] CanonicalError),
    /// Not a ZIP.
    #[error("not a ZIP archive: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// Not readable to its end.
    #[error("the archive is damaged: {0}")]
    Io(#[from] std::io::Error),
    /// A path that could lie elsewhere, or reads differently elsewhere.
    #[error("{0:?} is no name of a file in an audit bundle")]
    Path(String),
    /// More than any case has.
    #[error("the archive would hold more files or bytes than one may")]
    TooLarge,
    /// An entry that does not come after the one before it.
    #[error("{0:?} does not come after the entry before it")]
    Order(String),
    /// Another spelling of the same contents.
    #[error("the archive is not exactly the bytes that its contents give")]
    Spelling,
    /// The manifest does not list what there is.
    #[error("{0}")]
    Listing(String),
}

impl Manifest {
    /// Lists files.
    pub fn new(request: &str, files: &Files) -> Self {
        let listed = |(path, contents): (&String, &Vec<u8>)| ListedFile {
            path: path.clone(),
            bytes: contents.len() as u64,
            sha256: Digest::sha256(contents),
        };
        Self { format: FORMAT.to_owned(), request: request.to_owned(), files: files.iter().map(listed).collect() }
    }

    /// Canonical bytes.
    ///
    /// # Errors
    /// Never for a manifest of files.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ArchiveError> {
        Ok(canonical::to_bytes(self)?)
    }

    /// Reads the manifest of an archive, which must list exactly what else is in it.
    ///
    /// # Errors
    /// Says which file is missing, changed or not listed.
    pub fn of(files: &Files) -> Result<Self, ArchiveError> {
        let bytes = files.get(MANIFEST).ok_or_else(|| ArchiveError::Listing(format!("there is no {MANIFEST}")))?;
        let said: Self = canonical::from_bytes(bytes)?;
        let rest: Files =
            files.iter().filter(|(path, _)| ![MANIFEST, STATEMENT].contains(&path.as_str())).map(cloned).collect();
        let found = Self::new(&said.request, &rest);
        if said == found {
            return Ok(said);
        }
        let differs = said.files.iter().find(|file| !found.files.contains(file));
        let more = || found.files.iter().find(|file| !said.files.iter().any(|other| other.path == file.path));
        Err(ArchiveError::Listing(match (differs, more()) {
            (Some(file), _) => format!("{} is missing or is not the file that {MANIFEST} lists", file.path),
            (None, Some(file)) => format!("{} is not listed in {MANIFEST}", file.path),
            (None, None) => format!("{MANIFEST} has another format or lists a file twice"),
        }))
    }
}

fn cloned((path, contents): (&String, &Vec<u8>)) -> (String, Vec<u8>) {
    (path.clone(), contents.clone())
}

/// The archive: entries ascending by path, not compressed, with the earliest time that ZIP has and fixed permissions.
///
/// # Errors
/// When a path is none, or there is too much.
pub fn to_zip(files: &Files) -> Result<Vec<u8>, ArchiveError> {
    let bytes: u64 = files.values().map(|contents| contents.len() as u64).sum();
    if files.len() > MOST_FILES || bytes > MOST_BYTES {
        return Err(ArchiveError::TooLarge);
    }
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, contents) in files {
        check_path(path)?;
        zip.start_file(path.as_str(), entry_options())?;
        zip.write_all(contents)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// How every entry is written: not compressed, at the earliest time that ZIP has, with fixed permissions.
pub(crate) fn entry_options() -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644)
}

/// Opens an archive that is exactly what [`to_zip`] makes of its contents.
///
/// # Errors
/// When it is another, or holds too much.
pub fn from_zip(bytes: &[u8]) -> Result<Files, ArchiveError> {
    if bytes.len() as u64 > 2 * MOST_BYTES {
        return Err(ArchiveError::TooLarge);
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    if archive.len() > MOST_FILES {
        return Err(ArchiveError::TooLarge);
    }
    let mut files = Files::new();
    let mut left = MOST_BYTES;
    for index in 0..archive.len() {
        let entry = archive.by_index(index)?;
        let path = entry.name()?.into_owned();
        check_path(&path)?;
        let mut contents = Vec::new();
        // What an entry says of its length is not believed.
        entry.take(left + 1).read_to_end(&mut contents)?;
        left = left.checked_sub(contents.len() as u64).ok_or(ArchiveError::TooLarge)?;
        if files.insert(path, contents).is_some() {
            return Err(ArchiveError::Spelling);
        }
    }
    if to_zip(&files)? == bytes { Ok(files) } else { Err(ArchiveError::Spelling) }
}

/// Relative, of plain components, readable everywhere.
pub(crate) fn check_path(path: &str) -> Result<(), ArchiveError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let component = |part: &str| !part.is_empty() && part.chars().all(plain) && part != "." && part != "..";
    let fits = path.len() <= 200 && path.split('/').all(component);
    if fits { Ok(()) } else { Err(ArchiveError::Path(path.chars().take(80).collect())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Files {
        let contents = [("case/timeline.json", &b"{}"[..]), ("README.txt", b"read me"), ("empty", b"")];
        contents.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect()
    }

    #[test]
    fn one_content_has_one_archive_and_is_read_back() {
        let archive = to_zip(&files()).unwrap();
        assert_eq!(to_zip(&files()).unwrap(), archive);
        assert_eq!(from_zip(&archive).unwrap(), files());
    }

    #[test]
    fn every_flipped_byte_and_truncation_is_refused_or_shows_in_the_contents() {
        let archive = to_zip(&files()).unwrap();
        for at in 0..archive.len() {
            for bit in 0..8 {
                let mut bad = archive.clone();
                bad[at] ^= 1 << bit;
                assert!(from_zip(&bad).map_or(true, |found| found != files()), "bit {bit} of byte {at}");
            }
            assert!(from_zip(&archive[..at]).is_err(), "{at} bytes");
        }
        assert!(from_zip(&[&archive[..], b"more"].concat()).is_err());
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for path in ["../up", "/root", "a//b", "a/./b", "", "a/", "white space", "C:\\x", "a\0b", "é"] {
            let files: Files = [(path.to_owned(), vec![])].into();
            assert!(matches!(to_zip(&files), Err(ArchiveError::Path(_))), "{path:?}");
        }
    }

    #[test]
    fn a_manifest_lists_exactly_what_there_is() {
        let mut whole = files();
        whole.insert(MANIFEST.to_owned(), Manifest::new("OB-1", &files()).to_bytes().unwrap());
        assert_eq!(Manifest::of(&whole).unwrap().files.len(), 3);
        let refused = |change: &dyn Fn(&mut Files)| {
            let mut other = whole.clone();
            change(&mut other);
            Manifest::of(&other).unwrap_err().to_string()
        };
        assert!(refused(&|files| drop(files.remove("empty"))).contains("empty is missing"));
        assert!(refused(&|files| drop(files.insert("more".to_owned(), vec![]))).contains("more is not listed"));
        assert!(refused(&|files| drop(files.insert("README.txt".to_owned(), vec![1]))).contains("README.txt"));
        assert!(refused(&|files| drop(files.remove(MANIFEST))).contains("no MANIFEST.json"));
    }
}
