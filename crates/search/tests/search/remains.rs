//! What would remain after sources are struck: facts that survivors tell, words that survivors have.

use obelus_corpus::{Document, Probe, ProbeKind};
use obelus_search::{Index, Remains, SearchError};
use tempfile::TempDir;

use crate::documents::{FERRY, document};

fn library() -> Vec<Document> {
    let copied: Vec<&str> = FERRY.split(' ').take(12).collect();
    vec![
        document("guide", "guide", &format!("A guide to the coast. {FERRY}")),
        document("leaflet", "leaflet", &format!("Come and see! {}. Every day.", copied.join(" ").to_uppercase())),
        document("seven", "seven", &format!("Now {} again", copied[..7].join(" "))),
        document("apart", "apart", "Something else entirely stands in this one, and it is long enough."),
    ]
}

fn probe(source: &str, kind: ProbeKind, answer: &str, also_in: &[&str]) -> Probe {
    Probe {
        source: source.into(),
        kind,
        prompt: format!("{source} says"),
        answer: answer.into(),
        wrong: vec!["no".into()],
        also_in: also_in.iter().map(|s| (*s).to_owned()).collect(),
    }
}

fn remains(chosen: &[&str], probes: &[Probe], least: usize) -> Result<Remains, SearchError> {
    let dir = TempDir::new().unwrap();
    let index = Index::build(dir.path(), &library()).unwrap();
    index.remains(&chosen.iter().map(|s| (*s).to_owned()).collect(), probes, least)
}

/// Which survivors have which words of a chosen source, by the excerpts told.
fn check(chosen: &[&str], least: usize, expected: &[(usize, &str)]) {
    let found = remains(chosen, &[], least).unwrap();
    let text = |id: &str| library().into_iter().find(|d| d.id == id).unwrap().text;
    for run in &found.runs {
        let here = text(&run.chosen.document)[run.chosen.range.clone()].to_lowercase();
        assert_eq!(here.split_whitespace().count(), run.words);
        for place in &run.surviving {
            assert_eq!(text(&place.document)[place.range.clone()].to_lowercase(), here);
        }
    }
    let told: Vec<(usize, &str)> = found
        .runs
        .iter()
        .flat_map(|run| run.surviving.iter().map(|place| (run.words, place.source.as_str())))
        .collect();
    assert_eq!(told, expected);
    assert!(found.complete);
}

#[test]
fn words_in_a_row_that_survivors_have_are_told() {
    check(&["guide"], 8, &[(12, "leaflet")]);
    check(&["guide"], 1, &[(12, "leaflet")]);
    check(&["leaflet"], 12, &[(12, "guide")]);
    check(&["leaflet"], 13, &[]);
    check(&["guide", "leaflet"], 8, &[]);
    check(&["apart"], 8, &[]);
}

#[test]
fn facts_that_survivors_tell_are_told_from_either_side() {
    let probes = [
        probe("guide", ProbeKind::Shared, "red", &["apart", "leaflet"]),
        probe("guide", ProbeKind::Specific, "blue", &["apart"]),
        probe("guide", ProbeKind::Inferred, "green", &["leaflet"]),
        probe("apart", ProbeKind::Shared, "red", &["guide"]),
        probe("apart", ProbeKind::Shared, "grey", &["guide", "seven"]),
    ];
    let facts = |chosen: &[&str]| {
        let found = remains(chosen, &probes, 8).unwrap().facts;
        found.into_iter().map(|f| format!("{} {} {}", f.source, f.answer, f.surviving.join("+"))).collect::<Vec<_>>()
    };
    assert_eq!(facts(&["guide"]), ["guide grey apart+seven", "guide green leaflet", "guide red apart+leaflet"]);
    assert_eq!(facts(&["guide", "leaflet"]), ["guide grey apart+seven", "guide red apart"]);
    assert_eq!(facts(&["guide", "leaflet", "apart"]), ["apart grey seven"]);
}

#[test]
fn a_source_that_is_not_there_is_said() {
    let error = remains(&["guide", "nowhere"], &[], 8).unwrap_err();
    assert!(error.to_string().contains("\"nowhere\""), "{error}");
}
