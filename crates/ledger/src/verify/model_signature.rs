//! A `model.sig` against the files that lie beside it. Not here: the format (`model_signing.rs`), and how files are found
//! and hashed (`model_folder.rs`).

use std::path::Path;

use super::{Checks, Report};
use crate::{
    model_folder,
    model_signing::{self, SignedModel},
    trust::{TrustedKey, TrustedRoot},
};

/// Differences that are named; the rest is counted.
const MOST_NAMED: usize = 20;

/// Verifies the bytes of a `model.sig` with the trusted key that it names, and that the files of `folder` are exactly those
/// that were signed. Every file is read.
pub fn model_signature(signature: &[u8], folder: &Path, trust: &TrustedRoot) -> Report {
    let mut checks = Checks(vec![]);
    match opened(signature, trust) {
        Err(reason) => {
            checks.add("signature", Err(reason));
        }
        Ok((signed, key)) => {
            let period = key.valid_to.map_or("in use".to_owned(), |end| format!("retired at {end}"));
            let named = format!("{:?}, signed by the P-256 key of the {} key, {period}", signed.name, key.role);
            checks.add("signature", Ok(named));
            checks.add("files", compared(&signed, folder));
        }
    }
    checks.report("model signature")
}

fn opened<'a>(signature: &[u8], trust: &'a TrustedRoot) -> Result<(SignedModel, &'a TrustedKey), String> {
    let id = model_signing::key_id(signature).map_err(|e| e.to_string())?;
    let (key, trusted) = trust.model_signing_key(&id).ok_or_else(|| format!("no trusted model key has the id {id}"))?;
    // Whoever stole the key can sign any folder, and nothing shows when this one was signed.
    if let Some(revoked) = &trusted.revoked {
        return Err(format!("the model key was {revoked}; nothing shows that this was signed before"));
    }
    Ok((model_signing::open(signature, &key).map_err(|e| e.to_string())?, trusted))
}

fn compared(signed: &SignedModel, folder: &Path) -> Result<String, String> {
    let found = model_folder::files(folder, &|path| signed.leaves_out(path)).map_err(|e| e.to_string())?;
    let differences = model_signing::differences(signed, &found);
    if differences.is_empty() {
        let left_out = match &signed.ignored[..] {
            [] => String::new(),
            ignored => format!("; left out, as the signature says: {}", ignored.join(", ")),
        };
        return Ok(format!("{} files are those that were signed, sha256 {}{left_out}", found.len(), signed.root));
    }
    let mut said: Vec<String> = differences.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    match differences.len().saturating_sub(MOST_NAMED) {
        0 => {}
        more => said.push(format!("and {more} more")),
    }
    Err(said.join("; "))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use obelus_core::{Digest, Timestamp};

    use super::*;
    use crate::{
        checkpoint::vkey,
        keys::{PrivateKey, Role, Signer as _},
        model_key::ModelPrivateKey,
        model_signing::ModelFile,
        trust::{FORMAT, Revocation},
    };

    const FILES: [&str; 3] = ["model.safetensors", "model.json", "deep/er"];

    fn key(scalar: u8) -> ModelPrivateKey {
        ModelPrivateKey::from_scalar(&[scalar; 32]).unwrap()
    }

    fn trust() -> TrustedRoot {
        let (log, model) = (PrivateKey::from_seed(&[1; 32]).public_key(), PrivateKey::from_seed(&[2; 32]).public_key());
        let since = Timestamp::from_micros(0);
        let mut of_model = TrustedKey::new(Role::Model, &model, since).unwrap();
        of_model.model_signing_key = Some(key(7).public_key().to_pem().unwrap());
        TrustedRoot {
            format: FORMAT.to_owned(),
            log_origin: "log.example/a".to_owned(),
            log_vkey: vkey("log.example/a", &log),
            keys: vec![TrustedKey::new(Role::Log, &log, since).unwrap(), of_model],
        }
    }

    fn signature(by: &ModelPrivateKey) -> Vec<u8> {
        let files = FILES.map(|path| ModelFile { path: path.to_owned(), sha256: Digest::sha256(path) });
        model_signing::sign("m", &files, &["exports.lock".to_owned()], by).unwrap()
    }

    /// Writes the signed folder, lets `change` spoil it, and looks for what the report must say; nothing: it verifies.
    fn check(name: &str, signature: &[u8], trust: &TrustedRoot, change: impl Fn(&Path), expected: &[&str]) {
        let folder: PathBuf =
            std::env::temp_dir().join(format!("obelus-model-signature-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        for path in FILES.iter().chain(&["exports.lock", "model.sig"]) {
            fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
            fs::write(folder.join(path), path).unwrap();
        }
        change(&folder);
        let report = model_signature(signature, &folder, trust);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(report.ok, expected.is_empty(), "{report:?}");
        let said: String = report.checks.iter().map(|check| check.detail.clone()).collect();
        assert!(expected.iter().all(|part| said.contains(part)), "{said}");
    }

    #[test]
    fn every_changed_added_and_missing_file_is_named() {
        let (good, trust) = (signature(&key(7)), trust());
        check("good", &good, &trust, |_| (), &[]);
        check("left-out", &good, &trust, |folder| fs::write(folder.join("exports.lock"), "x").unwrap(), &[]);
        let spoil = |folder: &Path| {
            fs::write(folder.join("model.safetensors"), "model.safetensort").unwrap();
            fs::write(folder.join("deep/new"), "").unwrap();
            fs::remove_file(folder.join("model.json")).unwrap();
        };
        let said =
            ["\"model.safetensors\" is not the file", "\"deep/new\" was not signed", "\"model.json\" was signed"];
        check("spoiled", &good, &trust, spoil, &said);
    }

    #[test]
    fn a_retired_key_counts_and_a_revoked_or_foreign_one_does_not() {
        let (good, usual) = (signature(&key(7)), trust());
        check("foreign", &signature(&key(8)), &usual, |_| (), &["no trusted model key"]);
        check("text", b"model.sig", &usual, |_| (), &["model.sig"]);
        let mut retired = usual.clone();
        (retired.keys[1].valid_to, retired.keys[1].end_entry) = (Some(Timestamp::from_micros(9)), Some(3));
        check("retired", &good, &retired, |_| (), &[]);
        let mut revoked = retired.clone();
        revoked.keys[1].revoked = Some(Revocation { at: Timestamp::from_micros(9), reason: "stolen".into(), entry: 3 });
        check("revoked", &good, &revoked, |_| (), &["stolen"]);
        let mut of_before = usual;
        of_before.keys[1].model_signing_key = None;
        check("before", &good, &of_before, |_| (), &["no trusted model key"]);
    }

    #[test]
    fn a_trusted_root_has_a_model_signing_key_once_and_only_for_models() {
        let good = trust();
        let read = |root: &TrustedRoot| TrustedRoot::from_bytes(&serde_json::to_vec(root).unwrap());
        assert_eq!(read(&good).unwrap(), good);
        let pem = good.keys[1].model_signing_key.clone();
        let (mut of_log, mut damaged, mut ed25519) = (good.clone(), good.clone(), good.clone());
        of_log.keys[0].model_signing_key = Some(key(8).public_key().to_pem().unwrap());
        damaged.keys[1].model_signing_key = pem.map(|pem| pem.replace("-----BEGIN", " -----BEGIN"));
        ed25519.keys[1].model_signing_key = Some(good.keys[1].public_key.clone());
        for bad in [of_log, damaged, ed25519] {
            assert!(read(&bad).is_err());
        }
    }
}
