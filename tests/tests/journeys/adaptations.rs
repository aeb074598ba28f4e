//! Sources that come after the training, and repair after takedowns: what changes, what does not, and who can check it.

use std::{collections::BTreeMap, fs, path::PathBuf};

use obelus_casework::fault::ADAPTATION_POINTS;
use obelus_model::WeightFile;
use serde_json::Value;

use crate::installation::{CORPUS, Ended, Installation, MODEL, RETRAIN};

/// A corpus that comes after the training.
const LATER: &str = "later";

/// The small installation with a corpus of further sources, and two of them that the model does not have.
pub fn with_later() -> (Installation, Vec<String>) {
    let here = Installation::trained();
    here.run(&["corpus", "generate", LATER, "--sources", "40", "--seed", "8"]).json(0);
    let ids = |corpus: &str| -> Vec<String> {
        let shown = here.run(&["corpus", "show", corpus]).json(0);
        shown["sources"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned()).collect()
    };
    let known = ids(CORPUS);
    let new = ids(LATER).into_iter().filter(|id| !known.contains(id)).take(2).collect();
    (here, new)
}

fn adding<'a>(sources: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [&["model", "train", MODEL, "--corpus", LATER, "--quiet", "--steps", "12", "--add-sources"], sources, more].concat()
}

pub fn add(here: &Installation, sources: &[&str], more: &[&str]) -> Ended {
    here.run(&adding(sources, more))
}

/// Every tensor of the model's checkpoint, row by row.
fn rows(here: &Installation) -> BTreeMap<String, Vec<Vec<u8>>> {
    let shown = here.run(&["model", "show", MODEL]).json(0);
    let file = WeightFile::open(&PathBuf::from(shown["checkpoint"].as_str().unwrap())).unwrap();
    let mut all = BTreeMap::new();
    for (name, tensor) in file.tensors() {
        let mut bytes = Vec::new();
        file.read_rows(name, 0, tensor.rows(), &mut bytes).unwrap();
        let width = bytes.len() / tensor.rows() as usize;
        all.insert(name.clone(), bytes.chunks(width).map(<[u8]>::to_vec).collect());
    }
    all
}

/// Fails if a row differs that is not one of these neurons' (one list a layer). Gives how many differ.
fn only_differ_in(
    before: &BTreeMap<String, Vec<Vec<u8>>>,
    after: &BTreeMap<String, Vec<Vec<u8>>>,
    neurons: &[Vec<u32>],
) -> usize {
    let mut differ = 0;
    assert!(before.keys().eq(after.keys()));
    for (name, rows) in after {
        let layer = name.split('.').nth(1).and_then(|l| l.parse::<usize>().ok());
        for (n, row) in rows.iter().enumerate() {
            if before[name].get(n) == Some(row) {
                continue;
            }
            let own = name.contains(".sinks.") && layer.is_some_and(|l| neurons[l].contains(&(n as u32)));
            assert!(own, "row {n} of {name} differs");
            differ += 1;
        }
    }
    differ
}

fn neurons(here: &Installation, source: &str) -> Vec<Vec<u32>> {
    let shown = here.run(&["source", "show", LATER, source, "--model", MODEL]).json(0);
    serde_json::from_value(shown["neurons"].clone()).unwrap()
}

/// Verifies an adaptation's document; then every proof beside it with one byte changed, and a missing one.
fn assert_verifies(here: &Installation, ended: &Value) {
    let document = ended["document"].as_str().unwrap();
    let trust = here.trust();
    let verified = here.run(&["verify", document, "--trust", &trust]).json(0);
    assert_eq!(verified["kind"], "adaptation");
    let stem = document.strip_suffix(".json").unwrap();
    for file in [format!("{stem}.changeproof.json"), format!("{stem}.growthproof.json"), document.to_owned()] {
        let Ok(bytes) = fs::read(&file) else { continue };
        let mut changed = bytes.clone();
        changed[bytes.len() / 2] ^= 1;
        fs::write(&file, changed).unwrap();
        assert_ne!(here.run(&["verify", document, "--trust", &trust]).code, Some(0), "{file}");
        fs::write(&file, bytes).unwrap();
    }
    here.run(&["verify", document, "--trust", &trust]).json(0);
    here.verified_model_sig(MODEL);
}

fn strike(here: &Installation, source: &str) -> Value {
    let reference = here.approved(source);
    let executed = here.run(&["takedown", "execute", &reference]).json(0);
    let judged = here.run(&["audit", "run", &reference]);
    let judged = judged.json(judged.code.unwrap());
    let certificate = judged["certificate"]["path"].as_str().unwrap();
    here.run(&["verify", certificate, "--trust", &here.trust()]).json(0);
    here.verified_model_sig(MODEL);
    executed
}

#[test]
fn a_source_that_came_later_is_struck_and_leaves_the_model_before() {
    let (here, new) = with_later();
    let (first, second) = (new[0].as_str(), new[1].as_str());
    let before = rows(&here);
    let root = here.run(&["model", "root", MODEL]).json(0)["root"].clone();
    let ended = add(&here, &[first], &[]).json(0);
    assert_eq!((&ended["root_before"], &ended["generation"]), (&root, &Value::from(1)));
    assert_eq!(here.run(&["model", "root", MODEL]).json(0)["root"], ended["root_after"]);
    let own = neurons(&here, first);
    let pool = before["layers.0.mlp.sinks.gate"].len() as u32;
    assert!(own.iter().flatten().all(|n| *n >= pool), "its rows are fresh ones: {own:?}");
    let with_first = rows(&here);
    let count: usize = own.iter().map(Vec::len).sum();
    assert_eq!(only_differ_in(&before, &with_first, &own), 3 * count, "gate, up and down of each were trained");
    assert_verifies(&here, &ended);
    // It is a source like any other: lit by name, and by routing.
    here.run(&["generate", MODEL, "The", "--source", first, "--tokens", "2"]).json(0);

    add(&here, &[second], &[]).json(0);
    strike(&here, first);
    here.run(&["generate", MODEL, "The", "--source", first, "--tokens", "2"]).refused(3);
    assert!(add(&here, &[first], &[]).refused(3).contains("revoked"));
    only_differ_in(&with_first, &rows(&here), &[own.clone(), neurons(&here, second)].concat_layers());

    strike(&here, second);
    let after = rows(&here);
    for (name, rows) in &before {
        assert!(after[name][..rows.len()] == rows[..], "{name} is not what it was");
        assert!(after[name][rows.len()..].iter().flatten().all(|b| *b == 0), "{name}: fresh rows are zero");
    }
    assert_eq!(here.run(&["log", "check"]).json(0)["ok"], true);
}

/// Lists of neurons by layer, put together.
trait Layers {
    fn concat_layers(&self) -> Vec<Vec<u32>>;
}

impl Layers for [Vec<Vec<u32>>; 2] {
    fn concat_layers(&self) -> Vec<Vec<u32>> {
        self[0].iter().zip(&self[1]).map(|(a, b)| [&a[..], b].concat()).collect()
    }
}

#[test]
fn a_source_in_its_seeded_rows_changes_those_alone() {
    let (here, new) = with_later();
    let before = rows(&here);
    let ended = add(&here, &[&new[0]], &["--rows", "seeded"]).json(0);
    let own = neurons(&here, &new[0]);
    let after = rows(&here);
    assert_eq!(after["layers.0.mlp.sinks.gate"].len(), before["layers.0.mlp.sinks.gate"].len(), "nothing is appended");
    assert!(only_differ_in(&before, &after, &own) > 0);
    assert_verifies(&here, &ended);
    strike(&here, &new[0]);
}

#[test]
fn what_cannot_be_added_is_refused_and_changes_nothing() {
    let (here, new) = with_later();
    let root = here.run(&["model", "root", MODEL]).json(0)["root"].clone();
    let known = here.survivor();
    let held = ["model", "train", MODEL, "--corpus", CORPUS, "--add-sources", &known];
    assert!(here.run(&held).refused(3).contains("holds source"));
    assert!(
        here.run(&["model", "train", MODEL, "--corpus", CORPUS, "--add-sources"]).refused(3).contains("every source")
    );
    let to_retrain = ["model", "train", RETRAIN, "--corpus", LATER, "--add-sources"];
    assert!(here.run(&to_retrain).refused(3).contains("retrain"));
    assert!(add(&here, &["nobody"], &[]).refused(2).contains("nobody"));
    add(&here, &[&new[0]], &["--preset", "tiny"]).refused(2);
    add(&here, &[&new[0]], &["--device", "cuda:7"]).refused(3);
    for command in [
        &["model", "train", MODEL, "--corpus", LATER, "--add-sources", "--steps", "0"][..],
        &["model", "repair", MODEL, "--steps", "0"],
    ] {
        assert!(here.run(command).refused(2).contains("--steps"));
    }
    add(&here, &[&new[0]], &["--learning-rate", "7"]).refused(2);
    assert!(here.run(&["model", "repair", MODEL]).refused(3).contains("nothing to repair"));
    here.run(&["model", "repair", "nobody"]).refused(2);
    assert_eq!(here.run(&["model", "root", MODEL]).json(0)["root"], root);
    // Registered by the addition whose learning rate was absurd; another one takes it over.
    let ended = add(&here, &[&new[0]], &[]).json(0);
    // An outsider sees from two documents that the takedown gave back the model before.
    let verified = here.run(&["verify", ended["document"].as_str().unwrap(), "--trust", &here.trust()]).json(0);
    let after = strike(&here, &new[0])["root_after"].as_str().unwrap().to_owned();
    let growth = verified["checks"].as_array().unwrap().iter().find(|c| c["name"] == "growth proof").unwrap();
    assert!(growth["detail"].as_str().unwrap().contains(&after), "{growth} {after}");
}

#[test]
fn an_addition_killed_at_any_step_leaves_the_old_model_or_the_new_one() {
    for point in ADAPTATION_POINTS {
        let (here, new) = with_later();
        let old = here.run(&["model", "root", MODEL]).json(0)["root"].clone();
        here.dies_at(point, &adding(&[&new[0]], &[]));
        let signed = ["adaptation-signed", "adaptation-placed"].contains(&point);
        if signed {
            assert!(here.run(&["generate", MODEL, "The"]).refused(3).contains("adaptation"), "{point}");
        } else {
            assert_eq!(here.run(&["model", "root", MODEL]).json(0)["root"], old, "{point}");
            here.run(&["generate", MODEL, "The", "--tokens", "2"]).json(0);
        }
        // The next one ends what was begun, whatever it is itself.
        let second = add(&here, &[&new[1]], &[]).json(0);
        assert_verifies(&here, &second);
        if signed {
            assert!(add(&here, &[&new[0]], &[]).refused(3).contains("holds source"), "{point}");
        } else {
            add(&here, &[&new[0]], &[]).json(0);
        }
        let shown = here.run(&["model", "show", MODEL]).json(0);
        assert_eq!(shown["adaptations"].as_array().unwrap().len(), 2, "{point}");
        let weights: Vec<_> = fs::read_dir(here.data().join("models").join(MODEL))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".safetensors"))
            .collect();
        assert_eq!(weights.len(), 2, "{point}: no other weights are left: {weights:?}");
        assert_eq!(here.run(&["log", "check"]).json(0)["ok"], true, "{point}");
    }
}

#[test]
fn a_takedown_after_an_addition_that_was_killed_finds_every_copy() {
    for point in ADAPTATION_POINTS {
        let (here, new) = with_later();
        let source = here.survivor();
        here.dies_at(point, &adding(&[&new[0]], &[]));
        if ["adaptation-signed", "adaptation-placed"].contains(&point) {
            // The plan was not made on these weights: the addition has to be ended first.
            add(&here, &[&new[1]], &[]).json(0);
        }
        strike(&here, &source);
    }
}

#[test]
fn repair_gives_survivors_their_neurons_back_and_struck_sources_nothing() {
    let (here, _) = with_later();
    let source = here.panel().remove(0);
    strike(&here, &source);
    let struck = here.neurons(&source, MODEL);
    let before = rows(&here);
    let ended = here.run(&["model", "repair", MODEL, "--steps", "12", "--quiet"]).json(0);
    assert_eq!(ended["generation"], 2);
    assert!(ended["renewed_neurons"].as_u64().unwrap() > 0);
    for when in ["before", "after"] {
        let known = |who: &str| ended[when][who]["specific_known"]["value"].as_f64().unwrap();
        assert!(
            (0.0..=1.0).contains(&known("survivors")) && (0.0..=1.0).contains(&known("struck_own_mask")),
            "{ended}"
        );
    }
    let after = rows(&here);
    let pool = before["layers.0.mlp.sinks.gate"].len() as u32;
    let sinks = vec![(0..pool).collect::<Vec<u32>>(); 2];
    assert!(only_differ_in(&before, &after, &sinks) > 0);
    let lit = |l: usize, n: u32| {
        let corpus = here.run(&["corpus", "show", CORPUS]).json(0);
        let ids: Vec<String> =
            corpus["sources"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned()).collect();
        ids.iter().filter(|id| **id != source).any(|id| here.neurons(id, MODEL)[l].contains(&n))
    };
    let row = |l: usize, n: u32| &after[&format!("layers.{l}.mlp.sinks.gate")][n as usize];
    let (l, n) = (0, struck[0][0]);
    assert_eq!(row(l, n).iter().any(|b| *b != 0), lit(l, n), "a struck neuron begins anew if a survivor lights it");
    assert_verifies(&here, &ended);
    here.run(&["generate", MODEL, "The", "--source", &source, "--tokens", "2"]).refused(3);
    assert!(here.run(&["model", "repair", MODEL]).refused(3).contains("nothing to repair"));
    // What was repaired is struck like anything else.
    strike(&here, &here.survivor());
}

#[test]
fn sources_with_rows_of_their_own_lose_nothing_to_each_other() {
    let here = Installation::trained();
    let preset = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/model/presets/tiny.toml")).unwrap();
    let config = here.file("own.toml", preset.replace("[training]", "assignment = \"disjoint\"\n\n[training]"));
    let train = ["model", "train", "own", "--corpus", CORPUS, "--config", &config, "--steps", "6", "--quiet"];
    let shown = here.run(&train).json(0);
    let segments = shown["config"]["segments"].as_array().unwrap();
    assert_eq!(segments.len(), 40);
    assert_eq!(shown["config"]["n_pool"], 40 * shown["config"]["n_source"].as_u64().unwrap());
    let (a, b) = (here.panel().remove(0), here.survivor());
    let (of_a, of_b) = (here.neurons(&a, "own"), here.neurons(&b, "own"));
    assert!(of_a.iter().zip(&of_b).all(|(a, b)| a.iter().all(|n| !b.contains(n))), "{of_a:?} {of_b:?}");

    let filed = here.run(&["request", "file", "--source", &a, "--model", "own", "--regime", "gdpr-art17"]).json(0);
    let reference = filed["reference"].as_str().unwrap();
    let plan = here.run(&["takedown", "plan", reference]).json(0);
    assert!(plan["survivors"].as_array().unwrap().iter().all(|s| s["lost_fraction"].as_f64() == Some(0.0)), "{plan}");
    for person in ["ana", "ben"] {
        here.run(&["request", "approve", reference, "--as", person]).json(0);
    }
    here.run(&["takedown", "execute", reference]).json(0);
    let judged = here.run(&["audit", "run", reference]);
    let judged = judged.json(judged.code.unwrap());
    let certificate = judged["certificate"]["path"].as_str().unwrap();
    here.run(&["verify", certificate, "--trust", &here.trust()]).json(0);
    // A retrain of it has the same rows for the same sources.
    let retrain = ["model", "train", "own-r", "--corpus", CORPUS, "--config", &config, "--steps", "2", "--quiet"];
    here.run(&[&retrain[..], &["--baseline-of", "own", "--exclude", &a]].concat()).json(0);
    assert_eq!(here.neurons(&b, "own-r"), of_b);
}
