//! Offline verification of what the product hands out: certificates, documents of adaptations, statements, proofs and log
//! checkpoints.
//!
//! Keys come from the trusted root, never from the document. Here are the kinds of file; `statement.rs` has keys and single
//! statements, `bundle.rs` statements with their places in the log, `exhibits.rs` opens a document's statements,
//! `certificate.rs` and `adaptation.rs` have the checks of each document, `citations.rs` what a certificate's statements say
//! of each other, `model_signature.rs` a model.sig and its folder; `log.rs` follows a whole log; `status.rs` says what has
//! become of a certificate. Not here: reading other
//! files.

mod adaptation;
mod audit_bundle;
mod bundle;
mod certificate;
mod challenge;
mod citations;
mod exhibits;
mod log;
mod manifest_proof;
mod model_signature;
mod registration;
mod statement;
mod status;

use serde::Serialize;

use crate::{
    adaptation::AdaptationDocument,
    bundle::Bundle,
    certificate::CertificateDocument,
    checkpoint::Checkpoint,
    manifest_proof::{ABSENCE_FORMAT, PRESENCE_FORMAT, presence_file},
    proof_file,
    tlog_proof::TlogProof,
    trust::{TrustedKey, TrustedRoot},
};

pub use log::follow;
pub use model_signature::model_signature;
pub use status::verify_with_status;

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
#[error(
    "not a certificate, status list, document of an adaptation, bundle, statement, presence, absence, proof, checkpoint or \
     model.sig: {0}"
)]
pub struct Unreadable(pub String);

/// What a proof file proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProofKind {
    /// `null-rowproof/v1`, cited by an erasure.
    Row,
    /// `null-changeproof/v1`, cited by an adaptation.
    Change,
    /// `null-growthproof/v1`, cited by an adaptation.
    Growth,
}

impl ProofKind {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Row => "row proof",
            Self::Change => "change proof",
            Self::Growth => "growth proof",
        }
    }

    /// The kind of a proof file by how its canonical bytes begin, which sort their fields; a packed file of none is taken
    /// for a row proof, so that a damaged one is said to be.
    fn of(file: &[u8]) -> Option<Self> {
        let packed = proof_file::is_gzip(file);
        let beginning = if packed { proof_file::beginning(file, 64) } else { file.iter().take(64).copied().collect() };
        let beginnings = [
            (Self::Row, "{\"before_leaves\":"),
            (Self::Change, "{\"after_leaves\":"),
            (Self::Growth, "{\"format\":\"null-growthproof/v1\""),
        ];
        let found = beginnings.iter().find(|(_, begins)| beginning.starts_with(begins.as_bytes()));
        found.map(|(kind, _)| *kind).or(packed.then_some(Self::Row))
    }
}

/// What is to be verified. The caller reads the files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Input<'a> {
    /// The file.
    pub file: &'a [u8],
    /// The document that lies beside a proof, the evidence of a certificate, or the bundle beside a log proof; see
    /// [`documents`].
    pub document: Option<&'a [u8]>,
    /// The proofs that lie beside the document, one of a kind; see [`companions`].
    pub proofs: &'a [(ProofKind, &'a [u8])],
}

/// The proofs that a certificate, its evidence or the document of an adaptation asks for, by the names of their files; none
/// for other files.
pub fn companions(file: &[u8]) -> Vec<(ProofKind, String)> {
    let mut names = Vec::new();
    if let Ok(document) = serde_json::from_slice::<CertificateDocument>(file) {
        names.push((ProofKind::Row, document.row_proof_file));
    } else if let Ok(bundle) = serde_json::from_slice::<Bundle>(file) {
        // What the name is taken from is not verified yet; it is only looked for, and what is found is.
        let payload = json(&bundle.dsse_envelope.payload().unwrap_or_default());
        let id = payload["predicate"]["id"].as_str().filter(|id| !id.is_empty());
        names.extend(id.map(|id| (ProofKind::Row, format!("{id}.rowproof.json"))));
    } else if let Ok(document) = serde_json::from_slice::<AdaptationDocument>(file) {
        names.push((ProofKind::Change, document.change_proof_file));
        names.extend(document.growth_proof_file.map(|name| (ProofKind::Growth, name)));
    }
    names.retain(|(_, name)| !name.is_empty() && !name.contains(['/', '\\', '\0']) && name != "." && name != "..");
    names
}

/// Names of the file, the first that is there, which belongs to one called `name`: the evidence of a certificate, the
/// document of a proof, the bundle of a log proof, the presence document of a statement, the deposit of a challenge that was
/// opened.
pub fn documents(name: &str, file: &[u8]) -> Vec<String> {
    if let Some(id) = name.strip_suffix(".tlog-proof") {
        return vec![format!("{id}.json")];
    }
    let proofs = ["rowproof", "changeproof", "growthproof"];
    if let Some(id) = proofs.iter().find_map(|kind| name.strip_suffix(&format!(".{kind}.json"))) {
        return vec![format!("{id}.evidence.json"), format!("{id}.json")];
    }
    if json(file).get("payloadType").is_some() {
        return vec![presence_file(name)];
    }
    if let Some(deposit) = challenge::deposit_of(name) {
        return vec![deposit];
    }
    match name.strip_suffix(".json") {
        Some(id) if is_bundle(&json(file)) => vec![format!("{id}.evidence.json")],
        _ => vec![],
    }
}

fn json(file: &[u8]) -> serde_json::Value {
    serde_json::from_slice(file).unwrap_or_default()
}

fn is_bundle(value: &serde_json::Value) -> bool {
    value.get("dsseEnvelope").is_some() || value.get("mediaType").is_some()
}

/// Verifies a file against trusted keys.
///
/// # Errors
/// When the file is of no known kind.
pub fn verify(input: &Input<'_>, trust: &TrustedRoot) -> Result<Report, Unreadable> {
    let mut report = verify_alone(input, trust)?;
    if report.kind == "certificate" {
        status::left_out(&mut report);
    }
    Ok(report)
}

fn verify_alone(input: &Input<'_>, trust: &TrustedRoot) -> Result<Report, Unreadable> {
    let file = input.file;
    if proof_file::is_gzip(file) {
        return Ok(bare_proof(ProofKind::of(file).unwrap_or(ProofKind::Row), input, trust));
    }
    if audit_bundle::is_archive(file) {
        return Ok(audit_bundle::report(file, trust));
    }
    if TlogProof::begins(file) {
        return Ok(bundle::log_proof(file, input.document, trust));
    }
    if status::is_list(file) {
        return Ok(status::report(file, trust));
    }
    let value = json(file);
    if is_bundle(&value) {
        return Ok(bundle::report(file, input.document, input.proofs, trust));
    }
    let has = |field: &str| value.get(field).is_some();
    let proofs = [(ProofKind::Row, "zeroed_leaves"), (ProofKind::Change, "changed_leaves")];
    let proof = proofs.iter().find(|(_, field)| has(field)).map(|(kind, _)| *kind).or_else(|| ProofKind::of(file));
    if let Some(kind) = proof {
        return Ok(bare_proof(kind, input, trust));
    }
    if has("exhibits") {
        return Ok(document(file, input.proofs, trust));
    }
    match value.get("format").and_then(|format| format.as_str()) {
        Some(PRESENCE_FORMAT) => return Ok(manifest_proof::presence(file, trust)),
        Some(ABSENCE_FORMAT) => return Ok(manifest_proof::absence(file, trust)),
        _ => {}
    }
    if has("payloadType") {
        return Ok(statement::report(file, input.document, trust));
    }
    match std::str::from_utf8(file) {
        Ok(note) if note.contains("\n\n\u{2014} ") => Ok(checkpoint(note, trust)),
        _ => Err(Unreadable("it is neither JSON of a known form nor a signed note".to_owned())),
    }
}

/// A certificate or the document of an adaptation, with the proofs at hand.
fn document(file: &[u8], proofs: &[(ProofKind, &[u8])], trust: &TrustedRoot) -> Report {
    let proof = |kind: ProofKind| proofs.iter().find(|(of, _)| *of == kind).map(|(_, bytes)| *bytes);
    if is_adaptation(file) {
        return adaptation::report(file, proof(ProofKind::Change), proof(ProofKind::Growth), trust);
    }
    certificate::report(file, proof(ProofKind::Row), trust)
}

fn is_adaptation(file: &[u8]) -> bool {
    json(file).get("format").and_then(|format| format.as_str()) == Some(crate::adaptation::FORMAT)
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

/// Adds the checks of another file; those whose names were used before, or all, say whose they are.
fn add_under(under: Report, whose: &str, all: bool, checks: &mut Checks) {
    for mut check in under.checks {
        if all || checks.0.iter().any(|before| before.name == check.name) {
            check.name = format!("{whose}: {}", check.name);
        }
        checks.0.push(check);
    }
}

fn checkpoint(note: &str, trust: &TrustedRoot) -> Report {
    let mut checks = Checks(vec![]);
    let said = trust.open_checkpoint(note).map_err(|e| e.to_string()).map(|(c, _)| {
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

/// Opens a document's checkpoint, which must carry the log's own signature and no other.
fn opened_checkpoint<'a>(
    note: &str,
    trust: &'a TrustedRoot,
    checks: &mut Checks,
) -> Result<(Checkpoint, &'a TrustedKey), String> {
    let (checkpoint, log_key) = trust.open_checkpoint(note).map_err(|e| e.to_string())?;
    // Nobody's key vouches for such a line, so anybody could have added it to the file.
    if further_signatures(note) > 0 {
        return Err("the checkpoint carries signature lines that no trusted key covers".to_owned());
    }
    checks.add("checkpoint", Ok(format!("signed by {}, {} leaves", checkpoint.origin, checkpoint.size)));
    Ok((checkpoint, log_key))
}

/// A proof says nothing without the document that cites it.
fn bare_proof(kind: ProofKind, input: &Input<'_>, trust: &TrustedRoot) -> Report {
    let citing = if kind == ProofKind::Row { "certificate" } else { "document of the adaptation" };
    let Some(citing_file) = input.document else {
        let mut checks = Checks(vec![]);
        let name = kind.name();
        let refused = format!("a {name} says nothing alone; put it beside the {citing} that cites it");
        checks.add("statement beside it", Err(refused));
        return checks.report(name);
    };
    if is_bundle(&json(citing_file)) {
        let mut checks = Checks(vec![]);
        let refused = "the certificate alone does not say what the row proof must show; put its evidence beside it too";
        checks.add("statement beside it", Err(refused.to_owned()));
        return checks.report(kind.name());
    }
    let proofs: Vec<_> = [(kind, input.file)].into_iter().chain(input.proofs.iter().copied()).collect();
    let mut report = document(citing_file, &proofs, trust);
    if is_adaptation(citing_file) == (kind == ProofKind::Row) {
        let refused = format!("the file beside the {} is no {citing}", kind.name());
        report.checks.push(Check { name: "statement beside it".to_owned(), ok: false, detail: refused });
        report.ok = false;
    }
    report.kind = kind.name();
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_a_file_follows_from_its_name() {
        let found = |name: &str| documents(name, b"{}");
        assert_eq!(found("OB-2026-0001.rowproof.json"), ["OB-2026-0001.evidence.json", "OB-2026-0001.json"]);
        for proof in ["demo.adaptation-4.changeproof.json", "demo.adaptation-4.growthproof.json"] {
            assert_eq!(found(proof)[1], "demo.adaptation-4.json");
        }
        assert_eq!(found("CT-2026-000001.tlog-proof"), ["CT-2026-000001.json"]);
        assert_eq!(found("CT-2026-000001.json"), Vec::<String>::new());
        assert_eq!(documents("CT-2026-000001.json", b"{\"mediaType\":\"\"}"), ["CT-2026-000001.evidence.json"]);
    }
}
