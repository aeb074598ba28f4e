//! Offline verification of what the product hands out: certificates, statements, row proofs and log checkpoints.
//!
//! Keys come from the trusted root, never from the document. Here are the kinds of file, keys and single statements;
//! `certificate.rs` has a certificate's checks and `citations.rs` what its statements say of each other. Not here:
//! reading files, and any model.

mod certificate;
mod citations;

use obelus_core::Digest;
use serde::Serialize;

use crate::{
    certificate::CertificateDocument,
    checkpoint::Checkpoint,
    dsse::Envelope,
    keys::{PublicKey, Role},
    statement::{
        Campaign, Certificate, Erasure, PoolExtension, Predicate, SourceManifest, SourceProvenance, Statement,
        TrainingRun, VerificationProtocol, VerificationRun,
    },
    trust::{TrustedKey, TrustedRoot},
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
    if file.starts_with(&[0x1f, 0x8b]) {
        return Ok(row_proof(input, trust));
    }
    let value = serde_json::from_slice::<serde_json::Value>(file).unwrap_or_default();
    let has = |field: &str| value.get(field).is_some();
    if has("zeroed_leaves") {
        return Ok(row_proof(input, trust));
    }
    if has("exhibits") {
        return Ok(certificate::report(file, input.row_proof, trust));
    }
    if has("payloadType") {
        return Ok(statement(file, trust));
    }
    match std::str::from_utf8(file) {
        Ok(note) if note.contains("\n\n\u{2014} ") => Ok(checkpoint(note, trust)),
        _ => Err(Unreadable("it is neither JSON of a known form nor a signed note".to_owned())),
    }
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
fn signed<'a>(
    envelope: &Envelope,
    role: Role,
    trust: &'a TrustedRoot,
) -> Result<(Vec<u8>, PublicKey, &'a TrustedKey), String> {
    let keyid = envelope.signatures.first().map(|s| s.keyid).ok_or("there is no signature")?;
    let (key, trusted) = trust.key(role, &keyid).ok_or_else(|| format!("no trusted {role} key has the id {keyid}"))?;
    Ok((envelope.verify(&key).map_err(|e| e.to_string())?, key, trusted))
}

/// Reads the statement in a verified payload; its key must have been valid when the statement says it was made.
fn dated<P: Predicate>(payload: &[u8], trusted: &TrustedKey) -> Result<Statement<P>, String> {
    let statement: Statement<P> = Statement::from_payload(payload).map_err(|e| e.to_string())?;
    let made = statement.predicate.stated_at();
    if trusted.covers(made) { Ok(statement) } else { Err(format!("the {} key was not valid at {made}", P::ROLE)) }
}

fn checkpoint(note: &str, trust: &TrustedRoot) -> Report {
    let mut checks = Checks(vec![]);
    let said = open_checkpoint(note, trust).map(|(c, _)| {
        let further = further_signatures(note);
        format!("{} leaves, root {}; {further} further signature lines, which are not checked", c.size, c.root)
    });
    checks.add("checkpoint", said);
    checks.report("checkpoint")
}

/// Signature lines beyond the log's own.
fn further_signatures(note: &str) -> usize {
    note.split_once("\n\n").map_or(0, |(_, signatures)| signatures.lines().count().saturating_sub(1))
}

fn open_checkpoint<'a>(note: &str, trust: &'a TrustedRoot) -> Result<(Checkpoint, &'a TrustedKey), String> {
    let mut reason = "there is no trusted log key".to_owned();
    for trusted in trust.keys.iter().filter(|k| k.role == Role::Log) {
        let Some((key, _)) = trust.key(Role::Log, &trusted.keyid) else { continue };
        match Checkpoint::verify(note, &trust.log_origin, &key) {
            Ok(checkpoint) => return Ok((checkpoint, trusted)),
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
        let (payload, _, trusted) = signed(envelope, P::ROLE, trust)?;
        let about = dated::<P>(&payload, trusted)?.subject().name.clone();
        Ok(format!("{} about {about}, signed by the {} key; its place in the log is not shown here", P::NAME, P::ROLE))
    }
    let payload = envelope.payload().map_err(|e| e.to_string())?;
    let value: serde_json::Value = serde_json::from_slice(&payload).map_err(|e| e.to_string())?;
    let name = value["predicateType"].as_str().unwrap_or_default().rsplit("/attestation/").next().unwrap_or_default();
    match name {
        Campaign::NAME => of::<Campaign>(envelope, trust),
        PoolExtension::NAME => of::<PoolExtension>(envelope, trust),
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
            let mut report = certificate::report(certificate_file, Some(input.file), trust);
            report.kind = "row proof";
            report
        }
    }
}
