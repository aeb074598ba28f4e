//! Opening a data directory: settings, keys and database, as whoever runs an installation has set them. Not here: making one
//! (`obelus init`).

use std::{fs, io, path::Path, sync::Arc};

use anyhow::{Context as _, Result};
use obelus_core::{DataDirectory, SystemClock};
use obelus_store::{Db, connect, connect_sqlite};

use crate::{
    Deps, Settings,
    keyring::{Keyring, PASSPHRASE_VARIABLE, Passphrase},
    transparency::Sequencer,
};

/// What is there is no data directory that can be used; the text says why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotUsable(pub String);

/// Opens a data directory.
///
/// # Errors
/// [`NotUsable`] when it was never made or its settings cannot be read; another when keys or database cannot be used.
pub async fn open(root: &Path) -> Result<Deps> {
    let shown = root.display();
    let Ok(root) = root.canonicalize() else {
        return Err(NotUsable(format!("there is no data directory {shown}; obelus init makes one")).into());
    };
    let data = DataDirectory::new(&root);
    let settings = settings(&data)?;
    let keys = Keyring::open(&data.keys(), passphrase(&data, &settings)?)?;
    let db = database(&data).await?;
    db.migrate().await?;
    Ok(Deps { db, data, keys, clock: Arc::new(SystemClock), settings, log: Sequencer::default() })
}

/// The settings of a data directory.
///
/// # Errors
/// [`NotUsable`] when there are none, or they cannot be read.
pub fn settings(data: &DataDirectory) -> Result<Settings> {
    let path = data.configuration();
    let text = match fs::read_to_string(&path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let shown = data.root().display();
            return Err(NotUsable(format!("{shown} is no data directory of Obelus; obelus init makes one")).into());
        }
        other => other.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let settings = toml::from_str(&text);
    Ok(settings.map_err(|e| NotUsable(format!("{}: {}", path.display(), e.to_string().trim_end())))?)
}

/// Where the passphrase of the keys comes from; it is read when a key is needed.
///
/// # Errors
/// [`NotUsable`] when the variable is no text.
pub fn passphrase(data: &DataDirectory, settings: &Settings) -> Result<Passphrase> {
    let environment = match std::env::var(PASSPHRASE_VARIABLE) {
        Err(std::env::VarError::NotUnicode(_)) => {
            return Err(NotUsable(format!("{PASSPHRASE_VARIABLE} is not UTF-8")).into());
        }
        found => found.ok(),
    };
    let configured = settings.passphrase_file.as_ref().map(|file| data.root().join(file));
    Ok(Passphrase::find(environment, configured, &data.keys()))
}

/// `DATABASE_URL` where it is set, else SQLite in the data directory.
///
/// # Errors
/// When it cannot be opened.
pub async fn database(data: &DataDirectory) -> Result<Db> {
    match std::env::var("DATABASE_URL") {
        Ok(url) if !url.is_empty() => Ok(connect(&url).await?),
        _ => Ok(connect_sqlite(&data.database()).await?),
    }
}
