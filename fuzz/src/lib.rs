//! What each fuzz target reads, and what must hold whatever it is given: no panic, one spelling of what is accepted, and
//! nothing accepted that was not signed. Not here: the seeds (`seeds.rs`).

use std::{io, sync::LazyLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use obelus_core::Digest;
use obelus_ledger::{
    audit_bundle,
    bundle::Bundle,
    canonical,
    certificate::{CertificateDocument, Exhibit},
    change_proof::ChangeProof,
    checkpoint::Checkpoint,
    dsse::Envelope,
    growth_proof::GrowthProof,
    keys::{PrivateKey, PublicKey, Role, Signer as _},
    manifest::{Absence, Presence},
    merkle,
    model_key::{ModelPrivateKey, ModelPublicKey},
    model_signing,
    row_proof::RowProof,
    statement::{
        AuditBundle, Campaign, Certificate, CertificateStatus, Erasure, KeyRevocation, KeyRotation, PoolExtension,
        Predicate, SourceManifest, SourceProvenance, Statement, TrainingRun, VerificationProtocol, VerificationRun,
    },
    tile::{self, TileId, TileKind},
    tile_edge::TileEdge,
    tlog_proof::TlogProof,
    trust::TrustedRoot,
    verify::{Input, ProofKind, companions, documents, follow, verify},
};

#[allow(dead_code, reason = "shared with the tests of certificates, which use more of it")]
#[path = "../../crates/ledger/tests/certificate/fixture.rs"]
pub mod fixture;
#[allow(dead_code, reason = "shared with the tests of certificates, which use more of it")]
#[path = "../../crates/ledger/tests/certificate/statements.rs"]
mod statements;
mod status;

use fixture::{Fixture, GROWN, MANIFEST_KEY, ORIGIN, SOURCES, private_key};
pub use status::{STATUS_LIST, status_list};

/// The document that the targets rest on, made once.
pub static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| Fixture::new(GROWN, &mut |_| ()));

/// Everything that was signed in it, as files.
pub static SIGNED: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut files = vec![FIXTURE.file()];
    for logged in FIXTURE.document.exhibits.iter().chain(&FIXTURE.document.extensions) {
        files.push(logged.envelope.to_bytes().expect("it was signed here"));
    }
    for exhibit in Exhibit::ALL {
        let bundle = FIXTURE.bundle(exhibit);
        let place = FIXTURE.document.exhibits.iter().find(|logged| logged.exhibit == exhibit).expect("it has them all");
        let proof = TlogProof {
            body: bundle.body().expect("it was made here"),
            index: place.index,
            path: place.path.clone(),
            checkpoint: FIXTURE.document.checkpoint.clone(),
        };
        files.push(canonical::to_bytes(&bundle).expect("it was made here"));
        files.push(proof.to_text().into_bytes());
    }
    files
});

/// The verifier on a file that stands alone: whatever it accepts was signed here, to the byte.
fn verify_alone(data: &[u8]) {
    let Ok(report) = verify(&Input { file: data, ..Input::default() }, &FIXTURE.trust) else { return };
    // A checkpoint may carry the lines of witnesses, which nobody's key here covers.
    assert!(!report.ok || report.kind == "checkpoint" || SIGNED.iter().any(|file| file == data), "a forgery");
}

/// Canonical JSON and envelopes: what is read is written again as the same bytes.
pub fn canonical(data: &[u8]) {
    if let Ok(value) = canonical::from_bytes::<serde_json::Value>(data) {
        assert_eq!(canonical::to_bytes(&value).expect("it was read"), data);
    }
    if let Ok(envelope) = Envelope::from_bytes(data) {
        assert_eq!(envelope.to_bytes().expect("it was read"), data);
        let _ = envelope.payload();
        for role in Role::ALL {
            let _ = envelope.verify(&private_key(role).public_key());
        }
    }
}

fn statement_of<P: Predicate>(payload: &[u8]) {
    // Signing is slow: only what says that it is this statement.
    let named = String::from_utf8_lossy(payload).contains(P::NAME);
    if !named || canonical::from_bytes::<serde_json::Value>(payload).is_err() {
        return;
    }
    let key = private_key(P::ROLE);
    let Ok(envelope) = Envelope::sign(payload, &key) else { return };
    if let Ok(statement) = Statement::<P>::verify(&envelope, &key.public_key()) {
        assert_eq!(canonical::to_bytes(&statement).expect("it was read"), payload);
        let _ = statement.subject();
    }
    let file = envelope.to_bytes().expect("it was signed");
    let _ = verify(&Input { file: &file, ..Input::default() }, &FIXTURE.trust);
}

/// Payloads that were signed by the right key, whatever is in them.
pub fn statement(data: &[u8]) {
    statement_of::<Campaign>(data);
    statement_of::<PoolExtension>(data);
    statement_of::<SourceManifest>(data);
    statement_of::<SourceProvenance>(data);
    statement_of::<TrainingRun>(data);
    statement_of::<VerificationProtocol>(data);
    statement_of::<Erasure>(data);
    statement_of::<VerificationRun>(data);
    statement_of::<Certificate>(data);
    statement_of::<AuditBundle>(data);
    statement_of::<KeyRotation>(data);
    statement_of::<KeyRevocation>(data);
    statement_of::<CertificateStatus>(data);
}

/// Any file, as `obelus verify` takes it: alone, beside a proof, and with the names of what belongs to it.
pub fn document(data: &[u8]) {
    verify_alone(data);
    let _ = (companions(data), documents("a.json", data), documents("a.rowproof.json", data));
    let beside = Input { file: &FIXTURE.proof, document: Some(data), proofs: &[] };
    if let Ok(report) = verify(&beside, &FIXTURE.trust) {
        assert!(!report.ok || SIGNED.iter().any(|file| file == data), "a forgery");
    }
}

/// A certificate's document, every statement in it signed and logged anew: an operator with every key who says
/// anything. Nothing is forged here, so that only panics are findings.
pub fn resigned(data: &[u8]) {
    let Ok(mut document) = serde_json::from_slice::<CertificateDocument>(data) else { return };
    let mut signed = Vec::new();
    let mut positions = Vec::new();
    for logged in document.exhibits.drain(..).chain(document.extensions.drain(..)) {
        let role = match logged.exhibit {
            Exhibit::Training => Role::Model,
            Exhibit::Campaign | Exhibit::PoolExtension | Exhibit::Manifest => Role::Registrar,
            _ => Role::Issuer,
        };
        let Ok(payload) = STANDARD.decode(&logged.envelope.payload) else { return };
        let Ok(envelope) = Envelope::sign(&payload, &private_key(role)) else { return };
        signed.push((logged.exhibit, role, envelope));
        positions.push((logged.index % 12) as usize);
    }
    let (_, logged, checkpoint) = fixture::logged(signed, &positions);
    let (extensions, exhibits) = logged.into_iter().partition(|l| l.exhibit == Exhibit::PoolExtension);
    (document.extensions, document.exhibits, document.checkpoint) = (extensions, exhibits, checkpoint);
    let Ok(file) = canonical::to_bytes(&document) else { return };
    let proofs = [(ProofKind::Row, &FIXTURE.proof[..])];
    let _ = verify(&Input { file: &file, document: None, proofs: &proofs }, &FIXTURE.trust);
}

/// A row proof, plain or packed, under the layout of the document and beside it.
pub fn row_proof(data: &[u8]) {
    // The whole certificate is slow: only beside what can be read.
    let Ok(proof) = RowProof::from_bytes(data) else { return };
    let _ = proof.roots(&FIXTURE.document.layout);
    let packed = proof.to_gzip().expect("it was read");
    assert_eq!(RowProof::from_bytes(&packed).expect("it was packed"), proof);
    let certificate = FIXTURE.file();
    let beside = Input { file: data, document: Some(&certificate), proofs: &[] };
    if let Ok(report) = verify(&beside, &FIXTURE.trust) {
        assert!(!report.ok || data == FIXTURE.proof, "a forgery");
    }
}

/// A change proof, plain or packed.
pub fn change_proof(data: &[u8]) {
    if let Ok(proof) = ChangeProof::from_bytes(data) {
        let _ = (proof.roots(&FIXTURE.document.layout), proof.verify_zero_before(&FIXTURE.document.layout));
        let packed = proof.to_gzip().expect("it was read");
        assert_eq!(ChangeProof::from_bytes(&packed).expect("it was packed"), proof);
    }
}

/// A growth proof, plain or packed, from a small layout to a larger one.
pub fn growth_proof(data: &[u8]) {
    if let Ok(proof) = GrowthProof::from_bytes(data) {
        let (before, after) = (fixture::layout(2, 8), fixture::layout(2, 11));
        let _ = (proof.roots(&before, &after), proof.roots(&after, &before), proof.roots(&before, &before));
        let packed = proof.to_gzip().expect("it was read");
        assert_eq!(GrowthProof::from_bytes(&packed).expect("it was packed"), proof);
    }
}

/// A signed note, as it is, and with its text signed by the log.
pub fn checkpoint(data: &[u8]) {
    let Ok(note) = std::str::from_utf8(data) else { return };
    let key = private_key(Role::Log);
    if let Ok(found) = Checkpoint::verify(note, ORIGIN, &key.public_key()) {
        assert!(note.starts_with(&format!("{}\n\u{2014} ", found.text())), "another text than was signed");
        let signed = FIXTURE.document.checkpoint.split("\n\n").next();
        assert_eq!(Some(found.text().trim_end()), signed, "a forgery");
    }
    let text = note.split_once("\n\n").map_or(note, |(text, _)| text);
    let signature = key.sign(format!("{text}\n").as_bytes()).expect("a key in memory signs");
    let line = FIXTURE.document.checkpoint.rsplit_once(' ').expect("it has a signature").1;
    let hash = &STANDARD.decode(line.trim_end()).expect("it was signed here")[..4];
    let raw = STANDARD.encode([hash, &signature].concat());
    let signed = format!("{text}\n\n\u{2014} {ORIGIN} {raw}\n");
    if let Ok(found) = Checkpoint::verify(&signed, ORIGIN, &key.public_key()) {
        assert_eq!(found.sign(&key).expect("a key in memory signs"), signed);
    }
}

/// A trusted root.
pub fn trusted_root(data: &[u8]) {
    if let Ok(root) = TrustedRoot::from_bytes(data) {
        for role in Role::ALL {
            let _ = root.keys_of(role).count();
            for key in &root.keys {
                let _ = root.key(role, &key.keyid);
            }
        }
        let _ = verify(&Input { file: &SIGNED[0], ..Input::default() }, &root);
    }
}

/// Records with their places in a manifest: what is accepted is in it, and what is absent is not.
pub fn manifest(data: &[u8]) {
    let (root, size) = (fixture::manifest_root(GROWN.segments), SOURCES.len() as u64 + 1);
    if let Ok(presence) = canonical::from_bytes::<Presence>(data) {
        if let Ok(Some(record)) = presence.verify(size, &root) {
            assert!(SOURCES.contains(&record.source.as_str()), "a forgery");
        }
    }
    if let Ok(absence) = canonical::from_bytes::<Absence>(data) {
        for source in SOURCES {
            assert!(!absence.verify(&MANIFEST_KEY, source, size, &root).unwrap_or(false), "{source} is there");
        }
        let _ = absence.verify(&MANIFEST_KEY, "nobody/nothing", size, &root);
    }
}

/// A bundle.
pub fn bundle(data: &[u8]) {
    verify_alone(data);
    if let Ok(bundle) = canonical::from_bytes::<Bundle>(data) {
        let log = private_key(Role::Log).public_key();
        let checkpoint = Checkpoint::verify(&FIXTURE.document.checkpoint, ORIGIN, &log).expect("it was signed here");
        let _ = (bundle.note().is_ok(), bundle.body().is_ok());
        let _ = bundle.place(&private_key(Role::Issuer).public_key(), &checkpoint, &log);
    }
}

/// A log proof.
pub fn log_proof(data: &[u8]) {
    verify_alone(data);
    if let Ok(proof) = TlogProof::from_bytes(data) {
        assert_eq!(proof.to_text().as_bytes(), data);
        let _ = merkle::verify_inclusion(
            &merkle::leaf_hash(&proof.body),
            proof.index,
            proof.index.saturating_add(1),
            &proof.path,
            &merkle::root(&[]),
        );
    }
}

/// Tiles: the first bytes name one, the rest is what it holds.
pub fn tile(data: &[u8]) {
    let Some((head, contents)) = data.split_first_chunk::<10>() else { return };
    let size = u64::from_be_bytes([head[0], head[1], head[2], head[3], head[4], head[5], head[6], head[7]]);
    let hashes = TileKind::Hashes { level: head[8] % 9 };
    for kind in [hashes, TileKind::Entries] {
        let Some(tile) = TileId::at(kind, u64::from(head[9]), size) else { continue };
        assert!(!tile.to_string().is_empty());
        if let Ok(read) = tile::read_hashes(tile, contents) {
            assert_eq!(tile::hash_bytes(&read), contents);
            let edge = TileEdge::of(size, std::iter::repeat_with(|| read.clone()));
            assert_eq!(edge.size(), size);
            let _ = edge.root();
        }
        if let Ok(read) = tile::read_entries(tile, contents) {
            assert_eq!(tile::entry_bytes(read).expect("they were read"), contents);
        }
    }
}

/// Gives files in the order in which they are asked for.
fn files(mut rest: &[u8], note: String) -> impl FnMut(&str) -> io::Result<Vec<u8>> {
    move |path| {
        if path == "checkpoint" {
            return Ok(note.clone().into_bytes());
        }
        let (length, after) = rest.split_first_chunk::<2>().ok_or(io::ErrorKind::NotFound)?;
        let length = usize::from(u16::from_be_bytes(*length)).min(after.len());
        let (file, after) = after.split_at(length);
        rest = after;
        Ok(file.to_vec())
    }
}

/// A log's public folder under a checkpoint that the log signed: its size, its root, then each file in the order in which
/// it is asked for, behind its length.
pub fn log_folder(data: &[u8]) {
    let Some((head, rest)) = data.split_first_chunk::<34>() else { return };
    let mut root = [0; 32];
    root.copy_from_slice(&head[2..]);
    let size = u64::from(u16::from_be_bytes([head[0], head[1]]));
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size, root: Digest::new(root) };
    let note = checkpoint.sign(&private_key(Role::Log)).expect("a key in memory signs");
    let mut read = files(rest, note.clone());
    let seen = (size % 2 == 0).then_some(note.as_str());
    if follow(&mut read, seen, &FIXTURE.trust).ok {
        // Another root over the same files: what was accepted must follow from them.
        let other = Checkpoint { root: Digest::sha256(checkpoint.root), ..checkpoint };
        let note = other.sign(&private_key(Role::Log)).expect("a key in memory signs");
        let mut read = files(rest, note);
        assert!(!follow(&mut read, None, &FIXTURE.trust).ok, "a forgery");
    }
}

/// An audit bundle: what is opened is written again as the same bytes. None was signed here.
pub fn audit_bundle(data: &[u8]) {
    if let Ok(files) = audit_bundle::from_zip(data) {
        assert_eq!(audit_bundle::to_zip(&files).expect("it was opened"), data);
        let _ = audit_bundle::Manifest::of(&files);
    }
    if let Ok(report) = verify(&Input { file: data, ..Input::default() }, &FIXTURE.trust) {
        assert!(!report.ok || report.kind != "audit bundle", "a forgery");
    }
}

/// Keys in PEM: what is read is written and read again as the same key.
pub fn key(data: &[u8]) {
    let Ok(pem) = std::str::from_utf8(data) else { return };
    if let Ok(key) = PublicKey::from_pem(pem) {
        assert_eq!(PublicKey::from_pem(&key.to_pem().expect("it was read")).expect("it was written"), key);
    }
    if let Ok(key) = PrivateKey::from_pem(pem) {
        let again = PrivateKey::from_pem(&key.to_pem().expect("it was read")).expect("it was written");
        assert_eq!(again.public_key(), key.public_key());
    }
    if let Ok(key) = ModelPublicKey::from_pem(pem) {
        assert_eq!(ModelPublicKey::from_pem(&key.to_pem().expect("it was read")).expect("it was written"), key);
    }
    // Not with a passphrase: how long an encrypted key takes to open is written in the key itself.
    if let Ok(key) = ModelPrivateKey::from_pem_with(pem, None) {
        let pem = key.to_pem().expect("it was read");
        let again = ModelPrivateKey::from_pem_with(&pem, None).expect("it was written");
        assert_eq!(again.public_key(), key.public_key());
    }
}

/// The key that signs models here.
pub fn model_key() -> ModelPrivateKey {
    ModelPrivateKey::from_scalar(&[7; 32]).expect("it is a scalar")
}

/// A signed model of two files.
pub fn model_files() -> Vec<model_signing::ModelFile> {
    let file = |path: &str| model_signing::ModelFile { path: path.to_owned(), sha256: fixture::named(path) };
    vec![file("config.json"), file("shards/a")]
}

/// A `model.sig`.
pub fn model_signature(data: &[u8]) {
    if let Ok(signed) = model_signing::open(data, &model_key().public_key()) {
        assert_eq!(signed.files, model_files(), "a forgery");
        let again =
            model_signing::sign(&signed.name, &signed.files, &signed.ignored, &model_key()).expect("it was signed");
        assert_eq!(again, data);
    }
}
