//! A certificate, with the rows that it rests on and with its files: as short a case as the store accepts. Its files and
//! statements hold no evidence. Not here: assertions.

use std::fs;

use obelus_core::{Digest, Timestamp};
use obelus_ledger::tile_edge::TileEdge;
use obelus_ledger::{merkle, tile};
use obelus_store::{
    Bytes32, Micros, Names, Sha256, Write, approvals,
    campaigns::{self, Campaign},
    certificates::{self, Certificate, NewCertificate},
    corpora::{self, Corpus},
    erasures::{self, NewErasure, TargetState},
    log::{self, Head, NewLeaf},
    models::{self, Model, ModelStatus, Trained},
    persons,
    requests::{
        self, NewRequest,
        RequestState::{Acknowledged, Received, Suppressed, Triaged},
    },
    statements,
    verifications::{self, Judgement, NewRun},
};

use crate::house::House;

/// What a source that wants to do harm calls itself.
pub const SOURCE: &str = "<b>anna</b>\u{202e}";

/// A certificate that is valid for an hour, and whose files lie where they must.
pub async fn certificate(house: &House) -> Certificate {
    let write = house.deps.work.db.write().await.unwrap();
    let request = struck_request(house, &write).await;
    let certificate = issue(&write, house.now(), &request).await;
    write.commit().await.unwrap();
    let folder = house.deps.work.data.certificates();
    fs::create_dir_all(&folder).unwrap();
    for end in [".pdf", ".json", ".evidence.json", ".tlog-proof", ".rowproof.json"] {
        let name = format!("{}{end}", certificate.id);
        fs::write(folder.join(&name), format!("the bytes of {name}")).unwrap();
    }
    certificate
}

async fn statement(write: &Write, text: &str) -> Digest {
    statements::put(write, "test/v1", text.as_bytes().to_vec(), Timestamp::from_micros(0)).await.unwrap()
}

async fn model(write: &Write, now: Timestamp) {
    let created_at = Micros(now);
    let campaign = Campaign {
        lineage: "kea".to_owned(),
        salt: Bytes32([1; 32]),
        segments: "[]".to_owned(),
        manifest_key: Bytes32([2; 32]),
        statement: Sha256(statement(write, "campaign").await),
        created_at,
    };
    campaigns::create(write, campaign).await.unwrap();
    let (name, path) = ("letters".to_owned(), "corpora/letters".to_owned());
    corpora::create(write, Corpus { name, path, documents: 1, sources: 1, tokens: None, created_at }).await.unwrap();
    let model = Model {
        name: "kea-1".to_owned(),
        lineage: "kea".to_owned(),
        corpus: "letters".to_owned(),
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
        created_at,
    };
    models::create(write, model).await.unwrap();
    let trained = Trained {
        weight_root: Digest::sha256("weights"),
        layout_digest: Digest::sha256("layout"),
        checkpoint: "models/kea-1/1".to_owned(),
        statement: statement(write, "training").await,
    };
    models::finish_training(write, "kea-1", &trained).await.unwrap();
}

async fn struck_request(house: &House, write: &Write) -> String {
    let now = house.now();
    model(write, now).await;
    let mut people = Vec::new();
    for name in ["nils", "mara", "ilse"] {
        people.push(persons::add(write, name, "requester", now).await.unwrap().id);
    }
    let new = NewRequest {
        regime: "gdpr-art17".to_owned(),
        regime_file: None,
        calendar_file: None,
        model: "kea-1".to_owned(),
        filed_by: people[0],
        sources: vec![SOURCE.to_owned()],
    };
    let request = requests::reserve(write, now).await.unwrap();
    requests::file(write, request.clone(), new, now).await.unwrap();
    for (from, to) in [(Received, Acknowledged), (Acknowledged, Triaged), (Triaged, Suppressed)] {
        requests::advance(write, &request, from, to).await.unwrap();
    }
    requests::set_plan(write, &request, b"plan".to_vec()).await.unwrap();
    for person in &people[1..] {
        approvals::approve(write, &request, *person, &Digest::sha256("plan"), now).await.unwrap();
    }
    requests::open_window(write, &request, now).await.unwrap();
    requests::begin_zeroing(write, &request, now).await.unwrap();
    let targets = vec![("checkpoint".to_owned(), "models/kea-1/1".to_owned())];
    let root_before = Digest::sha256("before");
    let erasure = NewErasure { request: request.clone(), model: "kea-1".to_owned(), root_before, targets };
    erasures::begin(write, &erasure, now).await.unwrap();
    for target in erasures::targets(write, &request).await.unwrap() {
        erasures::record_target(write, target.id, TargetState::Done, "{}", now).await.unwrap();
    }
    erasures::finish(write, &request, &Digest::sha256("after"), "proofs/1", now).await.unwrap();
    erasures::record_statement(write, &request, &statement(write, "erasure").await).await.unwrap();
    request
}

async fn issue(write: &Write, now: Timestamp, request: &str) -> Certificate {
    let run = NewRun {
        request: Some(request.to_owned()),
        model: "kea-1".to_owned(),
        source_id: SOURCE.to_owned(),
        protocol: b"protocol".to_vec(),
        protocol_statement: statement(write, "protocol").await,
    };
    let run = verifications::begin(write, run, now).await.unwrap();
    verifications::record_before(write, &run.id, b"scores".to_vec()).await.unwrap();
    let judgement = Judgement {
        results: b"results".to_vec(),
        verdict: "verified_with_residual".to_owned(),
        statement: statement(write, "verdict").await,
        circumstances: "{}".to_owned(),
    };
    verifications::judge(write, &run.id, judgement, now).await.unwrap();
    let id = certificates::reserve(write, now).await.unwrap();
    let certificate = NewCertificate {
        path: format!("certificates/{id}.json"),
        statement: statement(write, "certificate").await,
        id,
        verification_run: run.id,
        level: "L3".to_owned(),
        valid_until: Timestamp::from_micros(now.as_micros() + 3_600_000_000),
        follows: None,
    };
    certificates::issue(write, certificate, now).await.unwrap()
}

/// A log of `size` entries, with its tiles and a note that nobody has signed. Gives the hashes of the leaves.
pub async fn log(house: &House, size: u64) -> Vec<Digest> {
    let write = house.deps.work.db.write().await.unwrap();
    let mut leaves = Vec::new();
    for index in 0..size {
        let body = format!("{{\"entry\":{index}}}").into_bytes();
        let statement = statement(&write, &format!("logged {index}")).await;
        leaves.push(NewLeaf { leaf_hash: merkle::leaf_hash(&body), body, statement });
    }
    let hashes: Vec<Digest> = leaves.iter().map(|leaf| leaf.leaf_hash).collect();
    let root = merkle::root(&hashes);
    let note = format!("obelus.example/log\n{size}\n{root}\n\n— nobody\n");
    let old = log::head(&write).await.unwrap();
    let new = Head { size, root, note: note.clone().into_bytes() };
    log::append(&write, &leaves, &old, &new).await.unwrap();
    write.commit().await.unwrap();
    let folder = house.deps.work.data.log();
    for (id, hashes) in TileEdge::default().grow(hashes.iter().copied()).tiles() {
        let path = folder.join(id.to_string());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, tile::hash_bytes(hashes)).unwrap();
    }
    fs::write(folder.join("checkpoint"), note).unwrap();
    fs::create_dir_all(house.deps.work.data.keys()).unwrap();
    fs::write(house.deps.work.data.keys().join("log"), "a private key").unwrap();
    hashes
}
