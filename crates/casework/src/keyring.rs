//! The keys of an installation: the register of all that ever were, and the private half of the four in use, each
//! decrypted when it first signs. Beside the one of role `model` lies a P-256 key, which signs `model.sig` and shares its
//! fate. Not here: when keys are replaced and what the log says of it (`custody.rs`).

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
    keys::{KeyError, PrivateKey, PublicKey, Role, Signer as _},
    model_key::{ModelPrivateKey, ModelPublicKey},
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

/// A key that was made. It is in use only once the register says so.
pub struct Made {
    public: PublicKey,
    /// That of role `model` comes with one, but where an earlier version made it.
    model_signing: Option<ModelPublicKey>,
}

impl Made {
    /// What verifiers are told of it.
    fn trusted(&self, role: Role, valid_from: Timestamp) -> Result<TrustedKey, KeyError> {
        let model_signing_key = self.model_signing.as_ref().map(ModelPublicKey::to_pem).transpose()?;
        Ok(TrustedKey { model_signing_key, ..TrustedKey::new(role, &self.public, valid_from)? })
    }
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
                let made = match KeyFile::unencrypted(folder, role)? {
                    Some(file) => Made { public: file.open(&keyring.passphrase)?.public_key(), model_signing: None },
                    None => keyring.make(role, &exclusive)?,
                };
                keys.push((role, made));
            }
            keyring.replace_register(&Register::of_first_keys(&keys)?, &exclusive)?;
        }
        for role in Role::ALL {
            keyring.encrypt(role)?;
        }
        keyring.add_model_signing(&exclusive)?;
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
        let model = register.current(Role::Model)?;
        if model.model_signing_key.is_some() {
            KeyFile::of_model_signing(folder, &model.keyid).refuse_others()?;
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
            keys.push((role, Made { public: file.open(&self.passphrase)?.public_key(), model_signing: None }));
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

    /// The P-256 key that signs `model.sig` now. A data directory from before there was one gets it here.
    ///
    /// # Errors
    /// As [`Keyring::signer`].
    pub fn model_signer(&self) -> Result<ModelPrivateKey> {
        let mut register = self.register()?;
        if register.current(Role::Model)?.model_signing_key.is_none() {
            self.add_model_signing(&self.exclusive()?)?;
            register = self.register()?;
        }
        let model = register.current(Role::Model)?;
        let file = KeyFile::of_model_signing(&self.folder, &model.keyid);
        let key = file.open_model_signing(&self.passphrase)?;
        ensure!(
            model.model_signing_key.as_ref() == Some(&key.public_key().to_pem()?),
            "{} holds another key than the register says; restore keys/ from one backup",
            file.shown()
        );
        Ok(key)
    }

    /// Makes the P-256 key of the key of role `model` that is in use, where the register has none.
    fn add_model_signing(&self, exclusive: &Exclusive) -> Result<()> {
        let mut register = self.register()?;
        let model = register.current(Role::Model)?;
        if model.model_signing_key.is_some() {
            return Ok(());
        }
        let public = self.make_model_signing(&model.keyid)?;
        register.add_model_signing(&public)?;
        self.replace_register(&register, exclusive)
    }

    fn make_model_signing(&self, keyid: &Digest) -> Result<ModelPublicKey> {
        let key = ModelPrivateKey::generate()?;
        KeyFile::of_model_signing(&self.folder, keyid).write_model_signing(&key, &self.passphrase)?;
        Ok(key.public_key())
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

    /// Whether a key is the one of its role that is in use. It stays so while the caller holds the keys, see [`Self::share`].
    ///
    /// # Errors
    /// When it is not: at its place in the log what it signed would not count.
    pub fn in_use(&self, role: Role, keyid: &Digest) -> Result<()> {
        ensure!(
            self.register()?.current(role)?.keyid == *keyid,
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

    /// Makes a private key of a role and puts its encrypted file on the device; for role `model` that of a P-256 key too.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn make(&self, role: Role, _exclusive: &Exclusive) -> Result<Made> {
        let key = PrivateKey::generate()?;
        KeyFile::write(&self.folder, role, &key, &self.passphrase)?;
        let public = key.public_key();
        let model_signing = (role == Role::Model).then(|| self.make_model_signing(&public.id())).transpose()?;
        Ok(Made { public, model_signing })
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
            let in_use = register.current(role)?.keyid;
            KeyFile::of(&self.folder, role, &in_use)?.destroy_others(&in_use)?;
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

#[cfg(test)]
mod tests;
