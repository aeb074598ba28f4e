//! Where things lie in a data directory: paths only, nothing is opened or created here.

use std::path::{Component, Path, PathBuf};

/// A data directory. Paths are stored relative to it, so that it may be copied or moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDirectory {
    root: PathBuf,
}

/// A stored path that would leave the data directory.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("the stored path {0:?} leaves the data directory; the database was changed by hand")]
pub struct PathEscapes(String);

impl DataDirectory {
    /// The directory at `root`, which need not exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Configuration.
    pub fn configuration(&self) -> PathBuf {
        self.root.join("obelus.toml")
    }

    /// The SQLite database of the embedded default.
    pub fn database(&self) -> PathBuf {
        self.root.join("obelus.db")
    }

    /// Private keys (0700).
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// The public part of the log, exactly as it is served.
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// All corpora.
    pub fn corpora(&self) -> PathBuf {
        self.root.join("corpora")
    }

    /// One corpus.
    pub fn corpus(&self, name: &str) -> PathBuf {
        self.corpora().join(name)
    }

    /// One model.
    pub fn model(&self, name: &str) -> PathBuf {
        self.root.join("models").join(name)
    }

    /// Certificates and row proofs.
    pub fn certificates(&self) -> PathBuf {
        self.root.join("certificates")
    }

    /// A path as it is stored: relative to the data directory, with `/`. None when it lies elsewhere.
    pub fn relative(&self, path: &Path) -> Option<String> {
        path.strip_prefix(&self.root).ok().and_then(Path::to_str).map(str::to_owned)
    }

    /// The absolute form of a stored path.
    ///
    /// # Errors
    /// When the stored path is absolute or climbs out of the directory.
    pub fn resolve(&self, stored: &str) -> Result<PathBuf, PathEscapes> {
        let inside = Path::new(stored).components().all(|c| matches!(c, Component::Normal(_)));
        if inside && !stored.is_empty() { Ok(self.root.join(stored)) } else { Err(PathEscapes(stored.to_owned())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_paths_stay_inside() {
        let data = DataDirectory::new("/srv/data");
        let model = data.model("m");
        assert_eq!(data.relative(&model).unwrap(), "models/m");
        assert_eq!(data.resolve("models/m").unwrap(), model);
        for bad in ["/etc/passwd", "../x", "models/../../x", ""] {
            assert!(data.resolve(bad).is_err(), "{bad}");
        }
    }
}
