//! What signatures of model folders say, accept and refuse. Not here: other people's verifiers (`tests/outsiders/models.rs`).

use super::*;

fn key() -> ModelPrivateKey {
    ModelPrivateKey::from_scalar(&[7; 32]).unwrap()
}

fn files(paths: &[&str]) -> Vec<ModelFile> {
    paths.iter().map(|path| ModelFile { path: (*path).to_owned(), sha256: Digest::sha256(path) }).collect()
}

const USUAL: [&str; 4] = ["weights.safetensors", "a/b", "a.b", "config.json"];

fn check(files: &[ModelFile], refused: Option<&str>) {
    let signature = sign("demo", &self::files(&USUAL), &[], &key()).unwrap();
    let found = verify(&signature, &key().public_key(), files).err().map(|e| e.to_string());
    assert!(found.as_deref().unwrap_or_default().contains(refused.unwrap_or_default()), "{found:?}");
    assert_eq!(found.is_some(), refused.is_some());
}

#[test]
fn exactly_the_signed_files_are_accepted() {
    check(&files(&USUAL), None);
    check(&[files(&USUAL), files(&["model.sig", ".git/HEAD"])].concat(), None);
    check(&files(&USUAL[1..]), Some("is missing"));
    check(&[files(&USUAL), files(&["a/model.sig"])].concat(), Some("was not signed"));
    let mut changed = files(&USUAL);
    changed[2].sha256 = Digest::sha256("other");
    check(&changed, Some("\"a.b\" is not the file"));
}

#[test]
fn the_root_is_over_the_digests_in_order_of_path_components() {
    let signed = open(&sign("demo", &files(&USUAL), &[], &key()).unwrap(), &key().public_key()).unwrap();
    let paths: Vec<_> = signed.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["a/b", "a.b", "config.json", "weights.safetensors"]);
    assert_eq!(signed.root, root_digest(&files(&USUAL)).unwrap());
    let digests: Vec<u8> = paths.iter().flat_map(|path| *Digest::sha256(path).as_bytes()).collect();
    assert_eq!((signed.root, signed.name.as_str()), (Digest::sha256(digests), "demo"));
    assert_eq!(root_digest(&[]).unwrap(), Digest::sha256(""));
}

#[test]
fn what_is_left_out_is_stated_and_may_change() {
    let ignored = ["exports.lock".to_owned(), "cache".to_owned()];
    let signature = sign("demo", &files(&USUAL), &ignored, &key()).unwrap();
    let signed = open(&signature, &key().public_key()).unwrap();
    assert_eq!(signed.ignored, ["cache", "exports.lock"]);
    let also = |more: &[&str]| differences(&signed, &[files(&USUAL), files(more)].concat());
    assert!(also(&["exports.lock", "cache/a/b"]).is_empty());
    for more in ["exports.lock2", "a/exports.lock", "caches"] {
        assert!(matches!(&also(&[more])[..], [ModelSigningError::Added(_)]), "{more}");
    }
    for ignored in ["a", "config.json", "a/b"] {
        let refused = sign("demo", &files(&USUAL), &[ignored.to_owned()], &key());
        assert!(matches!(refused, Err(ModelSigningError::Path(..))), "{ignored} is signed and left out");
    }
    for bad in ["..", "a//b", ".git", "model.sig"] {
        assert!(sign("demo", &files(&USUAL), &[bad.to_owned()], &key()).is_err(), "{bad}");
    }
}

#[test]
fn every_difference_is_named() {
    let signed = open(&sign("demo", &files(&USUAL), &[], &key()).unwrap(), &key().public_key()).unwrap();
    let mut found = [files(&USUAL[1..]), files(&["new"])].concat();
    found[0].sha256 = Digest::sha256("other");
    let said: Vec<String> = differences(&signed, &found).iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 3, "{said:?}");
    for path in ["a/b", "new", "weights.safetensors"] {
        assert!(said.iter().any(|line| line.contains(path)), "{path}: {said:?}");
    }
}

#[test]
fn paths_that_verifiers_read_differently_are_not_signed() {
    for bad in ["", "/a", "a//b", "./a", "a/..", "a/", "a\\b", "a\0", ".gitignore", ".github/x"] {
        assert!(matches!(root_digest(&files(&["a", bad])), Err(ModelSigningError::Path(..))), "{bad:?}");
    }
    assert!(root_digest(&files(&["a", "a"])).is_err());
    assert!(root_digest(&files(&["model.sig", "a/.gitignore", "..a"])).is_ok());
}

#[test]
fn every_flipped_bit_of_a_signature_is_noticed() {
    let signature = sign("demo", &files(&USUAL), &[], &key()).unwrap();
    let public = key().public_key();
    for at in 0..signature.len() {
        let mut bad = signature.clone();
        bad[at] ^= 1 << (at % 8);
        assert!(open(&bad, &public).is_err(), "byte {at}");
        assert!(open(&signature[..at], &public).is_err(), "{at} bytes");
    }
    let stranger = ModelPrivateKey::from_scalar(&[8; 32]).unwrap().public_key();
    assert!(matches!(open(&signature, &stranger), Err(ModelSigningError::Member(_))));
    assert_eq!(signature, sign("demo", &files(&USUAL), &[], &key()).unwrap());
}
