//! Certificates against everything that may happen to them: every byte flipped, every part swapped, other keys.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

mod fixture;
mod pages;

use std::thread;

use fixture::{Made, make, trusted};
use obelus_ledger::{
    keys::Role,
    row_proof::RowProof,
    trust::TrustedRoot,
    verify::{Input, Report, verify},
};

fn answer(file: &[u8], proof: Option<&[u8]>, trust: &TrustedRoot) -> Option<Report> {
    verify(&Input { file, row_proof: proof, certificate: None }, trust).ok()
}

fn accepted(file: &[u8], proof: &[u8], trust: &TrustedRoot) -> bool {
    answer(file, Some(proof), trust).is_some_and(|report| report.ok)
}

/// The first check that fails, and why.
fn objection(file: &[u8], proof: &[u8], trust: &TrustedRoot) -> String {
    let report = answer(file, Some(proof), trust).unwrap();
    let failed = report.checks.into_iter().find(|c| !c.ok).expect("it was accepted");
    format!("{}: {}", failed.name, failed.detail)
}

#[test]
fn the_unchanged_certificate_is_accepted_with_and_without_its_proof() {
    let trust = trusted(0);
    for (struck, verdict) in [(&["b"][..], "verified"), (&["a", "c"], "not_verified")] {
        let made = make(struck, verdict);
        let report = answer(&made.bytes(), Some(&made.proof), &trust).unwrap();
        assert!(report.ok, "{report:#?}");
        assert!(report.checks.iter().any(|c| c.name == "row proof" && c.detail.contains("nothing else changed")));
        let without = answer(&made.bytes(), None, &trust).unwrap();
        assert!(without.ok && without.checks.iter().any(|c| c.detail.contains("left out")));
        let from_proof = Input { file: &made.proof, row_proof: None, certificate: Some(&made.bytes()) };
        assert!(verify(&from_proof, &trust).unwrap().ok);
    }
}

/// Flips bits of every byte of `whole` on two threads; `accepts` must say no to each.
fn every_flip_is_refused(whole: &[u8], accepts: impl Fn(&[u8]) -> bool + Sync) {
    thread::scope(|scope| {
        for part in 0..2 {
            let accepts = &accepts;
            scope.spawn(move || {
                for at in (part..whole.len()).step_by(2) {
                    // Bit 5 turns upper into lower case, which base64 and hexadecimal must notice too.
                    let letter = whole[at].is_ascii_alphabetic();
                    for bits in [0x01, 0x20].into_iter().filter(|bits| *bits == 0x01 || letter) {
                        let mut changed = whole.to_vec();
                        changed[at] ^= bits;
                        assert!(!accepts(&changed), "byte {at} of {} xor {bits:#x} is unnoticed", whole.len());
                    }
                }
            });
        }
    });
}

#[test]
fn every_flipped_byte_of_a_certificate_is_refused() {
    let (made, trust) = (make(&["b"], "verified"), trusted(0));
    let whole = made.bytes();
    assert!(accepted(&whole, &made.proof, &trust));
    every_flip_is_refused(&whole, |changed| accepted(changed, &made.proof, &trust));
}

#[test]
fn every_flipped_byte_of_a_row_proof_is_refused() {
    let (made, trust) = (make(&["b"], "verified"), trusted(0));
    let certificate = made.bytes();
    assert!(accepted(&certificate, &made.proof, &trust));
    every_flip_is_refused(&made.proof, |changed| accepted(&certificate, changed, &trust));
}

#[test]
fn every_truncation_and_extension_is_refused() {
    let (made, trust) = (make(&["b"], "verified"), trusted(0));
    let whole = made.bytes();
    for length in 0..whole.len() {
        assert!(!accepted(&whole[..length], &made.proof, &trust), "cut to {length}");
    }
    for more in [&b" "[..], b"\n", b"{}", b"\0"] {
        assert!(!accepted(&[&whole[..], more].concat(), &made.proof, &trust));
    }
    for length in 0..made.proof.len() {
        assert!(!accepted(&whole, &made.proof[..length], &trust), "proof cut to {length}");
    }
}

#[test]
fn another_spelling_of_the_same_json_is_refused() {
    let (made, trust) = (make(&["b"], "verified"), trusted(0));
    let text = String::from_utf8(made.bytes()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let spellings = [
        serde_json::to_string_pretty(&value).unwrap(),
        text.replacen("{\"checkpoint\"", "{\"added\":1,\"checkpoint\"", 1),
        text.replacen("{\"checkpoint\"", "{\"format\":\"x\",\"checkpoint\"", 1),
        text.replacen("\"format\"", "\"f\\u006frmat\"", 1),
    ];
    for spelling in spellings {
        assert_ne!(spelling, text);
        assert!(objection(spelling.as_bytes(), &made.proof, &trust).starts_with("canonical form"));
    }
}

#[test]
fn parts_of_other_certificates_are_refused() {
    let trust = trusted(0);
    let (one, other) = (make(&["b"], "verified"), make(&["c"], "verified"));
    type Swap = fn(&mut Made, &Made);
    let swaps: [(&str, Swap); 8] = [
        ("another source's record", |m, _| m.document.sources = vec![m.presences[2].1.clone()]),
        ("one source more", |m, _| m.document.sources.push(m.presences[3].1.clone())),
        ("no source", |m, _| m.document.sources.clear()),
        ("exhibits in another order", |m, _| m.document.exhibits.swap(4, 5)),
        ("an exhibit less", |m, _| drop(m.document.exhibits.pop())),
        ("another takedown's erasure", |m, o| m.document.exhibits[4] = o.document.exhibits[4].clone()),
        ("another log's checkpoint", |m, o| m.document.checkpoint = o.document.checkpoint.clone()),
        ("another index", |m, _| m.document.exhibits[0].index += 1),
    ];
    for (what, swap) in swaps {
        let mut changed = make(&["b"], "verified");
        swap(&mut changed, &other);
        assert!(!accepted(&changed.bytes(), &changed.proof, &trust), "{what}");
    }
    assert!(objection(&one.bytes(), &other.proof, &trust).contains("not the file that the erasure cites"));
    let mut renamed = make(&["b"], "verified");
    renamed.document.layout.0[0].name = "embed.weights".to_owned();
    assert!(objection(&renamed.bytes(), &renamed.proof, &trust).starts_with("layout"));
}

#[test]
fn a_proof_of_other_leaves_is_refused_even_where_it_fits_its_own_roots() {
    let (one, other) = (make(&["b"], "verified"), make(&["c"], "verified"));
    let proof = RowProof::from_bytes(&other.proof).unwrap();
    let layout = &one.document.layout;
    let (before, after) = proof.roots(layout).unwrap();
    assert!(proof.verify(layout, &RowProof::from_bytes(&one.proof).unwrap().zeroed_leaves, &before, &after).is_err());
}

#[test]
fn only_the_trusted_keys_of_the_right_roles_count() {
    let made = make(&["b"], "verified");
    let (file, proof) = (made.bytes(), &made.proof);
    assert!(!accepted(&file, proof, &trusted(0x40)), "another operator's keys");
    for missing in Role::ALL {
        let mut trust = trusted(0);
        trust.keys.retain(|k| k.role != missing);
        assert!(!accepted(&file, proof, &trust), "without the {missing} key");
        let mut trust = trusted(0);
        for key in &mut trust.keys {
            if key.role == missing {
                key.role = if missing == Role::Issuer { Role::Model } else { Role::Issuer };
            }
        }
        assert!(!accepted(&file, proof, &trust), "the {missing} key in another role");
    }
    let mut trust = trusted(0);
    trust.log_origin = "log.example/other".to_owned();
    assert!(!accepted(&file, proof, &trust), "another log");
}

#[test]
fn statements_and_checkpoints_verify_alone() {
    let (made, trust) = (make(&["b"], "verified"), trusted(0));
    for logged in &made.document.exhibits {
        let bytes = logged.envelope.to_bytes().unwrap();
        assert!(answer(&bytes, None, &trust).unwrap().ok, "{:?}", logged.exhibit);
        assert!(!answer(&bytes, None, &trusted(0x40)).unwrap().ok);
    }
    let note = made.document.checkpoint.as_bytes();
    assert!(answer(note, None, &trust).unwrap().ok);
    assert!(!answer(note, None, &trusted(0x40)).unwrap().ok);
    assert!(answer(b"hello", None, &trust).is_none(), "what is no evidence is unreadable, not false");
}
