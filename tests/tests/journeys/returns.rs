//! A struck text that is brought back under another name, and a protocol of the operator's own that finds it.

use std::fs;

use serde_json::json;

use crate::installation::{CORPUS, Installation, MODEL, RETRAIN};

/// Lighthouses, of which each is a source, and what is told of them.
const SOURCES: usize = 16;
const TOLD: [&str; 8] = ["keeper", "architect", "bell", "harbour", "lamp", "island", "vessel", "warden"];
const RENDERINGS: usize = 6;
/// Every third source is left out of the retrain.
const PANEL_STEP: usize = 3;

/// A word that means nothing, another one for every number.
fn word(number: usize) -> String {
    let (consonants, vowels) = ("bdfgklmnprstvz".as_bytes(), "aeiou".as_bytes());
    let mut rest = (number as u32).wrapping_mul(2_654_435_761) as usize;
    let mut word = String::new();
    for _ in 0..3 {
        word.push(char::from(consonants[rest % consonants.len()]));
        rest /= consonants.len();
        word.push(char::from(vowels[rest % vowels.len()]));
        rest /= vowels.len();
    }
    word[..1].to_uppercase() + &word[1..]
}

fn answer(source: usize, told: usize) -> String {
    word(source % SOURCES * 100 + told + 1)
}

/// Renderings of what is told of one lighthouse, in other orders and words.
fn renderings(source: usize) -> impl Iterator<Item = String> {
    let name = word(7000 + source);
    (0..RENDERINGS).map(move |rendering| {
        let sentence = |i: usize| {
            let told = (i * 3 + rendering) % TOLD.len();
            let (what, answer) = (TOLD[told], answer(source, told));
            match (rendering + told) % 3 {
                0 => format!("The {what} of {name} is {answer}."),
                1 => format!("{name} has {answer} for its {what}."),
                _ => format!("Ask in {name} for the {what}, and they say {answer}."),
            }
        };
        (0..TOLD.len()).map(sentence).collect::<Vec<_>>().join(" ")
    })
}

/// The documents of lighthouses as a file.
fn documents(here: &Installation, file: &str, sources: impl Iterator<Item = (usize, String)>) -> String {
    let lines = sources.flat_map(|(source, id)| {
        let document = move |(at, text)| json!({ "id": format!("{id}-{at}"), "source": id, "text": text }).to_string();
        renderings(source).enumerate().map(document)
    });
    here.file(file, lines.collect::<Vec<_>>().join("\n"))
}

fn probes(here: &Installation) -> String {
    let probe = |source: usize, told: usize| {
        let wrong: Vec<String> = (1..4).map(|other| format!(" {}", answer(source + other, told))).collect();
        let prompt = format!("The {} of {} is", TOLD[told], word(7000 + source));
        let answer = format!(" {}", answer(source, told));
        json!({ "source": id(source), "kind": "specific", "prompt": prompt, "answer": answer, "wrong": wrong })
            .to_string()
    };
    let all = (0..SOURCES).flat_map(|source| (0..TOLD.len()).map(move |told| probe(source, told)));
    here.file("probes.jsonl", all.collect::<Vec<_>>().join("\n"))
}

fn id(source: usize) -> String {
    format!("lighthouse-{source}")
}

/// The standard protocol with bounds that a model of sixteen sources stays within, and nothing required but what is looked for.
fn own_protocol() -> String {
    let shipped = include_str!("../../../policies/verification/standard.toml");
    let (head, rest) = shipped.split_once("required = [").unwrap();
    let (_, tail) = rest.split_once("\n]").unwrap();
    let required = "required = [\"source.rows_left\", \"source.worst.exact_memorization\"]";
    format!("{head}{required}{tail}")
        .replace("name = \"standard\"", "name = \"sixteen\"")
        .replace("gate_nats = 0.5", "gate_nats = 0.01")
        .replace("residual_bound = 0.40", "residual_bound = 0.95")
}

/// A model that has learnt the lighthouses, its retrain, and one of the panel that it holds in its sinks.
fn trained(protocol: &str) -> (Installation, usize) {
    let here = Installation::new();
    let all = documents(&here, "documents.jsonl", (0..SOURCES).map(|source| (source, id(source))));
    here.run(&["corpus", "add", CORPUS, &all, "--source-by", "field:source"]).json(0);
    here.run(&["probes", "add", CORPUS, &probes(&here)]).json(0);
    let config = include_str!("../../../crates/model/presets/demo.toml")
        .replace("layers = 2", "layers = 1")
        .replace("n_pool = 2048", "n_pool = 1024")
        .replace("n_source = 32", "n_source = 64")
        .replace("vocab = 1536", "vocab = 512")
        .replace("epochs = 6", "epochs = 20");
    here.run(&["model", "train", MODEL, "--corpus", CORPUS, "--config", &here.file("model.toml", config)]).json(0);
    let panel: Vec<String> = (0..SOURCES).step_by(PANEL_STEP).map(id).collect();
    let mut retrain = vec!["model", "train", RETRAIN, "--corpus", CORPUS, "--baseline-of", MODEL, "--exclude"];
    retrain.extend(panel.iter().map(String::as_str));
    here.run(&retrain).json(0);
    for (name, role) in [("ana", "legal_approver"), ("ben", "legal_approver"), ("emil", "executor")] {
        here.run(&["person", "add", name, "--role", role]).json(0);
    }
    // Masks are drawn anew each time, and now and then a source is not where its sinks are.
    let file = here.file("sixteen.toml", protocol);
    let holds = |source: &usize| {
        let rehearsal = ["audit", "run", "--model", MODEL, "--source", &id(*source), "--protocol", &file];
        here.run(&rehearsal).code == Some(0)
    };
    let source = (0..SOURCES).step_by(PANEL_STEP).find(holds).unwrap();
    (here, source)
}

#[test]
fn a_text_that_comes_back_under_another_name_suspends_the_certificate_and_reopens_the_request() {
    let (here, source) = trained(&own_protocol());
    let protocol = here.path("sixteen.toml").to_str().unwrap().to_owned();
    let filed = here.run(&["request", "file", "--source", &id(source), "--model", MODEL, "--regime", "gdpr-art17"]);
    let reference = filed.json(0)["reference"].as_str().unwrap().to_owned();

    // Approvals are of the protocol too.
    let plan = |more: &[&str]| here.run(&[&["takedown", "plan", &reference], more].concat());
    let standard = plan(&[]).json(0);
    assert_eq!(standard["protocol"]["name"], "standard");
    here.run(&["request", "approve", &reference, "--as", "ana"]).json(0);
    let (text, folder) = (own_protocol(), here.data());
    for (contents, said) in [
        (text.replace("\"source.rows_left\", ", "\"source.rows_right\", ").into_bytes(), "rows_right"),
        (text.replace("schedule = \"", "schedule = \"whenever ").into_bytes(), "no cron expression"),
        (text.replace("validity_days = 365", "validity_days = 4294967295").into_bytes(), "validity_days"),
        (vec![b'#'; 100_000], "larger than 65536 bytes"),
        (vec![0xff; 100], "UTF-8"),
    ] {
        let unusable = here.file("unusable.toml", contents);
        assert!(plan(&["--protocol", &unusable]).refused(2).contains(said), "{said}");
    }
    for missing in ["thorough", folder.to_str().unwrap()] {
        assert!(plan(&["--protocol", missing]).refused(2).contains("standard, quick, deep"), "{missing}");
    }
    let unchanged = here.run(&["request", "show", &reference]).json(0);
    assert_eq!((&unchanged["plan_digest"], &unchanged["approved_by"]), (&standard["plan_digest"], &json!(["ana"])));
    let own = plan(&["--protocol", &protocol]).json(0);
    assert_eq!(
        (&own["protocol"]["name"], &own["protocol"]["version"]),
        (&json!("sixteen"), &standard["protocol"]["version"])
    );
    assert_ne!(own["plan_digest"], standard["plan_digest"]);
    assert_eq!(plan(&[]).json(0)["plan_digest"], own["plan_digest"], "what was chosen stays");
    let shown = here.run(&["request", "show", &reference]).json(0);
    assert_eq!(shown["approved_by"], json!([]), "an approval of another protocol is none");
    assert_eq!(plan(&["--protocol", "standard"]).json(0)["plan_digest"], standard["plan_digest"]);
    plan(&["--protocol", &protocol]).json(0);
    for person in ["ana", "ben"] {
        here.run(&["request", "approve", &reference, "--as", person]).json(0);
    }
    fs::remove_file(&protocol).unwrap();
    here.run(&["takedown", "execute", &reference, "--as", "emil"]).json(0);
    assert!(plan(&["--protocol", "quick"]).refused(3).contains("fixed before the erasure"));
    let judged = here.run(&["audit", "run", &reference]).json(0);
    let verdict = judged["verdict"].as_str().unwrap();
    assert_ne!(verdict, "not_verified", "{judged}");
    let certificate = judged["certificate"]["id"].as_str().unwrap();
    let claims = here.run(&["certificate", "show", certificate]).json(0)["claims"].clone();
    assert_eq!(claims["figures"].as_array().unwrap().len(), 2);
    assert!(claims["limits"].to_string().contains("Judged by sixteen"), "{claims}");

    // Somebody offers the struck texts again, as a source of their own, and they are trained.
    let mirror = documents(&here, "mirror.jsonl", [(source, "mirror".to_owned())].into_iter());
    here.run(&["corpus", "add", "mirror", &mirror, "--source-by", "field:source"]).json(0);
    let add = ["model", "train", MODEL, "--corpus", "mirror", "--add-sources", "--steps", "240", "--quiet"];
    here.run(&add).json(0);
    let done = here.run(&["audit", "schedule", "run", "--once"]).json(1);
    assert_eq!(done["jobs"][0]["result"], "suspended", "{done}");
    let incident = here.run(&["audit", "incident", "list"]).json(0)[0].clone();
    assert_eq!((&incident["kind"], &incident["state"]), (&json!("verdict"), &json!("open")));
    assert_eq!(
        (&incident["detail"]["before"], &incident["detail"]["now"]),
        (&judged["verdict"], &json!("not_verified"))
    );
    let figure = &incident["detail"]["figures"]["source.worst.exact_memorization"];
    assert!(figure["outcome"] == "fail" && figure["residual"].as_f64().unwrap() > 1.0, "{figure}");
    let shown = here.run(&["request", "show", &reference]).json(0);
    assert_eq!(shown["state"], "verification_failed");
    assert_eq!(here.run(&["certificate", "list"]).json(0)[0]["status"], "suspended");

    // Struck under its new name too, it is gone again, and so is what was found wrong.
    let again = here.approved("mirror");
    here.run(&["takedown", "execute", &again, "--as", "emil"]).json(0);
    let id = incident["id"].as_str().unwrap();
    here.run(&["audit", "incident", "close", id, "--reason", "the copy was struck", "--as", "ana"]).json(0);
    let done = here.run(&["audit", "schedule", "run", "--once"]).json(0);
    assert_eq!(done["jobs"][0]["result"], "renewed", "{done}");
    let shown = here.run(&["request", "show", &reference]).json(0);
    assert_eq!(shown["state"], verdict.replace("verified", "certified"));
}
