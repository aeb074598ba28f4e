//! Single statements: the key that an envelope names, when and where in the log it counts, and what is stated. Not here: what
//! statements say of each other (`citations.rs`).

use obelus_core::Digest;

use super::{Checks, Report, manifest_proof};
use crate::{
    dsse::Envelope,
    keys::{PublicKey, Role},
    statement::{
        AuditBundle, BlindChallenge, BlindChallengeResult, Campaign, CaseEvent, Certificate, CertificateStatus,
        Erasure, KeyRevocation, KeyRotation, PoolExtension, Predicate, RequestReceipt, SourceManifest,
        SourceProvenance, Statement, TrainingRun, VerificationProtocol, VerificationRun,
    },
    trust::{TrustedKey, TrustedRoot},
};

/// Verifies an envelope with the trusted key that it names. `index` is its place in the log, which the caller proves, and
/// must lie where the key counts. Without a place only the stated time is left (see [`dated`]), which whoever stole the
/// key states as well as its owner: nothing that a revoked key signed is then believed.
pub(super) fn signed<'a>(
    envelope: &Envelope,
    role: Role,
    trust: &'a TrustedRoot,
    index: Option<u64>,
) -> Result<(Vec<u8>, PublicKey, &'a TrustedKey), String> {
    let keyid = envelope.signatures.first().map(|s| s.keyid).ok_or("there is no signature")?;
    let (key, trusted) = trust.key(role, &keyid).ok_or_else(|| format!("no trusted {role} key has the id {keyid}"))?;
    match (index, &trusted.revoked) {
        (Some(index), _) => trusted.covers_entry(index).map_err(|e| e.to_string())?,
        (None, Some(revoked)) => {
            return Err(format!(
                "the {role} key was {revoked}; only what shows its place in the log, before the revocation, still counts"
            ));
        }
        (None, None) => (),
    }
    Ok((envelope.verify(&key).map_err(|e| e.to_string())?, key, trusted))
}

/// Reads the statement in a verified payload; its key must have been valid when the statement says it was made. A key
/// that came by rotation may state what happened before it came, where the log shows that it signed later: a takedown
/// that was cut off is finished with the keys that are there when it goes on.
pub(super) fn dated<P: Predicate>(
    payload: &[u8],
    trusted: &TrustedKey,
    index: Option<u64>,
) -> Result<Statement<P>, String> {
    let statement: Statement<P> = Statement::from_payload(payload).map_err(|e| e.to_string())?;
    let made = statement.predicate.stated_at();
    let rotated_in = index.is_some() && trusted.first_entry > 0;
    let signed_at = if rotated_in { made.max(trusted.valid_from) } else { made };
    if trusted.covers(signed_at) { Ok(statement) } else { Err(format!("the {} key was not valid at {made}", P::ROLE)) }
}

/// A statement without a place in the log.
pub(super) fn report(file: &[u8], beside: Option<&[u8]>, trust: &TrustedRoot) -> Report {
    let mut checks = Checks(vec![]);
    match Envelope::from_bytes(file) {
        Err(e) => {
            checks.add("canonical form", Err(e.to_string()));
        }
        Ok(envelope) => {
            checks.add("canonical form", Ok(format!("envelope {}", Digest::sha256(file))));
            let said = kind(&envelope, trust, None);
            let signed = said.map(|(said, _)| format!("{said}; its place in the log is not shown here"));
            if checks.add("signature", signed)
                && let Ok((provenance, _)) = read_statement::<SourceProvenance>(&envelope, trust, None)
            {
                manifest_proof::provenance(&provenance, beside, trust, &mut checks);
            }
        }
    }
    checks.report("statement")
}

/// Name of the predicate in a payload that was not verified yet.
pub(super) fn predicate_name(envelope: &Envelope) -> Result<String, String> {
    let payload = envelope.payload().map_err(|e| e.to_string())?;
    let value: serde_json::Value = serde_json::from_slice(&payload).map_err(|e| e.to_string())?;
    let name = value["predicateType"].as_str().unwrap_or_default();
    Ok(name.rsplit("/attestation/").next().unwrap_or_default().to_owned())
}

/// Verifies a statement of one kind, and gives the key that signed it.
fn read_statement<P: Predicate>(
    envelope: &Envelope,
    trust: &TrustedRoot,
    index: Option<u64>,
) -> Result<(Statement<P>, PublicKey), String> {
    let (payload, key, trusted) = signed(envelope, P::ROLE, trust, index)?;
    Ok((dated(&payload, trusted, index)?, key))
}

/// Verifies a statement of any kind, at an entry of the log where its place is known: what it is, and the key that signed
/// it.
pub(super) fn kind(
    envelope: &Envelope,
    trust: &TrustedRoot,
    index: Option<u64>,
) -> Result<(String, PublicKey), String> {
    fn of<P: Predicate>(
        envelope: &Envelope,
        trust: &TrustedRoot,
        index: Option<u64>,
    ) -> Result<(String, PublicKey), String> {
        let (statement, key) = read_statement::<P>(envelope, trust, index)?;
        let about = &statement.subject().name;
        Ok((format!("{} about {about}, signed by the {} key", P::NAME, P::ROLE), key))
    }
    match predicate_name(envelope)?.as_str() {
        Campaign::NAME => of::<Campaign>(envelope, trust, index),
        PoolExtension::NAME => of::<PoolExtension>(envelope, trust, index),
        SourceManifest::NAME => of::<SourceManifest>(envelope, trust, index),
        SourceProvenance::NAME => of::<SourceProvenance>(envelope, trust, index),
        TrainingRun::NAME => of::<TrainingRun>(envelope, trust, index),
        Erasure::NAME => of::<Erasure>(envelope, trust, index),
        VerificationProtocol::NAME => of::<VerificationProtocol>(envelope, trust, index),
        VerificationRun::NAME => of::<VerificationRun>(envelope, trust, index),
        Certificate::NAME => of::<Certificate>(envelope, trust, index),
        CertificateStatus::NAME => of::<CertificateStatus>(envelope, trust, index),
        KeyRotation::NAME => of::<KeyRotation>(envelope, trust, index),
        AuditBundle::NAME => of::<AuditBundle>(envelope, trust, index),
        BlindChallenge::NAME => of::<BlindChallenge>(envelope, trust, index),
        BlindChallengeResult::NAME => of::<BlindChallengeResult>(envelope, trust, index),
        RequestReceipt::NAME => of::<RequestReceipt>(envelope, trust, index),
        CaseEvent::NAME => of::<CaseEvent>(envelope, trust, index),
        KeyRevocation::NAME => of::<KeyRevocation>(envelope, trust, index),
        other => Err(format!("unknown predicate {other:?}")),
    }
}
