//! Bad input: said with what, where and what to do, under the right exit status, and nothing is changed.

use std::fs;

use crate::installation::{CORPUS, Installation, MODEL};

#[test]
fn documents_are_refused_with_file_line_and_reason() {
    let here = Installation::new();
    let good = r#"{"id": "a", "text": "One sentence."}"#;
    let bad: [(&str, Vec<u8>); 7] = [
        ("not JSON", format!("{good}\nnot json\n").into_bytes()),
        ("missing field", format!("{good}\n{{\"id\": \"b\"}}\n").into_bytes()),
        ("empty id", format!("{good}\n{{\"id\": \"\", \"text\": \"x\"}}\n").into_bytes()),
        ("duplicate id", format!("{good}\n{good}\n").into_bytes()),
        ("NUL", format!("{good}\n{{\"id\": \"b\", \"text\": \"x\\u0000y\"}}\n").into_bytes()),
        ("UTF-8", [good.as_bytes(), b"\n{\"id\": \"b\", \"text\": \"\xff\"}\n"].concat()),
        ("not an object", format!("{good}\n[1]\n").into_bytes()),
    ];
    for (what, contents) in bad {
        let file = here.file("bad.jsonl", contents);
        let ended = here.run(&["corpus", "add", "c", &file]);
        assert!(ended.refused(2).contains("bad.jsonl:2:"), "{what}: {}", ended.stderr);
        assert_eq!(here.run(&["corpus", "list"]).json(0), serde_json::json!([]), "{what} left a corpus behind");
        let skipped = here.run(&["corpus", "add", "c", &file, "--skip-bad"]).json(0);
        assert_eq!((&skipped["documents"], &skipped["skipped"]), (&1.into(), &1.into()), "{what}");
        fs::remove_dir_all(here.data().join("corpora/c")).unwrap();
    }
}

#[test]
fn names_that_do_not_exist_or_cannot_exist_are_wrong_use() {
    let here = Installation::trained();
    let file = here.file("one.jsonl", r#"{"id": "a", "text": "One."}"#);
    let cases: [(&[&str], &str); 14] = [
        (&["corpus", "add", "../escape", &file], "../escape"),
        (&["corpus", "add", CORPUS, &file], CORPUS),
        (&["corpus", "add", "c", "/does/not/exist.jsonl"], "exist"),
        (&["corpus", "add", "c", &file, "--source-by", "moon"], "--source-by"),
        (&["corpus", "show", "none"], "none"),
        (&["model", "show", "none"], "obelus model list"),
        (&["model", "train", "../x", "--corpus", CORPUS, "--preset", "tiny"], "name"),
        (&["model", "train", "x", "--corpus", CORPUS, "--preset", "huge"], "tiny"),
        (&["source", "show", CORPUS, "none"], "none"),
        (&["request", "show", "OB-1"], "obelus request list"),
        (&["request", "file", "--source", "x", "--model", MODEL, "--regime", "atlantis"], "gdpr-art17"),
        (&["request", "file", "--source", "x", "--model", MODEL, "--regime", "eu-ai-act-53"], "dmca-512"),
        (&["person", "add", "eve", "--role", "emperor"], "legal_approver"),
        (&["certificate", "show", "CT-1"], "certificate list"),
    ];
    for (arguments, says) in cases {
        let ended = here.run(arguments);
        assert!(ended.refused(2).contains(says), "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
    assert_eq!(here.run(&["request", "file", "--source", "none", "--model", MODEL, "--regime", "ccpa"]).code, Some(2));
    assert_eq!(here.run(&["score", MODEL, "--probes", &file]).code, Some(2), "a document is no probe");
    assert!(here.run(&["model", "list"]).json(0).as_array().unwrap().len() == 2);
}

#[test]
fn without_an_installation_commands_say_how_to_make_one() {
    let here = Installation::empty();
    assert!(here.run(&["corpus", "list"]).refused(2).contains("obelus init"));
    here.run(&["init"]).json(0);
    here.run(&["init"]).json(0);
    let configuration = here.data().join("obelus.toml");
    let text = fs::read_to_string(&configuration).unwrap();
    fs::write(&configuration, format!("{text}\nsurprise = 1\n")).unwrap();
    assert!(here.run(&["corpus", "list"]).refused(2).contains("surprise"));
}

#[test]
fn a_data_directory_may_be_moved_and_stays_usable() {
    let here = Installation::trained();
    let shown = here.run(&["model", "show", MODEL]).json(0);
    assert!(shown["checkpoint"].as_str().unwrap().starts_with(here.data().canonicalize().unwrap().to_str().unwrap()));
    let database = fs::read(here.data().join("obelus.db")).unwrap();
    let temporary = std::env::temp_dir();
    let absolute = temporary.to_str().unwrap().as_bytes();
    assert!(!database.windows(absolute.len()).any(|w| w == absolute), "the database holds an absolute path");
}

#[test]
fn scores_are_refused_for_conditions_that_cannot_be_scored() {
    let here = Installation::trained();
    let probes = here.probes();
    let probes = probes.as_str();
    let score = |condition: &str| here.run(&["score", MODEL, "--probes", probes, "--condition", condition]);
    assert!(score("on,retrain_none").refused(2).contains("--baseline"));
    assert!(score("upside_down").refused(2).contains("zeroed_nearest"));
    let ended =
        here.run(&["score", MODEL, "--probes", probes, "--condition", "on,zeroed,retrain_none", "--baseline", "r"]);
    let scored = ended.json(0);
    for condition in ["on", "zeroed", "retrain_none"] {
        let row = &scored["conditions"][condition];
        assert_eq!(row["n"].as_u64().unwrap() as usize, row["items"].as_array().unwrap().len());
        assert!((0.0..=1.0).contains(&row["known_fraction"].as_f64().unwrap()));
        assert!(row["answer_log_prob_mean"].as_f64().unwrap() < 0.0);
    }
}
