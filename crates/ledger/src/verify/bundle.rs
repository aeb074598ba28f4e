//! A bundle: one statement with its place in the log; for a certificate, what lies beside it too. Not here: the form of
//! the file (`bundle.rs` of the crate), and what the evidence of a certificate must say (`certificate.rs`).

use obelus_core::Digest;

use super::{
    Checks, ProofKind, Report, add_under, certificate, challenge, citations, opened_checkpoint,
    statement::{dated, signed},
};
use crate::{
    bundle::{Bundle, Place},
    canonical,
    certificate::{CertificateDocument, Exhibit},
    checkpoint::Checkpoint,
    keys::PublicKey,
    log_entry, merkle,
    statement::{BlindChallengeResult, Certificate, Predicate, Statement},
    tlog_proof::TlogProof,
    trust::{TrustedKey, TrustedRoot},
};

/// A statement whose signature and place in the log are right.
pub(super) struct OpenedBundle<P> {
    pub(super) statement: Statement<P>,
    /// Digest of the envelope: how other statements cite it.
    pub(super) digest: Digest,
    /// Index of its leaf.
    pub(super) index: u64,
}

/// Opens a bundle of a statement of one kind.
pub(super) fn open<P: Predicate>(bundle: &Bundle, trust: &TrustedRoot) -> Result<OpenedBundle<P>, String> {
    let (checkpoint, log_key) =
        trust.open_checkpoint(bundle.note().map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
    let index = Some(bundle.index().map_err(|e| e.to_string())?);
    let (payload, key, trusted) = signed(&bundle.dsse_envelope, P::ROLE, trust, index)?;
    let place = logged(bundle, &key, &checkpoint, log_key, trust)?;
    let statement: Statement<P> = dated(&payload, trusted, index)?;
    // A checkpoint has no time, but one that covers the statement was signed after it.
    let made = statement.predicate.stated_at();
    if log_key.valid_to.is_some_and(|end| end < made) {
        return Err(format!("the log key that signed the checkpoint had ended before the statement was made, {made}"));
    }
    let digest = bundle.dsse_envelope.digest().map_err(|e| e.to_string())?;
    Ok(OpenedBundle { statement, digest, index: place.index })
}

/// The place of a bundle's statement, proved.
fn logged(
    bundle: &Bundle,
    signer: &PublicKey,
    checkpoint: &Checkpoint,
    log_key: &TrustedKey,
    trust: &TrustedRoot,
) -> Result<Place, String> {
    let (log_key, _) = trust.key(log_key.role, &log_key.keyid).ok_or("the log's key is not trusted")?;
    let place = bundle.place(signer, checkpoint, &log_key).map_err(|e| e.to_string())?;
    let leaf = log_entry::leaf_of_verified(&bundle.dsse_envelope, signer).map_err(|e| e.to_string())?;
    if merkle::verify_inclusion(&leaf, place.index, checkpoint.size, &place.path, &checkpoint.root) {
        Ok(place)
    } else {
        Err("the inclusion proof does not lead to the checkpoint".to_owned())
    }
}

/// Checks a bundle of any statement; of a certificate with the evidence and the row proof at hand.
pub(super) fn report(
    file: &[u8],
    evidence: Option<&[u8]>,
    proofs: &[(ProofKind, &[u8])],
    trust: &TrustedRoot,
) -> Report {
    let mut checks = Checks(vec![]);
    let mut kind = "bundle";
    match canonical::from_bytes::<Bundle>(file) {
        Err(e) => {
            checks.add("canonical form", Err(e.to_string()));
        }
        Ok(bundle) => {
            checks.add("canonical form", Ok("the file is exactly the bytes that its contents give".to_owned()));
            let name = super::statement::predicate_name(&bundle.dsse_envelope).unwrap_or_default();
            let checked = if name == Certificate::NAME {
                kind = "certificate";
                check_certificate(&bundle, evidence, proofs, trust, &mut checks)
            } else if name == BlindChallengeResult::NAME {
                kind = "result of a blind challenge";
                check_statement(&bundle, trust, &mut checks)
                    .map(|()| challenge::check_result(&bundle, evidence, trust, &mut checks))
            } else {
                check_statement(&bundle, trust, &mut checks)
            };
            if let Err(reason) = checked {
                checks.add("statement", Err(reason));
            }
        }
    }
    checks.report(kind)
}

fn check_statement(bundle: &Bundle, trust: &TrustedRoot, checks: &mut Checks) -> Result<(), String> {
    let note = bundle.note().map_err(|e| e.to_string())?;
    let (checkpoint, log_key) = opened_checkpoint(note, trust, checks)?;
    let index = bundle.index().map_err(|e| e.to_string())?;
    let (said, signer) = super::statement::kind(&bundle.dsse_envelope, trust, Some(index))?;
    let place = logged(bundle, &signer, &checkpoint, log_key, trust)?;
    checks.add("statement", Ok(format!("{said}, entry {} of the log", place.index)));
    Ok(())
}

fn check_certificate(
    bundle: &Bundle,
    evidence: Option<&[u8]>,
    proofs: &[(ProofKind, &[u8])],
    trust: &TrustedRoot,
    checks: &mut Checks,
) -> Result<(), String> {
    check_statement(bundle, trust, checks)?;
    let opened = open::<Certificate>(bundle, trust)?;
    checks.add("claims", citations::claims_alone(&opened.statement));
    let row = proofs.iter().find(|(of, _)| *of == ProofKind::Row).map(|(_, bytes)| *bytes);
    let Some(evidence) = evidence else {
        let detail = "left out: the certificate's evidence is not beside it; the statements that it cites and the neurons \
                      of its sources were not looked at";
        checks.add("evidence", Ok(detail.to_owned()));
        checks.add("row proof", cited_row_proof(&opened.statement.predicate, row));
        return Ok(());
    };
    let document: CertificateDocument = canonical::from_bytes(evidence).map_err(|e| format!("evidence: {e}"))?;
    let same = document.envelope(Exhibit::Certificate) == Some(&bundle.dsse_envelope);
    let said = format!("it has this very certificate, statement {}, entry {} of the log", opened.digest, opened.index);
    checks.holds("evidence", same, &said, "the evidence is that of another certificate");
    let under = certificate::report(evidence, row, trust);
    add_under(under, "evidence", false, checks);
    Ok(())
}

/// Without the evidence nobody knows which rows a row proof must zero; that it is the one cited can be seen all the same.
fn cited_row_proof(certificate: &Certificate, proof: Option<&[u8]>) -> Result<String, String> {
    match proof {
        None => Ok("left out: it is not beside the certificate; the roots are as signed, not rebuilt".to_owned()),
        Some(proof) if Digest::sha256(proof) == certificate.row_proof => {
            Ok("it is the file that the certificate cites; left out: rebuilding the roots, which takes the evidence"
                .to_owned())
        }
        Some(_) => Err("the row proof is not the file that the certificate cites".to_owned()),
    }
}

/// Checks a log proof; what its leaf stands for is in the bundle beside it, if there is one.
pub(super) fn log_proof(file: &[u8], beside: Option<&[u8]>, trust: &TrustedRoot) -> Report {
    let mut checks = Checks(vec![]);
    if let Err(reason) = check_log_proof(file, beside, trust, &mut checks) {
        checks.add("log proof", Err(reason));
    }
    checks.report("log proof")
}

fn check_log_proof(file: &[u8], beside: Option<&[u8]>, trust: &TrustedRoot, checks: &mut Checks) -> Result<(), String> {
    let proof = TlogProof::from_bytes(file).map_err(|e| e.to_string())?;
    let (checkpoint, _) = opened_checkpoint(&proof.checkpoint, trust, checks)?;
    let leaf = merkle::leaf_hash(&proof.body);
    checks.holds(
        "inclusion",
        merkle::verify_inclusion(&leaf, proof.index, checkpoint.size, &proof.path, &checkpoint.root),
        &format!("the leaf is entry {} of {}", proof.index, checkpoint.size),
        "the path does not lead from the leaf to the checkpoint",
    );
    let Some(beside) = beside else {
        let detail = "left out: no bundle lies beside the proof; the leaf names its statement by digests only";
        checks.add("statement", Ok(detail.to_owned()));
        return Ok(());
    };
    let bundle: Bundle = canonical::from_bytes(beside).map_err(|e| format!("the bundle beside it: {e}"))?;
    let body = bundle.body().map_err(|e| e.to_string())?;
    checks.holds(
        "statement",
        body == proof.body,
        "it is that of the bundle beside it",
        "the leaf is of another statement",
    );
    add_under(report(beside, None, &[], trust), "bundle", false, checks);
    Ok(())
}
