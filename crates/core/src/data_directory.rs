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

    /// The manifest trees of a lineage: made from its records, and made again when they are gone.
    pub fn manifests(&self, lineage: &str) -> PathBuf {
        self.root.join("manifests").join(lineage)
    }

    /// Exports, where they are not put elsewhere.
    pub fn exports(&self) -> PathBuf {
        self.root.join("exports")
    }

    /// Certificates and row proofs.
    pub fn certificates(&self) -> PathBuf {
        self.root.join("certificates")
    }

    /// Letters, where no mail server takes them.
    pub fn outbox(&self) -> PathBuf {
        self.root.join("outbox")
    }

    /// What callers of a host show (0600).
    pub fn host_token(&self) -> PathBuf {
        self.root.join("host-token")
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

    /// A place that an operator chose, as it is stored: relative inside the data directory, else absolute. None when it
    /// is neither absolute nor text.
    pub fn stored_place(&self, path: &Path) -> Option<String> {
        let elsewhere = || path.to_str().filter(|_| path.is_absolute()).map(str::to_owned);
        self.relative(path).or_else(elsewhere)
    }

    /// The absolute form of a place that an operator chose, which may lie outside. For exports alone: everything that
    /// Obelus itself places goes through [`DataDirectory::resolve`].
    ///
    /// # Errors
    /// When the stored place climbs, inside or outside of the directory.
    pub fn place(&self, stored: &str) -> Result<PathBuf, PathEscapes> {
        let mut components = Path::new(stored).components();
        if components.next() != Some(Component::RootDir) {
            return self.resolve(stored);
        }
        let straight = components.clone().count() > 0 && components.all(|c| matches!(c, Component::Normal(_)));
        if straight { Ok(PathBuf::from(stored)) } else { Err(PathEscapes(stored.to_owned())) }
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

    #[test]
    fn chosen_places_lie_where_they_were_put_and_never_climb() {
        let data = DataDirectory::new("/srv/data");
        for (path, stored) in [("/srv/data/exports/a", "exports/a"), ("/home/ana/a", "/home/ana/a")] {
            assert_eq!(data.stored_place(Path::new(path)).unwrap(), stored);
            assert_eq!(data.place(stored).unwrap(), Path::new(path));
        }
        assert_eq!(data.stored_place(Path::new("a")), None);
        for bad in ["", "/", "../x", "exports/../../x", "/home/../etc"] {
            assert!(data.place(bad).is_err(), "{bad}");
        }
    }
}
