//! Offline verification of what the product hands out: certificates, statements, row proofs and log checkpoints.
//!
//! Keys come from the trusted root, never from the document. Not here: reading files, and any model.

mod citations;

use std::collections::BTreeSet;

use obelus_core::Digest;
use obelus_mask::{Segment, derive_seed, neurons};
use serde::Serialize;

use self::citations::{citations, open};
use crate::{
    canonical,
    certificate::{self, CertificateDocument},
    checkpoint::Checkpoint,
    dsse::Envelope,
    keys::{PublicKey, Role},
    manifest,
    row_proof::RowProof,
    statement::{
        Campaign, Certificate, Erasure, Predicate, SourceManifest, SourceProvenance, Statement, TrainingRun,
        VerificationProtocol, VerificationRun,
    },
    trust::TrustedRoot,
};

/// One check and how it came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// Whether it holds.
    pub ok: bool,
    /// What was found, or why not.
    pub detail: String,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether every check holds.
    pub ok: bool,
    /// What the file is.
    pub kind: &'static str,
    /// Every check made.
    pub checks: Vec<Check>,
}

/// The file is none of the kinds that can be verified.
#[derive(Debug, thiserror::Error)]
#[error("not a certificate, statement, row proof or checkpoint: {0}")]
pub struct Unreadable(pub String);

/// What is to be verified. The caller reads the files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Input<'a> {
    /// The file.
    pub file: &'a [u8],
    /// The row proof that lies beside a certificate.
    pub row_proof: Option<&'a [u8]>,
    /// The certificate that lies beside a row proof.
    pub certificate: Option<&'a [u8]>,
}

/// The name of the row proof that a certificate asks for; none when the file is no certificate.
pub fn row_proof_name(file: &[u8]) -> Option<String> {
    let document: CertificateDocument = serde_json::from_slice(file).ok()?;
    let name = document.row_proof_file;
    let plain = !name.is_empty() && !name.contains(['/', '\\', '\0']) && name != "." && name != "..";
    plain.then_some(name)
}

/// Verifies a file against trusted keys.
///
/// # Errors
/// When the file is of no known kind.
pub fn verify(input: &Input<'_>, trust: &TrustedRoot) -> Result<Report, Unreadable> {
    let file = input.file;
    if file.starts_with(&[0x1f, 0x8b]) || looks_like(file, "zeroed_leaves") {
        return Ok(row_proof(input, trust));
    }
    if looks_like(file, "exhibits") {
        return Ok(certificate(file, input.row_proof, trust));
    }
    if looks_like(file, "payloadType") {
        return Ok(statement(file, trust));
    }
    match std::str::from_utf8(file) {
        Ok(note) if note.contains("\n\n\u{2014} ") => Ok(checkpoint(note, trust)),
        _ => Err(Unreadable("it is neither JSON of a known form nor a signed note".to_owned())),
    }
}

fn looks_like(file: &[u8], field: &str) -> bool {
    serde_json::from_slice::<serde_json::Value>(file).is_ok_and(|v| v.get(field).is_some())
}

/// Collects checks; a check that fails is said and the rest goes on as far as it can.
struct Checks(Vec<Check>);

impl Checks {
    fn add(&mut self, name: &str, result: Result<String, String>) -> bool {
        let (ok, detail) = match result {
            Ok(detail) => (true, detail),
            Err(detail) => (false, detail),
        };
        self.0.push(Check { name: name.to_owned(), ok, detail });
        ok
    }

    fn holds(&mut self, name: &str, ok: bool, detail: &str, otherwise: &str) -> bool {
        self.add(name, if ok { Ok(detail.to_owned()) } else { Err(otherwise.to_owned()) })
    }

    fn report(self, kind: &'static str) -> Report {
        Report { ok: !self.0.is_empty() && self.0.iter().all(|c| c.ok), kind, checks: self.0 }
    }
}

/// Verifies an envelope with the trusted key that it names.
fn signed<P: Predicate>(envelope: &Envelope, trust: &TrustedRoot) -> Result<(Statement<P>, PublicKey), String> {
    let keyid = envelope.signatures.first().map(|s| s.keyid).ok_or("there is no signature")?;
    let (key, _) =
        trust.key(P::ROLE, &keyid).ok_or_else(|| format!("no trusted {} key has the id {keyid}", P::ROLE))?;
    Statement::verify(envelope, &key).map(|s| (s, key)).map_err(|e| e.to_string())
}

fn checkpoint(note: &str, trust: &TrustedRoot) -> Report {
    let mut checks = Checks(vec![]);
    checks.add("checkpoint", open_checkpoint(note, trust).map(|c| format!("{} leaves, root {}", c.size, c.root)));
    checks.report("checkpoint")
}

fn open_checkpoint(note: &str, trust: &TrustedRoot) -> Result<Checkpoint, String> {
    let mut reason = "there is no trusted log key".to_owned();
    for key in trust.keys_of(Role::Log) {
        match Checkpoint::verify(note, &trust.log_origin, &key) {
            Ok(checkpoint) => return Ok(checkpoint),
            Err(e) => reason = e.to_string(),
        }
    }
    Err(reason)
}

fn statement(file: &[u8], trust: &TrustedRoot) -> Report {
    let mut checks = Checks(vec![]);
    match Envelope::from_bytes(file) {
        Err(e) => {
            checks.add("canonical form", Err(e.to_string()));
        }
        Ok(envelope) => {
            checks.add("canonical form", Ok(format!("envelope {}", Digest::sha256(file))));
            checks.add("signature", statement_kind(&envelope, trust));
        }
    }
    checks.report("statement")
}

fn statement_kind(envelope: &Envelope, trust: &TrustedRoot) -> Result<String, String> {
    fn of<P: Predicate>(envelope: &Envelope, trust: &TrustedRoot) -> Result<String, String> {
        signed::<P>(envelope, trust)
            .map(|(s, _)| format!("{} about {}, signed by the {} key", P::NAME, s.subject().name, P::ROLE))
    }
    let payload = envelope.payload().map_err(|e| e.to_string())?;
    let value: serde_json::Value = serde_json::from_slice(&payload).map_err(|e| e.to_string())?;
    let name = value["predicateType"].as_str().unwrap_or_default().rsplit("/attestation/").next().unwrap_or_default();
    match name {
        Campaign::NAME => of::<Campaign>(envelope, trust),
        SourceManifest::NAME => of::<SourceManifest>(envelope, trust),
        SourceProvenance::NAME => of::<SourceProvenance>(envelope, trust),
        TrainingRun::NAME => of::<TrainingRun>(envelope, trust),
        Erasure::NAME => of::<Erasure>(envelope, trust),
        VerificationProtocol::NAME => of::<VerificationProtocol>(envelope, trust),
        VerificationRun::NAME => of::<VerificationRun>(envelope, trust),
        Certificate::NAME => of::<Certificate>(envelope, trust),
        other => Err(format!("unknown predicate {other:?}")),
    }
}

fn row_proof(input: &Input<'_>, trust: &TrustedRoot) -> Report {
    let mut checks = Checks(vec![]);
    match input.certificate {
        None => {
            checks.add(
                "statement beside it",
                Err("a row proof says nothing alone; put it beside the certificate that cites it".to_owned()),
            );
            checks.report("row proof")
        }
        Some(certificate_file) => {
            let mut report = certificate(certificate_file, Some(input.file), trust);
            report.kind = "row proof";
            report
        }
    }
}

fn certificate(file: &[u8], proof: Option<&[u8]>, trust: &TrustedRoot) -> Report {
    let mut checks = Checks(vec![]);
    match canonical::from_bytes::<CertificateDocument>(file) {
        Err(e) => {
            checks.add("canonical form", Err(e.to_string()));
        }
        Ok(document) => {
            checks.holds(
                "canonical form",
                document.format == certificate::FORMAT,
                "the file is exactly the bytes that its contents give",
                "unknown format",
            );
            if let Err(reason) = certificate_checks(&document, proof, trust, &mut checks) {
                checks.add("statements", Err(reason));
            }
        }
    }
    checks.report("certificate")
}

fn certificate_checks(
    document: &CertificateDocument,
    proof: Option<&[u8]>,
    trust: &TrustedRoot,
    checks: &mut Checks,
) -> Result<(), String> {
    let checkpoint = open_checkpoint(&document.checkpoint, trust)?;
    checks.add("checkpoint", Ok(format!("signed by {}, {} leaves", checkpoint.origin, checkpoint.size)));
    let opened = open(document, trust, &checkpoint)?;
    checks.add("statements", Ok("seven statements signed by the right roles, each in the log, in order".to_owned()));
    checks.add("citations", citations(&opened));
    // The name of the proof is not signed, but the certificate's id is: a changed name would hide the proof.
    let named = format!("{}.rowproof.json", opened.certificate.predicate.id);
    if document.row_proof_file != named {
        return Err(format!("the row proof of this certificate is called {named}, not {}", document.row_proof_file));
    }

    let (campaign, erasure) = (&opened.campaign.predicate, &opened.erasure.predicate);
    let manifest = &opened.manifest.predicate;
    let root = opened.manifest.subject().digest.sha256.ok_or("the manifest has no root")?;
    let segments: Vec<Segment> = campaign.segments.iter().map(|s| Segment { base: s.base, n: s.n, k: s.k }).collect();
    if campaign.layers > 1 << 10 || segments.iter().any(|s| s.k > 1 << 16) {
        return Err("the campaign's sizes are absurd".to_owned());
    }
    let mut listed = Vec::new();
    let mut per_layer = vec![BTreeSet::new(); campaign.layers as usize];
    for presence in &document.sources {
        let record = presence.verify(manifest.count, &root).map_err(|e| e.to_string())?;
        let record = record.ok_or("a source's record is not in the manifest")?;
        let seed = derive_seed(campaign.campaign_salt.as_bytes(), &campaign.lineage, &record.source);
        if Digest::new(seed) != record.seed {
            return Err(format!("the seed in the record of {} is not the one that its id gives", record.source));
        }
        let segment = usize::try_from(record.segment).ok().and_then(|i| segments.get(i..=i));
        let segment = segment.ok_or_else(|| format!("the record of {} names no segment of the pool", record.source))?;
        for (layer, struck) in (0..).zip(&mut per_layer) {
            let layer = if campaign.same_mask_in_all_layers { 0 } else { layer };
            struck.extend(neurons(&seed, segment, layer).map_err(|e| e.to_string())?);
        }
        listed.push((presence.key, Digest::sha256(presence.record.as_bytes())));
    }
    checks.holds(
        "sources",
        listed.windows(2).all(|w| w[0].0 < w[1].0)
            && listed.len() as u64 == erasure.source_count
            && manifest::list_digest(listed.iter().copied()).is_ok_and(|d| d == erasure.sources),
        &format!(
            "{} of {} records in the manifest, seeds recomputed from the source ids",
            listed.len(),
            manifest.count
        ),
        "the erasure is about other sources than the records",
    );
    let per_layer: Vec<Vec<u32>> = per_layer.into_iter().map(|struck| struck.into_iter().collect()).collect();
    let count: usize = per_layer.iter().map(Vec::len).sum();
    let lists = canonical::to_bytes(&per_layer).map_err(|e| e.to_string())?;
    checks.holds(
        "neurons",
        Digest::sha256(lists) == erasure.neurons
            && campaign.mask_scheme == "null-mask/v1"
            && erasure.neuron_count == count as u64,
        &format!("{count} neurons in {} layers recomputed from the seeds", campaign.layers),
        "the neurons struck are not those that the seeds give",
    );

    document.layout.check().map_err(|e| e.to_string())?;
    let layout = document.layout.digest().map_err(|e| e.to_string())?;
    checks.holds(
        "layout",
        layout == erasure.layout && layout == opened.training.predicate.layout,
        "the layout of the tree is the one stated at training",
        "the layout is not the one that was stated",
    );
    let leaves = document.layout.neuron_leaves(&per_layer).ok_or("the layout has no such neurons")?;
    match proof {
        None => {
            let name = &document.row_proof_file;
            let detail =
                format!("left out: {name} is not beside the certificate; the roots are as signed, not rebuilt");
            checks.add("row proof", Ok(detail));
        }
        Some(bytes) => {
            let verified = if Digest::sha256(bytes) == erasure.row_proof {
                RowProof::from_bytes(bytes)
                    .and_then(|p| p.verify(&document.layout, &leaves, &erasure.root_before, &erasure.root_after))
                    .map_err(|e| e.to_string())
            } else {
                Err("the row proof is not the file that the erasure cites".to_owned())
            };
            let said = format!("both roots rebuilt: exactly {} leaves became zero, nothing else changed", leaves.len());
            checks.add("row proof", verified.map(|()| said));
        }
    }
    Ok(())
}
