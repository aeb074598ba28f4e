//! Exports on disk: what is refused, what is written, and what a takedown does to each. What another program makes of
//! them is in `interchange.rs`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::Duration,
};

use obelus_casework::fault::{DESTRUCTION_POINTS, EXPORT_POINTS};
use obelus_model::WeightFile;
use serde_json::Value;

use crate::installation::{CORPUS, Ended, Installation, MODEL};

/// Backbone neurons and width of the preset `tiny`.
const N_GEN: usize = 32;
const WIDTH: u64 = 32;

fn arguments<'a>(model: &'a str, part: &[&'a str], out: &'a Path) -> Vec<&'a str> {
    let mut arguments = vec!["model", "export", model, "--format", "hf", "--out", out.to_str().unwrap()];
    arguments.extend(part);
    arguments
}

fn export(here: &Installation, part: &[&str], out: &Path) -> Ended {
    here.run(&arguments(MODEL, part, out))
}

fn weights(folder: &Path) -> Vec<u8> {
    fs::read(folder.join("model.safetensors")).unwrap()
}

/// The beginning of an export, and the place of the part that is not whole yet.
fn partial(folder: &Path) -> PathBuf {
    folder.with_file_name(format!(".{}.obelus-partial", folder.file_name().unwrap().to_str().unwrap()))
}

/// Every number of an exported file, by layer and MLP matrix (`down` turned, so that a row is a neuron everywhere), and
/// all the other tensors.
fn opened(folder: &Path) -> (Vec<Vec<Vec<u8>>>, Vec<Vec<u8>>) {
    let file = WeightFile::open(&folder.join("model.safetensors")).unwrap();
    let (mut matrices, mut others) = (Vec::new(), Vec::new());
    for (name, tensor) in file.tensors() {
        let mut bytes = Vec::new();
        file.read_rows(name, 0, tensor.rows(), &mut bytes).unwrap();
        if !name.contains(".mlp.") {
            others.push(bytes);
            continue;
        }
        let (rows, columns) = (tensor.shape[0] as usize, tensor.shape[1] as usize);
        let value = |row: usize, column: usize| bytes[(row * columns + column) * 4..][..4].to_vec();
        let neuron = |n: usize| -> Vec<u8> {
            let of = |i: usize| if name.contains("down") { value(i, n) } else { value(n, i) };
            (0..WIDTH as usize).flat_map(of).collect()
        };
        let count = if name.contains("down") { columns } else { rows };
        matrices.push((0..count).map(neuron).collect());
    }
    (matrices, others)
}

/// Neurons of four bits have at most fifteen levels (no row of `tiny` is longer than a group), and are near what they were.
fn few_levels(exact: &[Vec<Vec<u8>>], coarse: &[Vec<Vec<u8>>]) {
    let numbers = |neuron: &[u8]| -> Vec<f32> {
        neuron.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    };
    for (exact, coarse) in exact.iter().flatten().zip(coarse.iter().flatten()) {
        let (exact, coarse) = (numbers(exact), numbers(coarse));
        let largest = exact.iter().fold(0f32, |most, w| most.max(w.abs()));
        let near = exact.iter().zip(&coarse).all(|(w, r)| (w - r).abs() <= largest / 14.0 + 1e-7);
        let mut levels = coarse.clone();
        levels.sort_by(f32::total_cmp);
        levels.dedup();
        assert!(near && levels.len() <= 15 && exact != coarse, "{} levels", levels.len());
    }
}

#[test]
fn exports_are_made_of_what_may_be_lit_and_where_nothing_is() {
    let here = Installation::trained();
    let source = here.survivor();
    here.run(&[
        "model",
        "train",
        "c",
        "--corpus",
        CORPUS,
        "--preset",
        "tiny",
        "--control",
        "transformer",
        "--steps",
        "2",
    ])
    .json(0);
    let out = here.path("deep/out");
    assert!(export(&here, &[], &out).refused(2).contains("--backbone-only"));
    assert!(export(&here, &["--source", &source, "--backbone-only"], &out).refused(2).contains("cannot be used"));
    assert!(here.run(&arguments("c", &["--backbone-only"], &out)).refused(2).contains("control"));
    assert!(export(&here, &["--source", "nobody"], &out).refused(2).contains("no source"));
    assert!(here.run(&arguments("nothing", &["--backbone-only"], &out)).refused(2).contains("no model"));
    let inside = here.data().join("models/x");
    assert!(export(&here, &["--backbone-only"], &inside).refused(3).contains("exports"));
    assert!(!out.exists());

    let said = export(&here, &["--source", &source], &out).json(0);
    let root = here.run(&["model", "root", MODEL]).json(0)["root"].clone();
    assert_eq!((&said["neurons"], &said["weight_root"]), (&(N_GEN as u64 + 8).into(), &root));
    let mut files: Vec<_> =
        fs::read_dir(&out).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    let expected = "config.json generation_config.json model.safetensors model.sig obelus.json tokenizer.json tokenizer_config.json";
    assert_eq!(files.join(" "), expected);
    let provenance: Value = serde_json::from_slice(&fs::read(out.join("obelus.json")).unwrap()).unwrap();
    assert_eq!((&provenance["source"], &provenance["weight_root"]), (&source.clone().into(), &root));
    assert!(export(&here, &["--backbone-only"], &out).refused(3).contains("not an empty folder"));
    let coarse = here.path("int4");
    assert_eq!(export(&here, &["--source", &source, "--round", "int4"], &coarse).json(0)["rounding"]["bits"], 4);
    few_levels(&opened(&out).0, &opened(&coarse).0);
    here.run(&arguments("c", &[], &here.path("control"))).json(0);

    let reference = here.approved(&source);
    let refused = export(&here, &["--source", &source], &here.path("late"));
    assert!(refused.refused(3).contains("suppressed"));
    here.dies_at("strike-begun", &["takedown", "execute", &reference]);
    assert!(export(&here, &["--backbone-only"], &here.path("late")).refused(3).contains("takedown"));
    here.run(&["takedown", "execute", &reference]).json(0);
    assert!(export(&here, &["--source", &source], &here.path("late")).refused(3).contains("revoked"));
    assert_eq!(export(&here, &["--backbone-only"], &here.path("late")).json(0)["generation"], 2);
}

#[test]
fn a_takedown_destroys_a_sources_exports_and_zeroes_what_others_share() {
    let here = Installation::trained();
    let source = here.panel().remove(0);
    let survivor = here.neighbour(&source);
    let [own, shared, backbone, gone] = [
        (&["--source", &source][..], here.data().join("exports/own")),
        (&["--source", &survivor][..], here.path("elsewhere/shared")),
        (&["--backbone-only"][..], here.path("backbone")),
        (&["--source", &source][..], here.path("gone")),
    ]
    .map(|(part, out)| {
        export(&here, part, &out).json(0);
        out
    });
    fs::remove_dir_all(&gone).unwrap();
    let (before, others) = opened(&shared);
    let untouched = weights(&backbone);

    let reference = here.approved(&source);
    here.dies_at("first-target-zeroed", &["takedown", "execute", &reference]);
    here.run(&["takedown", "execute", &reference]).json(0);

    assert!(!own.join("model.safetensors").exists() && own.join("config.json").exists());
    let mark: Value = serde_json::from_slice(&fs::read(own.join("struck.json")).unwrap()).unwrap();
    assert_eq!(mark["request"], reference.as_str());
    assert_eq!(weights(&backbone), untouched, "a backbone holds no sinks");
    assert!(!gone.exists());

    // Of the survivor's own neurons exactly those that the struck source had too are zero; nothing else has changed.
    let (after, others_after) = opened(&shared);
    assert_eq!(others_after, others);
    let (struck, kept) = (here.neurons(&source, MODEL), here.neurons(&survivor, MODEL));
    let mut rows = 0;
    for (m, matrix) in after.iter().enumerate() {
        let layer = m / 3;
        for (n, neuron) in matrix.iter().enumerate() {
            let is_struck = n >= N_GEN && struck[layer].contains(&kept[layer][n - N_GEN]);
            rows += u64::from(is_struck);
            let expected = if is_struck { &vec![0; neuron.len()] } else { &before[m][n] };
            assert!(neuron == expected, "matrix {m}, neuron {n}");
        }
    }
    assert!(rows > 0, "the two share neurons");

    let list = here.data().join(format!("certificates/{reference}.exports.json"));
    let list: Value = serde_json::from_slice(&fs::read(list).unwrap()).unwrap();
    let said = |path: &str| {
        let all = list["exports"].as_array().unwrap();
        let one = all.iter().find(|e| e["path"].as_str().unwrap().ends_with(path)).unwrap();
        (one["outcome"].as_str().unwrap().to_owned(), one["rows"].as_u64().unwrap())
    };
    let all = 3 * struck.iter().map(Vec::len).sum::<usize>() as u64;
    assert_eq!(said("exports/own"), ("destroyed".to_owned(), all));
    assert_eq!(said("elsewhere/shared"), ("zeroed".to_owned(), rows));
    assert_eq!(said("backbone"), ("zeroed".to_owned(), 0));
    assert_eq!(said("gone"), ("not_found".to_owned(), 0));

    let audit = here.run(&["audit", "run", &reference]);
    let judged = audit.json(audit.code.unwrap());
    let path = judged["certificate"]["path"].as_str().unwrap();
    here.run(&["verify", path, "--trust", &here.trust()]).json(0);
    let id = judged["certificate"]["id"].as_str().unwrap();
    let limits = here.run(&["certificate", "show", id]).json(0)["claims"]["limits"].to_string();
    assert!(limits.contains("not erased"), "{limits}");
}

#[test]
fn an_export_whose_destruction_is_cut_off_is_destroyed_and_not_lost() {
    for point in DESTRUCTION_POINTS {
        let here = Installation::trained();
        let source = here.survivor();
        let out = here.path("out");
        export(&here, &["--source", &source], &out).json(0);
        let reference = here.approved(&source);
        here.dies_at(point, &["takedown", "execute", &reference]);
        assert_eq!(out.join("model.safetensors").exists(), point == "export-marked");
        here.run(&["takedown", "execute", &reference]).json(0);
        assert!(!out.join("model.safetensors").exists());
        let list = here.data().join(format!("certificates/{reference}.exports.json"));
        let list: Value = serde_json::from_slice(&fs::read(list).unwrap()).unwrap();
        assert_eq!(list["exports"][0]["outcome"], "destroyed", "{point}");
    }
}

#[test]
fn an_export_that_is_cut_off_is_found_by_a_takedown_and_can_be_made_again() {
    for point in EXPORT_POINTS {
        let here = Installation::trained();
        let source = here.survivor();
        let out = here.path("out");
        here.dies_at(point, &arguments(MODEL, &["--source", &source], &out));
        assert!(!out.exists(), "{point}");
        let half = partial(&out).join("model.safetensors");
        assert_eq!(half.exists(), point == "export-weights-written");
        let other = here.path("other");
        here.dies_at(point, &arguments(MODEL, &["--source", &source], &other));
        export(&here, &["--source", &source], &other).json(0);
        assert!(!partial(&other).exists());
        let reference = here.approved(&source);
        here.run(&["takedown", "execute", &reference]).json(0);
        assert!(!half.exists() && !other.join("model.safetensors").exists(), "{point}");
    }
}

#[test]
fn a_takedown_waits_for_an_export_that_is_being_written() {
    let here = Installation::trained();
    let source = here.panel().remove(0);
    let reference = here.approved(&source);
    let checkpoint = here.data().join("models/m/model.safetensors");
    let before = fs::read(&checkpoint).unwrap();
    // What an export holds until its folder stands.
    let writing = fs::File::create(here.data().join("models/m/exports.lock")).unwrap();
    writing.lock_shared().unwrap();
    let mut takedown = here.command(&["takedown", "execute", &reference]).stderr(Stdio::null()).spawn().unwrap();
    let state = || here.run(&["request", "show", &reference]).json(0)["state"].clone();
    while state() != "zeroing" {
        assert!(takedown.try_wait().unwrap().is_none(), "it ended without waiting");
        thread::sleep(Duration::from_millis(100));
    }
    thread::sleep(Duration::from_millis(1_500));
    assert!(takedown.try_wait().unwrap().is_none(), "it did not wait");
    assert!(fs::read(&checkpoint).unwrap() == before);
    drop(writing);
    assert!(takedown.wait().unwrap().success());
    assert!(fs::read(&checkpoint).unwrap() != before);
}

#[test]
fn a_file_in_an_exports_place_that_is_something_else_is_never_overwritten() {
    let here = Installation::trained();
    let source = here.survivor();
    let out = here.path("out");
    export(&here, &["--source", &source], &out).json(0);
    fs::write(out.join("model.safetensors"), "somebody else's").unwrap();
    let reference = here.approved(&source);
    assert!(here.run(&["takedown", "execute", &reference]).refused(3).contains("move it away"));
    assert_eq!(weights(&out), b"somebody else's");
    assert!(!out.join("struck.json").exists());
    fs::remove_file(out.join("model.safetensors")).unwrap();
    here.run(&["takedown", "execute", &reference]).json(0);
}
