//! Making a data directory (`obelus init`). Not here: opening one (`obelus_casework::open`).

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context as _, Result};
use obelus_casework::{
    Deps,
    case::{OWNER, OWNER_ROLES, PORTAL, PORTAL_ROLES, SERVICE, SERVICE_ROLES},
    keyring::{Keyring, PASSPHRASE_VARIABLE, Passphrase},
    open::{database, open, passphrase, settings},
    transparency::Sequencer,
};
use obelus_core::{Clock as _, DataDirectory, SystemClock};
use obelus_store::{connect_sqlite, persons};

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
    for (name, roles) in [(OWNER, &OWNER_ROLES[..]), (SERVICE, &SERVICE_ROLES[..]), (PORTAL, &PORTAL_ROLES[..])] {
        for role in roles {
            persons::add(&write, name, role, SystemClock.now()).await?;
        }
    }
    write.commit().await?;
    db.close().await?;
    open(&root).await
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

# Where answers to letters go; without it, to the address that they come from.
# contact = "privacy@example.org"

# How browsers see the portal: letters name the page of each request there. It must be the --origin of obelus serve.
# portal = "https://obelus.example.org"

# The mail server that letters to requesters leave through. Without it each letter is a file in outbox/.
# [smtp]
# host = "mail.example.org"
# from = "requests@example.org"
# username = "obelus"                # both or none
# password_file = "smtp-password"    # mode 600; relative to this folder, or absolute
# tls = "implicit"                   # or "starttls", which it is without a setting; "none" only for a server on this machine
# port = 465                         # as is usual for tls, if left out
"#
    )
}
