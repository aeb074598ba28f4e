//! `model.sig` beside weights, in the hands of OpenSSF Model Signing and in ours: after a training, while and after a
//! takedown, and in exports. Not here: forged and damaged signatures (`crates/ledger/tests/outsiders/models.rs`).

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use obelus_casework::fault::EXPORT_STRIKE_POINTS;
use obelus_ledger::{bundle::Bundle, canonical, certificate::CertificateDocument};
use serde_json::Value;

use crate::installation::{Installation, MODEL};

/// OpenSSF Model Signing on a folder with a key as we export it: whether it accepts the folder, or why not. None where it is
/// not installed, which is a failure under CI.
fn outsider(key: &Path, folder: &Path) -> Option<Result<(), String>> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let packages = checkout.join(".outsiders/python");
    if !packages.join("model_signing").is_dir() {
        let missing = format!("{} has no model_signing. Install it: cargo xtask setup", packages.display());
        let must = std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "false" | "0"));
        assert!(!must, "{missing}");
        eprintln!("SKIPPED, nothing is shown: {missing}");
        return None;
    }
    let output = Command::new("python3")
        .arg(checkout.join("tests/outsiders/check_model.py"))
        .args([key, folder])
        .env("PYTHONPATH", packages)
        .env("PYTHONNOUSERSITE", "1")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    match (output.status.code(), said.split_whitespace().next()) {
        (Some(0), Some("ok")) => Some(Ok(())),
        (Some(1), Some("REFUSED")) => Some(Err(said)),
        _ => panic!("it fell over: {said}{}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// Both accept the folder.
#[track_caller]
fn accepted(here: &Installation, folder: &Path) {
    let trust = here.trust();
    let signature = folder.join("model.sig");
    here.run(&["verify", signature.to_str().unwrap(), "--trust", &trust]).json(0);
    if let Some(said) = outsider(&Path::new(&trust).join("model-signing.pem"), folder) {
        assert_eq!(said, Ok(()));
    }
}

/// The statement beside the weights verifies and names them by the folder's `sha256`; gives its predicate.
#[track_caller]
fn statement_beside(here: &Installation, folder: &Path) -> String {
    let file = folder.join("model.sigstore.json");
    here.run(&["verify", file.to_str().unwrap(), "--trust", &here.trust()]).json(0);
    let bundle: Bundle = canonical::from_bytes(&fs::read(file).unwrap()).unwrap();
    let payload: Value = serde_json::from_slice(&bundle.dsse_envelope.payload().unwrap()).unwrap();
    assert_eq!(payload["subject"][0]["digest"]["sha256"].as_str().unwrap(), here.verified_model_sig(MODEL));
    payload["predicateType"].as_str().unwrap().rsplit_once("/attestation/").unwrap().1.to_owned()
}

/// Both refuse the folder, and name a file.
#[track_caller]
fn refused(here: &Installation, folder: &Path, file: &str) {
    let trust = here.trust();
    let signature = folder.join("model.sig");
    let report = here.run(&["verify", signature.to_str().unwrap(), "--trust", &trust]).json(1);
    assert!(report["checks"].to_string().contains(file), "{report}");
    if let Some(said) = outsider(&Path::new(&trust).join("model-signing.pem"), folder) {
        let said = said.unwrap_err();
        assert!(said.contains(file), "{said}");
    }
}

/// Turns a bit in the middle of a file, and gives what it was.
fn flip(path: &Path) -> Vec<u8> {
    let whole = fs::read(path).unwrap();
    let mut changed = whole.clone();
    changed[whole.len() / 2] ^= 1;
    fs::write(path, changed).unwrap();
    whole
}

/// The `sha256` of the subjects of training, erasure, verification and certificate.
fn stated(evidence: &Path) -> Vec<String> {
    let document: CertificateDocument = canonical::from_bytes(&fs::read(evidence).unwrap()).unwrap();
    let subject = |exhibit: usize| {
        let payload: Value = serde_json::from_slice(&document.exhibits[exhibit].envelope.payload().unwrap()).unwrap();
        payload["subject"][0]["digest"]["sha256"].as_str().unwrap().to_owned()
    };
    [2, 4, 5, 6].map(subject).to_vec()
}

#[test]
fn a_signature_is_over_the_weights_of_now_while_and_after_they_are_struck() {
    let here = Installation::trained();
    let folder = here.data().join("models").join(MODEL);
    let [weights, signature] = ["model.safetensors", "model.sig"].map(|name| folder.join(name));
    accepted(&here, &folder);
    let trained = here.verified_model_sig(MODEL);
    assert_eq!(statement_beside(&here, &folder), "training-run/v1");
    for name in ["model.safetensors", "optimizer.safetensors", "tokenizer.json", "model.json"] {
        let whole = flip(&folder.join(name));
        refused(&here, &folder, name);
        fs::write(folder.join(name), whole).unwrap();
    }
    fs::write(folder.join("more.bin"), "").unwrap();
    refused(&here, &folder, "more.bin");
    fs::remove_file(folder.join("more.bin")).unwrap();

    let before = fs::read(&signature).unwrap();
    let reference = here.approved(&here.panel().remove(0));
    for point in ["signature-removed", "first-target-zeroed", "erasure-finished"] {
        here.dies_at(point, &["takedown", "execute", &reference]);
        assert!(!signature.exists(), "{point}: a signature lies beside weights that are being struck");
        assert!(!folder.join("model.sigstore.json").exists(), "{point}: a statement lies beside other weights");
    }
    here.dies_at("model-signed", &["takedown", "execute", &reference]);
    let made = fs::read(&signature).unwrap();
    here.dies_at("erasure-signed", &["takedown", "execute", &reference]);
    here.run(&["takedown", "execute", &reference]).json(0);
    assert!(fs::read(&signature).unwrap() == made, "signed again it is the same");
    assert_eq!(statement_beside(&here, &folder), "erasure/v1");
    accepted(&here, &folder);
    let struck = here.verified_model_sig(MODEL);
    assert_ne!(struck, trained);
    fs::write(&signature, &before).unwrap();
    refused(&here, &folder, "model.safetensors");
    fs::write(&signature, &made).unwrap();
    let whole = flip(&weights);
    refused(&here, &folder, "model.safetensors");
    fs::write(&weights, whole).unwrap();

    let audit = here.run(&["audit", "run", &reference]);
    let judged = audit.json(audit.code.unwrap());
    let certificate = PathBuf::from(judged["certificate"]["path"].as_str().unwrap());
    let evidence = certificate.to_str().unwrap().replace(".json", ".evidence.json");
    assert_eq!(stated(Path::new(&evidence)), [trained, struck.clone(), struck.clone(), struck.clone()]);
    here.run(&["verify", certificate.to_str().unwrap(), "--trust", &here.trust()]).json(0);
    accepted(&here, &folder);

    // A retired key still counts, a revoked one does not, and the model is signed again with the one in use.
    here.run(&["keys", "rotate", "model"]).json(0);
    assert_eq!(here.verified_model_sig(MODEL), struck);
    let keys = here.run(&["keys", "list"]).json(0);
    let retired =
        keys.as_array().unwrap().iter().find(|key| key["role"] == "model" && key["state"] == "retired").unwrap();
    let id = retired["keyid"].as_str().unwrap();
    if let Some(said) = outsider(&here.path("trust").join(format!("model-signing-{}.pem", &id[..8])), &folder) {
        assert_eq!(said, Ok(()));
    }
    here.run(&["keys", "revoke", &id[..8], "--reason", "stolen"]).json(0);
    let verify = ["verify", signature.to_str().unwrap(), "--trust", &here.trust()];
    assert!(here.run(&verify).json(1)["checks"].to_string().contains("stolen"));
    assert_eq!(here.run(&["model", "sign", MODEL]).json(0)["sha256"], struck);
    accepted(&here, &folder);
    flip(&weights);
    assert!(here.run(&["model", "sign", MODEL]).refused(3).contains("changed outside"));
}

#[test]
fn an_export_that_is_struck_is_signed_again_and_nothing_else_in_it_is() {
    for point in EXPORT_STRIKE_POINTS {
        let here = Installation::trained();
        let source = here.panel().remove(0);
        let survivor = here.neighbour(&source);
        let [own, shared, changed] =
            [(&source, "own"), (&survivor, "shared"), (&survivor, "changed")].map(|(id, name)| {
                let out = here.path(name);
                let export =
                    ["model", "export", MODEL, "--format", "hf", "--source", id, "--out", out.to_str().unwrap()];
                here.run(&export).json(0);
                out
            });
        let before = fs::read(shared.join("model.sig")).unwrap();
        fs::write(changed.join("config.json"), "{}").unwrap();

        let reference = here.approved(&source);
        here.dies_at(point, &["takedown", "execute", &reference]);
        here.run(&["takedown", "execute", &reference]).json(0);
        assert!(!own.join("model.sig").exists(), "{point}");
        accepted(&here, &shared);
        if point == EXPORT_STRIKE_POINTS[0] {
            refused(&here, &changed, "config.json");
            fs::write(shared.join("model.sig"), before).unwrap();
            refused(&here, &shared, "model.safetensors");
        }
    }
}
