//! Questions to an index of a few documents and what they find, whatever is asked. Not here: the folder (`folder.rs`), the
//! generated corpus (`generated.rs`), what remains (`remains.rs`).
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

mod documents;
mod folder;
mod generated;
mod hostile;
mod remains;

use std::time::Duration;

use documents::{FERRY, Shelf, shelf};
use obelus_search::{Basis, BoundaryMismatch, Fit, Found, Limits, Place, Query, RUN_WORDS, SearchError};

/// Asks, and looks which sources are found, likeliest first.
fn check(query: Query, expected: &[&str]) -> Found {
    let found = shelf().index.find(&query).unwrap();
    let sources: Vec<&str> = found.matches.iter().map(|m| m.source.as_str()).collect();
    assert_eq!(sources, expected, "{query:?}: {found:?}");
    assert!(found.matches.iter().all(|m| !m.bases.is_empty()), "{found:?}");
    found
}

fn id(value: &str) -> Query {
    Query::Id(value.into())
}

fn title(value: &str) -> Query {
    Query::Title(value.into())
}

fn publisher(value: &str) -> Query {
    Query::Publisher(value.into())
}

fn name(value: &str) -> Query {
    Query::Name(value.into())
}

fn text(value: &str) -> Query {
    Query::Text(value.into())
}

#[test]
fn ids_are_found_exactly_before_alike() {
    let found = check(id("harbour"), &["harbour"]);
    assert_eq!(found.matches[0].bases, [Basis::Id { document: None, exact: true }]);
    assert_eq!(found.boundary, []);
    let found = check(id(" Harbour! "), &["harbour"]);
    assert_eq!(found.matches[0].bases, [Basis::Id { document: None, exact: false }]);
    check(id("harbor"), &[]);
    check(id("--"), &["--"]);
}

#[test]
fn an_id_of_a_document_means_a_part_of_its_source() {
    let found = check(id("harbour/ferry"), &["harbour"]);
    assert_eq!(found.matches[0].bases, [Basis::Id { document: Some("harbour/ferry".into()), exact: true }]);
    let [BoundaryMismatch::PartOfSource { source, documents_meant, documents_left: 1, share_left }] =
        &found.boundary[..]
    else {
        panic!("{:?}", found.boundary);
    };
    assert_eq!((source.as_str(), &documents_meant[..]), ("harbour", &["harbour/ferry".to_owned()][..]));
    assert!((0.2..0.8).contains(share_left), "{share_left}");
}

#[test]
fn titles_fit_whole_as_phrases_and_by_words() {
    for (asked, expected) in [("the ferry TO harn", Fit::Whole), ("ferry to", Fit::Phrase), ("Harn: ferry", Fit::Words)]
    {
        let found = check(title(asked), &["harbour"]);
        let [Basis::Title { document, title, fit }] = &found.matches[0].bases[..] else { panic!("{found:?}") };
        assert_eq!((document.as_str(), title.as_str(), *fit), ("harbour/ferry", "The Ferry to Harn", expected));
    }
    check(title("ferry to nowhere"), &[]);
}

#[test]
fn publishers_are_told_once_for_all_their_documents() {
    let found = check(publisher("lodz press"), &["bakers", "harbour"]);
    let basis = Basis::Publisher { document: "bakers".into(), publisher: "Łódź Press".into(), fit: Fit::Whole };
    assert_eq!(found.matches[0].bases, [basis]);
    assert_eq!(found.boundary, []);
}

#[test]
fn names_are_found_in_any_script_and_order() {
    let found = check(name("Marie Ørsted"), &["bakers"]);
    assert_eq!(check(name("orsted, marie"), &["bakers"]).matches, found.matches);
    let [Basis::Name { document, place: Place::Text, range, times: 1 }] = &found.matches[0].bases[..] else {
        panic!("{found:?}")
    };
    assert_eq!(shelf().text(document, range), "Marie Ørsted");
    check(name("чайковский"), &["music"]);
    check(name("Петр Чайковский"), &["music"]);
    check(name("夏目漱石"), &["letters"]);
    check(name("漱"), &["letters"]);
    check(name("漱目石"), &[]);
    check(name("한강"), &["letters"]);
    check(name("Nobody Atall"), &[]);
}

#[test]
fn a_name_in_a_title_comes_before_one_in_a_text() {
    let found = check(name("Harn"), &["harbour", "music"]);
    assert!(matches!(found.matches[0].bases[0], Basis::Name { place: Place::Title, .. }), "{found:?}");
}

#[test]
fn a_pasted_document_is_found_with_its_runs() {
    let paste = format!("As they wrote: {}", FERRY.replace(' ', "\n"));
    let found = check(text(&paste), &["harbour"]);
    let found_match = &found.matches[0];
    let [Basis::NearDuplicate { document, similarity }, Basis::CommonRun { words, in_passage, in_document, .. }] =
        &found_match.bases[..]
    else {
        panic!("{found:?}");
    };
    assert_eq!(document, "harbour/ferry");
    assert!(*similarity > 0.85 && *similarity < 1.0, "{similarity}");
    assert_eq!(*words, FERRY.split(' ').count());
    assert_eq!(paste[in_passage.clone()].replace('\n', " "), shelf().text(document, in_document));
    let coverage = found_match.coverage.as_ref().unwrap();
    assert_eq!(coverage.passage_words - coverage.passage_covered, 3);
    assert_eq!((coverage.documents_covered, coverage.documents[0].document.as_str()), (1, "harbour/ferry"));
    assert!(matches!(found.boundary[..], [BoundaryMismatch::PartOfSource { documents_left: 1, .. }]), "{found:?}");
    assert!(found.complete);
}

#[test]
fn a_passage_from_two_sources_cuts_across_both() {
    let other = shelf().document("bakers").text;
    let half = |text: &str| text.split(' ').take(14).collect::<Vec<_>>().join(" ");
    let found = check(text(&format!("{} {}", half(FERRY), half(&other))), &["harbour", "bakers"]);
    let [BoundaryMismatch::AcrossSources { parts, words_elsewhere: 0 }, ..] = &found.boundary[..] else {
        panic!("{found:?}")
    };
    assert_eq!(parts.iter().map(|p| p.words).collect::<Vec<_>>(), [14, 14]);
}

#[test]
fn a_few_words_are_found_where_they_stand_together() {
    let found = check(text("Before the TIDE turns"), &["harbour"]);
    let Basis::CommonRun { document, words: 4, in_document, .. } = &found.matches[0].bases[0] else {
        panic!("{found:?}")
    };
    assert_eq!(shelf().text(document, in_document), "before the tide turns");
    check(text("漱石"), &["letters"]);
}

#[test]
fn eight_words_in_a_row_are_always_found_and_rewritten_text_by_its_rare_words() {
    let words: Vec<&str> = FERRY.split(' ').collect();
    for at in 0..=words.len() - RUN_WORDS {
        let run = words[at..at + RUN_WORDS].join(" ");
        let found =
            check(text(&format!("whatever somebody else said then {run} so it goes on elsewhere")), &["harbour"]);
        assert!(matches!(found.matches[0].bases[0], Basis::CommonRun { words: RUN_WORDS.., .. }), "{found:?}");
    }
    let found = check(text("court business, doctor, mail: winter waits. tide? pier! nine ferry"), &["harbour"]);
    let Basis::FullText { document, asked, found, in_document } = &found.matches[0].bases[0] else {
        panic!("{found:?}")
    };
    assert_eq!((*asked, *found), (10, 10));
    assert!(shelf().text(document, in_document).contains("tide"));
}

#[test]
fn a_question_without_words_or_too_long_is_refused() {
    for query in [id(" "), title(""), publisher("?!"), name("\u{202e}\0"), text(""), text(" \n. ")] {
        let error = shelf().index.find(&query).unwrap_err();
        assert!(matches!(error, SearchError::NoWords { .. }), "{query:?}: {error}");
    }
    for query in [name(&"n".repeat(1025)), text(&"t ".repeat((1 << 19) + 1))] {
        let error = shelf().index.find(&query).unwrap_err();
        assert!(matches!(error, SearchError::TooLong { .. }), "{error}");
    }
}

#[test]
fn limits_cut_the_answer_and_say_so() {
    let limited = |limits: Limits, query: &Query| {
        let Shelf { index, .. } = documents::fresh();
        index.with_limits(limits).find(query).unwrap()
    };
    let all = Limits::default();
    let found = limited(Limits { sources: 1, ..all }, &publisher("press"));
    assert_eq!((found.matches.len(), found.complete), (1, false));
    assert!(!limited(Limits { postings: 1, ..all }, &publisher("press")).complete);
    assert!(!limited(Limits { text_bytes: 10, ..all }, &text(FERRY)).complete);
    assert!(!limited(Limits { documents: 0, ..all }, &text(FERRY)).complete);
    assert!(!limited(Limits { time: Duration::ZERO, ..all }, &text(FERRY)).complete);
}
