//! One private key on disk: PKCS#8 PEM encrypted with PBES2, 0600, refused when others can read it, overwritten before it
//! is removed. Not here: which key is in use (`register.rs`).

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use obelus_core::Digest;
use obelus_ledger::{
    keys::{PrivateKey, Role, Signer as _, Zeroizing},
    model_key::ModelPrivateKey,
};

use super::Passphrase;

/// A private key's file, which exists.
pub(super) struct KeyFile {
    role: Role,
    path: PathBuf,
}

fn path_of(folder: &Path, role: Role, keyid: &Digest) -> PathBuf {
    folder.join(format!("{role}-{}.pem", &keyid.to_string()[..8]))
}

fn is_there(path: &Path) -> Result<bool> {
    path.try_exists().with_context(|| format!("cannot look for {}", path.display()))
}

impl KeyFile {
    /// The file of a key: under its own name, or under that of its role, as earlier versions called it.
    pub(super) fn of(folder: &Path, role: Role, keyid: &Digest) -> Result<Self> {
        let path = path_of(folder, role, keyid);
        if is_there(&path)? {
            return Ok(Self { role, path });
        }
        let earlier = Self::unencrypted(folder, role)?;
        earlier.with_context(|| {
            format!("there is no key {}; restore it from a backup, or run obelus init in a new folder", path.display())
        })
    }

    /// Whether the folder has an encrypted key, so that there is a passphrase already.
    pub(super) fn any(folder: &Path) -> Result<bool> {
        for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
            let name = entry.with_context(|| format!("cannot list {}", folder.display()))?.file_name();
            let name = name.to_string_lossy();
            if name.ends_with(".pem") && Role::ALL.iter().any(|role| name.starts_with(&format!("{role}-"))) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The file that an earlier version made, if there is one.
    pub(super) fn unencrypted(folder: &Path, role: Role) -> Result<Option<Self>> {
        let path = folder.join(format!("{role}.pem"));
        Ok(is_there(&path)?.then_some(Self { role, path }))
    }

    /// The file of the P-256 key that belongs to a key of role `model`.
    pub(super) fn of_model_signing(folder: &Path, keyid: &Digest) -> Self {
        Self { role: Role::Model, path: path_of(folder, Role::Model, keyid).with_extension("p256.pem") }
    }

    /// Encrypts a key into a file of its own; on the device when it returns.
    pub(super) fn write(folder: &Path, role: Role, key: &PrivateKey, passphrase: &Passphrase) -> Result<()> {
        let pem = key.to_encrypted_pem(&passphrase.read()?)?;
        Self { role, path: path_of(folder, role, &key.public_key().id()) }.put(&pem)
    }

    /// As [`KeyFile::write`], of a P-256 key.
    pub(super) fn write_model_signing(&self, key: &ModelPrivateKey, passphrase: &Passphrase) -> Result<()> {
        self.put(&key.to_encrypted_pem(&passphrase.read()?)?)
    }

    fn put(&self, pem: &str) -> Result<()> {
        let path = &self.path;
        let folder = path.parent().context("a key lies in a folder")?;
        let partial = path.with_extension("partial");
        let _ = fs::remove_file(&partial);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&partial)
            .and_then(|mut file| file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()))
            .with_context(|| format!("cannot write {}", partial.display()))?;
        fs::rename(&partial, path).with_context(|| format!("cannot create {}", path.display()))?;
        flush(folder)
    }

    /// The P-256 key.
    pub(super) fn open_model_signing(&self, passphrase: &Passphrase) -> Result<ModelPrivateKey> {
        self.refuse_others()?;
        let key = ModelPrivateKey::from_pem_with(&self.pem()?, Some(&passphrase.read()?));
        key.with_context(|| format!("cannot use {}", self.shown()))
    }

    /// The key.
    pub(super) fn open(&self, passphrase: &Passphrase) -> Result<PrivateKey> {
        self.refuse_others()?;
        let pem = self.pem()?;
        let passphrase = if PrivateKey::is_encrypted(&pem) { Some(passphrase.read()?) } else { None };
        let key = PrivateKey::from_pem_with(&pem, passphrase.as_ref().map(|text| text.as_str()));
        key.with_context(|| format!("cannot use {}", self.shown()))
    }

    pub(super) fn is_encrypted(&self) -> Result<bool> {
        Ok(PrivateKey::is_encrypted(&self.pem()?))
    }

    fn pem(&self) -> Result<Zeroizing<String>> {
        let pem = fs::read_to_string(&self.path).with_context(|| format!("cannot read {}", self.shown()))?;
        Ok(Zeroizing::new(pem))
    }

    /// Refuses a file that others can read.
    pub(super) fn refuse_others(&self) -> Result<()> {
        let found = fs::metadata(&self.path).with_context(|| format!("cannot look for {}", self.shown()))?;
        let mode = found.permissions().mode() & 0o777;
        let (shown, role) = (self.shown(), self.role);
        ensure!(
            mode & 0o077 == 0,
            "{shown} has mode {mode:o}, others can read it; if nobody has, chmod 600 it, else also obelus keys revoke {role}"
        );
        Ok(())
    }

    /// Overwrites and removes every other file of a key of this role in the folder, but the P-256 key of the one in use.
    pub(super) fn destroy_others(&self, in_use: &Digest) -> Result<()> {
        let folder = self.path.parent().context("a key lies in a folder")?;
        let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
        let (exactly, begins) = (format!("{}.pem", self.role), format!("{}-", self.role));
        let model_signing = Self::of_model_signing(folder, in_use).path;
        let mut destroyed = false;
        for entry in entries {
            let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let ours = name == exactly
                || name.strip_prefix(&begins).is_some_and(|rest| rest.ends_with(".pem") || rest.ends_with(".partial"));
            if ours && path != self.path && path != model_signing {
                destroy(&path)?;
                destroyed = true;
            }
        }
        if destroyed { flush(folder) } else { Ok(()) }
    }

    /// The place, for messages.
    pub(super) fn shown(&self) -> std::path::Display<'_> {
        self.path.display()
    }
}

/// Overwrites a file before it is removed. A device that remaps blocks may keep the old ones.
fn destroy(path: &Path) -> Result<()> {
    let overwrite = || {
        let bytes = fs::metadata(path)?.len();
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.write_all(&vec![0; usize::try_from(bytes).unwrap_or(0)])?;
        file.sync_all()?;
        fs::remove_file(path)
    };
    match overwrite() {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        other => other.with_context(|| format!("cannot destroy {}", path.display())),
    }
}

/// Puts the names in a folder on the device.
pub(super) fn flush(folder: &Path) -> Result<()> {
    fs::File::open(folder).and_then(|f| f.sync_all()).with_context(|| format!("cannot flush {}", folder.display()))
}
