//! Bundles in the hands of npm's `@sigstore/verify`: signature, checkpoint and inclusion under our own trusted root. Not
//! here: envelopes alone (`envelopes.rs`).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use obelus_ledger::{
    canonical,
    certificate::Exhibit,
    checkpoint::vkey,
    keys::{PrivateKey, PublicKey, Role, Signer as _},
    trust::{TrustedKey, TrustedRoot},
    verify::Input,
};
use obelus_testkit::outsiders::{Folder, check, flipped, node};
use serde_json::Value;

use crate::fixture::{Fixture, ORIGIN, at, private_key, refusal, trusted_root};

const ENTRY: &str = "/verificationMaterial/tlogEntries/0";

/// The trusted root's file, which Sigstore reads too, and a PEM for each role; `log` is the log's key.
fn trust(folder: &Folder, name: &str, log: &PublicKey, origin: &str) -> String {
    let mut root = trusted_root();
    let log_key = TrustedKey::new(Role::Log, log, at(-10)).unwrap();
    root.keys.iter_mut().filter(|key| key.role == Role::Log).for_each(|key| *key = log_key.clone());
    (root.log_origin, root.log_vkey) = (origin.to_owned(), vkey(origin, log));
    let file = canonical::to_bytes(&root).unwrap();
    assert_eq!(TrustedRoot::from_bytes(&file).unwrap(), root);
    folder.write(&format!("{name}/trusted_root.json"), file);
    for role in Role::ALL {
        folder.write(&format!("{name}/{role}.pem"), private_key(role).public_key().to_pem().unwrap());
    }
    name.to_owned()
}

fn usual_trust(folder: &Folder) -> String {
    trust(folder, "trust", &private_key(Role::Log).public_key(), ORIGIN)
}

fn check_bundles(folder: &Folder, trust: &str, expected: &[(String, bool)]) {
    let Some(mut command) = node("check_bundle.mjs") else { return };
    command.arg(folder.path(trust));
    check(command, folder, expected);
}

fn bundle(fixture: &Fixture, exhibit: Exhibit) -> Value {
    serde_json::to_value(fixture.bundle(exhibit)).unwrap()
}

/// A bundle with one member changed.
fn with(bundle: &Value, member: &str, change: impl FnOnce(&str) -> String) -> Value {
    let mut changed = bundle.clone();
    let place = changed.pointer_mut(member).unwrap_or_else(|| panic!("{member}"));
    let new = change(place.as_str().unwrap());
    assert_ne!(place.as_str(), Some(new.as_str()), "{member}");
    *place = Value::String(new);
    changed
}

/// One bit turned in what a base64 text stands for.
fn flip(at: usize) -> impl FnOnce(&str) -> String {
    move |text| {
        let raw = STANDARD.decode(text).unwrap();
        STANDARD.encode(flipped(&raw, at % raw.len()))
    }
}

/// Changes that `@sigstore/verify` must notice.
fn tampered(good: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    let mut add = |name: String, changed: Value| all.push((name, changed));
    for at in 0..64 {
        add(format!("signature-{at}"), with(good, "/dsseEnvelope/signatures/0/sig", flip(at)));
    }
    for at in (0..2000).step_by(23) {
        add(format!("payload-{at}"), with(good, "/dsseEnvelope/payload", flip(at)));
        add(format!("body-{at}"), with(good, &format!("{ENTRY}/canonicalizedBody"), flip(at)));
    }
    let hashes = good.pointer(&format!("{ENTRY}/inclusionProof/hashes")).unwrap().as_array().unwrap().len();
    for sibling in 0..hashes {
        for at in [0, 13, 31] {
            let member = format!("{ENTRY}/inclusionProof/hashes/{sibling}");
            add(format!("hash-{sibling}-{at}"), with(good, &member, flip(at)));
        }
    }
    let note = format!("{ENTRY}/inclusionProof/checkpoint/envelope");
    let length = good.pointer(&note).unwrap().as_str().unwrap().len();
    // All but the last line's padding: Node reads base64 without it too.
    for at in (0..length).filter(|at| *at != length - 2) {
        let changed = good.pointer(&note).unwrap().as_str().unwrap().as_bytes().to_vec();
        if let Ok(text) = String::from_utf8(flipped(&changed, at)) {
            add(format!("note-{at}"), with(good, &note, |_| text));
        }
    }
    for (name, member, value) in [
        ("index", "/inclusionProof/logIndex", "4"),
        ("version", "/kindVersion/version", "0.0.2"),
        ("kind", "/kindVersion/kind", "hashedrekord"),
    ] {
        add(name.to_owned(), with(good, &format!("{ENTRY}{member}"), |_| value.to_owned()));
    }
    add("type".to_owned(), with(good, "/dsseEnvelope/payloadType", |_| "text/plain".to_owned()));
    add("hint".to_owned(), with(good, "/verificationMaterial/publicKey/hint", |_| "0".repeat(64)));
    for (name, member) in [("no-entry", "tlogEntries"), ("no-key", "publicKey")] {
        let mut changed = good.clone();
        changed["verificationMaterial"].as_object_mut().unwrap().remove(member);
        add(name.to_owned(), changed);
    }
    let mut no_proof = good.clone();
    no_proof.pointer_mut(ENTRY).unwrap().as_object_mut().unwrap().remove("inclusionProof");
    add("no-proof".to_owned(), no_proof);
    all
}

fn write(folder: &Folder, name: &str, bundle: &Value) {
    folder.write(name, canonical::to_bytes(bundle).unwrap());
}

#[test]
fn sigstore_accepts_every_statement_and_refuses_every_tampered_bundle() {
    let fixture = Fixture::usual();
    let folder = Folder::new("bundles");
    let trust = usual_trust(&folder);
    let mut expected = Vec::new();
    for exhibit in Exhibit::ALL {
        let name = format!("{exhibit:?}");
        write(&folder, &name, &bundle(&fixture, exhibit));
        expected.push((name, true));
    }
    let good = bundle(&fixture, Exhibit::Certificate);
    for (name, changed) in tampered(&good) {
        write(&folder, &name, &changed);
        expected.push((name, false));
    }
    // A statement in another one's place.
    let mut swapped = good.clone();
    swapped["verificationMaterial"] = bundle(&fixture, Exhibit::Erasure)["verificationMaterial"].clone();
    write(&folder, "swapped", &swapped);
    expected.push(("swapped".to_owned(), false));
    check_bundles(&folder, &trust, &expected);
}

#[test]
fn sigstore_refuses_the_keys_of_strangers_and_other_logs() {
    let folder = Folder::new("strangers");
    write(&folder, "good", &bundle(&Fixture::usual(), Exhibit::Certificate));
    let expected = |accepted| [("good".to_owned(), accepted)];
    let log = private_key(Role::Log).public_key();
    let stranger = PrivateKey::from_seed(&[99; 32]).public_key();
    check_bundles(&folder, &usual_trust(&folder), &expected(true));
    check_bundles(&folder, &trust(&folder, "other-key", &stranger, ORIGIN), &expected(false));
    check_bundles(&folder, &trust(&folder, "other-log", &log, "log.example/other"), &expected(false));
    let no_issuer = trust(&folder, "no-issuer", &log, ORIGIN);
    folder.write("no-issuer/issuer.pem", stranger.to_pem().unwrap());
    check_bundles(&folder, &no_issuer, &expected(false));
}

/// `check_bundle.mjs` lists what the package does not look at. It stays true, and our own verifier looks.
#[test]
fn what_sigstore_does_not_look_at_is_refused_by_us() {
    let fixture = Fixture::usual();
    let good = bundle(&fixture, Exhibit::Certificate);
    let folder = Folder::new("unseen");
    let trust = usual_trust(&folder);
    let mut expected = Vec::new();
    for (name, member, value) in [
        ("index", format!("{ENTRY}/logIndex"), "4"),
        ("time", format!("{ENTRY}/integratedTime"), "1790000000"),
        ("size", format!("{ENTRY}/inclusionProof/treeSize"), "13"),
        ("root", format!("{ENTRY}/inclusionProof/rootHash"), "AAAA"),
        ("log", format!("{ENTRY}/logId/keyId"), "AAAA"),
        ("media", "/mediaType".to_owned(), "application/vnd.dev.sigstore.bundle.v0.4+json"),
        ("keyid", "/dsseEnvelope/signatures/0/keyid".to_owned(), &"0".repeat(64)),
    ] {
        let changed = with(&good, &member, |_| value.to_owned());
        write(&folder, name, &changed);
        expected.push((name.to_owned(), true));
        let bytes = canonical::to_bytes(&changed).unwrap();
        assert!(refusal(&Input { file: &bytes, ..Input::default() }, &fixture.trust).is_some(), "{name}");
    }
    check_bundles(&folder, &trust, &expected);
}
