//! A complete small certificate with keys, log, manifest and weights of its own, so that tests can spoil one thing at a
//! time: before signing (an operator with every key) or after (anybody else). Not here: what must be refused.

use std::collections::{BTreeMap, BTreeSet};

use obelus_core::{Digest, Timestamp};
use obelus_ledger::{
    bundle::{Bundle, Place},
    canonical,
    certificate::{self, CertificateDocument, Exhibit, Logged},
    checkpoint::{Checkpoint, vkey},
    dsse::Envelope,
    keys::{PrivateKey, Role, Signer},
    log_entry,
    manifest::{self, Manifest, Presence, SourceRecord},
    merkle,
    node_tree::NodeTree,
    row_proof::RowProof,
    statement::{
        Campaign, Certificate, Erasure, PoolExtension, SourceManifest, Subject, TrainingRun, VerificationProtocol,
        VerificationRun,
    },
    trust::{self, TrustedKey, TrustedRoot},
    verify::{Input, ProofKind, verify},
    weight_tree::{Layout, TensorRows, leaf_hash},
};
use obelus_mask::{Segment, derive_seed, neurons};

use crate::statements::Facts;

pub const ORIGIN: &str = "log.example/obelus";
pub const MANIFEST_KEY: [u8; 32] = [0x4d; 32];
pub const LAYERS: u32 = 2;
/// The pool: the campaign's segment, two of the first extension, one of the second.
pub const POOL: [Segment; 4] = [
    Segment { base: 0, n: 8, k: 2 },
    Segment { base: 8, n: 3, k: 3 },
    Segment { base: 11, n: 3, k: 3 },
    Segment { base: 14, n: 4, k: 2 },
];
/// gate, up and down row of two float32 each.
const NEURON_BYTES: usize = 24;
pub const SOURCES: [&str; 5] = ["acme/almanac", "böll/letters", "city/gazette", "dora/diary", "ewe/atlas"];

/// The statement that is about to be signed, for a test to spoil it.
pub enum Draft<'a> {
    Campaign(&'a mut Subject, &'a mut Campaign),
    /// With its number, from 0.
    Extension(usize, &'a mut Subject, &'a mut PoolExtension),
    Manifest(&'a mut Subject, &'a mut SourceManifest),
    Training(&'a mut Subject, &'a mut TrainingRun),
    Protocol(&'a mut Subject, &'a mut VerificationProtocol),
    Erasure(&'a mut Subject, &'a mut Erasure),
    Verification(&'a mut Subject, &'a mut VerificationRun),
    Certificate(&'a mut Subject, &'a mut Certificate),
}

/// What differs between fixtures, other than a spoiled statement.
#[derive(Clone, Copy)]
pub struct Setting {
    /// Which sources are struck, as indices in [`SOURCES`].
    pub struck: &'static [usize],
    /// Added to every weight: another number is another model.
    pub weights: u8,
    /// Positions of the seven statements in a log of twelve leaves.
    pub positions: [usize; 7],
    /// Positions of the pool extensions, as many as there are: none, one or two.
    pub extensions: &'static [usize],
    /// The segment that each source's record names.
    pub segments: [u64; SOURCES.len()],
    /// Layers that the layout has beyond those of the campaign.
    pub extra_layers: u32,
    /// Whose key signs each statement instead of its own role's.
    pub signer: Option<(Exhibit, Role)>,
}

pub const USUAL: Setting = Setting {
    struck: &[1, 3],
    weights: 1,
    positions: [1, 3, 4, 6, 7, 8, 10],
    extensions: &[],
    segments: [0; SOURCES.len()],
    extra_layers: 0,
    signer: None,
};

/// The pool grew twice before the manifest, and most sources have their sinks in the new segments.
pub const GROWN: Setting =
    Setting { positions: [1, 5, 6, 7, 8, 9, 10], extensions: &[2, 4], segments: [0, 1, 0, 2, 3], ..USUAL };

/// A certificate, its row proof and the keys to check them with.
pub struct Fixture {
    pub document: CertificateDocument,
    pub proof: Vec<u8>,
    pub trust: TrustedRoot,
    /// Every leaf of the log.
    pub log: Vec<Digest>,
}

pub fn private_key(role: Role) -> PrivateKey {
    PrivateKey::from_seed(&[10 + role as u8; 32])
}

/// Minutes after the beginning of the story.
pub fn at(minutes: i64) -> Timestamp {
    Timestamp::from_micros(1_790_000_000_000_000 + minutes * 60_000_000)
}

pub fn trusted_root() -> TrustedRoot {
    let keys = Role::ALL.map(|role| TrustedKey::new(role, &private_key(role).public_key(), at(-10)).unwrap());
    TrustedRoot {
        format: trust::FORMAT.to_owned(),
        log_origin: ORIGIN.to_owned(),
        log_vkey: vkey(ORIGIN, &private_key(Role::Log).public_key()),
        keys: keys.to_vec(),
    }
}

pub fn named(what: &str) -> Digest {
    Digest::sha256(what)
}

pub fn salt(what: &str) -> String {
    named(what).to_string()[..32].to_owned()
}

/// Neurons of the pool after this many extensions.
fn sinks(extensions: usize) -> u64 {
    let last = POOL[[0, 2, 3][extensions]];
    u64::from(last.base + last.n)
}

/// A layout of this many layers with this many sinks in each.
pub fn layout(layers: u32, sinks: u64) -> Layout {
    let tensor = |name: String, rows, row_bytes| TensorRows { name, dtype: "float32".to_owned(), rows, row_bytes };
    let mut tensors = vec![tensor("embed.weight".to_owned(), 2, 8), tensor("norm.weight".to_owned(), 1, 8)];
    for layer in 0..layers {
        for part in ["gate", "up", "down"] {
            let row_bytes = NEURON_BYTES as u64 / 3;
            tensors.push(tensor(format!("layers.{layer}.mlp.backbone.{part}"), 2, row_bytes));
            tensors.push(tensor(format!("layers.{layer}.mlp.sinks.{part}"), sinks, row_bytes));
        }
    }
    Layout::new(tensors).unwrap()
}

pub fn weight_leaves(layout: &Layout, weights: u8, zeroed: &[u64]) -> Vec<Digest> {
    (0..layout.leaves())
        .map(|leaf| {
            let place = layout.place_of(leaf).unwrap();
            let byte = if zeroed.contains(&leaf) { 0 } else { weights.wrapping_add(leaf as u8) };
            leaf_hash(&place.name, (leaf - place.first_leaf) as u32, &[&vec![byte; place.row_bytes as usize]])
        })
        .collect()
}

pub fn campaign_salt() -> Digest {
    named("campaign salt")
}

fn records(segments: [u64; SOURCES.len()]) -> BTreeMap<Digest, Vec<u8>> {
    let record = |i: usize, source: &str| SourceRecord {
        source: source.to_owned(),
        publisher: "Example Press".to_owned(),
        license: String::new(),
        documents: 2,
        content_digest: named(&format!("{source} content")),
        seed: Digest::new(derive_seed(campaign_salt().as_bytes(), "lineage-a", source)),
        segment: segments[i],
        salt: salt(source),
    };
    let bytes = |i: usize| canonical::to_bytes(&record(i, SOURCES[i])).unwrap();
    let mut records: BTreeMap<_, _> =
        (0..SOURCES.len()).map(|i| (manifest::key(&MANIFEST_KEY, SOURCES[i]), bytes(i))).collect();
    // A registrar who breaks the rules: one source a second time, under a key that is not its own.
    records.insert(second_key(), bytes(1));
    records
}

fn second_key() -> Digest {
    manifest::key(&[0x99; 32], SOURCES[1])
}

/// The second record of a source that is also registered properly.
pub fn second_presence() -> Presence {
    let records = records(USUAL.segments);
    Manifest::new(records.clone()).presence(&second_key(), &records[&second_key()]).unwrap()
}

pub fn manifest_root(segments: [u64; SOURCES.len()]) -> Digest {
    Manifest::new(records(segments)).root()
}

/// Where each source stands in the manifest, in the order of [`SOURCES`].
pub fn presences(segments: [u64; SOURCES.len()]) -> Vec<Presence> {
    let records = records(segments);
    let manifest = Manifest::new(records.clone());
    let keys = SOURCES.map(|source| manifest::key(&MANIFEST_KEY, source));
    keys.iter().map(|key| manifest.presence(key, &records[key]).unwrap()).collect()
}

impl Fixture {
    pub fn usual() -> Self {
        Self::new(USUAL, &mut |_| ())
    }

    /// Signs and logs the seven statements; `spoil` sees each just before it is signed.
    pub fn new(setting: Setting, spoil: &mut dyn FnMut(Draft<'_>)) -> Self {
        let layout = layout(LAYERS + setting.extra_layers, sinks(setting.extensions.len()));
        let sources = listed(setting.struck, setting.segments);
        let per_layer = neurons_of(setting.struck, setting.segments);
        let zeroed = layout.neuron_leaves(&per_layer).unwrap();
        let leaves = weight_leaves(&layout, setting.weights, &[]);
        let proof = RowProof::new(&NodeTree::new(leaves.clone()), &zeroed).unwrap().to_gzip().unwrap();
        let roots = [merkle::root(&leaves), merkle::root(&weight_leaves(&layout, setting.weights, &zeroed))];
        let facts = Facts {
            layout: layout.digest().unwrap(),
            roots,
            proof: Digest::sha256(&proof),
            segments: setting.segments,
            ..Facts::about(&sources, &per_layer)
        };
        let signed = facts.sign(&setting, spoil);
        let mut positions = setting.positions.to_vec();
        positions.splice(1..1, setting.extensions.iter().copied());
        let (log, logged, checkpoint) = logged(signed, &positions);
        let (extensions, exhibits) = logged.into_iter().partition(|l| l.exhibit == Exhibit::PoolExtension);
        let document = CertificateDocument {
            format: certificate::FORMAT.to_owned(),
            exhibits,
            extensions,
            sources,
            layout,
            checkpoint,
            row_proof_file: "OB-2026-0001.rowproof.json".to_owned(),
        };
        Self { document, proof, trust: trusted_root(), log }
    }

    pub fn file(&self) -> Vec<u8> {
        canonical::to_bytes(&self.document).unwrap()
    }

    /// One of the statements as a bundle.
    pub fn bundle(&self, exhibit: Exhibit) -> Bundle {
        let logged = self.document.exhibits.iter().find(|logged| logged.exhibit == exhibit).unwrap();
        let keyid = logged.envelope.signatures[0].keyid;
        let signer = Role::ALL.map(|role| private_key(role).public_key()).into_iter().find(|key| key.id() == keyid);
        let place = Place { index: logged.index, path: logged.path.clone() };
        let log_key = private_key(Role::Log).public_key();
        let note = &self.document.checkpoint;
        Bundle::new(logged.envelope.clone(), &signer.unwrap(), &place, note, ORIGIN, &log_key).unwrap()
    }

    /// Why a certificate is not accepted; none when it is.
    pub fn refusal(&self, file: &[u8], proof: Option<&[u8]>) -> Option<String> {
        let proofs: Vec<_> = proof.into_iter().map(|proof| (ProofKind::Row, proof)).collect();
        refusal(&Input { file, document: None, proofs: &proofs }, &self.trust)
    }
}

/// Why an input is not accepted; none when it is.
pub fn refusal(input: &Input<'_>, trust: &TrustedRoot) -> Option<String> {
    match verify(input, trust) {
        Err(unreadable) => Some(unreadable.to_string()),
        Ok(report) if report.ok => None,
        Ok(report) => Some(report.checks.iter().filter(|c| !c.ok).map(|c| c.detail.as_str()).collect::<String>()),
    }
}

/// Where these sources stand in the manifest, ascending by key.
pub fn listed(sources: &[usize], segments: [u64; SOURCES.len()]) -> Vec<Presence> {
    let mut listed: Vec<Presence> = sources.iter().map(|i| presences(segments)[*i].clone()).collect();
    listed.sort_by_key(|presence| presence.key);
    listed
}

/// The neurons of these sources, layer by layer. A segment that the pool does not have stands for the first.
pub fn neurons_of(sources: &[usize], segments: [u64; SOURCES.len()]) -> Vec<Vec<u32>> {
    let seed = |i: usize| derive_seed(campaign_salt().as_bytes(), "lineage-a", SOURCES[i]);
    let segment = |i: usize| *POOL.get(segments[i] as usize).unwrap_or(&POOL[0]);
    let of = |layer| {
        let all = sources.iter().flat_map(|i| neurons(&seed(*i), &[segment(*i)], layer).unwrap());
        all.collect::<BTreeSet<u32>>().into_iter().collect()
    };
    (0..LAYERS).map(of).collect()
}

/// Puts statements among foreign leaves and proves their places.
pub fn logged(signed: Vec<(Exhibit, Role, Envelope)>, positions: &[usize]) -> (Vec<Digest>, Vec<Logged>, String) {
    let mut log: Vec<Digest> = (0..12).map(|i| merkle::leaf_hash(format!("foreign {i}").as_bytes())).collect();
    for ((_, role, envelope), position) in signed.iter().zip(positions) {
        log[*position] = log_entry::leaf(envelope, &private_key(*role).public_key()).unwrap();
    }
    let place = |((exhibit, _, envelope), position): ((Exhibit, Role, Envelope), &usize)| Logged {
        exhibit,
        envelope,
        index: *position as u64,
        path: merkle::inclusion_proof(&log, *position).unwrap(),
    };
    let exhibits = signed.into_iter().zip(positions).map(place).collect();
    let checkpoint = checkpoint_of(&log);
    (log, exhibits, checkpoint)
}

/// The log's signed checkpoint over these leaves.
pub fn checkpoint_of(log: &[Digest]) -> String {
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: log.len() as u64, root: merkle::root(log) };
    checkpoint.sign(&private_key(Role::Log)).unwrap()
}
