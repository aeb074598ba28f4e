//! Text that is meant to break something: it is looked for like any other, in time, or refused.

use obelus_search::{Basis, Index, Query};
use proptest::prelude::*;
use tempfile::TempDir;

use crate::documents::{document, documents, shelf};

fn every(text: &str) -> [Query; 5] {
    [
        Query::Id(text.into()),
        Query::Publisher(text.into()),
        Query::Title(text.into()),
        Query::Name(text.into()),
        Query::Text(text.into()),
    ]
}

#[test]
fn syntax_of_queries_is_only_words() {
    for text in [
        "title:\"x\" OR *",
        "* OR source:[a TO z]",
        "text:/.*/",
        "+harbour -bakers^99~2",
        "{\"query\": {\"match_all\": {}}}",
        "'; DROP TABLE sources; --",
        "\u{202e}nrah ot yrref\u{202c}",
        "\0\0\0ferry\0elsewhere\0",
    ] {
        for query in every(text) {
            let found = shelf().index.find(&query).unwrap();
            assert!(found.matches.is_empty(), "{query:?}: {found:?}");
        }
    }
}

#[test]
fn a_megabyte_of_one_letter_is_looked_for() {
    let dir = TempDir::new().unwrap();
    let letters = "a".repeat(1 << 20);
    let words = "a ".repeat(1 << 19);
    let mut all = documents();
    all.push(document("letters/1", "one letter", &letters));
    all.push(document("letters/2", "one word", &words));
    let index = Index::build(dir.path(), &all).unwrap();
    for (paste, expected) in [(&letters, "one letter"), (&words, "one word")] {
        let found = index.find(&Query::Text(paste.clone())).unwrap();
        assert_eq!(found.matches[0].source, expected);
        let coverage = found.matches[0].coverage.as_ref().unwrap();
        assert_eq!((coverage.of_passage(), coverage.of_source()), (1.0, 1.0));
        let whole = 0..paste.trim_end().len();
        let run = found.matches[0].bases.iter().find_map(|basis| match basis {
            Basis::CommonRun { in_passage, .. } => Some(in_passage.clone()),
            _ => None,
        });
        assert_eq!(run, Some(whole));
    }
    assert!(index.remains(&["one letter".to_owned()].into(), &[], 8).unwrap().runs.is_empty());
}

#[test]
fn hidden_characters_hide_no_copy() {
    let text = crate::documents::FERRY.replace('e', "e\u{200b}\u{ad}");
    let found = shelf().index.find(&Query::Text(text)).unwrap();
    assert_eq!(found.matches[0].source, "harbour");
    assert!(matches!(found.matches[0].bases[0], Basis::NearDuplicate { similarity: 1.0, .. }), "{found:?}");
}

proptest! {
    #[test]
    fn anything_is_answered_the_same_twice(text in "(\\PC|\\s|\\x00|[a-z ]|the ferry to ){0,60}") {
        for query in every(&text) {
            match (shelf().index.find(&query), shelf().index.find(&query)) {
                (Ok(one), Ok(two)) => prop_assert_eq!(one, two),
                (one, two) => prop_assert_eq!(one.map_err(|e| e.to_string()), two.map_err(|e| e.to_string())),
            }
        }
    }
}
