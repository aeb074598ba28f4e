//! The register of keys: every key that ever was, where it counts, and what the log says of it. Public; what is exported
//! for verifiers follows from it. Not here: private keys (`key_file.rs`).

use std::{fs, io::ErrorKind, path::Path};

use anyhow::{Context as _, Result, bail, ensure};
use obelus_core::{Digest, Timestamp};
use obelus_ledger::{
    canonical,
    checkpoint::vkey,
    keys::{PublicKey, Role},
    model_key::ModelPublicKey,
    statement::{KeyRevocation, KeyRotation},
    trust::{self, Revocation, TrustedKey, TrustedRoot},
};
use serde::{Deserialize, Serialize};

use super::Made;
use crate::durable::write_durably;

const FORMAT: &str = "obelus-key-register/v1";
const FILE: &str = "register.json";

/// What the log is to say of a key, and where it says so. The statement is kept with its salt and its time, so that a
/// process that is killed before the log has it leaves it to the next one, word for word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Announced<P> {
    /// What is stated.
    pub statement: P,
    /// Its index in the log; none until it is there.
    pub entry: Option<u64>,
}

/// A key, in use or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisteredKey {
    /// What verifiers are told. `revoked` is set once the log has the revocation.
    pub key: TrustedKey,
    /// That it was replaced.
    pub rotation: Option<Announced<KeyRotation>>,
    /// That it was revoked.
    pub revocation: Option<Announced<KeyRevocation>>,
}

/// Every key of an installation, in the order in which they came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Register {
    format: String,
    /// The keys.
    pub keys: Vec<RegisteredKey>,
}

/// What is said of a key that is revoked.
pub struct Distrust {
    /// Why.
    pub reason: String,
    /// Since when others may have had it.
    pub since: Timestamp,
    /// The first entry that does not count.
    pub from_entry: u64,
    /// When this was decided.
    pub at: Timestamp,
    /// Of the statement.
    pub salt: String,
}

impl Register {
    /// Of the keys that an installation begins with.
    pub(super) fn of_first_keys(keys: &[(Role, Made)]) -> Result<Self> {
        let key = |(role, made): &(Role, Made)| {
            // The log bounds it from below: there is no entry before the first.
            let key = made.trusted(*role, Timestamp::from_micros(0))?;
            Ok(RegisteredKey { key, rotation: None, revocation: None })
        };
        Ok(Self { format: FORMAT.to_owned(), keys: keys.iter().map(key).collect::<Result<_>>()? })
    }

    /// Reads the register of a folder; none when there is none.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(FILE);
        let bytes = match fs::read(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            other => other.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let damaged = || format!("{} is damaged; restore it from a backup", path.display());
        let register: Self = canonical::from_bytes(&bytes).with_context(damaged)?;
        ensure!(register.format == FORMAT, "{} has the unknown format {:?}", path.display(), register.format);
        for role in Role::ALL {
            register.current(role).with_context(damaged)?;
        }
        Ok(Some(register))
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        write_durably(&folder.join(FILE), &canonical::to_bytes(self)?)
    }

    /// What verifiers are told of each key.
    pub fn trusted(&self) -> impl Iterator<Item = &TrustedKey> {
        self.keys.iter().map(|registered| &registered.key)
    }

    /// The key that signs for a role.
    ///
    /// # Errors
    /// When the register has none, or several.
    pub fn current(&self, role: Role) -> Result<&TrustedKey> {
        let mut current = self.trusted().filter(|key| key.role == role && key.end_entry.is_none());
        match (current.next(), current.next()) {
            (Some(key), None) => Ok(key),
            (None, _) => bail!("the key register has no {role} key in use"),
            _ => bail!("the key register has several {role} keys in use"),
        }
    }

    /// Whether the log has yet to say something of a key.
    pub fn is_announced(&self) -> bool {
        let said = |k: &RegisteredKey| {
            k.rotation.as_ref().is_none_or(|a| a.entry.is_some())
                && k.revocation.as_ref().is_none_or(|a| a.entry.is_some())
        };
        self.keys.iter().all(said)
    }

    /// What verifiers need.
    ///
    /// # Errors
    /// When a key is damaged.
    pub(super) fn trusted_root(&self, log_origin: &str) -> Result<TrustedRoot> {
        let log = PublicKey::from_pem(&self.current(Role::Log)?.public_key)?;
        Ok(TrustedRoot {
            format: trust::FORMAT.to_owned(),
            log_origin: log_origin.to_owned(),
            log_vkey: vkey(log_origin, &log),
            keys: self.trusted().cloned().collect(),
        })
    }

    /// Retires the key of a role at an entry of the log and puts a successor in its place.
    ///
    /// # Errors
    /// When the register has no key of this role in use.
    pub fn rotate(&mut self, role: Role, to: &Made, entry: u64, at: Timestamp, salt: String) -> Result<()> {
        let current = self.current(role)?.keyid;
        let mut successor = to.trusted(role, at)?;
        successor.first_entry = entry;
        let retired = self.find(&current)?;
        // A clock that was set back makes no period end before it begins.
        let at = at.max(retired.key.valid_from);
        successor.valid_from = at;
        (retired.key.valid_to, retired.key.end_entry) = (Some(at), Some(entry));
        let statement = KeyRotation {
            role,
            retired: current,
            successor: successor.keyid,
            public_key: successor.public_key.clone(),
            entry,
            rotated_at: at,
            salt,
        };
        retired.rotation = Some(Announced { statement, entry: None });
        self.keys.push(RegisteredKey { key: successor, rotation: None, revocation: None });
        Ok(())
    }

    /// Gives the key of role `model` that is in use its P-256 key, where an earlier version made it without one.
    pub(super) fn add_model_signing(&mut self, key: &ModelPublicKey) -> Result<()> {
        let current = self.current(Role::Model)?.keyid;
        self.find(&current)?.key.model_signing_key = Some(key.to_pem()?);
        Ok(())
    }

    /// Takes the trust from a retired key: from an entry on nothing of it counts, nor what it states of later times.
    ///
    /// # Errors
    /// When there is no such key, it is in use, or it was revoked already.
    pub fn revoke(&mut self, keyid: &Digest, because: Distrust) -> Result<()> {
        let role = self.find(keyid)?.key.role;
        let successor = self.current(role)?.keyid;
        let revoked = self.find(keyid)?;
        ensure!(revoked.revocation.is_none(), "the key {keyid} was revoked already; obelus keys list shows why");
        let key = &mut revoked.key;
        let end = key.end_entry.context("a key in use is retired before it is revoked")?;
        let end = end.min(because.from_entry).max(key.first_entry);
        key.end_entry = Some(end);
        let until = key.valid_to.map_or(because.since, |until| until.min(because.since));
        key.valid_to = Some(until.max(key.valid_from));
        let statement = KeyRevocation {
            role,
            keyid: *keyid,
            reason: because.reason,
            compromised_since: because.since,
            first_distrusted_entry: end,
            successor,
            revoked_at: because.at,
            salt: because.salt,
        };
        revoked.revocation = Some(Announced { statement, entry: None });
        Ok(())
    }

    /// Notes where in the log the rotation of a key stands.
    ///
    /// # Errors
    /// When there is no such key, or it was not replaced.
    pub fn rotation_logged(&mut self, keyid: &Digest, entry: u64) -> Result<()> {
        let rotation = self.find(keyid)?.rotation.as_mut().context("the key was not replaced")?;
        rotation.entry = Some(entry);
        Ok(())
    }

    /// Notes where in the log the revocation of a key stands; verifiers are told from here on.
    ///
    /// # Errors
    /// When there is no such key, or it was not revoked.
    pub fn revocation_logged(&mut self, keyid: &Digest, entry: u64) -> Result<()> {
        let key = self.find(keyid)?;
        let revocation = key.revocation.as_mut().context("the key was not revoked")?;
        revocation.entry = Some(entry);
        let said = &revocation.statement;
        key.key.revoked = Some(Revocation { at: said.revoked_at, reason: said.reason.clone(), entry });
        Ok(())
    }

    fn find(&mut self, keyid: &Digest) -> Result<&mut RegisteredKey> {
        let found = self.keys.iter_mut().find(|registered| registered.key.keyid == *keyid);
        found.with_context(|| format!("the key register has no key {keyid}"))
    }
}
