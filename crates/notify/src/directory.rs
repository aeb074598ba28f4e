//! Letters as files in a directory, one `.eml` each, for whoever has no mail server or sends letters by hand. Not here:
//! what is in them (`message.rs`).

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use obelus_store::outbox::Letter;

use crate::{
    address::Mailbox,
    message::message,
    notify::{Notify, NotifyError, Sending, Trouble},
};

/// Writes letters into a directory that only its owner reads.
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
    from: Mailbox,
}

impl Directory {
    /// Letters into `path`, which is made when the first one is written.
    pub fn new(path: impl Into<PathBuf>, from: Mailbox) -> Self {
        Self { path: path.into(), from }
    }
}

impl Notify for Directory {
    fn send<'a>(&'a self, letter: &'a Letter) -> Sending<'a> {
        Box::pin(async move {
            let bytes = message(letter, &self.from).map_err(NotifyError::Permanent)?.formatted();
            let (path, name) = (self.path.clone(), format!("{:08}-{:.16}.eml", letter.id, letter.digest.to_string()));
            let written = tokio::task::spawn_blocking(move || write(&path, &name, &bytes)).await;
            let written = written.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()));
            written.map_err(|error| NotifyError::Temporary(Trouble::Directory(error.kind())))
        })
    }
}

/// Puts a file in its place whole: a reader sees all of it or none. The same letter has the same name.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // No reader of `*.eml` sees it. Whoever was cut off left one, and two never write one letter at the same time.
    let unfinished = folder.join(format!("{name}.part"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, folder.join(name))?;
    File::open(folder)?.sync_all()
}
