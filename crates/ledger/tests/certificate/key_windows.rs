//! Keys that came, went and were revoked: what they signed counts inside their part of the log and nowhere else, and the
//! file of the trusted root says every key once. Not here: keys that were never trusted (`forgeries.rs`).

use obelus_ledger::{
    canonical,
    certificate::Exhibit,
    checkpoint::vkey,
    dsse::Envelope,
    keys::{PrivateKey, Role, Signer},
    statement::{KeyRevocation, KeyRotation, Statement, Subject},
    trust::{Revocation, TrustedKey, TrustedRoot},
    verify::Input,
};
use serde_json::{Value, json};

use crate::fixture::{Draft, Fixture, USUAL, at, private_key, refusal, salt, trusted_root};

fn key_of(trust: &mut TrustedRoot, role: Role) -> &mut TrustedKey {
    trust.keys.iter_mut().find(|key| key.role == role).unwrap()
}

fn revoked() -> Option<Revocation> {
    Some(Revocation { at: at(60), reason: "the laptop was stolen".to_owned(), entry: 11 })
}

/// The certificate of the fixture under a key that is changed: refused for these reasons, or accepted when there are none.
#[track_caller]
fn check(role: Role, change: impl FnOnce(&mut TrustedKey), because: &[&str]) {
    let mut fixture = Fixture::usual();
    change(key_of(&mut fixture.trust, role));
    let refused = fixture.refusal(&fixture.file(), Some(&fixture.proof));
    assert_eq!(refused.is_none(), because.is_empty(), "{refused:?}");
    let refused = refused.unwrap_or_default();
    assert!(because.iter().all(|part| refused.contains(part)), "wanted {because:?}, found {refused:?}");
}

#[test]
fn a_statement_counts_only_where_its_key_was_in_use() {
    // The issuer signed the entries 6, 7, 8 and 10 of the log, the registrar 1 and 3.
    check(Role::Issuer, |key| (key.first_entry, key.end_entry) = (6, Some(11)), &[]);
    check(
        Role::Issuer,
        |key| key.first_entry = 7,
        &["verification-protocol/v1", "came into use at entry 7", "entry 6"],
    );
    check(
        Role::Issuer,
        |key| key.end_entry = Some(10),
        &["certificate/v1", "was retired as of entry 10", "is entry 10"],
    );
    check(Role::Registrar, |key| key.end_entry = Some(3), &["source-manifest/v1", "retired as of entry 3"]);
    check(Role::Registrar, |key| key.end_entry = Some(4), &[]);
    check(Role::Model, |key| (key.first_entry, key.end_entry) = (4, Some(4)), &["training-run/v1", "retired"]);
}

#[test]
fn what_a_key_signed_before_it_was_revoked_still_counts_where_the_log_shows_it() {
    let until = |end: u64| move |key: &mut TrustedKey| (key.end_entry, key.revoked) = (Some(end), revoked());
    check(Role::Issuer, until(11), &[]);
    let reasons = ["certificate/v1", "was revoked as of entry 10", "the laptop was stolen", "entry 11 of the log"];
    check(Role::Issuer, until(10), &reasons);
    check(Role::Log, until(12), &[]);
    check(Role::Log, until(11), &["was revoked as of entry 11", "over 12 entries"]);
}

#[test]
fn a_statement_alone_is_refused_once_its_key_is_revoked() {
    let mut fixture = Fixture::usual();
    let file = fixture.document.envelope(Exhibit::Certificate).unwrap().to_bytes().unwrap();
    let alone = |trust: &TrustedRoot| refusal(&Input { file: &file, ..Default::default() }, trust);
    key_of(&mut fixture.trust, Role::Issuer).end_entry = Some(7);
    assert_eq!(alone(&fixture.trust), None, "retired; where it stands in the log is not known, its time is right");
    key_of(&mut fixture.trust, Role::Issuer).revoked = revoked();
    let refused = alone(&fixture.trust).unwrap();
    assert!(refused.contains("the laptop was stolen") && refused.contains("its place in the log"), "{refused}");
}

#[test]
fn a_checkpoint_counts_only_at_sizes_that_its_key_signed() {
    // The checkpoint is over 12 entries.
    check(Role::Log, |key| (key.first_entry, key.end_entry) = (11, Some(12)), &[]);
    check(Role::Log, |key| key.end_entry = Some(11), &["log key was retired as of entry 11", "over 12 entries"]);
    check(Role::Log, |key| key.first_entry = 12, &["came into use at entry 12", "over 12 entries"]);
    let mut fixture = Fixture::usual();
    key_of(&mut fixture.trust, Role::Log).end_entry = Some(11);
    let input = Input { file: fixture.document.checkpoint.as_bytes(), ..Default::default() };
    assert!(refusal(&input, &fixture.trust).unwrap().contains("over 12 entries"));
    key_of(&mut fixture.trust, Role::Log).end_entry = Some(12);
    assert_eq!(refusal(&input, &fixture.trust), None);
}

#[test]
fn a_certificate_of_retired_keys_verifies_beside_their_successors() {
    let mut fixture = Fixture::usual();
    for (role, seed) in Role::ALL.into_iter().zip(50..) {
        let retired = key_of(&mut fixture.trust, role);
        (retired.end_entry, retired.valid_to) = (Some(12), Some(at(30)));
        let mut successor = TrustedKey::new(role, &PrivateKey::from_seed(&[seed; 32]).public_key(), at(30)).unwrap();
        successor.first_entry = 12;
        fixture.trust.keys.push(successor);
    }
    assert_eq!(fixture.refusal(&fixture.file(), Some(&fixture.proof)), None);
    // logVkey still names the retired key: whoever follows the log with it would wait for ever.
    let stale = canonical::to_bytes(&fixture.trust).unwrap();
    assert!(TrustedRoot::from_bytes(&stale).unwrap_err().to_string().contains("logVkey"));
    fixture.trust.log_vkey = vkey(&fixture.trust.log_origin, &PrivateKey::from_seed(&[50; 32]).public_key());
    let file = canonical::to_bytes(&fixture.trust).unwrap();
    let read = TrustedRoot::from_bytes(&file).unwrap();
    assert_eq!(read, fixture.trust);
    let sigstore: Value = serde_json::from_slice(&file).unwrap();
    assert_eq!(sigstore["tlogs"].as_array().unwrap().len(), 2);
    assert_eq!(sigstore["tlogs"][0]["publicKey"]["validFor"]["end"], at(30).to_string());
    assert_eq!(sigstore["tlogs"][1]["publicKey"]["validFor"], json!({ "start": at(30) }));
}

#[test]
fn a_successor_may_finish_what_was_begun_before_it_came() {
    let issued = |minutes: i64, first_entry: u64| {
        let mut fixture = Fixture::new(USUAL, &mut |draft| {
            if let Draft::Certificate(_, said) = draft {
                said.issued_at = at(minutes);
            }
        });
        let key = key_of(&mut fixture.trust, Role::Issuer);
        (key.valid_from, key.first_entry) = (at(20), first_entry);
        fixture.refusal(&fixture.file(), Some(&fixture.proof))
    };
    assert_eq!(issued(7, 6), None, "the log shows that the key signed at entry 10");
    assert!(issued(7, 0).unwrap().contains("was not valid at"), "nothing shows when the key signed");
}

/// The file of the trusted root after a change.
fn read(change: impl FnOnce(&mut Value)) -> Result<TrustedRoot, String> {
    let mut file: Value = serde_json::to_value(trusted_root()).unwrap();
    change(&mut file);
    TrustedRoot::from_bytes(&serde_json::to_vec(&file).unwrap()).map_err(|e| e.to_string())
}

#[test]
fn the_file_is_sigstores_trusted_root_too() {
    let file: Value = serde_json::to_value(trusted_root()).unwrap();
    let key = private_key(Role::Log).public_key();
    assert_eq!(file["mediaType"], "application/vnd.dev.sigstore.trustedroot+json;version=0.1");
    let log = &file["tlogs"][0];
    assert_eq!((&log["baseUrl"], &log["hashAlgorithm"]), (&json!("https://log.example/obelus"), &json!("SHA2_256")));
    assert_eq!(log["publicKey"]["keyDetails"], "PKIX_ED25519");
    let pem = key.to_pem().unwrap();
    let body: String = pem.lines().filter(|line| !line.starts_with("---")).collect();
    assert_eq!(log["publicKey"]["rawBytes"], body, "the DER of the PEM");
    for member in ["certificateAuthorities", "ctlogs", "timestampAuthorities"] {
        assert_eq!(file[member], json!([]));
    }
    // The note key id of the checkpoints is the beginning of the log id: AAAA is three bytes.
    let id = log["logId"]["keyId"].as_str().unwrap();
    let vkey = trusted_root().log_vkey;
    let hash = vkey.split('+').nth(1).unwrap();
    assert_eq!(hex_of_first_three_bytes(id), hash[..6]);
}

fn hex_of_first_three_bytes(base64: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = base64[..4].chars().fold(0, |bits, c| bits << 6 | ALPHABET.find(c).unwrap());
    format!("{bits:06x}")
}

#[test]
fn a_file_that_says_two_things_is_refused() {
    assert_eq!(read(|_| ()), Ok(trusted_root()));
    let refused = |change: fn(&mut Value), because: &str| {
        let reason = read(change).unwrap_err();
        assert!(reason.contains(because), "wanted {because:?}, found {reason:?}");
    };
    let differ = "not those that keys and logOrigin give";
    refused(|f| f["tlogs"][0]["logId"]["keyId"] = json!("AAAA"), differ);
    refused(|f| f["tlogs"][0]["publicKey"]["validFor"]["end"] = json!(at(5)), differ);
    refused(|f| f["tlogs"][0]["baseUrl"] = json!("https://log.example/other"), differ);
    refused(|f| f["tlogs"] = json!([]), differ);
    refused(|f| f["mediaType"] = json!("application/json"), differ);
    refused(|f| drop(f.as_object_mut().unwrap().remove("tlogs")), differ);
    refused(|f| f["tlogs"][0]["checkpointKeyId"] = json!({}), "unknown field");
    refused(|f| f["ctlogs"] = json!([{}]), "trailing");
    refused(|f| f["keys"][1]["endEntry"] = json!(-1), "invalid value");
}

#[test]
fn a_file_with_impossible_windows_is_refused() {
    let refused = |change: fn(&mut Value), because: &str| {
        let reason = read(change).unwrap_err();
        assert!(reason.contains(because), "wanted {because:?}, found {reason:?}");
    };
    refused(|f| (f["keys"][1]["firstEntry"], f["keys"][1]["endEntry"]) = (json!(5), json!(4)), "ends before it begins");
    refused(|f| f["keys"][1]["revoked"] = json!(revoked()), "still counts at every entry");
    refused(
        |f| {
            let mut again = f["keys"][1].clone();
            again["firstEntry"] = json!(9);
            f["keys"].as_array_mut().unwrap().push(again);
        },
        "is listed twice",
    );
}

#[test]
fn a_file_from_before_windows_still_reads() {
    let old = |file: &mut Value| {
        for member in ["mediaType", "tlogs", "certificateAuthorities", "ctlogs", "timestampAuthorities"] {
            file.as_object_mut().unwrap().remove(member).unwrap();
        }
        for key in file["keys"].as_array_mut().unwrap() {
            key.as_object_mut().unwrap().remove("firstEntry").unwrap();
        }
    };
    assert_eq!(read(old), Ok(trusted_root()));
}

#[test]
fn what_is_said_of_keys_is_signed_by_the_registrar_in_its_period() {
    let (issuer, successor) = (private_key(Role::Issuer).public_key(), PrivateKey::from_seed(&[50; 32]).public_key());
    let rotation = KeyRotation {
        role: Role::Issuer,
        retired: issuer.id(),
        successor: successor.id(),
        public_key: successor.to_pem().unwrap(),
        entry: 12,
        rotated_at: at(30),
        salt: salt("rotation"),
    };
    let revocation = KeyRevocation {
        role: Role::Issuer,
        keyid: issuer.id(),
        reason: "the laptop was stolen".to_owned(),
        compromised_since: at(20),
        first_distrusted_entry: 11,
        successor: successor.id(),
        revoked_at: at(30),
        salt: salt("revocation"),
    };
    let subject = || Subject::sha256("issuer key", issuer.id());
    let statements = |signer: Role| {
        let key = private_key(signer);
        [
            Statement::new(subject(), rotation.clone()).sign(&key),
            Statement::new(subject(), revocation.clone()).sign(&key),
        ]
    };
    let mut trust = trusted_root();
    let refused = |envelope: &Envelope, trust: &TrustedRoot| {
        refusal(&Input { file: &envelope.to_bytes().unwrap(), ..Default::default() }, trust)
    };
    for envelope in statements(Role::Issuer) {
        assert!(refused(&envelope.unwrap(), &trust).unwrap().contains("no trusted registrar key"), "a key of itself");
    }
    for envelope in statements(Role::Registrar) {
        let envelope = envelope.unwrap();
        assert_eq!(refused(&envelope, &trust), None);
        key_of(&mut trust, Role::Registrar).valid_to = Some(at(29));
        assert!(refused(&envelope, &trust).unwrap().contains("was not valid at"));
        key_of(&mut trust, Role::Registrar).valid_to = None;
    }
}
