//! The house that cases are tried in: a trained model `m` of the sources `a`, `b` and `c`, as rows without weights, and people
//! who have every role.

use std::{collections::BTreeMap, sync::Arc};

use obelus_core::{Clock as _, DataDirectory, Digest, ManualClock};
use obelus_store::{
    Bytes32, Micros, Names, Sha256, campaigns,
    campaigns::Campaign,
    corpora,
    corpora::Corpus,
    manifests::{self, Manifest},
    models::{self, Model, ModelStatus, Trained},
    persons, registrations, sources, statements,
};
use obelus_testkit::TestDatabase;
use tempfile::TempDir;

use crate::{
    Deps, Settings,
    keyring::{Keyring, Passphrase},
    transparency::Sequencer,
};

/// When everything begins.
const NOON: &str = "2026-07-01T12:00:00.000000Z";
const EVERY_ROLE: [&str; 6] = ["requester", "intake", "legal_reviewer", "legal_approver", "executor", "hold_officer"];
/// The people.
pub const PEOPLE: [&str; 4] = ["ana", "ben", "cem", "dee"];

/// An installation with a trained model `m` of three sources, and people who have every role.
pub async fn house(database: &TestDatabase, folder: &TempDir) -> (Arc<Deps>, Arc<ManualClock>) {
    let data = DataDirectory::new(folder.path());
    let passphrase = || Passphrase::find(None, None, &data.keys());
    Keyring::create(&data.keys(), passphrase()).unwrap();
    let keys = Keyring::open(&data.keys(), passphrase()).unwrap();
    let settings = Settings {
        operator: "tests".to_owned(),
        log_origin: "log.example/obelus".to_owned(),
        threads: 1,
        passphrase_file: None,
        time_zone: None,
        contact: None,
        smtp: None,
    };
    let clock = Arc::new(ManualClock::new(NOON.parse().unwrap()));
    let (db, now) = (database.db.clone(), clock.now());
    let write = db.write().await.unwrap();
    let digest = |of: &str| Digest::sha256(of);
    let mut stated = BTreeMap::new();
    for kind in ["campaign", "manifest", "training"] {
        stated.insert(kind, statements::put(&write, kind, kind.as_bytes().to_vec(), now).await.unwrap());
    }
    let campaign = Campaign {
        lineage: "m".to_owned(),
        salt: Bytes32([1; 32]),
        segments: "[]".to_owned(),
        manifest_key: Bytes32([2; 32]),
        statement: Sha256(stated["campaign"]),
        created_at: Micros(now),
    };
    campaigns::create(&write, campaign).await.unwrap();
    let (registration, _) = registrations::begin(&write, "m", "token".to_owned(), now).await.unwrap();
    let row = |(place, id): (u8, &str)| sources::Source {
        lineage: "m".to_owned(),
        source_id: id.to_owned(),
        record: id.as_bytes().to_vec(),
        record_key: Bytes32([place; 32]),
        seed: Bytes32(*digest(id).as_bytes()),
        suppressed_at: None,
        revoked_at: None,
        manifest: registration.generation,
        segment: 0,
        since: 1,
        corpus: None,
    };
    let rows: Vec<_> = [(1, "a"), (2, "b"), (3, "c")].map(row).into();
    registrations::stage(&write, &registration, rows).await.unwrap();
    registrations::finish(&write, &registration, 3).await.unwrap();
    let manifest = Manifest {
        lineage: "m".to_owned(),
        generation: registration.generation,
        root: Sha256(digest("manifest")),
        sources: 3,
        statement: Sha256(stated["manifest"]),
        created_at: Micros(now),
    };
    manifests::create(&write, manifest).await.unwrap();
    let (name, path, created_at) = ("c".to_owned(), "corpora/c".to_owned(), Micros(now));
    let corpus = Corpus { name, path, documents: 3, sources: 3, tokens: None, created_at };
    corpora::create(&write, corpus).await.unwrap();
    let model = Model {
        name: "m".to_owned(),
        lineage: "m".to_owned(),
        corpus: "c".to_owned(),
        preset: "tiny".to_owned(),
        generation: 0,
        checkpoint: String::new(),
        baseline_of: None,
        control: None,
        excluded: Names::default(),
        weight_root: None,
        layout_digest: None,
        training_statement: None,
        status: ModelStatus::Training,
        created_at: Micros(now),
    };
    models::create(&write, model).await.unwrap();
    let trained = Trained {
        weight_root: digest("weights"),
        layout_digest: digest("layout"),
        checkpoint: "models/m/1".to_owned(),
        statement: stated["training"],
    };
    models::finish_training(&write, "m", &trained).await.unwrap();
    for person in PEOPLE {
        for role in EVERY_ROLE {
            persons::add(&write, person, role, now).await.unwrap();
        }
    }
    write.commit().await.unwrap();
    let clock_of_deps: Arc<ManualClock> = Arc::clone(&clock);
    (Arc::new(Deps { db, data, keys, clock: clock_of_deps, settings, log: Sequencer::default() }), clock)
}
