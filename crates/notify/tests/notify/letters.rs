//! What letters say: all of it as snapshots, and what each must and must never say.
//!
//! Not here: how letters leave.

use obelus_notify::LetterKind;
use proptest::prelude::*;

use crate::case::{RECIPIENT, USUAL, Words, everywhere, letters};

#[test]
fn every_letter_says_what_it_says() {
    for letter in letters(&USUAL) {
        let name = letter.kind.to_string();
        insta::assert_snapshot!(name, format!("Subject: {}\n\n{}", letter.subject, letter.body));
    }
}

#[test]
fn every_letter_says_what_happened_what_it_means_what_can_be_done_and_by_when() {
    for letter in letters(&USUAL) {
        let headings = ["WHAT HAPPENED", "WHAT IT MEANS", "WHAT YOU CAN DO", "BY WHEN", "IF YOU DO NOT AGREE"];
        let found: Vec<_> = letter.body.lines().filter(|line| headings.contains(line)).collect();
        assert_eq!(found, headings, "{}", letter.kind);
        assert!(letter.body.contains("OB-2026-000001") && letter.subject.contains("OB-2026-000001"), "{}", letter.kind);
        assert!(letter.body.contains(USUAL.contact), "{}", letter.kind);
        let empty = letter.body.split("\n\n").zip(letter.body.split("\n\n").skip(1));
        for (one, next) in empty {
            assert!(!(headings.contains(&one) && headings.contains(&next)), "{}: nothing under {one}", letter.kind);
        }
    }
}

#[test]
fn a_refusal_gives_code_reason_and_both_ways_to_contest_it() {
    for letter in letters(&USUAL) {
        let words: String = letter.body.split_whitespace().collect::<Vec<_>>().join(" ");
        let contested = words.contains(&format!("You have the right to complain to {}", USUAL.authority))
            && words.contains("You have the right to seek a remedy before a court");
        let adverse = [
            LetterKind::Refused,
            LetterKind::PartiallyGranted,
            LetterKind::CertifiedWithResidual,
            LetterKind::VerificationFailed,
        ];
        assert_eq!(contested, adverse.contains(&letter.kind), "{}", letter.kind);
        if [LetterKind::Refused, LetterKind::PartiallyGranted].contains(&letter.kind) {
            assert!(words.contains(USUAL.code) && words.contains(USUAL.reason), "{}", letter.kind);
        }
    }
}

#[test]
fn an_extension_gives_its_reasons_and_the_new_day() {
    let letter = letters(&USUAL).into_iter().find(|letter| letter.kind == LetterKind::Extension).unwrap();
    let words = letter.body.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(USUAL.reason));
    assert!(words.contains("You have our answer by 30 November 2026 at the latest"));
    assert!(!words.contains("21 October 2026"), "the old day is no promise any more");
}

#[test]
fn no_letter_promises_what_nobody_can_show() {
    for letter in letters(&USUAL) {
        let words = letter.body.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
        for promise in
            ["complian", "as if never", "never trained", "all knowledge", "guarantee", "counsel", "forgotten"]
        {
            assert!(!words.contains(promise), "{} says {promise:?}", letter.kind);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_subject_has_anything_of_a_person_in_it(name in "[A-Za-zÀ-ž '\\-]{3,30}", secret in "[a-z0-9]{12}") {
        let text = format!("{name} {secret}");
        let expected: Vec<_> = letters(&USUAL).into_iter().map(|letter| letter.subject).collect();
        for (letter, expected) in letters(&everywhere(&text)).into_iter().zip(expected) {
            prop_assert_eq!(&letter.subject, &expected, "it is the same for everybody");
            prop_assert!(!letter.subject.contains(&secret) && !letter.subject.contains(RECIPIENT));
        }
    }

    #[test]
    fn foreign_text_never_begins_a_line_where_ours_begin(
        lines in proptest::collection::vec(prop_oneof![Just("WHAT YOU CAN DO".to_owned()), "[A-Za-z .]{0,90}"], 0..9),
        ends in prop_oneof![Just("\n"), Just("\r\n"), Just("\r"), Just("\u{2028}"), Just("\u{85}")],
    ) {
        let foreign = lines.join(ends);
        let words = Words { asked: &foreign, reason: &foreign, ..USUAL };
        for letter in letters(&words) {
            let headings = letter.body.lines().filter(|line| *line == "WHAT YOU CAN DO").count();
            prop_assert_eq!(headings, 1, "{}", letter.body);
        }
    }
}
