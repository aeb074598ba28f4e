//! Keys on disk: private, encrypted, never replaced by accident, and what becomes of folders from before.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use obelus_ledger::keys::{PrivateKey, Role, Signer as _};

use super::*;

const ORIGIN: &str = "log.example/obelus";
/// How the name of a P-256 key ends.
const P256: &str = ".p256.pem";

/// A folder that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("obelus-keyring-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        Self(folder)
    }

    /// As an earlier version left it: one unencrypted key a role.
    fn of_before(name: &str) -> Self {
        let folder = Self::new(name);
        fs::create_dir(&folder.0).unwrap();
        for (role, seed) in Role::ALL.into_iter().zip(1..) {
            let path = folder.0.join(format!("{role}.pem"));
            fs::write(&path, PrivateKey::from_seed(&[seed; 32]).to_pem().unwrap().as_bytes()).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        folder
    }

    fn create(&self) {
        Keyring::create(&self.0, self.beside()).unwrap();
    }

    fn beside(&self) -> Passphrase {
        Passphrase::find(None, None, &self.0)
    }

    fn open(&self) -> Result<Keyring> {
        Keyring::open(&self.0, self.beside())
    }

    fn given(&self, text: &str) -> Keyring {
        Keyring::open(&self.0, Passphrase::find(Some(text.to_owned()), None, &self.0)).unwrap()
    }

    /// The private keys in it.
    fn files(&self) -> Vec<String> {
        let names = fs::read_dir(&self.0).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(".pem")).collect();
        names.sort();
        names
    }

    fn file_of(&self, role: Role) -> PathBuf {
        let begins = format!("{role}-");
        let file = |name: &String| name.starts_with(&begins) && !name.ends_with(P256);
        self.0.join(self.files().into_iter().find(file).unwrap())
    }

    /// The P-256 key beside that of role `model`.
    fn model_signing(&self) -> PathBuf {
        let of_model = self.file_of(Role::Model).file_stem().unwrap().to_str().unwrap().to_owned();
        self.0.join(of_model + P256)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays behind must not hide the failure of a test.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn refusal<T>(result: Result<T>) -> String {
    format!("{:#}", result.err().unwrap())
}

#[test]
fn keys_are_private_encrypted_and_never_replaced() {
    let folder = Folder::new("private");
    folder.create();
    let first = folder.open().unwrap().register().unwrap();
    folder.create();
    assert_eq!(folder.open().unwrap().register().unwrap(), first);
    assert_eq!(mode(&folder.0), 0o700);
    assert_eq!(folder.files().len(), 5);
    for role in Role::ALL {
        let path = folder.file_of(role);
        assert_eq!(mode(&path), 0o600);
        assert!(fs::read_to_string(&path).unwrap().starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
        assert_eq!(folder.open().unwrap().signer(role).unwrap().public_key().id(), first.current(role).unwrap().keyid);
    }
    assert_eq!(mode(&folder.0.join("passphrase")), 0o600);
    assert!(folder.open().unwrap().passphrase_source().contains("only backups that leave it out"));
}

#[test]
fn keys_and_passphrases_that_others_can_read_are_refused() {
    let folder = Folder::new("others");
    folder.create();
    let path = folder.file_of(Role::Issuer);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(refusal(folder.open()).contains("chmod 600"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let passphrase = folder.0.join("passphrase");
    fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o604)).unwrap();
    assert!(refusal(folder.open().unwrap().signer(Role::Issuer)).contains("others can read the passphrase"));
    fs::remove_file(&path).unwrap();
    assert!(refusal(folder.open()).contains("obelus init"));
}

#[test]
fn the_passphrase_is_needed_only_to_sign_and_is_never_said() {
    let folder = Folder::new("passphrase");
    folder.create();
    let passphrase = folder.0.join("passphrase");
    let text = fs::read_to_string(&passphrase).unwrap();
    assert_eq!(text.trim_end().len(), 64, "256 bits in hexadecimal");
    fs::rename(&passphrase, folder.0.join("elsewhere")).unwrap();
    let keyring = folder.open().unwrap();
    assert_eq!(keyring.trusted_root(ORIGIN).unwrap().keys.len(), 4);
    assert!(refusal(keyring.signer(Role::Log)).contains(PASSPHRASE_VARIABLE));
    // Another passphrase is not made in its place.
    assert!(refusal(Keyring::create(&folder.0, folder.beside())).contains("passphrase"));
    assert!(!passphrase.exists());
    let moved = Passphrase::find(Some(String::new()), Some(folder.0.join("elsewhere")), &folder.0);
    assert!(Keyring::open(&folder.0, moved).unwrap().signer(Role::Log).is_ok());
    assert!(folder.given(text.trim_end()).signer(Role::Log).is_ok());
    let wrong = refusal(folder.given("correct horse").signer(Role::Log));
    assert!(wrong.contains("passphrase is wrong") && !wrong.contains("horse") && !wrong.contains(text.trim_end()));
}

#[test]
fn a_folder_from_before_opens_and_is_encrypted_by_the_next_init() {
    let folder = Folder::of_before("before");
    let keyring = folder.open().unwrap();
    let id = PrivateKey::from_seed(&[1; 32]).public_key().id();
    assert_eq!(keyring.signer(Role::Log).unwrap().public_key().id(), id);
    assert_eq!(keyring.unencrypted().unwrap(), Role::ALL);
    let before = keyring.trusted_root(ORIGIN).unwrap();
    assert!(before.keys.iter().all(|key| key.valid_from.as_micros() == 0 && key.first_entry == 0));
    folder.create();
    assert_eq!(folder.files().len(), 5, "the unencrypted files are gone: {:?}", folder.files());
    let keyring = folder.open().unwrap();
    assert_eq!(keyring.unencrypted().unwrap(), []);
    assert_eq!(keyring.signer(Role::Log).unwrap().public_key().id(), id);
    let mut found = keyring.trusted_root(ORIGIN).unwrap();
    let made = found.keys.iter_mut().find(|key| key.role == Role::Model).unwrap().model_signing_key.take();
    assert_eq!(found, before, "nothing but the P-256 key was added");
    assert_eq!(made, Some(keyring.model_signer().unwrap().public_key().to_pem().unwrap()));
}

#[test]
fn the_p256_key_is_private_encrypted_and_made_once() {
    let folder = Folder::new("p256");
    folder.create();
    let path = folder.model_signing();
    assert_eq!(mode(&path), 0o600);
    let pem = fs::read_to_string(&path).unwrap();
    assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    let first = folder.open().unwrap().model_signer().unwrap().public_key();
    folder.create();
    assert_eq!(folder.open().unwrap().model_signer().unwrap().public_key(), first);
    // Another one in its place signs nothing.
    let passphrase = fs::read_to_string(folder.0.join("passphrase")).unwrap();
    let stranger = ModelPrivateKey::generate().unwrap().to_encrypted_pem(passphrase.trim_end()).unwrap();
    fs::write(&path, stranger.as_bytes()).unwrap();
    assert!(refusal(folder.open().unwrap().model_signer()).contains("another key than the register says"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(refusal(folder.open()).contains("chmod 600"));
    fs::remove_file(&path).unwrap();
    assert!(refusal(folder.open()).contains(P256));
}

#[test]
fn a_folder_from_before_gets_its_p256_key_when_a_model_is_first_signed() {
    let folder = Folder::of_before("p256-before");
    fs::write(folder.0.join("passphrase"), "correct horse").unwrap();
    fs::set_permissions(folder.0.join("passphrase"), fs::Permissions::from_mode(0o600)).unwrap();
    let keyring = folder.open().unwrap();
    assert!(keyring.register().unwrap().trusted().all(|key| key.model_signing_key.is_none()));
    let made = keyring.model_signer().unwrap().public_key();
    assert_eq!(folder.open().unwrap().model_signer().unwrap().public_key(), made);
    let said = keyring.register().unwrap().current(Role::Model).unwrap().model_signing_key.clone();
    assert_eq!(said, Some(made.to_pem().unwrap()));
}

#[test]
fn the_p256_key_is_replaced_and_destroyed_with_the_key_that_it_belongs_to() {
    let folder = Folder::new("p256-rotated");
    folder.create();
    let keyring = folder.open().unwrap();
    let (path, first) = (folder.model_signing(), keyring.model_signer().unwrap().public_key());
    rotated(&keyring, Role::Issuer, 3);
    assert_eq!(keyring.model_signer().unwrap().public_key(), first);
    let register = rotated(&keyring, Role::Model, 7);
    assert!(!path.exists() && folder.model_signing().exists());
    assert_ne!(keyring.model_signer().unwrap().public_key(), first);
    let retired = register.trusted().find(|key| key.role == Role::Model && key.end_entry == Some(7)).unwrap();
    assert_eq!(retired.model_signing_key, Some(first.to_pem().unwrap()), "what it signed is still verified");
}

#[test]
fn a_missing_key_of_before_is_said_and_not_made() {
    let folder = Folder::of_before("missing");
    fs::remove_file(folder.0.join("issuer.pem")).unwrap();
    assert!(refusal(folder.open()).contains("no issuer key"));
    assert_eq!(folder.files().len(), 3);
}

#[test]
fn a_key_that_the_register_does_not_name_never_signs() {
    let (ours, theirs) = (Folder::new("ours"), Folder::of_before("theirs"));
    ours.create();
    fs::copy(theirs.0.join("issuer.pem"), ours.file_of(Role::Issuer)).unwrap();
    assert!(refusal(ours.open().unwrap().signer(Role::Issuer)).contains("another key than the register says"));
    fs::write(ours.0.join("register.json"), "{}").unwrap();
    assert!(refusal(ours.open()).contains("is damaged"));
}

fn rotated(keyring: &Keyring, role: Role, entry: u64) -> Register {
    let exclusive = keyring.exclusive().unwrap();
    let successor = keyring.make(role, &exclusive).unwrap();
    let mut register = keyring.register().unwrap();
    register.rotate(role, &successor, entry, Timestamp::from_micros(1000), "5a".repeat(16)).unwrap();
    keyring.replace_register(&register, &exclusive).unwrap();
    keyring.destroy_retired(&exclusive).unwrap();
    register
}

#[test]
fn a_successor_signs_from_its_entry_on_and_the_retired_key_is_destroyed() {
    let folder = Folder::new("rotated");
    folder.create();
    let keyring = folder.open().unwrap();
    let retired = keyring.signer(Role::Issuer).unwrap();
    let envelope = Envelope::sign(b"{}", &*retired).unwrap();
    keyring.in_use(Role::Issuer, &retired.public_key().id()).unwrap();
    let file = folder.file_of(Role::Issuer);
    let register = rotated(&keyring, Role::Issuer, 7);
    assert!(!file.exists());
    // The same process goes on with the new key, and what the old one signed comes too late for the log.
    assert_ne!(keyring.signer(Role::Issuer).unwrap().public_key(), retired.public_key());
    assert!(refusal(keyring.in_use(Role::Issuer, &retired.public_key().id())).contains("was replaced while this ran"));
    assert_eq!(keyring.verifier(Role::Issuer, &envelope).unwrap(), retired.public_key());
    assert!(refusal(keyring.verifier(Role::Model, &envelope)).contains("never was"));
    let windows: Vec<_> = register.trusted().filter(|k| k.role == Role::Issuer).collect();
    assert_eq!((windows[0].end_entry, windows[1].first_entry, windows[1].end_entry), (Some(7), 7, None));
    assert_eq!(windows[0].valid_to, Some(windows[1].valid_from));
    assert!(!register.is_announced());
}

#[test]
fn a_key_that_never_came_into_use_is_destroyed() {
    let folder = Folder::new("orphan");
    folder.create();
    let keyring = folder.open().unwrap();
    let exclusive = keyring.exclusive().unwrap();
    keyring.make(Role::Log, &exclusive).unwrap();
    assert_eq!(folder.files().len(), 6);
    keyring.destroy_retired(&exclusive).unwrap();
    assert_eq!(folder.files().len(), 5);
    keyring.make(Role::Model, &exclusive).unwrap();
    assert_eq!(folder.files().len(), 7);
    keyring.destroy_retired(&exclusive).unwrap();
    assert!(folder.files().len() == 5 && keyring.model_signer().is_ok());
    assert!(keyring.signer(Role::Log).is_ok());
}

#[test]
fn checkpoints_of_a_retired_log_key_are_read_up_to_its_last_size() {
    let folder = Folder::new("log");
    folder.create();
    let keyring = folder.open().unwrap();
    let retired = keyring.signer(Role::Log).unwrap();
    let note = |size, key: &PrivateKey| {
        Checkpoint { origin: ORIGIN.to_owned(), size, root: Digest::sha256("root") }.sign(key).unwrap()
    };
    rotated(&keyring, Role::Log, 7);
    assert_eq!(keyring.checkpoint(&note(7, &retired), ORIGIN).unwrap().size, 7);
    assert!(refusal(keyring.checkpoint(&note(8, &retired), ORIGIN)).contains("retired as of entry 7"));
    let successor = keyring.signer(Role::Log).unwrap();
    assert_eq!(keyring.checkpoint(&note(8, &successor), ORIGIN).unwrap().size, 8);
    assert!(refusal(keyring.checkpoint(&note(7, &successor), ORIGIN)).contains("came into use at entry 7"));
}

#[test]
fn a_revoked_key_counts_no_further_than_it_did_and_is_revoked_once() {
    let folder = Folder::new("revoked");
    folder.create();
    let keyring = folder.open().unwrap();
    let mut register = rotated(&keyring, Role::Issuer, 7);
    let keyid = register.keys[Role::ALL.iter().position(|r| *r == Role::Issuer).unwrap()].key.keyid;
    let distrust = |from_entry| Distrust {
        reason: "stolen".to_owned(),
        since: Timestamp::from_micros(500),
        from_entry,
        at: Timestamp::from_micros(2000),
        salt: "5b".repeat(16),
    };
    let in_use = register.current(Role::Issuer).unwrap().keyid;
    assert!(register.revoke(&in_use, distrust(3)).is_err(), "it is replaced first");
    let mut later = register.clone();
    later.revoke(&keyid, distrust(9)).unwrap();
    let key = later.trusted().find(|k| k.keyid == keyid).unwrap();
    assert_eq!(key.end_entry, Some(7), "a revocation gives no entries back");
    register.revoke(&keyid, distrust(3)).unwrap();
    assert!(register.revoke(&keyid, distrust(3)).is_err());
    let key = register.trusted().find(|k| k.keyid == keyid).unwrap();
    assert_eq!(
        (key.end_entry, key.valid_to.map(Timestamp::as_micros), key.revoked.is_some()),
        (Some(3), Some(500), false)
    );
    register.revocation_logged(&keyid, 8).unwrap();
    let key = register.trusted().find(|k| k.keyid == keyid).unwrap();
    assert_eq!(key.revoked.as_ref().unwrap().entry, 8);
}
