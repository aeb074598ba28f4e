//! The folder of an index: generations of which the newest counts, made beside it and renamed when whole. A process that is
//! killed leaves the old generation, the new one, or both; the next that builds or forgets removes the rest. Not here: what
//! is in a generation.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use crate::error::SearchError;

const LOCK: &str = ".lock";
const BUILDING: &str = ".building";
const GENERATION: &str = "generation-";

/// The folder while nobody else builds in it.
pub(crate) struct Folder {
    dir: PathBuf,
    /// Released when closed.
    _lock: File,
}

pub(crate) fn at(path: &Path) -> impl Fn(io::Error) -> SearchError + '_ {
    move |source| SearchError::Io { path: path.to_owned(), source }
}

fn sync(dir: &Path) -> Result<(), SearchError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(at(dir))
}

fn remove(dir: &Path) -> Result<(), SearchError> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(at(dir)(e)),
        _ => Ok(()),
    }
}

/// All generations in `dir`, oldest first; a folder that is not there has none.
fn generations(dir: &Path) -> Result<Vec<(u64, PathBuf)>, SearchError> {
    let entries = match fs::read_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(at(dir))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(at(dir))?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(GENERATION)).and_then(|n| n.parse().ok());
        found.extend(number.map(|number| (number, entry.path())));
    }
    found.sort_unstable();
    Ok(found)
}

/// The generation that counts.
pub(crate) fn newest(dir: &Path) -> Result<Option<PathBuf>, SearchError> {
    Ok(generations(dir)?.pop().map(|(_, path)| path))
}

impl Folder {
    /// Waits until nobody else builds in `dir`, and removes what a killed process left there.
    pub(crate) fn lock(dir: &Path) -> Result<Self, SearchError> {
        fs::create_dir_all(dir).map_err(at(dir))?;
        let path = dir.join(LOCK);
        let lock = File::create(&path).map_err(at(&path))?;
        lock.lock().map_err(at(&path))?;
        let folder = Self { dir: dir.to_owned(), _lock: lock };
        remove(&dir.join(BUILDING))?;
        folder.remove_old()?;
        Ok(folder)
    }

    fn remove_old(&self) -> Result<(), SearchError> {
        let mut old = generations(&self.dir)?;
        old.pop();
        for (_, path) in old {
            remove(&path)?;
        }
        sync(&self.dir)
    }

    /// An empty folder for the next generation.
    pub(crate) fn begin(&self) -> Result<PathBuf, SearchError> {
        let building = self.dir.join(BUILDING);
        remove(&building)?;
        fs::create_dir(&building).map_err(at(&building))?;
        Ok(building)
    }

    /// Makes what was built the generation that counts, and removes the one before.
    pub(crate) fn publish(&self) -> Result<PathBuf, SearchError> {
        let building = self.dir.join(BUILDING);
        let next = generations(&self.dir)?.last().map_or(1, |(number, _)| number + 1);
        let path = self.dir.join(format!("{GENERATION}{next}"));
        sync(&building)?;
        fs::rename(&building, &path).map_err(at(&path))?;
        sync(&self.dir)?;
        self.remove_old()?;
        Ok(path)
    }

    /// Removes every generation, and one in the making.
    pub(crate) fn clear(&self) -> Result<(), SearchError> {
        remove(&self.dir.join(BUILDING))?;
        for (_, path) in generations(&self.dir)? {
            remove(&path)?;
        }
        sync(&self.dir)
    }
}
