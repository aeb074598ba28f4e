//! Rows that cases are about: a trained model without weights. Not here: people and requests.

use std::collections::BTreeMap;

use obelus_core::{Digest, Timestamp};
use obelus_store::{
    Bytes32, Micros, Names, Sha256, Write, campaigns,
    campaigns::Campaign,
    corpora,
    corpora::Corpus,
    manifests::{self, Manifest},
    models::{self, Model, ModelStatus, Trained},
    registrations, sources, statements,
};

/// Why a row that is missing is a failure.
const ROWS: &str = "a migrated database takes the rows of a model";

/// Who published the source `a`; nobody published the others.
pub const PUBLISHER: &str = "Calder Valley Press";

/// A manifest record in its canonical bytes.
fn record(source: &str, publisher: &str) -> Vec<u8> {
    // The keys come out sorted, and a record has no numbers but counts.
    let record = serde_json::json!({
        "contentDigest": Digest::sha256(source),
        "documents": 1,
        "license": "",
        "publisher": publisher,
        "salt": "00000000000000000000000000000000",
        "seed": Digest::sha256(source),
        "segment": 0,
        "source": source,
    });
    record.to_string().into_bytes()
}

/// A trained model `m` of the sources `a`, `b` and `c`, with its campaign, corpus and manifest.
///
/// # Panics
/// When the database refuses a row: a test that cannot run has failed.
pub async fn trained_model(write: &Write, now: Timestamp) {
    let digest = |of: &str| Digest::sha256(of);
    let mut stated = BTreeMap::new();
    for kind in ["campaign", "manifest", "training"] {
        stated.insert(kind, statements::put(write, kind, kind.as_bytes().to_vec(), now).await.expect(ROWS));
    }
    let campaign = Campaign {
        lineage: "m".to_owned(),
        salt: Bytes32([1; 32]),
        segments: "[]".to_owned(),
        manifest_key: Bytes32([2; 32]),
        statement: Sha256(stated["campaign"]),
        created_at: Micros(now),
    };
    campaigns::create(write, campaign).await.expect(ROWS);
    let (registration, _) = registrations::begin(write, "m", "token".to_owned(), now).await.expect(ROWS);
    let row = |(place, id): (u8, &str)| sources::Source {
        lineage: "m".to_owned(),
        source_id: id.to_owned(),
        record: record(id, if id == "a" { PUBLISHER } else { "" }),
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
    registrations::stage(write, &registration, rows).await.expect(ROWS);
    registrations::finish(write, &registration, 3).await.expect(ROWS);
    let manifest = Manifest {
        lineage: "m".to_owned(),
        generation: registration.generation,
        root: Sha256(digest("manifest")),
        sources: 3,
        statement: Sha256(stated["manifest"]),
        created_at: Micros(now),
    };
    manifests::create(write, manifest).await.expect(ROWS);
    let (name, path, created_at) = ("c".to_owned(), "corpora/c".to_owned(), Micros(now));
    let corpus = Corpus { name, path, documents: 3, sources: 3, tokens: None, created_at };
    corpora::create(write, corpus).await.expect(ROWS);
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
    models::create(write, model).await.expect(ROWS);
    let trained = Trained {
        weight_root: digest("weights"),
        layout_digest: digest("layout"),
        checkpoint: "models/m/1".to_owned(),
        statement: stated["training"],
    };
    models::finish_training(write, "m", &trained).await.expect(ROWS);
}
