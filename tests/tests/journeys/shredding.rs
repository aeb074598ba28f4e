//! Stored text that is destroyed after the verdict: killed at every step, refused where it must stay, and what still works.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

use obelus_casework::fault::SHRED_POINTS;
use obelus_corpus::Corpus;

use crate::installation::{CORPUS, Installation, MODEL, RETRAIN, copy};

/// Every file under a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    entries.flat_map(|e| if e.file_type().unwrap().is_dir() { files(&e.path()) } else { vec![e.path()] }).collect()
}

/// Every twelve bytes in a row that texts, probes and titles of one source have, and no other's.
fn own_bytes(corpus: &Corpus, source: &str) -> HashSet<[u8; 12]> {
    let bytes = |own: bool| {
        let documents = corpus.documents().iter().chain(corpus.held_out()).filter(|d| (d.source == source) == own);
        let probes = corpus.probes().iter().filter(|p| (p.source == source) == own);
        let texts = documents.flat_map(|d| [Some(&d.text), d.title.as_ref()].into_iter().flatten());
        let texts = texts.chain(probes.flat_map(|p| [&p.prompt, &p.answer].into_iter().chain(&p.wrong)));
        let windows = |text: &String| text.as_bytes().windows(12).map(|w| w.try_into().unwrap()).collect::<Vec<_>>();
        texts.flat_map(windows).collect::<HashSet<[u8; 12]>>()
    };
    bytes(true).difference(&bytes(false)).copied().collect()
}

/// Files with some of these bytes, but for tokenizers, which are of all sources.
fn found(data: &Path, own: &HashSet<[u8; 12]>) -> Vec<PathBuf> {
    let has = |path: &PathBuf| fs::read(path).unwrap().windows(12).any(|window| own.contains(window));
    files(data).into_iter().filter(|path| !path.ends_with("tokenizer.json")).filter(has).collect()
}

/// A certified case, its source, and the corpus as it was.
fn certified() -> (Installation, String, String, Corpus) {
    let here = Installation::certified();
    let (reference, _) = here.case();
    let (source, corpus) = (here.panel().remove(0), here.corpus());
    (here, reference, source, corpus)
}

fn shred<'a>(reference: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["takedown", "shred", reference, "--although-failed"], more].concat()
}

/// That the text of one source is gone and everything else is as it was.
fn gone(here: &Installation, source: &str, before: &Corpus) {
    let after = here.corpus();
    assert!(after.is_destroyed(source));
    let documents: Vec<_> = before.documents().iter().filter(|d| d.source != source).collect();
    assert_eq!(after.documents().iter().collect::<Vec<_>>(), documents);
    let probes: Vec<_> = before.probes().iter().filter(|p| p.source != source).collect();
    assert_eq!(after.probes().iter().collect::<Vec<_>>(), probes);
    let own = own_bytes(before, source);
    assert!(own.len() > 100, "{}", own.len());
    assert_eq!(found(&here.data(), &own), Vec::<PathBuf>::new());
}

#[test]
fn the_text_of_a_struck_source_is_destroyed_and_everything_else_goes_on() {
    let (here, reference, source, before) = certified();
    let done = here.run(&shred(&reference, &["--as", "emil"])).json(0);
    assert_eq!((&done["reference"], &done["corpora"][0]["corpus"]), (&reference.clone().into(), &CORPUS.into()));
    let left = &done["corpora"][0]["sources"][0];
    assert_eq!(left["source"], source);
    assert!(left["records"].as_u64().unwrap() > 10 && left["ciphertext"].as_str().unwrap().len() == 64);
    gone(&here, &source, &before);
    assert_eq!(here.run(&shred(&reference, &[])).json(0), done, "done again it says the same");

    let shown = here.run(&["request", "show", &reference]).json(0);
    let trail: Vec<&str> = shown["trail"].as_array().unwrap().iter().map(|e| e["action"].as_str().unwrap()).collect();
    assert_eq!(trail.iter().filter(|action| ["shred", "text_destroyed"].contains(action)).count(), 2, "{trail:?}");
    assert_eq!(here.run(&["log", "check"]).json(0)["ok"], true);

    // The source is named as before, without what was known of it.
    let corpus = here.run(&["corpus", "show", CORPUS]).json(0);
    let own = corpus["sources"].as_array().unwrap().iter().find(|s| s["id"] == source).unwrap();
    assert!(own["publisher"].is_null() && own["content_digest"].is_string());
    assert_eq!(corpus["sources"].as_array().unwrap().len(), before.sources().len());
    here.run(&["source", "show", CORPUS, &source, "--model", MODEL]).json(0);
    here.run(&["score", MODEL, "--condition", "off_none"]).json(0);
    let (_, id) = here.case();
    let bundle = here.path("case.zip").to_str().unwrap().to_owned();
    here.run(&["certificate", "show", &id]).json(0);
    here.run(&["audit", "bundle", &reference, "--out", &bundle]).json(0);
    here.run(&["verify", &bundle, "--trust", &here.trust()]).json(0);

    // Nothing is asked of it again, and that is said; weights are looked at as before.
    here.run(&["model", "repair", MODEL, "--steps", "1", "--quiet"]).json(0);
    let jobs = here.run(&["audit", "schedule", "run", "--once", "--lease-seconds", "1"]).json(0)["jobs"].clone();
    assert_eq!(jobs[0]["result"], "nothing", "{jobs}");
    assert!(jobs[0]["detail"].as_str().unwrap().contains("destroyed"), "{jobs}");

    // A retrain leaves it out and is bit for bit the one from before; without leaving it out there is none.
    let panel = here.panel();
    let train = |name: &'static str, out: &[String]| {
        let mut words = vec!["model", "train", name, "--corpus", CORPUS, "--baseline-of", MODEL, "--exclude"];
        words.extend(out.iter().map(String::as_str));
        here.run(&words)
    };
    assert!(train("r3", &panel[1..]).refused(3).contains("destroyed"));
    train("r2", &panel).json(0);
    let weights = |name: &str| fs::read(here.data().join("models").join(name).join("model.safetensors")).unwrap();
    assert!(weights("r2") == weights(RETRAIN));
    let alone = ["model", "train", "other", "--corpus", CORPUS, "--preset", "tiny", "--steps", "1"];
    assert!(here.run(&alone).refused(3).contains("--exclude"));

    // Another case of the same model is taken to its end.
    let next = here.approved(&panel[1]);
    here.run(&["takedown", "execute", &next]).json(0);
    let audit = here.run(&["audit", "run", &next]);
    audit.json(audit.code.unwrap());
    here.run(&shred(&next, &[])).json(0);
    assert!(here.corpus().is_destroyed(&panel[1]));
}

#[test]
fn a_destruction_killed_at_any_step_ends_the_same() {
    let (_, _, source, before) = certified();
    for point in SHRED_POINTS {
        let (here, reference, ..) = certified();
        here.dies_at(point, &shred(&reference, &["--as", "emil"]));
        let done = here.run(&shred(&reference, &["--as", "emil"])).json(0);
        assert_eq!(done["corpora"].as_array().unwrap().len(), 1, "{point}");
        gone(&here, &source, &before);
        assert_eq!(here.run(&shred(&reference, &[])).json(0), done, "{point}");
        let shown = here.run(&["request", "show", &reference]).json(0);
        let trail = shown["trail"].as_array().unwrap();
        assert_eq!(trail.iter().filter(|event| event["action"] == "shred").count(), 1, "{point}");
        assert_eq!(here.run(&["log", "check"]).json(0)["ok"], true, "{point}");
    }
}

#[test]
fn text_stays_before_the_verdict_under_a_hold_and_for_whoever_may_not_destroy_it() {
    let here = Installation::trained();
    let source = here.panel().remove(0);
    let reference = here.approved(&source);
    assert!(here.run(&shred(&reference, &["--as", "emil"])).refused(3).contains("last of all"));
    here.run(&["takedown", "execute", &reference, "--as", "emil"]).json(0);
    assert!(here.run(&shred(&reference, &["--as", "emil"])).refused(3).contains("verifying"));
    let audit = here.run(&["audit", "run", &reference]);
    audit.json(audit.code.unwrap());
    let plain = here.run(&["takedown", "shred", &reference, "--as", "emil"]);
    if here.run(&["request", "show", &reference]).json(0)["state"] == "verification_failed" {
        assert!(plain.refused(3).contains("--although-failed"));
    }
    assert!(here.run(&shred(&reference, &["--as", "ana"])).refused(3).contains("executor"));
    for name in ["hana", "hugo"] {
        here.run(&["person", "add", name, "--role", "hold_officer"]).json(0);
    }
    here.run(&["request", "hold", &reference, "--as", "hana"]).json(0);
    assert!(here.run(&shred(&reference, &["--as", "emil"])).refused(3).contains("hold"));
    assert!(!here.corpus().is_destroyed(&source));
    here.run(&["request", "release", &reference, "--as", "hana"]).json(0);
    here.run(&["request", "release", &reference, "--as", "hugo"]).json(0);
    // One that a hold stops half-way waits for its release.
    here.dies_at("shred-begun", &shred(&reference, &["--as", "emil"]));
    here.run(&["request", "hold", &reference, "--as", "hana"]).json(0);
    assert!(here.run(&shred(&reference, &["--as", "emil"])).refused(3).contains("hold"));
    assert!(!here.corpus().is_destroyed(&source));
    // Another model that holds it would lose what a takedown of it is measured on.
    let other = Installation::certified();
    let (reference, _) = other.case();
    other.run(&["model", "train", "n", "--corpus", CORPUS, "--preset", "tiny", "--steps", "1"]).json(0);
    assert!(other.run(&shred(&reference, &[])).refused(3).contains("n holds source"));
    assert!(!other.corpus().is_destroyed(&source));
}

#[test]
fn a_backup_of_the_corpus_is_worth_nothing_without_the_keys_and_everything_with_them() {
    let (here, reference, source, before) = certified();
    let (corpora, backup) = (here.data().join("corpora"), here.path("backup"));
    copy(&corpora, &backup);
    here.run(&shred(&reference, &[])).json(0);
    // The corpus put back.
    fs::remove_dir_all(corpora.join(CORPUS)).unwrap();
    copy(&backup.join(CORPUS), &corpora.join(CORPUS));
    gone(&here, &source, &before);
    // The keys put back: it can be read again, and the same command destroys it again.
    fs::copy(backup.join(".keys/small.keys"), corpora.join(".keys/small.keys")).unwrap();
    assert!(!here.corpus().is_destroyed(&source));
    here.run(&shred(&reference, &[])).json(0);
    gone(&here, &source, &before);
}

#[test]
fn a_corpus_in_plain_files_is_used_as_before_and_encrypted_before_its_text_is_destroyed() {
    let here = Installation::new();
    here.run(&["corpus", "generate", CORPUS, "--sources", "40", "--seed", "7", "--plain"]).json(0);
    assert!(here.data().join("corpora").join(CORPUS).join("documents.jsonl").is_file());
    let shown = here.run(&["corpus", "show", CORPUS]).json(0);
    let sealed = Installation::trained();
    let mut other = sealed.run(&["corpus", "show", CORPUS]).json(0);
    assert!(!sealed.data().join("corpora").join(CORPUS).join("documents.jsonl").exists());
    other["tokens"] = shown["tokens"].clone();
    assert_eq!(shown, other, "what is shown does not depend on how it is kept");
    here.run(&["model", "train", MODEL, "--corpus", CORPUS, "--preset", "tiny"]).json(0);
    let source = shown["sources"][0]["id"].as_str().unwrap().to_owned();
    for person in ["ana", "ben"] {
        here.run(&["person", "add", person, "--role", "legal_approver"]).json(0);
    }
    let reference = here.approved(&source);
    here.run(&["takedown", "execute", &reference]).json(0);
    let audit = here.run(&["audit", "run", &reference]);
    audit.json(audit.code.unwrap());
    let before = here.corpus();
    assert!(!found(&here.data(), &own_bytes(&before, &source)).is_empty(), "it would be found");
    assert!(here.run(&shred(&reference, &[])).refused(2).contains("obelus corpus encrypt"));
    assert_eq!(here.run(&["corpus", "encrypt", CORPUS]).json(0)["encrypted"], true);
    assert_eq!(here.run(&["corpus", "encrypt", CORPUS]).json(0)["encrypted"], false);
    here.run(&shred(&reference, &[])).json(0);
    gone(&here, &source, &before);
}
