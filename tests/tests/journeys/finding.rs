//! Requests that name no source: found by a text or by who published it. Not here: how that is done (`obelus-search`).

use obelus_corpus::{Corpus, Document};

use crate::installation::{CORPUS, Installation, MODEL};

fn document(here: &Installation, source: &str) -> Document {
    let corpus = Corpus::open(&here.data().join("corpora").join(CORPUS)).unwrap();
    corpus.documents().iter().find(|document| document.source == source).unwrap().clone()
}

#[test]
fn a_request_finds_its_sources_by_their_text_and_says_what_it_rests_on() {
    let here = Installation::trained();
    let [source, other] = [here.survivor(), here.panel().remove(0)];
    assert_ne!(source, other);
    let text = document(&here, &source).text;
    let whole = here.file("whole.txt", &text);
    let file =
        |what: &[&str]| here.run(&[&["request", "file", "--model", MODEL, "--regime", "gdpr-art17"], what].concat());
    let filed = file(&["--text", &whole]).json(0);
    assert_eq!(filed["sources"], serde_json::json!([source]));
    let first = &filed["found"]["matches"][0];
    assert_eq!(first["source"], source);
    assert!(!first["bases"].as_array().unwrap().is_empty(), "{first}");
    assert!(filed["found"]["remains"]["complete"].as_bool().unwrap());
    let shown = here.run(&["request", "show", filed["reference"].as_str().unwrap()]).json(0);
    assert_eq!((&shown["sources"], &shown["state"]), (&filed["sources"], &"acknowledged".into()));
    assert!(file(&["--text", &whole]).refused(3).contains("in the open request"));

    // A part of a source: it is said that the rest would go too.
    let text = document(&here, &other).text;
    let end = text.char_indices().nth(text.chars().count() / 2).unwrap().0;
    let part = file(&["--text", &here.file("part.txt", &text[..end])]).json(0);
    assert_eq!(part["sources"], serde_json::json!([other]));
    assert_eq!(part["found"]["boundary"][0]["kind"], "part_of_source");

    // Nothing of the texts stays behind, and what is not there is not filed.
    let listed = here.run(&["request", "list"]).json(0).as_array().unwrap().len();
    let nothing = file(&["--text", &here.file("else.txt", "Quantum marmalade never whistles at brass tugboats.")]);
    assert_eq!(nothing.json(1)["sources"], serde_json::json!([]));
    assert!(file(&["--text", &here.file("bytes.txt", b"\xff\xfe")]).refused(2).contains("UTF-8"));
    assert!(file(&["--text", &here.file("blank.txt", "  \n")]).refused(2).contains("no letter"));
    assert!(file(&["--text", &here.file("long.txt", "word ".repeat(1 << 18))]).refused(2).contains("at most"));
    assert_eq!(file(&["--text", &whole, "--publisher", "x"]).code, Some(2));
    assert_eq!(file(&["--publisher", "Nobody & Sons"]).json(1)["sources"], serde_json::json!([]));
    assert_eq!(here.run(&["request", "list"]).json(0).as_array().unwrap().len(), listed);
    let left: Vec<String> = std::fs::read_dir(here.data())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(".tmp"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}
