//! The data directory: made by `init`, opened by everything else.

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context as _, Result};
use obelus_casework::{
    Deps, Settings,
    case::{OWNER, OWNER_ROLES, SERVICE, SERVICE_ROLES},
    keyring::{Keyring, PASSPHRASE_VARIABLE, Passphrase},
    transparency::Sequencer,
};
use obelus_core::{Clock as _, DataDirectory, SystemClock};
use obelus_store::{Db, connect, connect_sqlite, persons};

use crate::failure::WrongUse;

/// Makes what is missing in a data directory; what is there stays.
///
/// # Errors
/// When the directory cannot be written.
pub async fn init(root: &Path) -> Result<Deps> {
    fs::create_dir_all(root).with_context(|| format!("cannot create {}", root.display()))?;
    let root = root.canonicalize().with_context(|| format!("cannot find {}", root.display()))?;
    let data = DataDirectory::new(&root);
    for folder in [data.log(), data.corpora(), root.join("models"), data.certificates()] {
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let path = data.configuration();
    if !path.exists() {
        let mut name = [0; 4];
        getrandom::fill(&mut name).map_err(|e| anyhow::anyhow!("the operating system gives no randomness: {e}"))?;
        fs::write(&path, template(&hex::encode(name))).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Keyring::create(&data.keys(), passphrase(&data, &settings(&data)?)?)?;
    let db = database(&data).await?;
    db.migrate().await?;
    let write = db.write().await?;
    for (name, roles) in [(OWNER, &OWNER_ROLES[..]), (SERVICE, &SERVICE_ROLES[..])] {
        for role in roles {
            persons::add(&write, name, role, SystemClock.now()).await?;
        }
    }
    write.commit().await?;
    db.close().await?;
    open(&root).await
}

/// Opens a data directory.
///
/// # Errors
/// When it was never made, or something in it cannot be used.
pub async fn open(root: &Path) -> Result<Deps> {
    let shown = root.display();
    let Ok(root) = root.canonicalize() else {
        return Err(WrongUse(format!("there is no data directory {shown}; obelus init makes one")).into());
    };
    let data = DataDirectory::new(&root);
    let settings = settings(&data)?;
    let keys = Keyring::open(&data.keys(), passphrase(&data, &settings)?)?;
    let db = database(&data).await?;
    db.migrate().await?;
    Ok(Deps { db, data, keys, clock: Arc::new(SystemClock), settings, log: Sequencer::default() })
}

fn settings(data: &DataDirectory) -> Result<Settings> {
    let path = data.configuration();
    let text = match fs::read_to_string(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let shown = data.root().display();
            return Err(WrongUse(format!("{shown} is no data directory of Obelus; obelus init makes one")).into());
        }
        other => other.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let settings = toml::from_str(&text);
    Ok(settings.map_err(|e| WrongUse(format!("{}: {}", path.display(), e.to_string().trim_end())))?)
}

/// Where the passphrase of the keys comes from; it is read when a key is needed.
fn passphrase(data: &DataDirectory, settings: &Settings) -> Result<Passphrase> {
    let environment = match std::env::var(PASSPHRASE_VARIABLE) {
        Err(std::env::VarError::NotUnicode(_)) => {
            return Err(WrongUse(format!("{PASSPHRASE_VARIABLE} is not UTF-8")).into());
        }
        found => found.ok(),
    };
    let configured = settings.passphrase_file.as_ref().map(|file| data.root().join(file));
    Ok(Passphrase::find(environment, configured, &data.keys()))
}

/// Makes an installation for a measurement, on SQLite whatever the environment says, in a folder that is removed again.
///
/// # Errors
/// When the folder cannot be written.
pub async fn temporary(folder: &Path) -> Result<Deps> {
    let data = DataDirectory::new(folder);
    // A passphrase of its own, whatever the environment says.
    Keyring::create(&data.keys(), Passphrase::find(None, None, &data.keys()))?;
    let db = connect_sqlite(&data.database()).await?;
    db.migrate().await?;
    let settings = toml::from_str(&template("bench")).context("the configuration template is damaged")?;
    let keys = Keyring::open(&data.keys(), Passphrase::find(None, None, &data.keys()))?;
    Ok(Deps { db, data, keys, clock: Arc::new(SystemClock), settings, log: Sequencer::default() })
}

/// `DATABASE_URL` where it is set, else SQLite in the data directory.
async fn database(data: &DataDirectory) -> Result<Db> {
    match std::env::var("DATABASE_URL") {
        Ok(url) if !url.is_empty() => Ok(connect(&url).await?),
        _ => Ok(connect_sqlite(&data.database()).await?),
    }
}

fn template(name: &str) -> String {
    format!(
        r#"# Configuration of this installation. Every key without a # is required; one that Obelus does not know is an error.
# The database is obelus.db beside this file, or the one in the environment variable DATABASE_URL.

# Who operates it, as signed statements name them.
operator = "unnamed operator"

# Name of the transparency log. It is part of the log key's identity: never change it once the log has an entry.
log_origin = "obelus.invalid/{name}"

# Threads of one tensor operation, and of hashing a checkpoint, outside training. Trainings take --threads.
threads = 1

# The private keys in keys/ are encrypted with a passphrase: the one in the environment variable {PASSPHRASE_VARIABLE}, else
# the one in this file (mode 600; relative to this folder, or absolute), else keys/passphrase, which obelus init makes.
# A passphrase beside the keys protects only backups that leave it out. To move it: put the file somewhere else, say where
# here, and run obelus doctor.
# passphrase_file = "/etc/obelus/passphrase"

# Where the law counts days: the day on which a request is received there is the first of its clocks. UTC without it, in which a
# day may begin later than there.
# time_zone = "Europe/Berlin"
"#
    )
}
