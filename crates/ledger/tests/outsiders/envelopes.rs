//! Envelopes and the statements in them: securesystemslib, in-toto-attestation and OpenSSL. Not here: the log.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use obelus_core::Digest;
use obelus_ledger::{
    canonical,
    certificate::Exhibit,
    dsse::{Envelope, IN_TOTO, pre_authentication_encoding},
    keys::{PrivateKey, PublicKey, Role, Signer as _},
};
use obelus_testkit::outsiders::{Folder, check, flipped, openssl, python, said};

use crate::fixture::{Fixture, private_key};

fn key(role: Role) -> PublicKey {
    private_key(role).public_key()
}

/// Every signed statement of a certificate, and who signed it.
fn envelopes(fixture: &Fixture) -> Vec<(Exhibit, Role, Envelope)> {
    let of = |envelope: &Envelope| {
        Role::ALL.into_iter().find(|role| key(*role).id() == envelope.signatures[0].keyid).unwrap()
    };
    let all = fixture.document.exhibits.iter().map(|e| (e.exhibit, of(&e.envelope), e.envelope.clone()));
    all.collect()
}

fn json(envelope: &Envelope) -> Vec<u8> {
    envelope.to_bytes().unwrap()
}

fn with_payload(envelope: &Envelope, payload: &[u8]) -> Envelope {
    Envelope { payload: STANDARD.encode(payload), ..envelope.clone() }
}

fn with_signature(envelope: &Envelope, signature: &[u8]) -> Envelope {
    let mut changed = envelope.clone();
    changed.signatures[0].sig = STANDARD.encode(signature);
    changed
}

/// The envelope changed in every way that somebody without the key can; each bit of the signature, bits all over the
/// payload.
fn tampered(envelope: &Envelope) -> Vec<(String, Envelope)> {
    let payload = envelope.payload().unwrap();
    let signature = STANDARD.decode(&envelope.signatures[0].sig).unwrap();
    let mut all = Vec::new();
    for at in (0..payload.len()).step_by(7) {
        all.push((format!("payload-{at}"), with_payload(envelope, &flipped(&payload, at))));
    }
    for at in 0..signature.len() {
        all.push((format!("signature-{at}"), with_signature(envelope, &flipped(&signature, at))));
    }
    all.push(("payload-cut".to_owned(), with_payload(envelope, &payload[..payload.len() - 1])));
    all.push(("signature-cut".to_owned(), with_signature(envelope, &signature[..63])));
    all.push(("other-type".to_owned(), Envelope { payload_type: "text/plain".to_owned(), ..envelope.clone() }));
    all.push(("unsigned".to_owned(), Envelope { signatures: vec![], ..envelope.clone() }));
    let mut other_id = envelope.clone();
    other_id.signatures[0].keyid = Digest::sha256("another key");
    all.push(("other-id".to_owned(), other_id));
    all
}

#[test]
fn securesystemslib_and_in_toto_accept_every_statement_with_nothing_but_the_pem() {
    for role in [Role::Registrar, Role::Model, Role::Issuer] {
        let Some(mut command) = python("check_dsse.py") else { return };
        let folder = Folder::new(&format!("statements-{role}"));
        command.arg(folder.write("key.pem", key(role).to_pem().unwrap()));
        let mut expected = Vec::new();
        let fixture = Fixture::usual();
        // Statements of the other roles are signed well, but not by this key.
        for (exhibit, signer, envelope) in envelopes(&fixture) {
            let names = [format!("{exhibit:?}.json"), format!("{exhibit:?}.bundle.json")];
            folder.write(&names[0], json(&envelope));
            folder.write(&names[1], canonical::to_bytes(&fixture.bundle(exhibit)).unwrap());
            expected.extend(names.map(|name| (name, signer == role)));
        }
        assert!(expected.iter().any(|(_, accepted)| *accepted));
        check(command, &folder, &expected);
    }
}

#[test]
fn securesystemslib_refuses_every_tampered_envelope() {
    let Some(mut command) = python("check_dsse.py") else { return };
    let folder = Folder::new("tampered");
    let (_, role, envelope) = envelopes(&Fixture::usual()).pop().unwrap();
    command.arg(folder.write("key.pem", key(role).to_pem().unwrap()));
    folder.write("good.json", json(&envelope));
    let mut expected = vec![("good.json".to_owned(), true)];
    for (name, changed) in tampered(&envelope) {
        folder.write(&name, json(&changed));
        expected.push((name, false));
    }
    // A stranger signs the same statement and takes the key's id.
    let mut stranger = Envelope::sign(&envelope.payload().unwrap(), &PrivateKey::from_seed(&[99; 32])).unwrap();
    stranger.signatures[0].keyid = envelope.signatures[0].keyid;
    folder.write("stranger", json(&stranger));
    expected.push(("stranger".to_owned(), false));
    check(command, &folder, &expected);
}

#[test]
fn in_toto_refuses_a_payload_that_is_no_statement() {
    let Some(mut command) = python("check_dsse.py") else { return };
    let folder = Folder::new("no-statement");
    let signer = private_key(Role::Issuer);
    command.arg(folder.write("key.pem", signer.public_key().to_pem().unwrap()));
    let good = r#"{"_type":"https://in-toto.io/Statement/v1","predicate":{"a":1},"predicateType":"https://example/a","subject":[{"digest":{"sha256":"00"},"name":"x"}]}"#;
    let mut expected = Vec::new();
    for (name, payload) in [
        ("good", good.to_owned()),
        ("other-version", good.replace("Statement/v1", "Statement/v2")),
        ("no-subject", good.replace(r#"{"digest":{"sha256":"00"},"name":"x"}"#, "")),
        ("no-digest", good.replace(r#""sha256":"00""#, "")),
        ("no-predicate", good.replace(r#""a":1"#, "")),
        ("further-member", good.replacen('{', r#"{"note":1,"#, 1)),
        ("not-json", "strike".to_owned()),
    ] {
        folder.write(name, json(&Envelope::sign(payload.as_bytes(), &signer).unwrap()));
        expected.push((name.to_owned(), name == "good"));
    }
    check(command, &folder, &expected);
}

#[test]
fn openssl_verifies_the_bare_signature_over_the_encoding() {
    let (_, role, envelope) = envelopes(&Fixture::usual()).pop().unwrap();
    let folder = Folder::new("openssl");
    let pem = folder.write("key.pem", key(role).to_pem().unwrap());
    let stranger = folder.write("stranger.pem", PrivateKey::from_seed(&[99; 32]).public_key().to_pem().unwrap());
    let signature = STANDARD.decode(&envelope.signatures[0].sig).unwrap();
    let signed = pre_authentication_encoding(IN_TOTO, &envelope.payload().unwrap());
    let verdict = |key, signed: &[u8], signature: &[u8], accepted: bool| {
        let Some(mut command) = openssl() else { return };
        command.args(["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey"]).arg(key);
        command.arg("-in").arg(folder.write("signed", signed));
        command.arg("-sigfile").arg(folder.write("signature", signature));
        let output = command.output().unwrap();
        let wanted = if accepted { "Signature Verified Successfully" } else { "Signature Verification Failure" };
        assert!(output.status.success() == accepted && said(&output).contains(wanted), "{}", said(&output));
    };
    verdict(&pem, &signed, &signature, true);
    verdict(&stranger, &signed, &signature, false);
    for at in [0, 31, 32, 63] {
        verdict(&pem, &signed, &flipped(&signature, at), false);
    }
    for at in [0, signed.len() / 2, signed.len() - 1] {
        verdict(&pem, &flipped(&signed, at), &signature, false);
    }
}
