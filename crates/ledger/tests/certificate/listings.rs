//! Documents that show that a source is, or is not, in a manifest: the independent programs accept the good ones and refuse
//! the others. Not here: how such a document is made for somebody who asks.

use obelus_core::Digest;
use obelus_ledger::{
    bundle::{Bundle, Place},
    canonical,
    certificate::Exhibit,
    checkpoint::vkey,
    keys::{Role, Signer as _},
    manifest::{self, Absence, Manifest, Presence},
    statement::Subject,
};
use serde_json::{Value, json};

use crate::{
    fixture::{MANIFEST_KEY, ORIGIN, SOURCES, USUAL, logged, named, presences, private_key, trusted_root},
    flips::flipped,
    javascript::check_agreement,
    outsiders::python,
    spoiled::{Case, TRUST},
    statements::{Facts, sign},
};

const DOCUMENT: &str = "document.json";

/// A manifest of all sources but those of these numbers, its statement as a bundle, and the key of its order.
struct Registered {
    manifest: Manifest,
    records: Vec<Presence>,
    bundle: Value,
}

impl Registered {
    fn without(left_out: &[usize]) -> Self {
        let all = presences(USUAL.segments);
        let records: Vec<Presence> =
            (0..SOURCES.len()).filter(|i| !left_out.contains(i)).map(|i| all[i].clone()).collect();
        let manifest = Manifest::new(records.iter().map(|r| (r.key, r.record.clone().into_bytes())));
        let mut said = Facts::about(&records, &[]).manifest(named("campaign"), None);
        said.count = records.len() as u64;
        let (role, envelope) =
            sign(Exhibit::Manifest, &USUAL, Subject::sha256("source manifest", manifest.root()), said);
        let (_, placed, note) = logged(vec![(Exhibit::Manifest, role, envelope.clone())], &[5]);
        let place = Place { index: 5, path: placed[0].path.clone() };
        let keys = [role, Role::Log].map(|role| private_key(role).public_key());
        let bundle = Bundle::new(envelope, &keys[0], &place, &note, ORIGIN, &keys[1]).unwrap();
        Self { manifest, records, bundle: serde_json::to_value(bundle).unwrap() }
    }

    fn record(&self, key: &Digest) -> Option<Vec<u8>> {
        self.records.iter().find(|r| r.key == *key).map(|r| r.record.clone().into_bytes())
    }

    fn presence(&self, source: &str) -> Value {
        let key = manifest::key(&MANIFEST_KEY, source);
        let found = self.manifest.presence(&key, &self.record(&key).unwrap()).unwrap();
        json!({ "format": "obelus-presence/v1", "manifest": self.bundle, "presence": found, "source": source })
    }

    fn absence(&self, source: &str) -> Value {
        let key = manifest::key(&MANIFEST_KEY, source);
        self.absent(source, &self.manifest.absence(&key, |key| self.record(key)).unwrap())
    }

    fn absent(&self, source: &str, absence: &Absence) -> Value {
        json!({ "absence": absence, "format": "obelus-absence/v1", "manifest": self.bundle,
            "manifestKey": hex::encode(MANIFEST_KEY), "source": source })
    }

    /// Any two records as if they were neighbours.
    fn between(&self, source: &str, before: Option<usize>, after: Option<usize>) -> Value {
        let mut sorted: Vec<&Presence> = self.records.iter().collect();
        sorted.sort_by_key(|record| record.key);
        let at = |i: usize| self.manifest.presence(&sorted[i].key, sorted[i].record.as_bytes()).unwrap();
        self.absent(source, &Absence { before: before.map(at), after: after.map(at) })
    }
}

fn case(name: &str, document: &Value, accepted: bool) -> Case {
    let trust = canonical::to_bytes(&trusted_root()).unwrap();
    let files = vec![(DOCUMENT, canonical::to_bytes(document).unwrap()), (TRUST, trust)];
    Case { name: name.to_owned(), files, accepted }
}

fn cases() -> Vec<Case> {
    let (all, none) = (Registered::without(&[]), Registered::without(&[0, 1, 2, 3, 4]));
    let mut cases: Vec<Case> = SOURCES.iter().map(|source| case(source, &all.presence(source), true)).collect();
    // Each source left out in turn: first, last and in between, wherever its key falls.
    for (i, source) in SOURCES.iter().enumerate() {
        cases.push(case(source, &Registered::without(&[i]).absence(source), true));
    }
    cases.push(case("nothing registered", &none.absence(SOURCES[0]), true));

    let mut other = all.presence(SOURCES[0]);
    other["source"] = json!(SOURCES[1]);
    cases.push(case("the record of another", &other, false));
    let mut other = all.presence(SOURCES[0]);
    other["manifest"] = none.bundle.clone();
    cases.push(case("another manifest", &other, false));
    let mut other = all.presence(SOURCES[0]);
    other["presence"]["index"] = json!(other["presence"]["index"].as_u64().unwrap() + 1);
    cases.push(case("another place", &other, false));
    let mut other = all.presence(SOURCES[0]);
    other["note"] = json!(1);
    cases.push(case("another field", &other, false));

    let stranger = "somebody/else";
    cases.push(case("no neighbours", &all.between(stranger, None, None), false));
    let mut honest = 0;
    for before in [None, Some(0), Some(1), Some(2), Some(3), Some(4)] {
        for after in [None, Some(0), Some(1), Some(2), Some(3), Some(4)].into_iter().filter(|after| before != *after) {
            let document = all.between(stranger, before, after);
            let accepted = document == all.absence(stranger);
            honest += usize::from(accepted);
            cases.push(case(&format!("between {before:?} and {after:?}"), &document, accepted));
        }
    }
    assert_eq!(honest, 1);
    cases.push(case("a source that is there", &all.between(SOURCES[2], Some(0), Some(1)), false));
    let mut other = all.absence(stranger);
    other["manifestKey"] = json!("00".repeat(32));
    cases.push(case("another manifest key", &other, false));
    let damaged = [all.presence(SOURCES[1]), Registered::without(&[1]).absence(SOURCES[1])];
    for document in damaged {
        let bytes = canonical::to_bytes(&document).unwrap();
        for at in (0..bytes.len()).step_by(bytes.len() / 40) {
            let mut bad = case(&format!("byte {at}"), &document, false);
            bad.files[0].1 = flipped(&bytes, at, [0x01, 0x20][at % 2]);
            cases.push(bad);
        }
    }
    cases
}

#[test]
fn presence_and_absence_are_judged_in_javascript() {
    check_agreement("listings", &cases());
}

#[test]
fn presence_and_absence_are_judged_in_python() {
    let registrar = private_key(Role::Registrar).public_key().to_pem().unwrap();
    let vkey = format!("{}\n", vkey(ORIGIN, &private_key(Role::Log).public_key()));
    // A program for each: every seventh is enough, and all that are good.
    for (i, case) in cases().iter().enumerate().filter(|(i, case)| case.accepted || i % 7 == 0) {
        let files = [(DOCUMENT, case.file(DOCUMENT)), ("key.pem", registrar.as_bytes()), ("log.vkey", vkey.as_bytes())];
        let (status, said) = python(&format!("listing-{i}"), "check_manifest.py", &files);
        assert_eq!(status, i32::from(!case.accepted), "{}: {said}", case.name);
        assert!(!case.accepted || said.contains("statement: the signature holds"), "{said}");
    }
}
