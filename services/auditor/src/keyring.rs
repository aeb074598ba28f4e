//! The private keys on disk: one PEM a role, 0600 in a 0700 folder, refused when others can read them.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use anyhow::{Context as _, Result, ensure};
use obelus_core::Timestamp;
use obelus_ledger::{
    checkpoint::vkey,
    keys::{PrivateKey, PublicKey, Role, Signer},
    trust::{self, TrustedKey, TrustedRoot},
};

/// The keys of an installation.
pub struct Keyring(BTreeMap<Role, PrivateKey>);

impl Keyring {
    /// Makes a key for every role that has none. Existing keys are never replaced.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn create(folder: &Path) -> Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        for role in Role::ALL {
            let path = folder.join(format!("{role}.pem"));
            if path.exists() {
                continue;
            }
            let pem = PrivateKey::generate()?.to_pem()?;
            let partial = path.with_extension("partial");
            let _ = fs::remove_file(&partial);
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&partial)
                .with_context(|| format!("cannot create {}", partial.display()))?;
            file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()).context("cannot write a key")?;
            fs::rename(&partial, &path).with_context(|| format!("cannot create {}", path.display()))?;
        }
        Ok(())
    }

    /// Opens the keys of every role.
    ///
    /// # Errors
    /// When one is missing, damaged, or readable by others.
    pub fn open(folder: &Path) -> Result<Self> {
        let mut keys = BTreeMap::new();
        for role in Role::ALL {
            let path = folder.join(format!("{role}.pem"));
            let place = path.display();
            let mode = fs::metadata(&path).with_context(|| format!("there is no key {place}; run obelus init"))?;
            let mode = mode.permissions().mode() & 0o777;
            ensure!(
                mode & 0o077 == 0,
                "{place} has mode {mode:o}, others can read it; make a new key, or chmod 600 it"
            );
            let pem = fs::read_to_string(&path).with_context(|| format!("cannot read {place}"))?;
            keys.insert(role, PrivateKey::from_pem(&pem).with_context(|| format!("cannot use {place}"))?);
        }
        Ok(Self(keys))
    }

    /// The signer of a role.
    pub fn signer(&self, role: Role) -> &dyn Signer {
        &self.0[&role]
    }

    /// The public key of a role.
    pub fn public(&self, role: Role) -> PublicKey {
        self.0[&role].public_key()
    }

    /// What a verifier needs to trust.
    ///
    /// # Errors
    /// Never for keys that were opened.
    pub fn trusted_root(&self, log_origin: &str, valid_from: Timestamp) -> Result<TrustedRoot> {
        let mut keys = Vec::new();
        for role in Role::ALL {
            keys.push(TrustedKey::new(role, &self.public(role), valid_from)?);
        }
        Ok(TrustedRoot {
            format: trust::FORMAT.to_owned(),
            log_origin: log_origin.to_owned(),
            log_vkey: vkey(log_origin, &self.public(Role::Log)),
            keys,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_private_and_never_replaced() {
        let folder = std::env::temp_dir().join(format!("obelus-keyring-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        Keyring::create(&folder).unwrap();
        let first = Keyring::open(&folder).unwrap().public(Role::Issuer);
        Keyring::create(&folder).unwrap();
        assert_eq!(Keyring::open(&folder).unwrap().public(Role::Issuer), first);
        let path = folder.join("issuer.pem");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(Keyring::open(&folder).err().unwrap().to_string().contains("chmod 600"));
        fs::remove_file(&path).unwrap();
        assert!(Keyring::open(&folder).err().unwrap().to_string().contains("obelus init"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
