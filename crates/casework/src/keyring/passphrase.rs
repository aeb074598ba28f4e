//! The passphrase of the private keys: from the environment, or from a file that only its owner can read. Not here: what
//! is encrypted with it (`key_file.rs`).

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use obelus_ledger::keys::{Zeroizing, random_salt};

use super::key_file::{self, KeyFile};

/// The environment variable that goes before every file.
pub const VARIABLE: &str = "OBELUS_KEY_PASSPHRASE";

/// Where the passphrase comes from. It is read when a private key is first needed.
pub enum Passphrase {
    /// Given to the process.
    Given(Zeroizing<String>),
    /// In a file that the operator keeps.
    File(PathBuf),
    /// In a file beside the keys, made with them.
    Beside(PathBuf),
}

impl Passphrase {
    /// The environment's, where it is set and not empty; else that of the file that the configuration names; else that
    /// of `keys/passphrase`.
    pub fn find(environment: Option<String>, configured: Option<PathBuf>, keys: &Path) -> Self {
        match (environment.filter(|text| !text.is_empty()), configured) {
            (Some(text), _) => Self::Given(Zeroizing::new(text)),
            (None, Some(path)) => Self::File(path),
            (None, None) => Self::Beside(keys.join("passphrase")),
        }
    }

    /// Makes the file beside the keys, with 256 random bits, where there is none and no key needs another one. A file that
    /// the operator keeps is the operator's to make.
    pub(super) fn create(&self, folder: &Path) -> Result<()> {
        let Self::Beside(path) = self else { return self.read().map(drop) };
        let exists = path.try_exists().with_context(|| format!("cannot look for {}", path.display()))?;
        if exists || KeyFile::any(folder)? {
            return self.read().map(drop);
        }
        let text = Zeroizing::new(format!("{}{}\n", random_salt()?, random_salt()?));
        let partial = path.with_extension("partial");
        let _ = fs::remove_file(&partial);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&partial)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .with_context(|| format!("cannot write {}", partial.display()))?;
        fs::rename(&partial, path).with_context(|| format!("cannot create {}", path.display()))?;
        key_file::flush(folder)
    }

    /// The passphrase.
    pub(super) fn read(&self) -> Result<Zeroizing<String>> {
        let path = match self {
            Self::Given(text) => return Ok(text.clone()),
            Self::File(path) | Self::Beside(path) => path,
        };
        let shown = path.display();
        let mode = match fs::metadata(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                bail!("there is no {shown}, with the passphrase of the keys; put it there, or give it in {VARIABLE}")
            }
            found => found.with_context(|| format!("cannot look for {shown}"))?.permissions().mode() & 0o777,
        };
        ensure!(mode & 0o077 == 0, "{shown} has mode {mode:o}, others can read the passphrase; chmod 600 it");
        let text = Zeroizing::new(fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?);
        let passphrase = text.trim_end_matches(['\n', '\r']);
        ensure!(!passphrase.is_empty(), "{shown} is empty; it holds the passphrase of the keys");
        Ok(Zeroizing::new(passphrase.to_owned()))
    }

    /// In words, without the passphrase.
    pub(super) fn source(&self) -> String {
        match self {
            Self::Given(_) => format!("passphrase from {VARIABLE}"),
            Self::File(path) => format!("passphrase from {}", path.display()),
            Self::Beside(path) => format!(
                "passphrase beside them in {}, which protects only backups that leave it out: move it elsewhere and name \
                 the place as passphrase_file in obelus.toml, or give it in {VARIABLE}",
                path.display()
            ),
        }
    }
}
