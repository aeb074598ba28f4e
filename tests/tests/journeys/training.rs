//! Trainings that are killed and go on, and the same training twice.

use std::{fs, process::Stdio, thread, time::Duration};

use crate::installation::{CORPUS, Installation};

const STEPS: &str = "400";

fn train(name: &str) -> [&str; 10] {
    ["model", "train", name, "--corpus", CORPUS, "--preset", "tiny", "--steps", STEPS, "--quiet"]
}

#[test]
fn a_killed_training_goes_on_and_ends_bit_for_bit_the_same() {
    // One lineage each and one salt for both, so that the masks are the same.
    let salt = "11".repeat(32);
    let run = |kill: bool| {
        let here = Installation::trained();
        let mut arguments = train("same").to_vec();
        arguments.extend(["--salt", &salt]);
        if kill {
            let mut child = here.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            let state = here.data().join("models/same/state");
            while fs::read_dir(&state).map_or(0, Iterator::count) < 3 {
                assert!(child.try_wait().unwrap().is_none(), "the training ended before it could be killed");
                thread::sleep(Duration::from_millis(20));
            }
            child.kill().unwrap();
            child.wait().unwrap();
            assert!(here.run(&["generate", "same", "The"]).refused(3).contains("still being trained"));
        }
        let shown = here.run(&arguments).json(0);
        assert!(!here.data().join("models/same/state").exists(), "the state is a copy that no takedown would find");
        shown["weight_root"].clone()
    };
    assert_eq!(run(false), run(true));
}

#[test]
fn a_finished_name_is_taken_and_an_interrupted_one_keeps_its_settings() {
    let here = Installation::trained();
    assert!(here.run(&train("m")).refused(3).contains("already is a model"));
    let begun = here.data().join("models/cut");
    here.killed_when(|| begun.exists(), &train("cut"));
    let other = ["model", "train", "cut", "--corpus", CORPUS, "--preset", "demo"];
    let refused = here.run(&other);
    assert!(refused.code == Some(3), "{}", refused.stderr);
}

#[test]
fn a_device_that_is_not_there_is_refused_before_anything_is_made() {
    let here = Installation::trained();
    for (device, words) in [("cuda:99", "use --device cpu"), ("tpu", "neither cpu nor cuda:N")] {
        let mut arguments = train("elsewhere").to_vec();
        arguments.extend(["--device", device]);
        assert!(here.run(&arguments).refused(3).contains(words), "{device}");
        assert!(!here.data().join("models/elsewhere").exists(), "{device}");
    }
    assert!(here.run(&["doctor"]).json(0)["checks"][0]["detail"].as_str().unwrap().contains("GPU"));
}

#[test]
fn a_transformer_control_has_no_sinks_to_strike() {
    let here = Installation::trained();
    let train = [
        "model",
        "train",
        "control",
        "--corpus",
        CORPUS,
        "--preset",
        "tiny",
        "--control",
        "transformer",
        "--steps",
        "5",
    ];
    let shown = here.run(&train).json(0);
    assert_eq!(shown["control"], "transformer");
    let source = here.survivor();
    let filed = here.run(&["request", "file", "--source", &source, "--model", "control", "--regime", "gdpr-art17"]);
    assert!(filed.refused(3).contains("control"));
    here.run(&["generate", "control", "The", "--tokens", "3"]).json(0);
}
