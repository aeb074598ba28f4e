//! Retrains as jobs: planned, paid for, trained by a worker, through kills and cancellations, and never on a source that was
//! struck.

use std::{fs, process::Child, process::Command, process::Stdio, sync::Arc, thread, time::Duration};

use obelus_auditor::training;
use obelus_core::{Clock as _, SystemClock};
use obelus_model::ModelRecord;
use obelus_testkit::ManualClock;
use serde_json::Value;

use crate::{
    installation::{CORPUS, Installation, MODEL, RETRAIN},
    living::at,
};

const WORK: [&str; 6] = ["audit", "schedule", "run", "--once", "--lease-seconds", "1"];
/// A model whose retrains are trained for long enough to be cut off.
const LONG: &str = "long";

/// `obelus audit baseline COMMAND --model MODEL --source ID` and more.
fn about<'a>(command: &'a str, model: &'a str, source: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["audit", "baseline", command, "--model", model, "--source", source];
    arguments.extend(more);
    arguments
}

/// Adds one retrain without a source alone, and gives its name.
fn added(here: &Installation, model: &str, source: &str) -> String {
    let added = here.run(&about("add", model, source, &["--exact", "--yes"])).json(0);
    added["jobs"][0]["name"].as_str().unwrap().to_owned()
}

/// What the list says of a retrain.
fn listed(here: &Installation, name: &str) -> Value {
    let list = here.run(&["audit", "baseline", "list"]).json(0);
    list.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone()
}

/// Results of the jobs that one run of the worker did.
fn worked(here: &Installation, code: i32) -> Vec<String> {
    results(&here.run(&WORK).json(code))
}

fn results(done: &Value) -> Vec<String> {
    done["jobs"].as_array().unwrap().iter().map(|job| job["result"].as_str().unwrap().to_owned()).collect()
}

/// An installation with a model that takes a while, and two of its sources.
fn with_long() -> (Installation, String, String) {
    let here = Installation::trained();
    here.run(&["model", "train", LONG, "--corpus", CORPUS, "--preset", "tiny", "--steps", "300", "--quiet"]).json(0);
    let panel = here.panel();
    (here, panel[0].clone(), panel[1].clone())
}

/// A worker that has begun to train a retrain and saved something of it.
fn working_on(here: &Installation, name: &str) -> Child {
    let mut worker = here.command(&WORK).stderr(Stdio::null()).spawn().unwrap();
    let state = here.data().join("models").join(name).join("state/state.json");
    while !state.exists() {
        assert!(worker.try_wait().unwrap().is_none(), "the training ended before it could be cut off");
        thread::sleep(Duration::from_millis(10));
    }
    worker
}

/// A retrain whose training has ended, and died before anything was signed. The worker tries it again in a minute.
fn trained_and_not_signed(here: &Installation, source: &str) -> String {
    let name = added(here, MODEL, source);
    let died = here.command(&WORK).env("OBELUS_DIE_AT", "training-ended").output().unwrap();
    assert_eq!(results(&serde_json::from_slice(&died.stdout).unwrap()), ["failed"]);
    name
}

/// What a worker says at its end.
fn said(worker: Child) -> Value {
    let output = worker.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_plan_says_what_serves_what_is_missing_and_what_that_costs() {
    let here = Installation::certified();
    let panel = here.panel();
    let plan = here.run(&about("plan", MODEL, &panel[1], &["--seeds", "3"])).json(0);
    assert_eq!((&plan["kind"], &plan["serving"][0]["name"]), (&"matched".into(), &RETRAIN.into()));
    assert_eq!(plan["excluded"], serde_json::json!(panel), "further seeds leave out what the first one does");
    let missing: Vec<_> = plan["missing"].as_array().unwrap().iter().map(|one| (&one["seed"], &one["state"])).collect();
    assert_eq!(missing, [(&2.into(), &"new".into()), (&3.into(), &"new".into())]);
    let each = &plan["cost"]["each"];
    assert_eq!(each["pace"], format!("as the training of {MODEL} measured"));
    let (tokens, seconds) = (each["tokens"].as_f64().unwrap(), each["seconds"].as_f64().unwrap());
    assert!((seconds * each["tokens_per_second"].as_f64().unwrap() - tokens).abs() < 1.0, "{each}");
    let retrain = here.run(&["model", "show", RETRAIN]).json(0);
    assert_eq!((&each["steps"], &each["tokens"]), (&retrain["outcome"]["steps"], &retrain["outcome"]["tokens"]));
    let folder = here.data().join("models").join(RETRAIN);
    let files = ["model.safetensors", "optimizer.safetensors", "model.safetensors.tree"];
    let bytes: u64 = files.iter().map(|file| fs::metadata(folder.join(file)).unwrap().len()).sum();
    let kept = each["kept_bytes"].as_u64().unwrap();
    assert!(kept.abs_diff(bytes) < bytes / 10, "{kept} and {bytes}");
    assert!(each["memory_bytes"].as_u64().unwrap() > kept);

    // The struck source is left out of whatever is trained from now on, asked for or not.
    let plan = here.run(&about("plan", MODEL, &here.survivor(), &[])).json(0);
    assert_eq!((&plan["refused"], plan["serving"].as_array().unwrap().len()), (&serde_json::json!([panel[0]]), 0));
    assert_eq!(plan["excluded"].as_array().unwrap().len(), 2);
    let draw = |seed: &str| {
        let plan = ["audit", "baseline", "plan", "--model", MODEL, "--panel", "5", "--panel-seed", seed];
        here.run(&plan).json(0)["excluded"].clone()
    };
    let (drawn, struck) = (draw("1"), Value::from(panel[0].as_str()));
    assert_eq!(drawn, draw("1"));
    assert_ne!(drawn, draw("2"));
    assert!(drawn.as_array().unwrap().contains(&struck) && drawn.as_array().unwrap().len() == 6, "{drawn}");

    // A model from before the pace was kept.
    let record = here.data().join("models").join(MODEL).join("model.json");
    let mut text: Value = serde_json::from_str(&fs::read_to_string(&record).unwrap()).unwrap();
    text.as_object_mut().unwrap().remove("measured").unwrap();
    fs::write(&record, text.to_string()).unwrap();
    let plan = here.run(&about("plan", MODEL, &panel[1], &["--exact"])).json(0);
    assert_eq!(plan["cost"]["each"]["pace"], "as 8 steps here measured");
    assert!(plan["cost"]["each"]["tokens_per_second"].as_f64().unwrap() > 0.0);
    let (reference, _) = here.case();
    let matched = ["audit", "baseline", "plan", "--model", MODEL, "--matched", &reference];
    assert_eq!(here.run(&matched).json(0)["serving"][0]["name"], RETRAIN);
    assert!(!listed(&here, RETRAIN)["used_by"].as_array().unwrap().is_empty());
    assert!(here.run(&about("plan", MODEL, "nobody", &[])).refused(2).contains("no source"));
    assert!(here.run(&about("plan", RETRAIN, &panel[1], &[])).refused(3).contains("a retrain"));
}

#[test]
fn what_is_accepted_is_put_into_the_queue_once_trained_by_a_worker_and_used() {
    let here = Installation::trained();
    let source = here.panel()[0].clone();
    let add = |more: &[&str]| here.run(&about("add", MODEL, &source, &[&["--seeds", "3"], more].concat()));
    assert_eq!(add(&[]).json(1)["started"], false);
    assert!(add(&["--yes", "--as", "emil"]).refused(3).contains("may not register"));
    assert_eq!(here.run(&["audit", "jobs"]).json(0), serde_json::json!([]));
    let first = add(&["--yes"]).json(0);
    let again = add(&["--yes"]).json(0);
    assert_eq!(again["missing"][0]["state"], "queued");
    for i in 0..2 {
        assert_eq!((&first["jobs"][i]["new"], &again["jobs"][i]["new"]), (&true.into(), &false.into()));
        assert_eq!(first["jobs"][i]["job"], again["jobs"][i]["job"]);
    }
    assert_eq!(worked(&here, 0), ["trained", "trained"]);
    assert_eq!(worked(&here, 0), Vec::<String>::new());
    let whole = add(&["--yes"]).json(0);
    assert_eq!((whole["serving"].as_array().unwrap().len(), &whole["cost"]), (3, &Value::Null));
    let name = first["jobs"][0]["name"].as_str().unwrap();
    let row = listed(&here, name);
    assert_eq!((&row["state"], &row["seed"], &row["requested_by"]), (&"ready".into(), &2.into(), &"owner".into()));
    assert!(here.run(&["audit", "baseline", "cancel", name]).refused(3).contains("trained already"));

    // It is the very model that the command line trains.
    let shown = here.run(&["model", "show", name]).json(0);
    let panel = here.panel();
    let mut by_hand =
        vec!["model", "train", "hand", "--corpus", CORPUS, "--baseline-of", MODEL, "--seed", "2", "--exclude"];
    by_hand.extend(panel.iter().map(String::as_str));
    assert_eq!(here.run(&by_hand).json(0)["weight_root"], shown["weight_root"]);
    here.verified_model_sig(name);

    let protocol = ["audit", "run", "--source", &source, "--model", MODEL];
    let run = here.run(&protocol);
    assert_eq!(run.json(run.code.unwrap())["baseline"], "hand", "the first by name of those that leave out the same");
}

#[test]
fn a_training_whose_worker_is_killed_goes_on_and_ends_bit_for_bit_the_same() {
    let (here, source, _) = with_long();
    let name = added(&here, LONG, &source);
    let mut worker = working_on(&here, &name);
    worker.kill().unwrap();
    worker.wait().unwrap();
    // The training saw that its worker is gone, and saved what it had.
    thread::sleep(Duration::from_millis(1500));
    assert!(here.run(&["generate", &name, "The"]).refused(3).contains("still being trained"));
    assert_eq!(worked(&here, 0), ["trained"]);
    let jobs = here.run(&["audit", "jobs"]).json(0);
    assert_eq!((&jobs[0]["state"], &jobs[0]["attempts"]), (&"done".into(), &2.into()));
    assert!(!here.data().join("models").join(&name).join("state").exists());
    let hand =
        ["model", "train", "hand", "--corpus", CORPUS, "--baseline-of", LONG, "--steps", "300", "--exclude", &source];
    let roots =
        [here.run(&hand), here.run(&["model", "show", &name])].map(|ended| ended.json(0)["weight_root"].clone());
    assert_eq!(roots[0], roots[1]);
}

#[test]
fn a_training_is_cancelled_and_stopped_and_goes_on_where_it_was() {
    let (here, source, _) = with_long();
    let name = added(&here, LONG, &source);
    let worker = working_on(&here, &name);
    assert_eq!(listed(&here, &name)["state"], "running");
    assert!(here.run(&["audit", "baseline", "cancel", &name, "--as", "emil"]).refused(3).contains("may not register"));
    here.run(&["audit", "baseline", "cancel", &name]).json(0);
    assert_eq!(results(&said(worker)), ["cancelled"]);
    let row = listed(&here, &name);
    assert_eq!((&row["state"], &row["why"]), (&"cancelled".into(), &"cancelled by owner".into()));
    let state = here.data().join("models").join(&name).join("state/state.json");
    let step =
        || serde_json::from_str::<Value>(&fs::read_to_string(&state).unwrap()).unwrap()["step"].as_u64().unwrap();
    let kept = step();
    assert_eq!(worked(&here, 0), Vec::<String>::new(), "nobody goes on with it");

    assert_eq!(added(&here, LONG, &source), name);
    let worker = working_on(&here, &name);
    while listed(&here, &name)["state"] != "running" {
        thread::sleep(Duration::from_millis(10));
    }
    Command::new("kill").arg(worker.id().to_string()).status().unwrap();
    assert_eq!(results(&said(worker)), ["stopped"]);
    assert!(step() >= kept, "what was trained is gone on with");
    let attempts = here.run(&["audit", "jobs"]).json(0)[0]["attempts"].clone();
    assert_eq!(attempts, 0, "to be stopped is no failed attempt");

    // One that waits is taken back by the number of its job.
    let job = listed(&here, &name)["job"].to_string();
    here.run(&["audit", "baseline", "cancel", &job]).json(0);
    assert_eq!(worked(&here, 0), Vec::<String>::new());
    assert_eq!(added(&here, LONG, &source), name);
    assert_eq!(worked(&here, 0), ["trained"]);
}

#[test]
fn no_retrain_begins_on_a_source_that_is_to_be_struck() {
    let here = Installation::trained();
    let panel = here.panel();
    let name = added(&here, MODEL, &panel[3]);
    let reference = here.approved(&panel[1]);
    assert_eq!(worked(&here, 1), ["refused"]);
    let row = listed(&here, &name);
    assert_eq!(row["state"], "refused");
    assert!(row["why"].as_str().unwrap().contains(&format!("{} is suppressed", panel[1])), "{row}");
    // Lifted again, it may go on.
    here.run(&["takedown", "undo", &reference]).json(0);
    assert_eq!(added(&here, MODEL, &panel[3]), name);
    assert_eq!(worked(&here, 0), ["trained"]);
}

#[test]
fn no_retrain_becomes_a_model_that_read_a_source_which_was_struck_meanwhile() {
    let here = Installation::trained();
    let (panel, now) = (here.panel(), SystemClock.now());
    let name = trained_and_not_signed(&here, &panel[2]);
    let reference = here.approved(&panel[1]);
    here.run(&["takedown", "execute", &reference, "--as", "emil"]).json(0);
    let folder = here.data().join("models").join(&name);
    let record = ModelRecord::open(&folder).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let refused = runtime.block_on(async {
        let deps = at(&here, Arc::new(ManualClock::new(now))).await;
        training::finish(&deps, &record, now).await.unwrap_err().to_string()
    });
    assert!(refused.contains(&format!("{} is revoked", panel[1])), "{refused}");
    let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["exports.lock"]);
    assert_eq!(listed(&here, &name)["state"], "refused");
    assert!(here.run(&["generate", &name, "The"]).refused(3).contains("was given up"));
    let by_hand = ["model", "train", &name, "--corpus", CORPUS, "--baseline-of", MODEL, "--exclude", &panel[2]];
    assert!(here.run(&by_hand).refused(3).contains("revoked"));
    // What the plan proposes now leaves the struck source out.
    let plan = here.run(&about("plan", MODEL, &panel[2], &["--exact"])).json(0);
    assert_eq!(plan["refused"], serde_json::json!([panel[1]]));
}

#[test]
fn a_kept_training_of_a_source_that_was_struck_is_removed() {
    let here = Installation::trained();
    let panel = here.panel();
    let name = trained_and_not_signed(&here, &panel[2]);
    here.run(&["audit", "baseline", "cancel", &name]).json(0);
    assert_eq!(listed(&here, &name)["state"], "cancelled");
    let reference = here.approved(&panel[1]);
    here.run(&["takedown", "execute", &reference, "--as", "emil"]).json(0);
    // Killed in between, the next worker removes it.
    here.dies_at("training-refused", &WORK);
    let folder = here.data().join("models").join(&name);
    assert!(folder.join("model.safetensors").exists());
    assert_eq!(listed(&here, &name)["state"], "refused");
    assert_eq!(worked(&here, 0), Vec::<String>::new());
    assert!(!folder.join("model.safetensors").exists());
}
