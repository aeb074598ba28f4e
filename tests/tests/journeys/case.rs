//! A case from its filing to its certificate, as lawyers, executors and verifiers take part in it.

use std::fs;

use serde_json::Value;

use crate::installation::{CORPUS, Installation, MODEL, PANEL, RETRAIN};

#[test]
fn a_source_is_struck_proved_and_certified() {
    let here = Installation::trained();
    let source = here.panel().remove(0);
    let reference = here.approved(&source);

    // Suppressed since the plan: its sinks are lit for nobody.
    let refused = here.run(&["generate", MODEL, "The", "--source", &source]);
    assert!(refused.refused(3).contains("suppressed"));
    let shown = here.run(&["source", "show", CORPUS, &source]).json(0);
    assert_eq!((&shown["suppressed"], &shown["revoked"]), (&Value::Bool(true), &Value::Bool(false)));

    let plan = here.run(&["takedown", "plan", &reference]).json(0);
    let approved = here.run(&["request", "show", &reference]).json(0);
    assert_eq!(approved["plan_digest"], plan["plan_digest"], "planning again does not change what was approved");
    assert_eq!(approved["approved_by"], serde_json::json!(["ana", "ben"]));
    assert_eq!(plan["survivors"].as_array().unwrap().len(), 39);
    assert_overlaps_are_exact(&here, &source, &plan);

    let root_before = here.run(&["model", "root", MODEL]).json(0)["root"].clone();
    let executed = here.run(&["takedown", "execute", &reference, "--as", "emil"]).json(0);
    assert_eq!(executed["root_before"], root_before);
    assert_eq!(here.run(&["model", "root", MODEL]).json(0)["root"], executed["root_after"]);
    assert_ne!(executed["root_after"], executed["root_before"]);
    assert_eq!(executed["level"], "L2");
    assert!(fs::metadata(executed["row_proof"].as_str().unwrap()).unwrap().len() > 0);
    assert_eq!(here.run(&["takedown", "execute", &reference]).json(0), executed, "executing again changes nothing");

    // Neither the suppression nor the strike can be undone now.
    assert!(here.run(&["takedown", "undo", &reference]).code != Some(0));
    assert!(here.run(&["generate", MODEL, "The", "--source", &source]).refused(3).contains("revoked"));

    let audit = here.run(&["audit", "run", &reference]);
    let judged = audit.json(i32::from(audit.code == Some(1)));
    assert_eq!(judged["verdict"] == "not_verified", audit.code == Some(1));
    let attacks = judged["attacks"].as_object().unwrap();
    assert!(attacks["panel.shared_known"]["items"].as_u64().unwrap() >= 5 * PANEL as u64);
    for name in ["panel.specific_known", "source.text_loss", "panel.nearest.text_loss"] {
        assert!(attacks[name]["verdict"].is_string() && attacks[name]["value"].is_number(), "{name}");
    }
    assert_eq!(attacks["source.specific_known"]["verdict"], "inconclusive", "four facts prove nothing");
    assert_forecast_came_true(&plan, attacks);
    let again = here.run(&["audit", "run", &reference]).json(audit.code.unwrap());
    assert_eq!(again["run"], judged["run"], "a judged case is not judged twice");

    let list = here.run(&["certificate", "list"]).json(0);
    assert_eq!(list.as_array().unwrap().len(), 1);
    let id = list[0]["id"].as_str().unwrap();
    assert_eq!((&list[0]["status"], &list[0]["source"]), (&"valid".into(), &source.clone().into()));
    let words = here.run(&["certificate", "show", id]).json(0);
    assert!(words["claims"]["limits"].as_array().unwrap().len() >= 4);
    let out = here.path("download");
    here.run(&["certificate", "download", id, "--out", out.to_str().unwrap()]).json(0);
    assert_verifies_until_it_is_changed(&here, &out.join(format!("{id}.json")));

    assert_eq!(here.run(&["log", "check"]).json(0)["ok"], true);
    assert_eq!(here.run(&["doctor"]).json(0)["ok"], true);
    let trail = here.run(&["request", "show", &reference]).json(0)["trail"].clone();
    let actions: Vec<&str> = trail.as_array().unwrap().iter().map(|e| e["action"].as_str().unwrap()).collect();
    let steps =
        ["file", "acknowledge", "triage", "suppress", "plan", "approve", "approve", "open_window", "execute", "erase"];
    assert_eq!(actions[..10], steps);
    assert_eq!(actions[10..], ["verify", "certify"]);
}

/// The fractions of the plan against the neurons that `source show` gives.
fn assert_overlaps_are_exact(here: &Installation, source: &str, plan: &Value) {
    let neurons = |id: &str| here.run(&["source", "show", CORPUS, id]).json(0)["neurons"].clone();
    let struck = neurons(source);
    for survivor in plan["survivors"].as_array().unwrap().iter().step_by(13) {
        let own = neurons(survivor["source"].as_str().unwrap());
        let layers = own.as_array().unwrap().iter().zip(struck.as_array().unwrap());
        let (mut lost, mut all) = (0, 0);
        for (own, struck) in layers {
            let own = own.as_array().unwrap();
            all += own.len();
            lost += own.iter().filter(|n| struck.as_array().unwrap().contains(n)).count();
        }
        let fraction = survivor["lost_fraction"].as_f64().unwrap();
        assert!((fraction - lost as f64 / all as f64).abs() < 1e-6, "{survivor}");
    }
}

/// What the plan expected of survivors against what was measured of them after the strike.
fn assert_forecast_came_true(plan: &Value, attacks: &serde_json::Map<String, Value>) {
    let number = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
    let forecast = &plan["forecast"];
    let lost: Vec<f64> =
        plan["survivors"].as_array().unwrap().iter().map(|s| s["lost_fraction"].as_f64().unwrap()).collect();
    // Nothing was struck from this model before, so that all that survivors lack afterwards is what the plan takes.
    assert_eq!(number(&forecast["kept_before"]["mean"]), 1.0);
    assert!((number(&forecast["kept_after"]["mean"]) - (1.0 - lost.iter().sum::<f64>() / 39.0)).abs() < 1e-6);
    assert!((number(&forecast["kept_after"]["least"]) - (1.0 - lost[0])).abs() < 1e-6);
    let budget = &forecast["budget"];
    assert_eq!(budget["whole"], budget["before"]);
    assert!(budget["after"].as_u64().unwrap() < budget["before"].as_u64().unwrap(), "{budget}");

    let groups = forecast["groups"].as_array().unwrap();
    assert_eq!(groups.iter().map(|g| g["who"].as_str().unwrap()).collect::<Vec<_>>(), ["hit_hardest", "spread"]);
    let losses = groups[0]["losses"].as_array().unwrap();
    assert!(losses.iter().any(|loss| loss["metric"] == "specific_known"), "{losses:?}");
    for loss in losses {
        let measured = &attacks[&format!("survivors.{}", loss["metric"].as_str().unwrap())];
        assert_eq!(measured["verdict"], loss["outcome"], "{loss}");
        assert!((measured["value"].as_f64().unwrap() - number(&loss["after"])).abs() < 1e-4, "{loss}, {measured}");
        assert!((measured["baseline"].as_f64().unwrap() - number(&loss["before"])).abs() < 1e-4, "{loss}, {measured}");
    }
}

fn assert_verifies_until_it_is_changed(here: &Installation, certificate: &std::path::Path) {
    let trust = here.trust();
    let file = certificate.to_str().unwrap();
    let verify = || here.run(&["verify", file, "--trust", &trust]);
    let report = verify().json(0);
    assert!(report["ok"].as_bool().unwrap() && report["checks"].as_array().unwrap().len() >= 8);
    let beside = |end: &str| file.replace(".json", end);
    let (proof, evidence, log_proof) = (beside(".rowproof.json"), beside(".evidence.json"), beside(".tlog-proof"));
    assert!(here.run(&["verify", &proof, "--trust", &trust]).json(0)["ok"].as_bool().unwrap());
    assert!(here.run(&["verify", &log_proof, "--trust", &trust]).json(0)["ok"].as_bool().unwrap());
    for path in [file, &proof, &evidence] {
        let whole = fs::read(path).unwrap();
        // Every byte of a small certificate is flipped in the ledger's own tests; here it is the program that says no.
        for at in (0..whole.len()).step_by(whole.len() / 7) {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(path, &changed).unwrap();
            assert!(matches!(verify().code, Some(1 | 2)), "byte {at} of {path} was changed unnoticed");
        }
        fs::write(path, &whole).unwrap();
    }
    // Without its row proof a certificate still verifies as far as it goes, and says what was left out.
    fs::remove_file(&proof).unwrap();
    let report = verify().json(0);
    let left_out = report["checks"].as_array().unwrap().iter().find(|c| c["name"] == "row proof").unwrap();
    assert!(left_out["detail"].as_str().unwrap().contains("left out"));
    fs::remove_file(&evidence).unwrap();
    let report = verify().json(0);
    let checks = report["checks"].as_array().unwrap();
    let left_out = checks.iter().filter(|c| c["detail"].as_str().unwrap().starts_with("left out"));
    assert!(left_out.map(|c| c["name"].as_str().unwrap()).eq(["evidence", "row proof", "status"]), "{report}");
    // Somebody else's keys verify nothing.
    let other = Installation::new();
    assert_eq!(here.run(&["verify", file, "--trust", &other.trust()]).code, Some(1));
}

#[test]
fn a_suppression_is_lifted_again_and_a_refusal_says_why() {
    let here = Installation::trained();
    let source = here.survivor();
    let file = || {
        let filed = here.run(&["request", "file", "--source", &source, "--regime", "gdpr-art17", "--model", MODEL]);
        filed.json(0)["reference"].as_str().unwrap().to_owned()
    };
    let reference = file();
    let retrain = here.run(&["request", "file", "--source", &source, "--regime", "gdpr-art17", "--model", RETRAIN]);
    assert!(retrain.refused(3).contains("retrain"));
    let twice = here.run(&["request", "file", "--source", &source, "--regime", "gdpr-art17", "--model", MODEL]);
    assert!(twice.refused(3).contains(&reference), "one open request a source");
    here.run(&["takedown", "plan", &reference]).json(0);
    here.run(&["takedown", "undo", &reference]).json(0);
    here.run(&["generate", MODEL, "The", "--source", &source, "--tokens", "3"]).json(0);

    let reference = file();
    let code = here.run(&["request", "refuse", &reference, "--code", "because", "--reason", "x"]);
    assert!(code.refused(3).contains("suspected_fraud"));
    here.run(&["request", "refuse", &reference, "--code", "not_rights_holder", "--reason", "no proof given"]).json(0);
    let shown = here.run(&["request", "show", &reference]).json(0);
    assert_eq!(shown["state"], "refused");
    assert!(here.run(&["takedown", "execute", &reference]).code != Some(0));
}

#[test]
fn a_hold_forbids_zeroing_until_two_persons_release_it() {
    let here = Installation::trained();
    for name in ["hana", "hugo"] {
        here.run(&["person", "add", name, "--role", "hold_officer"]).json(0);
    }
    let reference = here.approved(&here.survivor());
    let root = here.run(&["model", "root", MODEL]).json(0)["root"].clone();
    here.run(&["request", "hold", &reference, "--as", "hana"]).json(0);
    assert!(here.run(&["takedown", "execute", &reference]).refused(3).contains("hold"));
    assert_eq!(here.run(&["request", "release", &reference, "--as", "hana"]).json(0)["held"], true);
    assert!(here.run(&["request", "release", &reference, "--as", "hana"]).refused(3).contains("hana"));
    assert!(here.run(&["takedown", "execute", &reference]).refused(3).contains("hold"));
    assert_eq!(here.run(&["model", "root", MODEL]).json(0)["root"], root);
    assert_eq!(here.run(&["request", "release", &reference, "--as", "hugo"]).json(0)["held"], false);
    here.run(&["takedown", "execute", &reference]).json(0);
}

#[test]
fn a_second_takedown_of_the_same_model_is_proved_from_the_first_ones_root() {
    let here = Installation::trained();
    let panel = here.panel();
    let first = here.approved(&panel[0]);
    let second = here.approved(&panel[1]);
    let ended = here.run(&["takedown", "execute", &first]);
    let executed = ended.json(0);
    // A copied data directory has a copied node cache, which is about the file that was copied.
    assert!(ended.stderr.contains("hashed the whole checkpoint"), "{}", ended.stderr);
    assert!(here.run(&["takedown", "execute", &second]).refused(3).contains("audit run"), "one at a time");
    let trust = here.trust();
    let certified = |reference: &str| {
        let audit = here.run(&["audit", "run", reference]);
        let judged = audit.json(i32::from(audit.code == Some(1)));
        let path = judged["certificate"]["path"].as_str().unwrap().to_owned();
        here.run(&["verify", &path, "--trust", &trust]).json(0);
    };
    certified(&first);
    // What was approved is no longer what would be done: the model has changed.
    assert!(here.run(&["takedown", "execute", &second]).refused(3).contains("plan"));
    here.run(&["takedown", "plan", &second]).json(0);
    for person in ["ana", "ben"] {
        here.run(&["request", "approve", &second, "--as", person]).json(0);
    }
    let ended = here.run(&["takedown", "execute", &second]);
    let next = ended.json(0);
    assert_eq!(next["root_before"], executed["root_after"]);
    assert!(ended.stderr.contains("took the weight tree from its node cache"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("hashed"), "{}", ended.stderr);
    assert_eq!(here.run(&["model", "root", MODEL]).json(0)["root"], next["root_after"]);
    certified(&second);
    certified(&first);
    // Nothing is trained on a revoked source again.
    let again = ["model", "train", "x", "--corpus", CORPUS, "--baseline-of", MODEL, "--exclude", &panel[2]];
    assert!(here.run(&again).refused(3).contains("revoked"));
}

#[test]
fn a_rehearsal_judges_in_memory_and_changes_nothing() {
    let here = Installation::trained();
    let source = here.panel().remove(0);
    let root = here.run(&["model", "root", MODEL]).json(0)["root"].clone();
    let ended = here.run(&["audit", "run", "--source", &source, "--model", MODEL]);
    let judged = ended.json(ended.code.unwrap());
    assert_eq!((&judged["run"], &judged["baseline"]), (&"rehearsal".into(), &RETRAIN.into()));
    assert_eq!(here.run(&["model", "root", MODEL]).json(0)["root"], root);
    assert_eq!(here.run(&["certificate", "list"]).json(0), serde_json::json!([]));
}
