//! Whether what was signed still counts under the trusted root of now: a key that was revoked takes with it what it signed
//! from some place in the log on. Asked before anything is signed that rests on it, and before it is handed out.
//!
//! The offline verifier answers, as it does for everybody else. Not here: when keys are revoked (`custody.rs`).

use std::fs;

use anyhow::{Context as _, Result, ensure};
use obelus_core::Digest;
use obelus_ledger::{
    bundle::Place,
    canonical,
    certificate::{CertificateDocument, Exhibit},
    verify::{Check, Input, verify},
};

use crate::certificate_files::CertificateFiles;
use obelus_casework::{Deps, exhibits};

/// Why a file does not verify, in the verifier's words; none when it does.
///
/// # Errors
/// When the register of keys cannot be read.
pub(crate) fn objection(deps: &Deps, file: &[u8], evidence: Option<&[u8]>) -> Result<Option<String>> {
    let trust = deps.keys.trusted_root(&deps.settings.log_origin)?;
    let report = match verify(&Input { file, document: evidence, proofs: &[] }, &trust) {
        Ok(report) => report,
        Err(unreadable) => return Ok(Some(unreadable.to_string())),
    };
    let said = |check: &Check| format!("{}: {}", check.name, check.detail);
    let failed: Vec<String> = report.checks.iter().filter(|check| !check.ok).map(said).collect();
    Ok((!report.ok).then(|| failed.join("; ")))
}

/// Refuses to certify a takedown whose statements do not all count.
///
/// # Errors
/// Says which statement does not, and why.
pub(crate) async fn certifiable(
    deps: &Deps,
    reference: &str,
    lineage: &str,
    cited: &[(Exhibit, Digest)],
) -> Result<()> {
    let found = exhibits::collect(deps, lineage, cited).await?;
    for logged in found.logged.into_iter().chain(found.extensions) {
        let (name, role) = logged.exhibit.signed_by();
        let place = Place { index: logged.index, path: logged.path };
        let bundle = exhibits::bundle(deps, role, logged.envelope, &place, &found.checkpoint)?;
        let objection = objection(deps, &canonical::to_bytes(&bundle)?, None)?;
        ensure!(
            objection.is_none(),
            "a certificate of {reference} would rest on {name}, which does not count, so none was signed: {}; obelus keys \
             list shows the keys",
            objection.unwrap_or_default()
        );
    }
    Ok(())
}

/// Whether a certificate is refused, and its checkpoint was signed with a log key that no longer counts there. Where the
/// log's key was revoked and the certificate still verifies, its files stay as they are.
///
/// # Errors
/// When the register of keys cannot be read.
pub(crate) fn is_under_revoked_log_key(deps: &Deps, evidence: &CertificateDocument) -> Result<bool> {
    let trust = deps.keys.trusted_root(&deps.settings.log_origin)?;
    let revoked = trust.open_checkpoint(&evidence.checkpoint).map_or(true, |(_, key)| key.revoked.is_some());
    Ok(revoked && objection(deps, &canonical::to_bytes(evidence)?, None)?.is_some())
}

/// Why a certificate whose files are written does not count any more; none when it does.
///
/// # Errors
/// When a file or the register of keys cannot be read.
pub(crate) fn certificate_objection(deps: &Deps, id: &str, files: &CertificateFiles) -> Result<Option<String>> {
    let read = |path| fs::read(path).with_context(|| format!("cannot read the certificate {id}"));
    objection(deps, &read(&files.bundle)?, Some(&read(&files.evidence)?))
}

/// Refuses to hand out a certificate that nobody would accept. Its row proof is not looked at: no key signs that.
///
/// # Errors
/// Says which statement does not count, and why.
pub(crate) fn certificate(deps: &Deps, id: &str, files: &CertificateFiles) -> Result<()> {
    let objection = certificate_objection(deps, id, files)?;
    ensure!(
        objection.is_none(),
        "the certificate {id} does not count any more and is not handed out: {}; obelus keys list shows the keys",
        objection.unwrap_or_default()
    );
    Ok(())
}
