//! The keys of an installation: the register of all that ever were, and the private half of the four in use, each
//! decrypted when it first signs. Not here: when keys are replaced and what the log says of it (`custody.rs`).

mod key_file;
mod passphrase;
mod register;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, Result, ensure};
use obelus_core::{Digest, Timestamp};
use obelus_ledger::{
    checkpoint::Checkpoint,
    dsse::Envelope,
    keys::{PrivateKey, PublicKey, Role, Signer as _},
    trust::{TrustedKey, TrustedRoot},
};

use key_file::KeyFile;
pub use passphrase::{Passphrase, VARIABLE as PASSPHRASE_VARIABLE};
pub use register::{Announced, Distrust, Register, RegisteredKey};

/// The keys of an installation.
pub struct Keyring {
    folder: PathBuf,
    passphrase: Passphrase,
    /// Private keys by id, once they have been decrypted: that takes a twentieth of a second each, on purpose.
    opened: Mutex<BTreeMap<Digest, Arc<PrivateKey>>>,
}

/// While it lives, no key is replaced.
#[must_use]
pub struct Held(#[allow(dead_code, reason = "the lock is released when the file is closed")] File);

/// While it lives, nothing is signed into the log and no other process changes the keys.
#[must_use]
pub struct Exclusive(#[allow(dead_code, reason = "the lock is released when the file is closed")] File);

impl Keyring {
    /// Makes what is missing: folder, passphrase, a key for every role that has none, the register. Keys are never
    /// replaced; those that an earlier version left unencrypted are encrypted.
    ///
    /// # Errors
    /// When the folder cannot be written, or a key in it cannot be used.
    pub fn create(folder: &Path, passphrase: Passphrase) -> Result<()> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        passphrase.create(folder)?;
        let keyring = Self { folder: folder.to_owned(), passphrase, opened: Mutex::default() };
        let exclusive = keyring.exclusive()?;
        if Register::read(folder)?.is_none() {
            let mut keys = Vec::new();
            for role in Role::ALL {
                let public = match KeyFile::unencrypted(folder, role)? {
                    Some(file) => file.open(&keyring.passphrase)?.public_key(),
                    None => keyring.make(role, &exclusive)?,
                };
                keys.push((role, public));
            }
            keyring.replace_register(&Register::of_first_keys(&keys)?, &exclusive)?;
        }
        for role in Role::ALL {
            keyring.encrypt(role)?;
        }
        keyring.destroy_retired(&exclusive)
    }

    /// Opens the keys: reads the register, and looks whether the private key of every role is there.
    ///
    /// # Errors
    /// When one is missing or readable by others, or the register is damaged.
    pub fn open(folder: &Path, passphrase: Passphrase) -> Result<Self> {
        let keyring = Self { folder: folder.to_owned(), passphrase, opened: Mutex::default() };
        if Register::read(folder)?.is_none() {
            keyring.adopt()?;
        }
        let register = keyring.register()?;
        for role in Role::ALL {
            KeyFile::of(folder, role, &register.current(role)?.keyid)?.refuse_others()?;
        }
        Ok(keyring)
    }

    /// Makes the register of a folder from before there was one.
    fn adopt(&self) -> Result<()> {
        for role in Role::ALL {
            let found = KeyFile::unencrypted(&self.folder, role)?;
            ensure!(found.is_some(), "there is no {role} key in {}; run obelus init", self.folder.display());
        }
        let exclusive = self.exclusive()?;
        let mut keys = Vec::new();
        for role in Role::ALL {
            let file = KeyFile::unencrypted(&self.folder, role)?.context("the key was there a moment ago")?;
            keys.push((role, file.open(&self.passphrase)?.public_key()));
        }
        if Register::read(&self.folder)?.is_none() {
            self.replace_register(&Register::of_first_keys(&keys)?, &exclusive)?;
        }
        Ok(())
    }

    /// Every key that ever was, as the folder has it now.
    ///
    /// # Errors
    /// When the register is missing or damaged.
    pub fn register(&self) -> Result<Register> {
        let register = Register::read(&self.folder)?;
        register.with_context(|| format!("there is no key register in {}; run obelus init", self.folder.display()))
    }

    /// The key that signs for a role now.
    ///
    /// # Errors
    /// When its file is missing, damaged, readable by others, holds another key, or the passphrase is not its own.
    pub fn signer(&self, role: Role) -> Result<Arc<PrivateKey>> {
        let keyid = self.register()?.current(role)?.keyid;
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = opened.get(&keyid) {
            return Ok(key.clone());
        }
        let file = KeyFile::of(&self.folder, role, &keyid)?;
        let key = Arc::new(file.open(&self.passphrase)?);
        ensure!(
            key.public_key().id() == keyid,
            "{} holds another key than the register says; restore keys/ from one backup",
            file.shown()
        );
        opened.insert(keyid, key.clone());
        Ok(key)
    }

    /// The public key with which an envelope names itself signed, in use or retired.
    ///
    /// # Errors
    /// When it never was a key of this role here.
    pub fn verifier(&self, role: Role, envelope: &Envelope) -> Result<PublicKey> {
        let keyid = envelope.signatures.first().map(|s| s.keyid).context("the statement has no signature")?;
        let register = self.register()?;
        let key = register.trusted().find(|key| key.role == role && key.keyid == keyid);
        let key = key.with_context(|| format!("{keyid} never was the id of a {role} key of this installation"))?;
        Ok(PublicKey::from_pem(&key.public_key)?)
    }

    /// Reads a checkpoint signed by the log key that was in use at its size.
    ///
    /// # Errors
    /// When no such key signed it.
    pub fn checkpoint(&self, note: &str, log_origin: &str) -> Result<Checkpoint> {
        Ok(self.trusted_root(log_origin)?.open_checkpoint(note)?.0)
    }

    /// The log key that signed a checkpoint.
    ///
    /// # Errors
    /// When no log key that was in use at its size did.
    pub fn log_key(&self, note: &str, log_origin: &str) -> Result<PublicKey> {
        let root = self.trusted_root(log_origin)?;
        Ok(PublicKey::from_pem(&root.open_checkpoint(note)?.1.public_key)?)
    }

    /// What a verifier needs to trust.
    ///
    /// # Errors
    /// When the register is damaged.
    pub fn trusted_root(&self, log_origin: &str) -> Result<TrustedRoot> {
        self.register()?.trusted_root(log_origin)
    }

    /// Whether the key that signed an envelope is in use. It stays so while the caller holds the keys, see [`Self::share`].
    ///
    /// # Errors
    /// When it is not: at its place in the log the signature would not count.
    pub fn in_use(&self, role: Role, envelope: &Envelope) -> Result<()> {
        let current = self.register()?.current(role)?.keyid;
        ensure!(
            envelope.signatures.first().is_some_and(|s| s.keyid == current),
            "the {role} key was replaced while this ran, and nothing was put into the log; run the command again"
        );
        Ok(())
    }

    /// Keeps the keys from being replaced, while an envelope is put into the log or the log's key signs.
    ///
    /// # Errors
    /// When the folder cannot be locked.
    pub fn share(&self) -> Result<Held> {
        let file = self.lock_file()?;
        file.lock_shared().with_context(|| format!("cannot lock {}", self.folder.display()))?;
        Ok(Held(file))
    }

    /// Waits until nobody signs into the log, and keeps it so.
    ///
    /// # Errors
    /// When the folder cannot be locked.
    pub fn exclusive(&self) -> Result<Exclusive> {
        let file = self.lock_file()?;
        file.lock().with_context(|| format!("cannot lock {}", self.folder.display()))?;
        Ok(Exclusive(file))
    }

    fn lock_file(&self) -> Result<File> {
        let path = self.folder.join(".lock");
        File::create(&path).with_context(|| format!("cannot create {}", path.display()))
    }

    /// Makes a private key of a role and puts its encrypted file on the device. It is in use only once the register says so.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn make(&self, role: Role, _exclusive: &Exclusive) -> Result<PublicKey> {
        let key = PrivateKey::generate()?;
        KeyFile::write(&self.folder, role, &key, &self.passphrase)?;
        Ok(key.public_key())
    }

    /// Puts another register in the place of this one; on the device when it returns.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn replace_register(&self, register: &Register, _exclusive: &Exclusive) -> Result<()> {
        register.write(&self.folder)
    }

    /// Overwrites and removes every private key that is not in use: retired ones, and those that never came into use.
    ///
    /// # Errors
    /// When one cannot be removed.
    pub fn destroy_retired(&self, _exclusive: &Exclusive) -> Result<()> {
        let register = self.register()?;
        for role in Role::ALL {
            KeyFile::of(&self.folder, role, &register.current(role)?.keyid)?.destroy_others()?;
        }
        Ok(())
    }

    /// Encrypts the key of a role where an earlier version left it unencrypted.
    fn encrypt(&self, role: Role) -> Result<()> {
        let file = KeyFile::of(&self.folder, role, &self.register()?.current(role)?.keyid)?;
        if !file.is_encrypted()? {
            let key = file.open(&self.passphrase)?;
            KeyFile::write(&self.folder, role, &key, &self.passphrase)?;
        }
        Ok(())
    }

    /// The roles whose private keys lie unencrypted.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn unencrypted(&self) -> Result<Vec<Role>> {
        let register = self.register()?;
        let mut roles = Vec::new();
        for role in Role::ALL {
            if !KeyFile::of(&self.folder, role, &register.current(role)?.keyid)?.is_encrypted()? {
                roles.push(role);
            }
        }
        Ok(roles)
    }

    /// Where the passphrase comes from, in words.
    pub fn passphrase_source(&self) -> String {
        self.passphrase.source()
    }
}

/// A key that never was replaced and has signed since the log began.
fn first_key(role: Role, public: &PublicKey) -> Result<TrustedKey> {
    // The log bounds it from below: there is no entry before the first.
    Ok(TrustedKey::new(role, public, Timestamp::from_micros(0))?)
}

#[cfg(test)]
mod tests;
