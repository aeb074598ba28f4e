//! What every step needs: the database, the data directory, keys, a clock and the settings. Built once by the caller.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context as _, Result};
use obelus_core::{Clock, DataDirectory, Timestamp};
use obelus_ledger::keys::random_salt;
use obelus_notify::SmtpSettings;
use obelus_store::Db;
use serde::Deserialize;

use crate::{keyring::Keyring, transparency::Sequencer};

/// What an operator may set; the template in `obelus init` explains every key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Who operates this installation, as statements name them.
    pub operator: String,
    /// Name of the transparency log; part of its key id, so it never changes.
    pub log_origin: String,
    /// Threads of one tensor operation, and of hashing a checkpoint, outside training.
    pub threads: u32,
    /// File with the passphrase of the keys, from the data directory or absolute; none for `keys/passphrase`.
    #[serde(default)]
    pub passphrase_file: Option<PathBuf>,
    /// Where days are counted, such as `Europe/Berlin`; none for UTC.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// Where answers to letters go: an address, a telephone number, a page; none for the sender of the letters.
    #[serde(default)]
    pub contact: Option<String>,
    /// How browsers see the portal, such as `https://obelus.example.org`; letters name a requester's page there.
    #[serde(default)]
    pub portal: Option<String>,
    /// The mail server that letters leave through; none for a directory.
    #[serde(default)]
    pub smtp: Option<SmtpSettings>,
}

/// Shared by every step.
pub struct Deps {
    /// The database, migrated.
    pub db: Db,
    /// Where files lie.
    pub data: DataDirectory,
    /// The keys, one in use for each role.
    pub keys: Keyring,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// The settings.
    pub settings: Settings,
    /// What this process remembers of the log.
    pub log: Sequencer,
}

impl Deps {
    /// The present.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Threads that hash a checkpoint. Their number changes no hash.
    pub fn hashing_threads(&self) -> usize {
        self.settings.threads as usize
    }

    /// A fresh salt for a statement.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn salt(&self) -> Result<String> {
        random_salt().context("cannot make a salt")
    }
}
