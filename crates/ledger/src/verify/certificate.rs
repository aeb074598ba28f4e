//! A certificate document checked from its bytes to both weight roots. Not here: what its statements must say of each
//! other (`citations.rs`), and how a row proof is rebuilt (`row_proof.rs`).

use obelus_core::Digest;

use super::{
    Checks, Report, citations,
    exhibits::Exhibits,
    opened_checkpoint,
    registration::{Registration, count_and_digest},
};
use crate::{
    canonical,
    certificate::{self, CertificateDocument, Exhibit},
    row_proof::RowProof,
    statement::{Certificate, Erasure, Statement, TrainingRun, VerificationProtocol, VerificationRun},
    trust::TrustedRoot,
};

pub(super) fn report(file: &[u8], proof: Option<&[u8]>, trust: &TrustedRoot) -> Report {
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
            if let Err(reason) = check(&document, proof, trust, &mut checks) {
                checks.add("statements", Err(reason));
            }
        }
    }
    checks.report("certificate")
}

/// The statements of a certificate, every signature verified.
pub(super) struct Opened {
    pub(super) registration: Registration,
    pub(super) training: (Statement<TrainingRun>, Digest),
    pub(super) protocol: (Statement<VerificationProtocol>, Digest),
    pub(super) erasure: (Statement<Erasure>, Digest),
    pub(super) verification: (Statement<VerificationRun>, Digest),
    pub(super) certificate: Statement<Certificate>,
}

fn open(document: &CertificateDocument, mut exhibits: Exhibits<'_>) -> Result<Opened, String> {
    Ok(Opened {
        registration: Registration::read(&mut exhibits, document.extensions.len())?,
        training: exhibits.read()?,
        protocol: exhibits.read()?,
        erasure: exhibits.read()?,
        verification: exhibits.read()?,
        certificate: exhibits.read()?.0,
    })
}

fn check(
    document: &CertificateDocument,
    proof: Option<&[u8]>,
    trust: &TrustedRoot,
    checks: &mut Checks,
) -> Result<(), String> {
    let (checkpoint, log_key) = opened_checkpoint(&document.checkpoint, trust, checks)?;
    let (exhibits, extensions) = (&document.exhibits, &document.extensions);
    let exhibits = Exhibits::open(exhibits, extensions, &Exhibit::ALL, trust, &checkpoint)?;
    let opened = open(document, exhibits)?;
    checks.add("statements", Ok("seven statements signed by the right roles, each in the log, in order".to_owned()));
    if opened.registration.grew() && !checks.add("pool", opened.registration.pool_agrees()) {
        return Ok(());
    }
    // A checkpoint has no time, but one that covers the certificate was signed after it.
    let issued = opened.certificate.predicate.issued_at;
    if log_key.valid_to.is_some_and(|end| end < issued) {
        return Err(format!(
            "the log key that signed the checkpoint had ended before the certificate was issued, {issued}"
        ));
    }
    checks.add("citations", citations::agree(&opened));
    checks.add("claims", citations::claims(&opened));

    let id = &opened.certificate.predicate.id;
    checks.holds(
        "file name",
        document.row_proof_file == format!("{id}.rowproof.json") && !id.contains(['/', '\\', '\0']),
        "the row proof has the certificate's id for its name",
        "the row proof's name is not that of the certificate's id",
    );
    let per_layer = struck_neurons(document, &opened, checks)?;
    row_proof(document, proof, &opened, &per_layer, checks)
}

/// The neurons of the struck sources, recomputed layer by layer from campaign salt, lineage and source ids.
fn struck_neurons(
    document: &CertificateDocument,
    opened: &Opened,
    checks: &mut Checks,
) -> Result<Vec<Vec<u32>>, String> {
    let (registration, erasure) = (&opened.registration, &opened.erasure.0.predicate);
    let campaign = &registration.campaign.predicate;
    let found = registration.neurons_of(&document.sources)?;
    checks.holds(
        "sources",
        found.distinct && found.count == erasure.source_count && found.list == erasure.sources,
        &format!(
            "{} of {} records in the manifest, seeds recomputed from the source ids",
            found.count, registration.manifest.predicate.count
        ),
        "the erasure is about other sources than the records, or one stands there twice",
    );
    let (count, digest) = count_and_digest(&found.per_layer)?;
    checks.holds(
        "neurons",
        count > 0
            && digest == erasure.neurons
            && campaign.mask_scheme == "null-mask/v1"
            && erasure.neuron_count == count,
        &format!("{count} neurons in {} layers recomputed from the seeds", campaign.layers),
        "the neurons struck are not those that the seeds give",
    );
    Ok(found.per_layer)
}

fn row_proof(
    document: &CertificateDocument,
    proof: Option<&[u8]>,
    opened: &Opened,
    per_layer: &[Vec<u32>],
    checks: &mut Checks,
) -> Result<(), String> {
    let erasure = &opened.erasure.0.predicate;
    document.layout.check().map_err(|e| e.to_string())?;
    let layout = document.layout.digest().map_err(|e| e.to_string())?;
    // Sinks beyond the campaign's layers would have masks that nobody recomputes.
    let sinks = document.layout.0.iter().filter(|place| place.name.contains(".mlp.sinks")).count();
    checks.holds(
        "layout",
        layout == erasure.layout && layout == opened.training.0.predicate.layout && sinks == per_layer.len(),
        "the layout of the tree is the one stated at training, with sinks in exactly the campaign's layers",
        "the layout is not the one that was stated, or has sinks in other layers than the campaign",
    );
    let leaves = document.layout.neuron_leaves(per_layer).ok_or("the layout has no such neurons")?;
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
