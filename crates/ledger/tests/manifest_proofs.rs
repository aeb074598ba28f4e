//! Presence and absence documents of a small manifest: accepted, and refused after any change, in another manifest, and for
//! another source. Not here: making the proofs in them (`manifest_tree.rs`).
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

use std::sync::LazyLock;

use obelus_core::{Digest, Timestamp};
use obelus_ledger::{
    bundle::{Bundle, Place},
    canonical,
    checkpoint::{Checkpoint, vkey},
    dsse::Envelope,
    keys::{PrivateKey, Role, Signer},
    log_entry,
    manifest::{self, Absence, Manifest, SourceRecord},
    manifest_proof::{ABSENCE_FORMAT, AbsenceDocument, PRESENCE_FORMAT, PresenceDocument, presence_file},
    merkle,
    statement::{SourceManifest, SourceProvenance, Statement, Subject},
    trust::{self, TrustedKey, TrustedRoot},
    verify::{Input, Report, documents, verify},
};

const ORIGIN: &str = "log.example/manifests";
const KEY: [u8; 32] = [0x4d; 32];
const SALT: &str = "148de9c5a7a44d19e56cd9ae1a554bf6";

fn at(minute: i64) -> Timestamp {
    Timestamp::from_micros(1_790_000_000_000_000 + minute * 60_000_000)
}

fn private_key(role: Role) -> PrivateKey {
    PrivateKey::from_seed(&[role as u8 + 1; 32])
}

fn trust() -> TrustedRoot {
    static TRUST: LazyLock<TrustedRoot> = LazyLock::new(made_trust);
    TRUST.clone()
}

fn made_trust() -> TrustedRoot {
    let keys = Role::ALL.map(|role| TrustedKey::new(role, &private_key(role).public_key(), at(0)).unwrap());
    let log_vkey = vkey(ORIGIN, &private_key(Role::Log).public_key());
    TrustedRoot { format: trust::FORMAT.to_owned(), log_origin: ORIGIN.to_owned(), log_vkey, keys: keys.to_vec() }
}

/// A signed manifest of these sources.
struct Signed {
    records: Vec<(Digest, Vec<u8>)>,
    manifest: Manifest,
    bundle: Bundle,
}

fn signed(sources: &[&str]) -> Signed {
    let records: Vec<_> = sources
        .iter()
        .map(|source| {
            let record = SourceRecord {
                source: (*source).to_owned(),
                publisher: "Example Press".to_owned(),
                license: "CC0-1.0".to_owned(),
                documents: 2,
                content_digest: Digest::sha256(source),
                seed: Digest::sha256(format!("seed of {source}")),
                segment: 0,
                salt: SALT.to_owned(),
            };
            (manifest::key(&KEY, source), canonical::to_bytes(&record).unwrap())
        })
        .collect();
    let manifest = Manifest::new(records.clone());
    let statement = Statement::new(
        Subject::sha256("kea", manifest.root()),
        SourceManifest {
            lineage: "kea".to_owned(),
            campaign: Digest::sha256("campaign"),
            count: manifest.len() as u64,
            tokenizer: Digest::sha256("tokenizer"),
            extension: None,
            created_at: at(1),
            salt: SALT.to_owned(),
        },
    );
    let envelope = statement.sign(&private_key(Role::Registrar)).unwrap();
    let bundle = logged(envelope, &private_key(Role::Registrar));
    Signed { records, manifest, bundle }
}

/// A statement as the third of five in a log.
fn logged(envelope: Envelope, key: &PrivateKey) -> Bundle {
    let mut leaves: Vec<Digest> = (0..5u8).map(|n| merkle::leaf_hash(&[n])).collect();
    leaves[2] = log_entry::leaf(&envelope, &key.public_key()).unwrap();
    let place = Place { index: 2, path: merkle::inclusion_proof(&leaves, 2).unwrap() };
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: 5, root: merkle::root(&leaves) };
    let log_key = private_key(Role::Log);
    let note = checkpoint.sign(&log_key).unwrap();
    Bundle::new(envelope, &key.public_key(), &place, &note, ORIGIN, &log_key.public_key()).unwrap()
}

impl Signed {
    fn presence(&self, source: &str) -> PresenceDocument {
        let key = manifest::key(&KEY, source);
        let (_, record) = self.records.iter().find(|(found, _)| *found == key).unwrap();
        PresenceDocument {
            format: PRESENCE_FORMAT.to_owned(),
            manifest: self.bundle.clone(),
            presence: self.manifest.presence(&key, record).unwrap(),
            source: source.to_owned(),
        }
    }

    fn absence(&self, source: &str) -> AbsenceDocument {
        let record =
            |key: &Digest| self.records.iter().find(|(found, _)| found == key).map(|(_, record)| record.clone());
        AbsenceDocument {
            absence: self.manifest.absence(&manifest::key(&KEY, source), record).unwrap(),
            format: ABSENCE_FORMAT.to_owned(),
            manifest: self.bundle.clone(),
            manifest_key: Digest::new(KEY),
            source: source.to_owned(),
        }
    }

    /// Provenance of a source against this manifest.
    fn provenance(&self, source: &str, spoil: impl FnOnce(&mut SourceProvenance)) -> Vec<u8> {
        let presence = self.presence(source).presence;
        let record: SourceRecord = canonical::from_bytes(presence.record.as_bytes()).unwrap();
        let mut predicate = SourceProvenance {
            source: record.source,
            publisher: record.publisher,
            license: record.license,
            documents: record.documents,
            mask_seed: record.seed,
            manifest: self.bundle.dsse_envelope.digest().unwrap(),
            manifest_root: self.manifest.root(),
            manifest_index: presence.index,
            manifest_path: presence.path,
            record: Digest::sha256(&presence.record),
            issued_at: at(9),
            salt: SALT.to_owned(),
        };
        spoil(&mut predicate);
        let statement = Statement::new(Subject::sha256(source, record.content_digest), predicate);
        statement.sign(&private_key(Role::Registrar)).unwrap().to_bytes().unwrap()
    }
}

fn file(document: &impl serde::Serialize) -> Vec<u8> {
    canonical::to_bytes(document).unwrap()
}

fn report(file: &[u8], document: Option<&[u8]>) -> Report {
    verify(&Input { file, document, proofs: &[] }, &trust()).unwrap()
}

fn accepted(bytes: &[u8]) -> bool {
    verify(&Input { file: bytes, ..Input::default() }, &trust()).is_ok_and(|report| report.ok)
}

const SOURCES: [&str; 5] = ["acme/almanac", "böll/letters", "city/gazette", "dora/diary", "ewe/atlas"];
/// Absent names whose places are before all sources, among them, and after all.
fn strangers(manifest: &Signed) -> [String; 3] {
    let mut places = [None, None, None];
    for n in 0..200 {
        let name = format!("stranger {n}");
        let absence = manifest.absence(&name).absence;
        let place = match (&absence.before, &absence.after) {
            (None, _) => 0,
            (_, None) => 2,
            _ => 1,
        };
        places[place].get_or_insert(name);
    }
    places.map(Option::unwrap)
}

#[test]
fn every_source_is_present_and_every_other_name_absent() {
    for count in 0..=SOURCES.len() {
        let manifest = signed(&SOURCES[..count]);
        for source in &SOURCES[..count] {
            let found = report(&file(&manifest.presence(source)), None);
            assert!(found.ok && found.kind == "presence", "{found:?}");
            assert!(found.checks.iter().any(|check| check.name == "seed" && check.detail.starts_with("left out")));
        }
        for source in SOURCES[count..].iter().copied().chain(["", "Acme/almanac"]) {
            let found = report(&file(&manifest.absence(source)), None);
            assert!(found.ok && found.kind == "absence", "{found:?}");
        }
    }
}

#[test]
fn every_flipped_byte_and_truncation_of_a_document_is_noticed() {
    let manifest = signed(&SOURCES);
    let [first, among, last] = strangers(&manifest);
    let mut files = vec![file(&manifest.presence("city/gazette"))];
    files.extend([first, among, last].iter().map(|name| file(&manifest.absence(name))));
    for file in files {
        assert!(accepted(&file));
        // One bit of each byte, another one each time: all eight would take minutes.
        for at in 0..file.len() {
            let mut bad = file.clone();
            bad[at] ^= 1 << (at % 8);
            // Nobody signs the name that is asked about: of another one that has its place between the same two records
            // the proof is as true, and the report says that name.
            if is_proof_about_another_name(&bad, &file) {
                continue;
            }
            assert!(!accepted(&bad), "byte {at} of {}", String::from_utf8_lossy(&file));
            assert!(at % 7 > 0 || !accepted(&file[..at]), "{at} bytes");
        }
    }
}

/// Whether the two files differ in the name of an absence alone, and the first is right about its own.
fn is_proof_about_another_name(bad: &[u8], good: &[u8]) -> bool {
    let read = |bytes| canonical::from_bytes::<AbsenceDocument>(bytes);
    let (Ok(bad), Ok(good)) = (read(bad), read(good)) else { return false };
    let name = format!("{:?}", bad.source);
    if SOURCES.contains(&bad.source.as_str())
        || (AbsenceDocument { source: good.source.clone(), ..bad.clone() }) != good
    {
        return false;
    }
    let found = report(&file(&bad), None);
    found.checks.last().is_some_and(|check| check.detail.contains(&name))
}

#[test]
fn a_record_of_another_source_or_another_manifest_is_no_presence() {
    let (manifest, other) = (signed(&SOURCES), signed(&SOURCES[..4]));
    let good = manifest.presence("dora/diary");
    let mut renamed = good.clone();
    renamed.source = "acme/almanac".to_owned();
    let mut elsewhere = good.clone();
    elsewhere.manifest = other.bundle.clone();
    let mut moved = good.clone();
    moved.presence = manifest.presence("acme/almanac").presence;
    let mut invented = good.clone();
    invented.presence.record = invented.presence.record.replace("\"documents\":2", "\"documents\":3");
    for (bad, why) in [
        (renamed, "the document says"),
        (elsewhere, "does not lead"),
        (moved, "the document says"),
        (invented, "does not lead"),
    ] {
        let found = report(&file(&bad), None);
        assert!(!found.ok && found.checks.iter().any(|c| !c.ok && c.detail.contains(why)), "{why}: {found:?}");
    }
}

#[test]
fn records_that_are_no_neighbours_of_the_name_prove_no_absence() {
    let (manifest, other) = (signed(&SOURCES), signed(&SOURCES[..4]));
    let [first, among, last] = strangers(&manifest);
    let good = manifest.absence(&among);
    let absence = |name: &str| manifest.absence(name).absence;
    let with = |absence: Absence| AbsenceDocument { absence, ..good.clone() };
    // In the order of the manifest.
    let mut sorted: Vec<_> = SOURCES.iter().map(|source| manifest.presence(source).presence).collect();
    sorted.sort_by_key(|presence| presence.index);
    let around = Absence { before: Some(sorted[0].clone()), after: Some(sorted[4].clone()) };
    let half = Absence { before: good.absence.before.clone(), after: None };
    let other_half = Absence { before: None, after: good.absence.after.clone() };
    let nothing = Absence { before: None, after: None };
    let swapped = Absence { before: good.absence.after.clone(), after: good.absence.before.clone() };
    let bad = [
        ("not adjacent", with(around)),
        ("one neighbour", with(half)),
        ("the other neighbour", with(other_half)),
        ("no neighbour", with(nothing)),
        ("swapped", with(swapped)),
        ("before the first", with(absence(&first))),
        ("after the last", with(absence(&last))),
        ("another key", AbsenceDocument { manifest_key: Digest::new([0x4e; 32]), ..good.clone() }),
        ("another manifest", AbsenceDocument { manifest: other.bundle, ..good.clone() }),
        ("a source that is there", AbsenceDocument { source: SOURCES[2].to_owned(), ..good.clone() }),
        ("another format", AbsenceDocument { format: PRESENCE_FORMAT.to_owned(), ..good.clone() }),
    ];
    assert!(accepted(&file(&good)));
    for (what, document) in bad {
        assert!(!accepted(&file(&document)), "{what}");
    }
}

#[test]
fn manifests_signed_by_the_wrong_key_or_not_logged_prove_nothing() {
    let mut manifest = signed(&SOURCES);
    let payload = manifest.bundle.dsse_envelope.payload().unwrap();
    let envelope = Envelope::sign(&payload, &private_key(Role::Issuer)).unwrap();
    manifest.bundle = logged(envelope, &private_key(Role::Issuer));
    assert!(!accepted(&file(&manifest.presence(SOURCES[0]))));
    assert!(!accepted(&file(&manifest.absence("nobody"))));
    let mut ended = trust();
    let of_log = ended.keys.iter_mut().find(|key| key.role == Role::Log).unwrap();
    (of_log.valid_from, of_log.valid_to) = (at(-9), Some(at(0)));
    let document = file(&signed(&SOURCES).presence(SOURCES[0]));
    assert!(!verify(&Input { file: &document, ..Input::default() }, &ended).unwrap().ok);
}

#[test]
fn provenance_agrees_with_the_presence_beside_it() {
    let (manifest, other) = (signed(&SOURCES), signed(&SOURCES[..4]));
    let statement = manifest.provenance("dora/diary", |_| ());
    assert_eq!(documents("dora.json", &statement), ["dora.presence.json"]);
    assert_eq!(presence_file("dora"), "dora.presence.json");
    let alone = report(&statement, None);
    assert!(
        alone.ok && alone.checks.iter().any(|c| c.name == "presence" && c.detail.starts_with("left out")),
        "{alone:?}"
    );
    let beside = file(&manifest.presence("dora/diary"));
    let whole = report(&statement, Some(&beside));
    assert!(whole.ok && whole.checks.last().unwrap().detail.contains("are those of the document"), "{whole:?}");
    // Another source, another manifest, and no presence at all.
    for beside in [file(&manifest.presence("ewe/atlas")), file(&other.presence("dora/diary")), b"{}".to_vec()] {
        assert!(!report(&statement, Some(&beside)).ok, "{}", String::from_utf8_lossy(&beside));
    }
    let spoils: [fn(&mut SourceProvenance); 9] = [
        |p| p.manifest = Digest::sha256("x"),
        |p| p.manifest_root = Digest::sha256("x"),
        |p| p.manifest_index += 1,
        |p| p.manifest_path.truncate(1),
        |p| p.record = Digest::sha256("x"),
        |p| p.source = "ewe/atlas".to_owned(),
        |p| p.mask_seed = Digest::sha256("x"),
        |p| p.documents += 1,
        |p| p.issued_at = at(0),
    ];
    for (n, spoil) in spoils.into_iter().enumerate() {
        let spoiled = manifest.provenance("dora/diary", spoil);
        assert!(report(&spoiled, None).ok, "{n}");
        assert!(!report(&spoiled, Some(&beside)).ok, "{n}");
    }
}
