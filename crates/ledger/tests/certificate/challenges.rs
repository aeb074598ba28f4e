//! Blind challenges in an audit bundle: accepted where sealed probes were deposited before the erasure and the result is
//! about them, refused otherwise, whoever signs. Not here: sealing and opening (`sealed_probes.rs`).

use obelus_core::Digest;
use obelus_ledger::{
    audit_bundle::{Files, MANIFEST, Manifest, STATEMENT, to_zip},
    bundle::{Bundle, Place},
    canonical,
    certificate::Exhibit,
    dsse::Envelope,
    keys::{Role, Signer as _},
    log_entry, merkle,
    statement::{AuditBundle, BlindChallenge, BlindChallengeResult, Predicate, Statement, Subject},
    verify::{Input, Report, verify},
};

use crate::fixture::{Fixture, ORIGIN, at, checkpoint_of, named, private_key, salt};

/// Entries of the erasure, and free ones before, between and after.
const ERASURE: usize = 7;
const BEFORE: usize = 5;
const BETWEEN: usize = 9;
const AFTER: usize = 11;

/// What differs from a challenge that is right.
struct Story {
    deposited_at: usize,
    opened_at: usize,
    spoil: fn(&mut BlindChallenge, &mut BlindChallengeResult),
    /// Files that are left out.
    without: &'static [&'static str],
    /// Whether the results are others than those that are cited.
    other_results: bool,
}

const RIGHT: Story =
    Story { deposited_at: BEFORE, opened_at: AFTER, spoil: |_, _| (), without: &[], other_results: false };

fn signed<P: Predicate>(subject: Subject, predicate: P) -> Envelope {
    Statement::new(subject, predicate).sign(&private_key(P::ROLE)).unwrap()
}

fn bundled(envelope: &Envelope, log: &[Digest], index: usize) -> Vec<u8> {
    let place = Place { index: index as u64, path: merkle::inclusion_proof(log, index).unwrap() };
    let (issuer, log_key) = (private_key(Role::Issuer).public_key(), private_key(Role::Log).public_key());
    let bundle = Bundle::new(envelope.clone(), &issuer, &place, &checkpoint_of(log), ORIGIN, &log_key).unwrap();
    canonical::to_bytes(&bundle).unwrap()
}

fn leaf(envelope: &Envelope) -> Digest {
    log_entry::leaf(envelope, &private_key(Role::Issuer).public_key()).unwrap()
}

/// Deposit, result and results of a challenge, and the certificate of the case, as files of an audit bundle.
fn files(story: &Story) -> (Fixture, Files) {
    let mut fixture = Fixture::usual();
    let erasure = fixture.document.envelope(Exhibit::Erasure).unwrap().digest().unwrap();
    let results = b"{\"format\":\"obelus-blind-challenge-results/v1\"}".to_vec();
    let (id, request, model) = ("BC-2026-000001".to_owned(), "REQ-1".to_owned(), "demo".to_owned());
    let mut deposited = BlindChallenge {
        challenge: id.clone(),
        request: request.clone(),
        model: model.clone(),
        commitment: named("commitment"),
        sealed_bytes: 500,
        deposited_at: at(4),
        salt: salt("deposit"),
    };
    let mut opened = BlindChallengeResult {
        challenge: id.clone(),
        request,
        model,
        deposit: named("not signed yet"),
        erasure,
        commitment: named("commitment"),
        probes: 24,
        baselines: vec![],
        results: Digest::sha256(&results),
        outcome: "not_tested".to_owned(),
        figures: vec![],
        limits: vec![],
        opened_at: at(8),
        salt: salt("result"),
    };
    let placeholder = opened.deposit;
    (story.spoil)(&mut deposited, &mut opened);
    let deposit = signed(Subject::sha256(&id, named("sealed file")), deposited);
    if opened.deposit == placeholder {
        opened.deposit = deposit.digest().unwrap();
    }
    let result = signed(Subject::weights("demo", named("root now")), opened);
    fixture.log[story.deposited_at] = leaf(&deposit);
    fixture.log[story.opened_at] = leaf(&result);
    let log = fixture.log.clone();
    for logged in &mut fixture.document.exhibits {
        logged.path = merkle::inclusion_proof(&log, logged.index as usize).unwrap();
    }
    fixture.document.checkpoint = checkpoint_of(&log);
    let other = b"{}".to_vec();
    let mut files = Files::from([
        (
            "certificates/OB-2026-0001.json".to_owned(),
            canonical::to_bytes(&fixture.bundle(Exhibit::Certificate)).unwrap(),
        ),
        ("certificates/OB-2026-0001.evidence.json".to_owned(), fixture.file()),
        ("challenges/BC-2026-000001.deposit.json".to_owned(), bundled(&deposit, &log, story.deposited_at)),
        ("challenges/BC-2026-000001.result.json".to_owned(), bundled(&result, &log, story.opened_at)),
        ("challenges/BC-2026-000001.results.json".to_owned(), if story.other_results { other } else { results }),
    ]);
    files.retain(|path, _| !story.without.contains(&path.as_str()));
    (fixture, files)
}

/// The checks of the challenge in the audit bundle of a story; those of other files, such as scores that are not there, aside.
fn checked(story: &Story) -> Vec<(String, bool, String)> {
    let (fixture, mut files) = files(story);
    let manifest = Manifest::new("REQ-1", &files);
    let bytes = manifest.to_bytes().unwrap();
    let about = AuditBundle {
        request: "REQ-1".to_owned(),
        files: manifest.files.len() as u64,
        made_at: at(9),
        salt: salt("bundle"),
    };
    let statement = signed(Subject::sha256("REQ-1", Digest::sha256(&bytes)), about);
    let log = [&fixture.log[..], &[leaf(&statement)]].concat();
    files.insert(MANIFEST.to_owned(), bytes);
    files.insert(STATEMENT.to_owned(), bundled(&statement, &log, log.len() - 1));
    let archive = to_zip(&files).unwrap();
    let report: Report = verify(&Input { file: &archive, ..Input::default() }, &fixture.trust).unwrap();
    let own = report.checks.into_iter().filter(|check| check.name.contains("challenges/") || !check.ok);
    own.filter(|check| !check.name.ends_with(": scores")).map(|c| (c.name, c.ok, c.detail)).collect()
}

#[track_caller]
fn refused(story: &Story, because: &str) {
    let failed: Vec<_> = checked(story).into_iter().filter(|(_, ok, _)| !ok).collect();
    assert!(failed.iter().any(|(_, _, said)| said.contains(because)), "{because}: {failed:?}");
}

#[test]
fn a_challenge_that_was_deposited_before_the_erasure_is_accepted() {
    let checks = checked(&RIGHT);
    assert!(checks.len() >= 5 && checks.iter().all(|(_, ok, _)| *ok), "{checks:?}");
    let said = |name: &str| &checks.iter().find(|(found, ..)| found.ends_with(name)).unwrap().2;
    assert_eq!(*said("before the erasure"), format!("entry {BEFORE} of the log, and the erasure is entry {ERASURE}"));
    assert!(said("deposit.json: result").contains("what was opened is what was deposited"), "{checks:?}");
    let sealed = Story {
        without: &["challenges/BC-2026-000001.result.json", "challenges/BC-2026-000001.results.json"],
        ..RIGHT
    };
    let checks = checked(&sealed);
    assert!(checks.iter().all(|(_, ok, _)| *ok) && checks.iter().any(|(.., said)| said.contains("sealed still")));
}

#[test]
fn an_operator_with_every_key_cannot_deposit_late_or_open_something_else() {
    refused(&Story { deposited_at: BETWEEN, ..RIGHT }, "after the erasure");
    refused(&Story { deposited_at: AFTER, opened_at: BETWEEN, ..RIGHT }, "after its result");
    refused(&Story { opened_at: 2, deposited_at: 0, ..RIGHT }, "was logged before it");
    refused(&Story { spoil: |_, result| result.deposit = named("another"), ..RIGHT }, "another deposit");
    refused(&Story { spoil: |_, result| result.commitment = named("other"), ..RIGHT }, "commitment");
    refused(&Story { spoil: |_, result| result.erasure = named("another"), ..RIGHT }, "not that of the case");
    let elsewhere = |deposit: &mut BlindChallenge, result: &mut BlindChallengeResult| {
        deposit.request = "REQ-2".to_owned();
        result.request = "REQ-2".to_owned();
    };
    refused(&Story { spoil: elsewhere, ..RIGHT }, "deposited for REQ-2");
    refused(&Story { other_results: true, ..RIGHT }, "results that the statement cites");
    refused(
        &Story { without: &["challenges/BC-2026-000001.results.json"], ..RIGHT },
        "results that the statement cites",
    );
    refused(&Story { without: &["challenges/BC-2026-000001.deposit.json"], ..RIGHT }, "none in the bundle");
    refused(&Story { without: &["challenges/BC-2026-000001.result.json"], ..RIGHT }, "belongs to no result");
}

#[test]
fn a_result_alone_says_whether_its_deposit_was_looked_at() {
    let (fixture, files) = files(&RIGHT);
    let [deposit, result] = ["deposit", "result"].map(|kind| &files[&format!("challenges/BC-2026-000001.{kind}.json")]);
    let report = |file: &[u8], document| verify(&Input { file, document, proofs: &[] }, &fixture.trust).unwrap();
    let said = |report: &Report| report.checks.iter().find(|check| check.name == "deposit").unwrap().detail.clone();
    let alone = report(result, None);
    assert!(alone.ok && said(&alone).starts_with("left out"), "{alone:?}");
    let beside = report(result, Some(deposit));
    assert!(beside.ok && said(&beside).contains("what was opened is what was deposited"), "{beside:?}");
    assert!(!report(result, Some(result)).ok);
    assert!(report(deposit, None).ok);
    let mut bad = result.clone();
    for at in (0..result.len()).step_by(7) {
        bad[at] ^= 1;
        let input = Input { file: &bad, document: Some(deposit), proofs: &[] };
        assert!(verify(&input, &fixture.trust).map_or(true, |report| !report.ok), "byte {at}");
        bad[at] ^= 1;
    }
}
