//! A complete small certificate, made the way an operator makes one: campaign, manifest, training, protocol, erasure,
//! verification and certificate in a log with foreign leaves in between. Not here: what a verifier says to it.

use obelus_core::{Digest, Timestamp};
use obelus_ledger::{
    canonical,
    certificate::{self, CertificateDocument, Exhibit, Logged},
    checkpoint::{Checkpoint, vkey},
    dsse::Envelope,
    keys::{PrivateKey, PublicKey, Role, Signer as _},
    log_entry,
    manifest::{self, Manifest, Presence, SourceRecord},
    merkle,
    row_proof::RowProof,
    statement::{
        Campaign, Certificate, Erasure, ErasureTarget, Figure, PoolSegment, Predicate, SourceManifest, Statement,
        Subject, TrainingRun, VerificationProtocol, VerificationRun,
    },
    trust::{self, TrustedKey, TrustedRoot},
    weight_tree::{Layout, TensorRows, leaf_hash, zero_leaf_hash},
};
use obelus_mask::{derive_seed, neurons};

pub const LINEAGE: &str = "small";
pub const ORIGIN: &str = "log.example/test";
const POOL: PoolSegment = PoolSegment { base: 0, n: 8, k: 2 };
const LAYERS: u32 = 2;
const SALT: [u8; 32] = [7; 32];
const MANIFEST_KEY: [u8; 32] = [9; 32];
const SOURCES: [&str; 4] = ["a", "b", "c", "d"];

/// The key of a role; another `household` has other keys.
pub fn key(role: Role, household: u8) -> PrivateKey {
    let number = Role::ALL.iter().position(|r| *r == role).unwrap() as u8;
    PrivateKey::from_seed(&[household ^ (number + 1); 32])
}

pub fn trusted(household: u8) -> TrustedRoot {
    let keys = Role::ALL
        .into_iter()
        .map(|role| {
            let public = key(role, household).public_key();
            let public_key = public.to_pem().unwrap();
            TrustedKey { role, keyid: public.id(), public_key, valid_from: Timestamp::from_micros(0), valid_to: None }
        })
        .collect();
    let log: PublicKey = key(Role::Log, household).public_key();
    TrustedRoot { format: trust::FORMAT.into(), log_origin: ORIGIN.into(), log_vkey: vkey(ORIGIN, &log), keys }
}

/// A document with its row proof, and the parts that tests put together anew.
pub struct Made {
    pub document: CertificateDocument,
    pub proof: Vec<u8>,
    /// Presence of every source, struck or not, by source.
    pub presences: Vec<(String, Presence)>,
}

impl Made {
    pub fn bytes(&self) -> Vec<u8> {
        canonical::to_bytes(&self.document).unwrap()
    }
}

fn signed<P: Predicate>(subject: Subject, predicate: P) -> (Envelope, Role) {
    (Statement::new(subject, predicate).sign(&key(P::ROLE, 0)).unwrap(), P::ROLE)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(1_790_000_000_000_000 + second * 1_000_000)
}

fn salt(number: u8) -> String {
    hex::encode([number; 16])
}

fn presences() -> Vec<(String, Presence)> {
    let records: Vec<(Digest, Vec<u8>, String)> = SOURCES
        .iter()
        .map(|id| {
            let record = SourceRecord {
                source: (*id).to_owned(),
                publisher: String::new(),
                license: "public domain".to_owned(),
                documents: 1,
                content_digest: Digest::sha256(id),
                seed: Digest::new(derive_seed(&SALT, LINEAGE, id)),
                segment: 0,
                salt: salt(1),
            };
            (manifest::key(&MANIFEST_KEY, id), canonical::to_bytes(&record).unwrap(), (*id).to_owned())
        })
        .collect();
    let tree = Manifest::new(records.iter().map(|(key, bytes, _)| (*key, bytes.clone())));
    records.into_iter().map(|(key, bytes, id)| (id, tree.presence(&key, &bytes).unwrap())).collect()
}

fn manifest_root(presences: &[(String, Presence)]) -> Digest {
    Manifest::new(presences.iter().map(|(_, p)| (p.key, p.record.clone().into_bytes()))).root()
}

fn layout() -> Layout {
    let row = |name: String, rows| TensorRows { name, dtype: "float32".to_owned(), rows, row_bytes: 8 };
    let mut tensors = vec![row("embed.weight".to_owned(), 3)];
    for layer in 0..LAYERS {
        for matrix in ["gate", "up", "down"] {
            tensors.push(row(format!("layers.{layer}.mlp.sinks.{matrix}"), u64::from(POOL.n)));
        }
    }
    Layout::new(tensors).unwrap()
}

/// Hashes of leaves whose bytes are their own numbers.
fn leaves(layout: &Layout) -> Vec<Digest> {
    (0..layout.leaves())
        .map(|leaf| {
            let place = layout.place_of(leaf).unwrap();
            let bytes = vec![leaf as u8 + 1; place.row_bytes as usize];
            leaf_hash(&place.name, (leaf - place.first_leaf) as u32, &[&bytes])
        })
        .collect()
}

/// The certificate of a strike of `struck`, judged as `verdict`.
pub fn make(struck: &[&str], verdict: &str) -> Made {
    let presences = presences();
    let mut own: Vec<Presence> =
        presences.iter().filter(|(id, _)| struck.contains(&id.as_str())).map(|(_, p)| p.clone()).collect();
    own.sort_by_key(|p| p.key);
    let sources = manifest::list_digest(own.iter().map(|p| (p.key, Digest::sha256(p.record.as_bytes())))).unwrap();

    let segment = obelus_mask::Segment { base: POOL.base, n: POOL.n, k: POOL.k };
    let per_layer: Vec<Vec<u32>> = (0..LAYERS)
        .map(|layer| {
            let mut all: Vec<u32> = struck
                .iter()
                .flat_map(|id| neurons(&derive_seed(&SALT, LINEAGE, id), &[segment], layer).unwrap())
                .collect();
            all.sort_unstable();
            all.dedup();
            all
        })
        .collect();
    let layout = layout();
    let before = leaves(&layout);
    let zeroed = layout.neuron_leaves(&per_layer).unwrap();
    let mut after = before.clone();
    for leaf in &zeroed {
        after[*leaf as usize] = zero_leaf_hash(layout.place_of(*leaf).unwrap(), *leaf);
    }
    let (root_before, root_after) = (merkle::root(&before), merkle::root(&after));
    let proof = RowProof::new(&before, &zeroed).unwrap().to_bytes().unwrap();
    let layout_digest = layout.digest().unwrap();

    let campaign = signed(
        Subject::sha256(LINEAGE, Digest::sha256(LINEAGE)),
        Campaign {
            lineage: LINEAGE.into(),
            campaign_salt: Digest::new(SALT),
            mask_scheme: "null-mask/v1".into(),
            layers: LAYERS,
            same_mask_in_all_layers: false,
            segments: vec![POOL],
            operator: "tests".into(),
            created_at: at(0),
            salt: salt(2),
        },
    );
    let manifest = signed(
        Subject::sha256(LINEAGE, manifest_root(&presences)),
        SourceManifest {
            lineage: LINEAGE.into(),
            campaign: campaign.0.digest().unwrap(),
            count: SOURCES.len() as u64,
            tokenizer: Digest::sha256("tokenizer"),
            created_at: at(1),
            salt: salt(3),
        },
    );
    let training = signed(
        Subject::weights("m", root_before),
        TrainingRun {
            model: "m".into(),
            manifest: manifest.0.digest().unwrap(),
            configuration: Digest::sha256("configuration"),
            recipe: "plain".into(),
            excluded: Digest::sha256("[]"),
            excluded_count: 0,
            baseline_of: None,
            seed: 1,
            layout: layout_digest,
            code: Digest::sha256("program"),
            device: "cpu".into(),
            steps: 10,
            final_loss: "1.5000".into(),
            started_at: at(2),
            ended_at: at(3),
            salt: salt(4),
        },
    );
    let protocol = signed(
        Subject::sha256("protocol", Digest::sha256("protocol")),
        VerificationProtocol {
            request: "OB-1".into(),
            model: "m".into(),
            sources,
            protocol: Digest::sha256("protocol"),
            probes: Digest::sha256("probes"),
            baselines: vec![],
            fixed_at: at(4),
            salt: salt(5),
        },
    );
    let erasure = signed(
        Subject::weights("m", root_after),
        Erasure {
            request: "OB-1".into(),
            model: "m".into(),
            sources,
            source_count: struck.len() as u64,
            manifest: manifest.0.digest().unwrap(),
            training: training.0.digest().unwrap(),
            generation: 1,
            neuron_count: per_layer.iter().map(|l| l.len() as u64).sum(),
            neurons: Digest::sha256(canonical::to_bytes(&per_layer).unwrap()),
            root_before,
            root_after,
            layout: layout_digest,
            row_proof: Digest::sha256(&proof),
            plan: Digest::sha256("plan"),
            level: "L2".into(),
            targets: vec![ErasureTarget {
                kind: "checkpoint".into(),
                path: "models/m/model.safetensors".into(),
                level: "L2".into(),
                rows: 12,
                at: at(5),
            }],
            erased_at: at(6),
            salt: salt(6),
        },
    );
    let verification = signed(
        Subject::weights("m", root_after),
        VerificationRun {
            request: "OB-1".into(),
            model: "m".into(),
            protocol: protocol.0.digest().unwrap(),
            baselines: vec![],
            baseline_kind: "none".into(),
            before: Digest::sha256("before"),
            results: Digest::sha256("results"),
            verdict: verdict.into(),
            judged_at: at(7),
            salt: salt(7),
        },
    );
    let certificate = signed(
        Subject::weights("m", root_after),
        Certificate {
            id: "CT-1".into(),
            title: "Certificate".into(),
            erasure: erasure.0.digest().unwrap(),
            verification: verification.0.digest().unwrap(),
            erasure_claim: "proved".into(),
            verdict: verdict.into(),
            level: "L2".into(),
            root_before,
            root_after,
            row_proof: Digest::sha256(&proof),
            recipe: "plain".into(),
            baseline: "none".into(),
            figures: vec![Figure { name: "panel.x".into(), verdict: "pass".into(), residual: "0.010".into() }],
            limits: vec!["stated".into()],
            issued_at: at(8),
            valid_until: at(9),
            salt: salt(8),
        },
    );
    let statements = [campaign, manifest, training, protocol, erasure, verification, certificate];
    let document = log(&statements, own, layout);
    Made { document, proof, presences }
}

/// Puts the statements into a log, a foreign leaf before each, and signs its checkpoint.
fn log(statements: &[(Envelope, Role)], sources: Vec<Presence>, layout: Layout) -> CertificateDocument {
    let mut leaves = Vec::new();
    for (number, (envelope, role)) in statements.iter().enumerate() {
        leaves.push(Digest::sha256(number.to_be_bytes()));
        leaves.push(log_entry::leaf(envelope, &key(*role, 0).public_key()).unwrap());
    }
    let checkpoint = Checkpoint { origin: ORIGIN.into(), size: leaves.len() as u64, root: merkle::root(&leaves) };
    let exhibits = Exhibit::ALL
        .into_iter()
        .zip(statements)
        .enumerate()
        .map(|(number, (exhibit, (envelope, _)))| {
            let index = 2 * number + 1;
            let path = merkle::inclusion_proof(&leaves, index).unwrap();
            Logged { exhibit, envelope: envelope.clone(), index: index as u64, path }
        })
        .collect();
    CertificateDocument {
        format: certificate::FORMAT.into(),
        exhibits,
        sources,
        layout,
        checkpoint: checkpoint.sign(&key(Role::Log, 0)).unwrap(),
        row_proof_file: "CT-1.rowproof.json".into(),
    }
}
