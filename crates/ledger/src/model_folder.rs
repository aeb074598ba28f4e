//! The files of a model's folder, found and hashed as the verifiers of `model.sig` do. The one place in this crate that
//! reads files: weights are too large to be handed over as bytes. Not here: what is said of the files (`model_signing.rs`).

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read as _},
    path::{Path, PathBuf},
};

use obelus_core::Digest;
use sha2::{Digest as _, Sha256};

use crate::model_signing::{FILE_NAME, ModelFile};

/// Bytes that are hashed at once.
const RUN_BYTES: usize = 1 << 20;
/// Folders within folders that are looked into.
const DEEPEST: usize = 64;

/// Why the files of a folder are not known.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Something could not be read.
    #[error("cannot read {0}: {1}")]
    Io(PathBuf, io::Error),
    /// Verifiers refuse the folder because of it.
    #[error("{0} {1}, and no verifier reads a model's folder with such a thing in it; remove it")]
    Refused(PathBuf, &'static str),
}

/// Paths of the files below a folder, with `/`, ascending; without those that `leaves_out` and an old signature.
///
/// # Errors
/// When something cannot be read, or is neither a file nor a folder.
pub fn list(folder: &Path, leaves_out: &dyn Fn(&str) -> bool) -> Result<Vec<String>, FolderError> {
    let mut found = Vec::new();
    let mut waiting = vec![(folder.to_owned(), String::new(), 0)];
    while let Some((inside, below, depth)) = waiting.pop() {
        let io = |error| FolderError::Io(inside.clone(), error);
        for entry in fs::read_dir(&inside).map_err(io)? {
            let entry = entry.map_err(io)?;
            let path = entry.path();
            let name = entry.file_name();
            let name =
                name.to_str().ok_or_else(|| FolderError::Refused(path.clone(), "has a name that is not UTF-8"))?;
            let relative = format!("{below}{name}");
            let kind = entry.file_type().map_err(io)?;
            // Also where it is left out: verifiers look at what it is before they look at its name.
            if !kind.is_file() && !kind.is_dir() {
                return Err(FolderError::Refused(path, "is neither a file nor a folder"));
            }
            if relative == FILE_NAME || leaves_out(&relative) {
                continue;
            }
            match kind.is_dir() {
                true if depth == DEEPEST => return Err(FolderError::Refused(path, "lies too deep")),
                true => waiting.push((path, format!("{relative}/"), depth + 1)),
                false => found.push(relative),
            }
        }
    }
    found.sort();
    Ok(found)
}

/// SHA-256 of a file, read in runs.
///
/// # Errors
/// When it cannot be read.
pub fn hash(path: &Path) -> Result<Digest, FolderError> {
    let io = |error| FolderError::Io(path.to_owned(), error);
    let mut file = File::open(path).map_err(io)?;
    let (mut hash, mut run) = (Sha256::new(), vec![0; RUN_BYTES]);
    loop {
        match file.read(&mut run) {
            Ok(0) => return Ok(Digest::new(hash.finalize().into())),
            Ok(read) => hash.update(&run[..read]),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(io(e)),
        }
    }
}

/// The files below a folder with their digests, without those that `leaves_out` and an old signature.
///
/// # Errors
/// As [`list`] and [`hash`].
pub fn files(folder: &Path, leaves_out: &dyn Fn(&str) -> bool) -> Result<Vec<ModelFile>, FolderError> {
    let hashed = |path: String| Ok(ModelFile { sha256: hash(&folder.join(&path))?, path });
    list(folder, leaves_out)?.into_iter().map(hashed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that is removed at the end.
    struct Temporary(PathBuf);

    impl Temporary {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("obelus-model-folder-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&folder);
            for (path, content) in [("a/b", "b"), ("a.b", "ab"), ("empty", ""), ("model.sig", "old"), ("cache/x", "x")]
            {
                fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
                fs::write(folder.join(path), content).unwrap();
            }
            fs::create_dir(folder.join("nothing")).unwrap();
            Self(folder)
        }
    }

    impl Drop for Temporary {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn every_file_is_found_and_hashed_but_those_left_out_and_the_signature() {
        let folder = Temporary::new("found");
        let found = files(&folder.0, &|path| path == "cache").unwrap();
        let file = |path: &str, content: &str| ModelFile { path: path.to_owned(), sha256: Digest::sha256(content) };
        assert_eq!(found, [file("a.b", "ab"), file("a/b", "b"), file("empty", "")]);
    }

    #[test]
    fn a_file_larger_than_a_run_is_hashed_whole() {
        let folder = Temporary::new("large");
        let content: Vec<u8> = (0..RUN_BYTES * 2 + 7).map(|at| at as u8).collect();
        fs::write(folder.0.join("large"), &content).unwrap();
        assert_eq!(hash(&folder.0.join("large")).unwrap(), Digest::sha256(&content));
        assert!(matches!(hash(&folder.0.join("gone")), Err(FolderError::Io(..))));
    }

    #[test]
    fn a_link_is_refused_also_where_it_is_left_out() {
        let folder = Temporary::new("link");
        std::os::unix::fs::symlink("a.b", folder.0.join("link")).unwrap();
        assert!(matches!(list(&folder.0, &|path| path == "link"), Err(FolderError::Refused(..))));
    }
}
