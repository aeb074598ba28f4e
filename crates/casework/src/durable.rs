//! Files that are written whole or not at all, and are on the device when the call returns.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::fault::point;

/// Writes a file whole or not at all, and on the device before it returns.
///
/// # Errors
/// When the folder cannot be written.
pub fn write_durably(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().context("a file lies in a folder")?;
    // Of a bare name the folder is the one that the program was started in.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let mut file = fs::File::create(&partial).with_context(|| format!("cannot create {}", partial.display()))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .with_context(|| format!("cannot write {}", partial.display()))?;
    point("file-not-yet-named");
    fs::rename(&partial, path).with_context(|| format!("cannot put {} in place", path.display()))?;
    fs::File::open(folder).and_then(|f| f.sync_all()).with_context(|| format!("cannot flush {}", folder.display()))
}
