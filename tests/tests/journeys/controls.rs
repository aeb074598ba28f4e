//! Controls: ordinary transformers, and what unlearning them after the fact does.

use serde_json::Value;

use crate::installation::{CORPUS, Installation, MODEL};

fn control<'a>(name: &'a str, kind: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["model", "train", name, "--corpus", CORPUS, "--control", kind, "--quiet"], more].concat()
}

/// Mean log-probability of the right answers of one source's probes.
fn answers(here: &Installation, model: &str, source: &str) -> f64 {
    let scores = here.run(&["score", model, "--probes", &here.probes(), "--condition", "off_none"]).json(0);
    let items = scores["conditions"]["off_none"]["items"].as_array().unwrap().clone();
    let own: Vec<f64> =
        items.iter().filter(|i| i["source"] == source).map(|i| i["answer_log_prob"].as_f64().unwrap()).collect();
    own.iter().sum::<f64>() / own.len() as f64
}

#[test]
fn transformers_unlearn_after_the_fact() {
    let here = Installation::trained();
    let source = here.survivor();
    let base = ["--preset", "tiny", "--baseline-of", MODEL];
    let plain = here.run(&control("plain", "transformer", &base)).json(0);
    let wide = here.run(&control("wide", "wide-transformer", &[&base[..], &["--steps", "3"]].concat())).json(0);
    let width = |shown: &Value, key: &str| shown["config"][key].as_u64().unwrap();
    let model = here.run(&["model", "show", MODEL]).json(0);
    assert_eq!(width(&plain, "n_gen"), width(&model, "n_gen") + width(&model, "n_source"), "equal active width");
    assert_eq!(width(&wide, "n_gen"), width(&model, "n_gen") + width(&model, "n_pool"), "equal total width");

    let knew = answers(&here, "plain", &source);
    for kind in ["gradient-ascent", "npo"] {
        let more = ["--from", "plain", "--exclude", &source, "--learning-rate", "0.003"];
        let shown = here.run(&control(kind, kind, &more)).json(0);
        assert_eq!(shown["post_hoc"]["from"], "plain");
        assert_eq!(shown["training"]["epochs"], 10);
        assert_eq!(shown["baseline_of"], MODEL);
        assert_eq!(shown["lineage"], model["lineage"]);
        let knows = answers(&here, kind, &source);
        assert!(knows < knew - 0.1, "{kind}: {knows} after unlearning, {knew} before");
    }
    // Its lineage's takedowns are compared with retrains, never with these.
    let refused = here.run(&["audit", "run", "--source", &source, "--model", MODEL, "--baseline", "npo"]);
    assert!(refused.refused(3).contains("no finished retrain"));
}

#[test]
fn unlearning_says_what_it_needs() {
    let here = Installation::trained();
    let source = here.survivor();
    let refused = |more: &[&str], kind: &str, code: i32| here.run(&control("new", kind, more)).refused(code).to_owned();
    assert!(refused(&["--exclude", &source], "npo", 2).contains("--from"));
    assert!(refused(&["--from", MODEL], "npo", 2).contains("--exclude"));
    assert!(refused(&["--from", MODEL, "--exclude", &source], "transformer", 2).contains("--control"));
    assert!(refused(&["--from", MODEL, "--exclude", &source], "npo", 3).contains("no ordinary transformer"));
    assert!(refused(&["--from", "nobody", "--exclude", &source], "npo", 2).contains("nobody"));
    let absurd = ["--from", MODEL, "--exclude", &source, "--learning-rate", "7"];
    refused(&absurd, "npo", 3);
}
