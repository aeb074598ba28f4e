//! An audit bundle: the archive, its signed manifest, and every signed file in it. Not here: each kind of file by itself.

use obelus_core::Digest;

use super::{Checks, ProofKind, Report, add_under, bundle, challenge};
use crate::{
    audit_bundle::{self, Files, MANIFEST, Manifest, STATEMENT},
    bundle::Bundle,
    canonical,
    certificate::{CertificateDocument, Exhibit},
    dsse::Envelope,
    statement::{AuditBundle, Statement, VerificationProtocol, VerificationRun},
    trust::TrustedRoot,
};

/// Whether a file begins as archives do.
pub(super) fn is_archive(file: &[u8]) -> bool {
    file.starts_with(b"PK\x03\x04")
}

pub(super) fn report(file: &[u8], trust: &TrustedRoot) -> Report {
    let mut checks = Checks(vec![]);
    if let Err(reason) = check(file, trust, &mut checks) {
        checks.add("audit bundle", Err(reason));
    }
    checks.report("audit bundle")
}

fn check(file: &[u8], trust: &TrustedRoot, checks: &mut Checks) -> Result<(), String> {
    let files = audit_bundle::from_zip(file).map_err(|e| e.to_string())?;
    checks.add("archive", Ok(format!("{} files, exactly the bytes that they give", files.len())));
    let manifest = Manifest::of(&files).map_err(|e| e.to_string())?;
    checks.add("manifest", Ok(format!("it lists every file of the case {}", manifest.request)));
    checks.add("manifest's signature", signed_manifest(&files, &manifest, trust));
    for (path, contents) in &files {
        let Some(id) = path.strip_suffix(".json").filter(|id| !id.contains(".evidence") && !id.ends_with(".rowproof"))
        else {
            continue;
        };
        if path.starts_with("statements/") {
            add_under(bundle::report(contents, None, &[], trust), path, true, checks);
        } else if path.starts_with("certificates/") {
            let evidence = files.get(&format!("{id}.evidence.json")).map(Vec::as_slice);
            let proofs: Vec<_> =
                files.get(&format!("{id}.rowproof.json")).map(|p| (ProofKind::Row, p.as_slice())).into_iter().collect();
            add_under(bundle::report(contents, evidence, &proofs, trust), path, true, checks);
            if let Some(evidence) = evidence {
                checks.add(&format!("{path}: scores"), scores(&files, evidence));
            }
        }
    }
    challenge::check(&files, &manifest.request, trust, checks);
    for (path, contents) in files.iter().filter(|(path, _)| path.ends_with(".tlog-proof")) {
        let beside = files.get(&path.replace(".tlog-proof", ".json")).map(Vec::as_slice);
        add_under(bundle::log_proof(contents, beside, trust), path, true, checks);
    }
    Ok(())
}

fn signed_manifest(files: &Files, manifest: &Manifest, trust: &TrustedRoot) -> Result<String, String> {
    let signed = files.get(STATEMENT).ok_or_else(|| format!("there is no {STATEMENT}"))?;
    let signed: Bundle = canonical::from_bytes(signed).map_err(|e| format!("{STATEMENT}: {e}"))?;
    let opened = bundle::open::<AuditBundle>(&signed, trust)?;
    let said = &opened.statement.predicate;
    let digest = Digest::sha256(files.get(MANIFEST).map_or(&[][..], Vec::as_slice));
    let same = opened.statement.subject().digest.sha256 == Some(digest)
        && said.request == manifest.request
        && said.files == manifest.files.len() as u64;
    if same {
        Ok(format!("statement {}, entry {} of the log, made {}", opened.digest, opened.index, said.made_at))
    } else {
        Err("the signed statement is about another manifest".to_owned())
    }
}

/// The raw scores and the protocol are the bytes that the signed statements cite.
fn scores(files: &Files, evidence: &[u8]) -> Result<String, String> {
    let document: CertificateDocument = canonical::from_bytes(evidence).map_err(|e| e.to_string())?;
    // Signatures were checked with the evidence; here only what is cited is looked for.
    let payload = |exhibit| -> Result<Vec<u8>, String> {
        let envelope = document.envelope(exhibit).ok_or("a statement is missing")?;
        Envelope::payload(envelope).map_err(|e| e.to_string())
    };
    let run =
        Statement::<VerificationRun>::from_payload(&payload(Exhibit::Verification)?).map_err(|e| e.to_string())?;
    let fixed =
        Statement::<VerificationProtocol>::from_payload(&payload(Exhibit::Protocol)?).map_err(|e| e.to_string())?;
    let digests: Vec<Digest> =
        files.iter().filter(|(path, _)| path.starts_with("verification/")).map(|(_, c)| Digest::sha256(c)).collect();
    let cited = [
        ("scores before", run.predicate.before),
        ("results", run.predicate.results),
        ("protocol", fixed.predicate.protocol),
    ];
    match cited.iter().find(|(_, digest)| !digests.contains(digest)) {
        Some((what, digest)) => Err(format!("the {what} that the statements cite, {digest}, are not in the bundle")),
        None => Ok("protocol, scores before and results are the files that the signed statements cite".to_owned()),
    }
}
