//! Sources registered, proved and shown to be absent: what outsiders get, whatever happened to the files and the process.
//!
//! Not here: what a source's removal does (`case.rs`).

use std::fs;

use obelus_casework::fault::REGISTRATION_POINTS;

use crate::installation::{CORPUS, Installation, MODEL};

/// Writes the statement of a source and checks it, with the record beside it and alone.
fn proves(here: &Installation, source: &str) {
    let (trust, out) = (here.trust(), here.path("source.json").to_str().unwrap().to_owned());
    let made = here.run(&["source", "statement", MODEL, source, "--out", &out]).json(0);
    let beside = made["presence"].as_str().unwrap();
    assert!(beside.ends_with("source.presence.json"), "{made}");
    let left_out = |file: &str| {
        let report = here.run(&["verify", file, "--trust", &trust]).json(0);
        let checks = report["checks"].as_array().unwrap().iter();
        let left_out = checks.filter(|check| check["detail"].as_str().unwrap().starts_with("left out"));
        left_out.map(|check| check["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(left_out(&out), ["presence: seed"]);
    assert_eq!(left_out(beside), ["seed"]);
    let bytes = fs::read(beside).unwrap();
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 1;
    fs::write(beside, flipped).unwrap();
    for file in [out.as_str(), beside] {
        assert!(matches!(here.run(&["verify", file, "--trust", &trust]).code, Some(1 | 2)), "{file}");
    }
    fs::remove_file(beside).unwrap();
    assert_eq!(left_out(&out), ["presence"]);
}

fn is_absent(here: &Installation, name: &str) {
    let (trust, out) = (here.trust(), here.path("absence.json").to_str().unwrap().to_owned());
    here.run(&["source", "absence", MODEL, name, "--out", &out]).json(0);
    let report = here.run(&["verify", &out, "--trust", &trust]).json(0);
    assert_eq!((&report["ok"], &report["kind"]), (&true.into(), &"absence".into()));
    fs::remove_file(out).unwrap();
}

#[test]
fn a_source_is_proved_to_be_there_and_a_stranger_not_to_be() {
    let here = Installation::trained();
    let source = here.survivor();
    proves(&here, &source);
    for stranger in ["nobody", "", &source.to_uppercase()] {
        is_absent(&here, stranger);
    }
    let out = here.path("absence.json").to_str().unwrap().to_owned();
    let there = here.run(&["source", "absence", MODEL, &source, "--out", &out]).json(1);
    assert_eq!(there["registered"], true);
    assert!(!here.path("absence.json").exists());
    here.run(&["source", "statement", MODEL, "nobody", "--out", &out]).refused(2);
    here.run(&["source", "absence", "nothing", "nobody", "--out", &out]).refused(2);
    // Of a revoked source the record stays.
    let struck = here.approved(&source);
    here.run(&["takedown", "execute", &struck]).json(0);
    proves(&here, &source);
}

#[test]
fn a_manifest_tree_that_is_lost_or_damaged_is_made_again_from_the_records() {
    let here = Installation::trained();
    let source = here.survivor();
    let path = here.data().join(format!("manifests/{MODEL}/1.tree"));
    let whole = fs::read(&path).unwrap();
    let mut hashes = whole.clone();
    hashes[64..].iter_mut().for_each(|byte| *byte ^= 1);
    let damaged =
        [None, Some(vec![]), Some(whole[..whole.len() - 1].to_vec()), Some(vec![7; whole.len()]), Some(hashes)];
    for file in damaged {
        match file {
            None => fs::remove_file(&path).unwrap(),
            Some(bytes) => fs::write(&path, bytes).unwrap(),
        }
        proves(&here, &source);
        assert!(fs::read(&path).unwrap() == whole, "the tree that was made again is another");
        fs::write(&path, &whole[..64]).unwrap();
        is_absent(&here, "nobody");
        assert!(fs::read(&path).unwrap() == whole);
    }
}

#[test]
fn a_registration_killed_at_any_step_ends_with_one_manifest() {
    let train = ["model", "train", MODEL, "--corpus", CORPUS, "--preset", "tiny", "--steps", "2"];
    let begun = || {
        let here = Installation::new();
        here.run(&["corpus", "generate", CORPUS, "--sources", "40", "--seed", "7"]).json(0);
        here
    };
    let entries = |here: &Installation| here.run(&["log", "check"]).json(0)["size"].as_u64().unwrap();
    let undisturbed = begun();
    undisturbed.run(&train).json(0);
    for point in REGISTRATION_POINTS {
        let here = begun();
        here.dies_at(point, &train);
        if point != "manifest-signed" {
            here.dies_at(point, &train);
        }
        here.run(&train).json(0);
        assert_eq!(entries(&here), entries(&undisturbed), "after {point} the log has other statements");
        let sources = here.run(&["corpus", "show", CORPUS]).json(0);
        let source = sources["sources"][7]["id"].as_str().unwrap().to_owned();
        proves(&here, &source);
        is_absent(&here, "nobody");
    }
}
