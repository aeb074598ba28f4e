//! Keys that are replaced and keys that are no longer trusted, and what the log says of it.
//!
//! Killed at any step and run again, it ends the same: first the new private key is on the device, then the register says
//! that it is in use, then the old private key is destroyed, then the log has the statement. The register keeps the
//! statement until then. Not here: files and formats of keys (`keyring.rs`).

use anyhow::{Context as _, Result, ensure};
use obelus_core::{Digest, Timestamp};
use obelus_ledger::{
    keys::Role,
    statement::{Predicate, Statement, Subject},
};
use obelus_policy::Action;
use obelus_store::{audit, log, models};
use serde_json::{Value, json};

use crate::{
    Deps, case,
    fault::point,
    keyring::{Distrust, Exclusive, Register},
    transparency::{self, append, sign},
    triggers,
};

/// Longest reason of a revocation: its statement must fit into a hardware signer.
const LONGEST_REASON_BYTES: usize = 500;

/// A key that took another's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// What both sign.
    pub role: Role,
    /// The key that is retired.
    pub retired: Digest,
    /// The key that signs now.
    pub successor: Digest,
    /// Index of the statement in the log.
    pub entry: u64,
}

/// A key that is no longer trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// What it signed.
    pub role: Role,
    /// The key.
    pub keyid: Digest,
    /// The first entry of the log at which it does not count.
    pub first_distrusted_entry: u64,
    /// Index of the statement in the log.
    pub entry: u64,
}

/// Which key is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one that signs for a role. After a revocation that was cut off this is not the one that was in use before it,
    /// which is why roles are not looked up earlier.
    InUse(Role),
    /// The one with this id.
    Key(Digest),
}

/// Why a key is revoked, in the words of whoever does it.
#[derive(Clone, Debug)]
pub struct Reason {
    /// In words.
    pub text: String,
    /// Since when others may have had it; the present where nothing is known.
    pub since: Option<Timestamp>,
    /// The first entry of the log that does not count; the next one where nothing is known.
    pub from_entry: Option<u64>,
}

/// The revocation was asked for in a way that cannot be followed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Refused(String);

/// What was put into the log.
#[derive(Default)]
struct Said {
    rotated: Vec<Rotated>,
    revoked: Vec<Revoked>,
}

/// Replaces the key of a role. A replacement that was killed before it was in the log is finished instead.
///
/// # Errors
/// When the person may not, or the log and its published checkpoint do not agree; then no key has changed.
pub async fn rotate(deps: &Deps, by: &str, role: Role) -> Result<Rotated> {
    let person = case::permitted(deps, by, Action::ManageKeys, None).await?.name;
    let unfinished = finish(deps).await?;
    if let Some(rotated) = unfinished.rotated.into_iter().find(|rotated| rotated.role == role) {
        return Ok(rotated);
    }
    let (exclusive, mut register, entry) = begin(deps).await?;
    replace(deps, &mut register, role, entry, &exclusive)?;
    let successor = register.current(role)?.keyid;
    decided(deps, &person, "rotate_key", role, json!({ "successor": successor })).await?;
    apply(deps, &register, exclusive)?;
    let said = finish(deps).await?;
    said.rotated.into_iter().find(|rotated| rotated.role == role).context("the rotation was just registered")
}

/// Takes the trust from a key; one that is in use is replaced first. A revocation of it that was killed before it was in
/// the log is finished instead.
///
/// # Errors
/// [`Refused`] when the reason, the time or the entry cannot be, or the key was revoked already; otherwise as [`rotate`].
pub async fn revoke(deps: &Deps, by: &str, which: Which, reason: &Reason) -> Result<Revoked> {
    let person = case::permitted(deps, by, Action::ManageKeys, None).await?.name;
    let refuse = |why: String| Err(anyhow::Error::new(Refused(why)));
    if reason.text.trim().is_empty() || reason.text.len() > LONGEST_REASON_BYTES {
        return refuse(format!("a reason has 1 to {LONGEST_REASON_BYTES} bytes; everybody can read it"));
    }
    if reason.text.chars().any(char::is_control) {
        return refuse("a reason is one line without control characters".to_owned());
    }
    let unfinished = finish(deps).await?;
    let meant = |revoked: &Revoked| match which {
        Which::InUse(role) => revoked.role == role,
        Which::Key(keyid) => revoked.keyid == keyid,
    };
    if let Some(revoked) = unfinished.revoked.into_iter().find(meant) {
        return Ok(revoked);
    }
    let (exclusive, mut register, size) = begin(deps).await?;
    let keyid = match which {
        Which::InUse(role) => register.current(role)?.keyid,
        Which::Key(keyid) => keyid,
    };
    let Some(known) = register.keys.iter().find(|registered| registered.key.keyid == keyid) else {
        return refuse(format!("there never was a key {keyid}; obelus keys list shows them"));
    };
    if known.revocation.is_some() {
        return refuse(format!("the key {keyid} was revoked already; obelus keys list shows why"));
    }
    let (role, in_use, now) = (known.key.role, known.key.end_entry.is_none(), deps.now());
    let since = reason.since.unwrap_or(now);
    let from_entry = reason.from_entry.unwrap_or(size);
    if since > now {
        return refuse(format!("{since} has not come yet; it is {now}"));
    }
    if from_entry > size {
        return refuse(format!("the log has {size} entries; distrust begins at one of 0 to {size}"));
    }
    if in_use && role == Role::Log && from_entry < size {
        return refuse(format!(
            "the checkpoint over the log's {size} entries is signed with this key, so that it counts up to there: leave \
             --from-entry out, or first obelus keys rotate log"
        ));
    }
    if in_use {
        replace(deps, &mut register, role, size, &exclusive)?;
    }
    let text = reason.text.clone();
    register.revoke(&keyid, Distrust { reason: text, since, from_entry, at: now, salt: deps.salt()? })?;
    decided(deps, &person, "revoke_key", role, json!({ "keyid": keyid, "fromEntry": from_entry })).await?;
    apply(deps, &register, exclusive)?;
    let said = finish(deps).await?;
    for model in models::list(&deps.db).await? {
        let write = deps.db.write().await?;
        triggers::changed(&write, &model.name, &format!("the {role} key {keyid} was revoked"), deps.now()).await?;
        write.commit().await?;
    }
    said.revoked.into_iter().find(|revoked| revoked.keyid == keyid).context("the revocation was just registered")
}

/// Puts into the log what a killed process left only in the register, and destroys the private keys that it left. Takes no
/// right: whoever decided it had one.
///
/// # Errors
/// When the log cannot be written.
pub async fn finish_interrupted(deps: &Deps) -> Result<()> {
    finish(deps).await.map(drop)
}

/// From here on nothing is signed into the log; gives the register and the number of entries.
async fn begin(deps: &Deps) -> Result<(Exclusive, Register, u64)> {
    // A database that was restored from a backup has fewer entries than the world has seen: a key that ended at its size
    // would take what it signed with it.
    let checked = transparency::check(deps).await?;
    let exclusive = deps.keys.exclusive()?;
    // What a killed process left waiting was signed by the keys of now.
    transparency::drain(deps).await?;
    let register = deps.keys.register()?;
    ensure!(register.is_announced(), "somebody else is changing keys; run the command again");
    let size = log::head(&deps.db).await?.size;
    ensure!(size >= checked.size, "the log became shorter while this ran; run obelus log check");
    Ok((exclusive, register, size))
}

/// Notes who changes keys, before they change: the register is a file and shares no transaction with the audit trail. Killed
/// in between, the trail has one decision more than there are keys; never one less.
async fn decided(deps: &Deps, person: &str, action: &str, role: Role, detail: Value) -> Result<()> {
    let write = deps.db.write().await?;
    audit::append(&write, deps.now(), person, action, &subject(role), &detail.to_string()).await?;
    Ok(write.commit().await?)
}

/// How the log and the audit trail call the keys of a role.
fn subject(role: Role) -> String {
    format!("{role} key")
}

fn replace(deps: &Deps, register: &mut Register, role: Role, entry: u64, exclusive: &Exclusive) -> Result<()> {
    let successor = deps.keys.make(role, exclusive)?;
    point("key-made");
    register.rotate(role, &successor, entry, deps.now(), deps.salt()?)
}

/// Makes a changed register hold, and lets others sign again.
fn apply(deps: &Deps, register: &Register, exclusive: Exclusive) -> Result<()> {
    deps.keys.replace_register(register, &exclusive)?;
    point("key-registered");
    deps.keys.destroy_retired(&exclusive)?;
    point("key-destroyed");
    Ok(())
}

async fn finish(deps: &Deps) -> Result<Said> {
    let mut said = Said::default();
    let register = deps.keys.register()?;
    if register.is_announced() {
        return Ok(said);
    }
    deps.keys.destroy_retired(&deps.keys.exclusive()?)?;
    for registered in &register.keys {
        let (role, keyid) = (registered.key.role, registered.key.keyid);
        if let Some(rotation) = registered.rotation.as_ref().filter(|a| a.entry.is_none()) {
            let entry = announce(deps, role, &keyid, rotation.statement.clone()).await?;
            point("rotation-logged");
            note(deps, |register| register.rotation_logged(&keyid, entry))?;
            said.rotated.push(Rotated { role, retired: keyid, successor: rotation.statement.successor, entry });
        }
        if let Some(revocation) = registered.revocation.as_ref().filter(|a| a.entry.is_none()) {
            let entry = announce(deps, role, &keyid, revocation.statement.clone()).await?;
            point("revocation-logged");
            note(deps, |register| register.revocation_logged(&keyid, entry))?;
            let first_distrusted_entry = revocation.statement.first_distrusted_entry;
            said.revoked.push(Revoked { role, keyid, first_distrusted_entry, entry });
        }
    }
    Ok(said)
}

/// Puts a statement about a key into the log, unless it is there. Signing it again gives the same envelope: its time and
/// salt were registered, the registrar's key cannot have changed in between, and Ed25519 draws nothing.
async fn announce<P: Predicate>(deps: &Deps, role: Role, keyid: &Digest, predicate: P) -> Result<u64> {
    let signed = sign(deps, &Statement::new(Subject::sha256(&subject(role), *keyid), predicate))?;
    if let Some(index) = log::index_of(&deps.db, &signed.digest()?).await? {
        transparency::checkpoint(deps).await?;
        return Ok(index);
    }
    Ok(append(deps, signed).await?.index)
}

fn note(deps: &Deps, change: impl FnOnce(&mut Register) -> Result<()>) -> Result<()> {
    let exclusive = deps.keys.exclusive()?;
    let mut register = deps.keys.register()?;
    change(&mut register)?;
    deps.keys.replace_register(&register, &exclusive)
}
