//! The trusted root: the public keys that a verifier got apart from the documents it checks, and where in time and in
//! the log each of them counts. Not here: its form for Sigstore's readers (`sigstore.rs`), and who decides which keys it has.

mod sigstore;

use std::{collections::BTreeSet, fmt};

use obelus_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize, Serializer, ser::Error as _};

use crate::{
    checkpoint::{Checkpoint, vkey},
    keys::{KeyError, PublicKey, Role},
    model_key::ModelPublicKey,
};
use sigstore::File;

/// That a key is no longer trusted, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// When it was revoked.
    pub at: Timestamp,
    /// Why, in the operator's words.
    pub reason: String,
    /// Index in the log of the `key-revocation/v1` that says so.
    pub entry: u64,
}

/// One trusted key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TrustedKey {
    /// What it may sign.
    pub role: Role,
    /// Its id.
    pub keyid: Digest,
    /// SPKI PEM.
    pub public_key: String,
    /// SPKI PEM of the P-256 key that came with a key of role `model`, is replaced and revoked with it, and signs
    /// `model.sig`. None for other roles, and for keys from before there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_signing_key: Option<String>,
    /// Since when.
    pub valid_from: Timestamp,
    /// Until when; retired keys stay, with an end.
    pub valid_to: Option<Timestamp>,
    /// The first entry of the log that it may have signed.
    #[serde(default)]
    pub first_entry: u64,
    /// The first entry of the log that it may no longer have signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_entry: Option<u64>,
    /// Set when it was not only replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Revocation>,
}

impl TrustedKey {
    /// A key of which nothing is known but that it is trusted since a time.
    ///
    /// # Errors
    /// Never for a key of this type.
    pub fn new(role: Role, key: &PublicKey, valid_from: Timestamp) -> Result<Self, KeyError> {
        Ok(Self {
            role,
            keyid: key.id(),
            public_key: key.to_pem()?,
            model_signing_key: None,
            valid_from,
            valid_to: None,
            first_entry: 0,
            end_entry: None,
            revoked: None,
        })
    }

    /// Whether the key was in use at a time, both ends included.
    pub fn covers(&self, time: Timestamp) -> bool {
        self.valid_from <= time && self.valid_to.is_none_or(|end| time <= end)
    }

    /// Whether a statement of this key at this index of the log counts.
    ///
    /// # Errors
    /// Why it does not.
    pub fn covers_entry(&self, index: u64) -> Result<(), OutsideWindow> {
        let after = self.end_entry.is_some_and(|end| index >= end);
        self.window(index < self.first_entry, after, format!("entry {index}"))
    }

    /// Whether a checkpoint of this key over so many entries counts. The first that it may sign has the entry at which
    /// it came into use; the last has none after its end.
    ///
    /// # Errors
    /// Why it does not.
    pub fn covers_checkpoint(&self, size: u64) -> Result<(), OutsideWindow> {
        let after = self.end_entry.is_some_and(|end| size > end);
        self.window(size <= self.first_entry, after, format!("a checkpoint over {size} entries"))
    }

    fn window(&self, before: bool, after: bool, this: String) -> Result<(), OutsideWindow> {
        if before {
            let since = format!("came into use at entry {}", self.first_entry);
            return Err(OutsideWindow { role: self.role, what: since, this });
        }
        if after { Err(OutsideWindow { role: self.role, what: self.ended(), this }) } else { Ok(()) }
    }

    /// How its use ended, in words.
    fn ended(&self) -> String {
        let at = self.end_entry.map_or(String::new(), |end| format!(" as of entry {end}"));
        match &self.revoked {
            Some(r) => format!("was revoked{at} ({}; entry {} of the log says so)", r.reason, r.entry),
            None => format!("was retired{at}"),
        }
    }
}

/// A signature outside the part of the log in which its key counts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {role} key {what}, and this is {this}")]
pub struct OutsideWindow {
    role: Role,
    what: String,
    this: String,
}

/// What `--trust` reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedRoot {
    /// `obelus-trusted-root/v1`.
    pub format: String,
    /// Name of the log.
    pub log_origin: String,
    /// Verifier key of the log, as it signs now.
    pub log_vkey: String,
    /// All keys, retired ones too.
    pub keys: Vec<TrustedKey>,
}

/// Format name in the file.
pub const FORMAT: &str = "obelus-trusted-root/v1";

/// Why a trusted root cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Not a file of this form.
    #[error("trusted_root.json: {0}")]
    Form(String),
    /// A key in it is bad.
    #[error("trusted_root.json, key of role {0}: {1}")]
    Key(Role, KeyError),
    /// No key of a role.
    #[error("trusted_root.json has no key of role {0}")]
    Missing(Role),
}

impl TrustedRoot {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// When a field is missing, a key does not match its id, or the file says one thing twice and differently.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TrustError> {
        let file: File = serde_json::from_slice(bytes).map_err(|e| TrustError::Form(e.to_string()))?;
        let root = Self {
            format: file.format.clone(),
            log_origin: file.log_origin.clone(),
            log_vkey: file.log_vkey.clone(),
            keys: file.keys.clone(),
        };
        root.check()?;
        // Readers of Sigstore's members and readers of ours must not trust different keys.
        if file.has_sigstore() && File::new(&root).map_err(|e| TrustError::Form(e.to_string()))? != file {
            let differ = "the members that Sigstore's readers use are not those that keys and logOrigin give";
            return Err(TrustError::Form(differ.to_owned()));
        }
        Ok(root)
    }

    fn check(&self) -> Result<(), TrustError> {
        let form = |reason: String| Err(TrustError::Form(reason));
        if self.format != FORMAT {
            return form(format!("unknown format {:?}", self.format));
        }
        let newest_log = self.keys.iter().filter(|k| k.role == Role::Log).map(|k| k.first_entry).max();
        let mut log_key_listed = false;
        let mut seen = BTreeSet::new();
        for key in &self.keys {
            // A key in two roles could answer for itself; one listed twice would have two periods.
            if !seen.insert(key.keyid) {
                return form(format!("the key {} is listed twice; roles never share a key", key.keyid));
            }
            if key.valid_to.is_some_and(|end| end < key.valid_from)
                || key.end_entry.is_some_and(|end| end < key.first_entry)
            {
                return form(format!("the key {} ends before it begins", key.keyid));
            }
            if key.revoked.is_some() && key.end_entry.is_none() {
                return form(format!("the key {} is revoked and still counts at every entry", key.keyid));
            }
            let public = PublicKey::from_pem(&key.public_key).map_err(|e| TrustError::Key(key.role, e))?;
            if public.id() != key.keyid {
                return form(format!("the key of role {} does not have its id", key.role));
            }
            if let Some(pem) = &key.model_signing_key {
                let signing = ModelPublicKey::from_pem(pem).map_err(|e| TrustError::Key(key.role, e))?;
                let id = signing.id().map_err(|e| TrustError::Key(key.role, e))?;
                if key.role != Role::Model || signing.to_pem().ok().as_ref() != Some(pem) || !seen.insert(id) {
                    let only = "a modelSigningKey is one SPKI PEM, of one key of role model and of no other";
                    return form(only.to_owned());
                }
            }
            log_key_listed |= key.role == Role::Log
                && Some(key.first_entry) == newest_log
                && vkey(&self.log_origin, &public) == self.log_vkey;
        }
        if log_key_listed { Ok(()) } else { form("logVkey is not the log's key".to_owned()) }
    }

    /// The key with an id, if it is trusted for a role.
    pub fn key(&self, role: Role, keyid: &Digest) -> Option<(PublicKey, &TrustedKey)> {
        let found = self.keys.iter().find(|k| k.role == role && k.keyid == *keyid)?;
        Some((PublicKey::from_pem(&found.public_key).ok()?, found))
    }

    /// The P-256 key with an id, and the key of role `model` that it belongs to.
    pub fn model_signing_key(&self, id: &Digest) -> Option<(ModelPublicKey, &TrustedKey)> {
        self.keys.iter().filter(|key| key.role == Role::Model).find_map(|key| {
            let signing = ModelPublicKey::from_pem(key.model_signing_key.as_deref()?).ok()?;
            (signing.id().ok()? == *id).then_some((signing, key))
        })
    }

    /// The keys of a role.
    pub fn keys_of(&self, role: Role) -> impl Iterator<Item = PublicKey> {
        self.keys.iter().filter(move |k| k.role == role).filter_map(|k| PublicKey::from_pem(&k.public_key).ok())
    }

    /// Reads a checkpoint of the log and verifies its signature by a log key, and that this key counts for its size.
    ///
    /// # Errors
    /// When no trusted log key signed it, or one did that was not in use at this size of the log.
    pub fn open_checkpoint(&self, note: &str) -> Result<(Checkpoint, &TrustedKey), RefusedCheckpoint> {
        let mut reason = "there is no trusted log key".to_owned();
        for trusted in self.keys.iter().filter(|k| k.role == Role::Log) {
            let Some((key, _)) = self.key(Role::Log, &trusted.keyid) else { continue };
            match Checkpoint::verify(note, &self.log_origin, &key) {
                Ok(checkpoint) => match trusted.covers_checkpoint(checkpoint.size) {
                    Ok(()) => return Ok((checkpoint, trusted)),
                    Err(outside) => return Err(RefusedCheckpoint(outside.to_string())),
                },
                Err(e) => reason = e.to_string(),
            }
        }
        Err(RefusedCheckpoint(reason))
    }
}

/// Why a checkpoint of the log does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RefusedCheckpoint(String);

impl Serialize for TrustedRoot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        File::new(self).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl fmt::Display for Revocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "revoked at {}: {}", self.at, self.reason)
    }
}
