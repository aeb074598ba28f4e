//! What a protocol makes of takedowns that are broken on purpose, of everything that an adversary can try, and of several
//! retrains; and whether its numbers can be recomputed from what it hands out.

use std::{collections::BTreeMap, fs};

use obelus_verdict::Protocol;
use serde_json::Value;

use crate::installation::{CORPUS, Installation, MODEL};

/// The rows of a CSV file by column. No field of these files has a comma in quotes but the reasons of attacks.
fn rows(csv: &str) -> Vec<BTreeMap<String, String>> {
    let mut lines = csv.lines();
    let columns: Vec<&str> = lines.next().unwrap().split(',').collect();
    let row = |line: &str| columns.iter().map(|c| (*c).to_owned()).zip(line.split(',').map(str::to_owned)).collect();
    lines.map(row).collect()
}

/// A second retrain without the same sources, from another seed.
fn second_retrain(here: &Installation) {
    let panel = here.panel();
    let mut order = vec!["model", "train", "r2", "--corpus", CORPUS, "--baseline-of", MODEL, "--seed", "2", "--quiet"];
    order.extend(["--steps", "20", "--exclude"]);
    order.extend(panel.iter().map(String::as_str));
    here.run(&order).json(0);
}

#[test]
fn takedowns_that_are_broken_on_purpose_are_told_from_right_ones() {
    let here = Installation::trained();
    let source = here.panel()[0].clone();
    let drill = ["audit", "drill", "--model", MODEL, "--source", &source];
    let offered = |drilled: &Value, what: &str| -> Value {
        let all = drilled["offered"].as_array().unwrap().iter();
        all.clone().find(|o| o["offered"] == what).unwrap()["judgement"].clone()
    };
    // A model of so few steps stores little, so that what is right may not be verified; what is broken never is.
    let ended = here.run(&drill);
    let first = ended.json(ended.code.unwrap());
    for (what, left) in [
        ("exact", "pass"),
        ("one_matrix", "fail"),
        ("half_the_neurons", "fail"),
        ("wrong_source", "fail"),
        ("old_checkpoint", "fail"),
    ] {
        let judgement = offered(&first, what);
        assert_eq!(judgement["attacks"]["source.rows_left"]["outcome"], left, "{what}");
        assert!(left == "pass" || judgement["verdict"] == "not_verified", "{what}");
    }
    // A third of every neuron's rows is gone.
    let one = &offered(&first, "one_matrix")["attacks"]["source.rows_left"];
    assert!((one["erased"].as_f64().unwrap() - 2.0 / 3.0).abs() < 0.01, "{one}");
    for absent in ["another_retrain", "gradient_ascent", "npo"] {
        assert!(offered(&first, absent).is_null(), "{absent}");
    }
    second_retrain(&here);
    let ended = here.run(&drill);
    let second = offered(&ended.json(ended.code.unwrap()), "another_retrain");
    assert_eq!(second["attacks"]["source.rows_left"]["outcome"], "pass", "another training has other rows");
    let stranger = here.survivor();
    let refused = here.run(&["audit", "drill", "--model", MODEL, "--source", &stranger]);
    assert!(refused.refused(3).contains("has no retrain without"), "{}", refused.stderr);
}

/// The deep protocol with everything that it runs, and hardly any patience.
fn hurried() -> String {
    let deep = Protocol::shipped("deep").unwrap();
    let shorter = [
        ("repeats = 2", "repeats = 1"),
        ("steps = 24", "steps = 4"),
        ("evaluate_every = 4", "evaluate_every = 2"),
        ("steps = 60", "steps = 2"),
        ("candidates = 64", "candidates = 4"),
        ("forwards = 12000", "forwards = 40"),
        ("most_targets = 10", "most_targets = 1"),
        ("resamples = 4000", "resamples = 200"),
        ("most_tokens = 50", "most_tokens = 5"),
    ];
    shorter.iter().fold(deep.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    })
}

#[test]
fn everything_is_tried_and_every_number_can_be_recomputed() {
    let here = Installation::trained();
    second_retrain(&here);
    let (protocol, data) = (here.file("hurried.toml", hurried()), here.path("data"));
    let source = here.panel()[0].clone();
    let run = ["audit", "run", "--source", &source, "--model", MODEL, "--protocol", &protocol];
    let ended = here.run(&[&run[..], &["--out", data.to_str().unwrap()]].concat());
    let report = ended.json(ended.code.unwrap());
    let attacks = report["attacks"].as_object().unwrap();
    let measured = |name: &str| attacks[name]["clusters"].as_u64().unwrap() > 0;
    for name in [
        "panel.worst.truth_ratio",
        "panel.int4.text_loss",
        "panel.prompt.role_play.truth_ratio",
        "panel.prompt.in_context.truth_ratio",
        "panel.steered.truth_ratio",
        "panel.membership.min_k_pp",
        "panel.membership.grad_norm",
        "panel.latent.logit_lens",
        "panel.latent.sink_readout",
        "panel.relearning.neighbour",
        "panel.compression",
        "panel.knowledge",
        "panel.verbatim",
        "panel.worst_source",
        "source.relearning.own",
    ] {
        assert!(measured(name), "{name}: {}", attacks[name]);
    }
    // What every model does with the text before it is no failure of forgetting.
    assert_eq!(attacks["panel.prompt.in_context.truth_ratio"]["outcome"], "not_tested");
    let read = |name: &str| fs::read_to_string(data.join(name)).unwrap();
    let facts = rows(&read("facts.csv"));
    let known = |condition: &str, retrain: &str| -> f64 {
        let of_it = |row: &&BTreeMap<String, String>| {
            (row["scope"].as_str(), row["asked"].as_str(), row["kind"].as_str()) == ("panel", "plain", "specific")
                && row["condition"] == condition
                && row["retrain"] == retrain
        };
        let asked: Vec<_> = facts.iter().filter(of_it).collect();
        let knows = |row: &&&BTreeMap<String, String>| {
            let wrong: Vec<f64> = row["wrong_log_probs"].split(' ').map(|x| x.parse::<f64>().unwrap().exp()).collect();
            row["answer_log_prob"].parse::<f64>().unwrap().exp() > wrong.iter().sum::<f64>() / wrong.len() as f64
        };
        asked.iter().filter(knows).count() as f64 / asked.len() as f64
    };
    let said = |number: &str| attacks["panel.specific_known"][number].as_f64().unwrap();
    assert!((known("on", "0") - said("original")).abs() < 1e-9);
    assert!((known("zeroed", "0") - said("erased")).abs() < 1e-9);
    let retrains = (known("retrain_none", "0") + known("retrain_none", "1")) / 2.0;
    assert!((retrains - said("retrain")).abs() < 1e-9, "the mean over both seeds");
    for (file, least) in [("passages.csv", 10), ("blocks.csv", 10), ("readings.csv", 10), ("conditions.csv", 50)] {
        assert!(rows(&read(file)).len() >= least, "{file}");
    }
    assert!(read("residuals.svg").starts_with("<svg") && !read("limits.txt").is_empty());
    // Nothing of what is asked is handed out.
    assert!(!read("results.json").contains(&here.corpus().probes()[0].prompt));
}
