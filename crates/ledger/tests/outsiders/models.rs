//! Signed model folders in the hands of OpenSSF Model Signing, and its keys in the hands of OpenSSL. Not here: weights;
//! what is signed are files.

use std::fs;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use obelus_core::Digest;
use obelus_ledger::{
    model_key::ModelPrivateKey,
    model_signing::{FILE_NAME, ModelFile, root_digest, sign},
};
use obelus_testkit::outsiders::{Folder, check, flipped, openssl, python, said};
use serde_json::Value;

/// Two names that sort differently as texts and as paths, and one that is not ASCII.
const FILES: [&str; 6] =
    ["config.json", "model.safetensors", "shards/a/b", "shards/a.b", "tokenizer.json", "böll/notes.txt"];

fn key() -> ModelPrivateKey {
    ModelPrivateKey::from_scalar(&[7; 32]).unwrap()
}

fn files() -> Vec<ModelFile> {
    FILES.iter().map(|path| ModelFile { path: (*path).to_owned(), sha256: Digest::sha256(content(path)) }).collect()
}

/// What verifiers read in the signature that they are to leave out.
fn ignored() -> [String; 2] {
    ["exports.lock".to_owned(), "cache".to_owned()]
}

fn content(path: &str) -> String {
    format!("content of {path}").repeat(50)
}

/// Writes the folder of a model and its signature.
fn write_model(folder: &Folder, name: &str, signature: &[u8]) {
    for path in FILES {
        folder.write(&format!("{name}/{path}"), content(path));
    }
    folder.write(&format!("{name}/{FILE_NAME}"), signature);
}

/// Changes in the JSON of a signature that must be noticed.
fn tampered(signature: &[u8]) -> Vec<Vec<u8>> {
    let good: Value = serde_json::from_slice(signature).unwrap();
    let mut all = Vec::new();
    let mut change = |member: &str, new: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        let mut changed = good.clone();
        let place = changed.pointer_mut(member).unwrap();
        let raw = STANDARD.decode(place.as_str().unwrap()).unwrap();
        *place = Value::String(STANDARD.encode(new(raw)));
        all.push(serde_json::to_vec(&changed).unwrap());
    };
    for at in (0..70).step_by(3) {
        change("/dsseEnvelope/signatures/0/sig", &|raw| flipped(&raw, at));
    }
    for at in (0..900).step_by(31) {
        change("/dsseEnvelope/payload", &|raw| flipped(&raw, at));
    }
    for (from, to) in [("sha256", "sha512"), ("config.json", "config.jso"), ("signature/v1.0", "signature/v1.1")] {
        change("/dsseEnvelope/payload", &|raw| String::from_utf8(raw).unwrap().replace(from, to).into_bytes());
    }
    for (member, new) in [
        ("/verificationMaterial/publicKey/hint", "0".repeat(64)),
        ("/dsseEnvelope/payloadType", "text/plain".to_owned()),
        ("/mediaType", "application/json".to_owned()),
    ] {
        let mut changed = good.clone();
        *changed.pointer_mut(member).unwrap() = Value::String(new);
        all.push(serde_json::to_vec(&changed).unwrap());
    }
    all
}

#[test]
fn model_signing_accepts_our_signature_and_refuses_every_other_folder() {
    let Some(mut command) = python("check_model.py") else { return };
    let folder = Folder::new("models");
    command.arg(folder.write("key.pem", key().public_key().to_pem().unwrap()));
    let signature = sign("good", &files(), &ignored(), &key()).unwrap();
    let mut expected = Vec::new();
    let mut add = |name: String, signature: &[u8], accepted: bool| {
        write_model(&folder, &name, signature);
        expected.push((name, accepted));
    };
    // The name of the folder is for people: a copy under another name is the same model.
    add("good".to_owned(), &signature, true);
    add("copy".to_owned(), &signature, true);
    add("left-out".to_owned(), &signature, true);
    folder.write("left-out/exports.lock", "");
    folder.write("left-out/cache/nodes", "changes");
    for path in FILES {
        let changed = path.replace('/', "-");
        add(format!("changed-{changed}"), &signature, false);
        folder.write(&format!("changed-{changed}/{path}"), flipped(content(path).as_bytes(), 700));
        add(format!("removed-{changed}"), &signature, false);
        fs::remove_file(folder.path(&format!("removed-{changed}/{path}"))).unwrap();
    }
    for added in ["more.bin", "shards/more.bin", "shards/exports.lock", "shards/model.sig", "shards/.gitignore"] {
        let name = format!("added-{}", added.replace('/', "-"));
        add(name.clone(), &signature, false);
        folder.write(&format!("{name}/{added}"), "more");
    }
    add("renamed".to_owned(), &signature, false);
    fs::rename(folder.path("renamed/config.json"), folder.path("renamed/other.json")).unwrap();
    for (number, changed) in tampered(&signature).iter().enumerate() {
        add(format!("tampered-{number}"), changed, false);
    }
    let stranger = ModelPrivateKey::from_scalar(&[8; 32]).unwrap();
    add("stranger".to_owned(), &sign("stranger", &files(), &[], &stranger).unwrap(), false);
    let said = check(command, &folder, &expected);
    let root = format!("ok {} {}", folder.path("good").display(), root_digest(&files()).unwrap());
    assert!(said.lines().any(|line| line == root), "the package has another root than {root}");
}

#[test]
fn openssl_reads_our_keys_and_verifies_their_signatures() {
    let folder = Folder::new("model-key");
    let (key, message) = (key(), folder.write("message", "strike"));
    let public = folder.write("public.pem", key.public_key().to_pem().unwrap());
    let run = |arguments: &[&str]| {
        let mut command = openssl()?;
        let output = command.args(arguments).current_dir(folder.path("")).output().unwrap();
        Some((output.status.success(), said(&output)))
    };
    folder.write("private.pem", key.to_encrypted_pem("correct horse").unwrap().as_bytes());
    let Some((ok, said)) = run(&["pkey", "-in", "private.pem", "-passin", "pass:correct horse", "-pubout"]) else {
        return;
    };
    assert!(ok && said == fs::read_to_string(public).unwrap(), "{said}");
    let signature = key.sign(&fs::read(message).unwrap());
    for (signature, accepted) in [(signature.clone(), true), (flipped(&signature, 20), false)] {
        folder.write("signature", signature);
        let arguments = ["dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "message"];
        let (ok, said) = run(&arguments).unwrap();
        assert_eq!(ok, accepted, "{said}");
    }
}
