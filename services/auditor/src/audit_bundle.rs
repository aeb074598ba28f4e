//! What belongs into the audit bundle of a case: its story, every statement, proof and raw score, the rules in force, and
//! how to check each. Nothing of what was removed, and no question about it.
//!
//! Not here: the archive and its manifest (`obelus_ledger::audit_bundle`).

use std::fs;

use anyhow::{Context as _, Result, ensure};
use obelus_core::Digest;
use obelus_ledger::{
    audit_bundle::{self, Files, MANIFEST, Manifest, STATEMENT},
    bundle::{Bundle, Place},
    canonical,
    certificate::{CertificateDocument, Exhibit},
    dsse::Envelope,
    statement::{AuditBundle, Predicate, Statement, Subject},
};
use obelus_policy::{Action, Rules};
use obelus_store::{approvals, audit, case_events, certificates, filings, requests, statements, verifications};
use serde_json::json;

use crate::{certificate_files, challenge, standing};
use obelus_casework::{
    Deps, case,
    durable::write_durably,
    exhibits,
    fault::point,
    grants::READINGS,
    transparency::{self, append, sign},
};

/// Events read at once.
const PAGE: u64 = 1000;
const README: &str = include_str!("audit_bundle/README.txt");

/// What the audit trail calls a bundle that was handed out.
const HANDED_OUT: &str = "hand_out";

/// Makes the audit bundle of a case and notes who has it: the archive's bytes. The same case in the same state gives the
/// same bytes, however often it was handed out.
///
/// # Errors
/// When there is no such request, the person may not, or there is no certificate yet.
pub async fn hand_out(deps: &Deps, by: &str, reference: &str) -> Result<Vec<u8>> {
    let person = case::permitted(deps, by, Action::HandOut, Some(reference)).await?;
    let archive = make(deps, reference).await?;
    let detail = json!({ "sha256": Digest::sha256(&archive) }).to_string();
    let write = deps.db.write().await?;
    audit::append(&write, deps.now(), &person.name, HANDED_OUT, reference, &detail).await?;
    write.commit().await?;
    point("bundle-noted");
    Ok(archive)
}

async fn make(deps: &Deps, reference: &str) -> Result<Vec<u8>> {
    let request = case::existing(deps, reference).await?;
    let issued = certificates::of_request(&deps.db, reference).await?;
    ensure!(!issued.is_empty(), "{reference} has no certificate yet; obelus audit run {reference} issues it");
    let mut files = Files::new();
    let mut add = |path: String, bytes: Vec<u8>| drop(files.insert(path, bytes));
    add("README.txt".to_owned(), README.as_bytes().to_vec());
    add("case/request.json".to_owned(), canonical::to_bytes(&case_document(deps, &request).await?)?);
    add("case/timeline.json".to_owned(), canonical::to_bytes(&timeline(deps, reference).await?)?);
    for (name, envelope) in steps(deps, reference).await? {
        add(format!("case/{name}"), envelope);
    }
    if let Some(plan) = &request.plan {
        add("case/plan.json".to_owned(), plan.clone());
    }
    for (name, text) in Rules::files() {
        add(format!("policies/authz/{name}"), text.as_bytes().to_vec());
    }
    for (name, text) in [("regime", &request.regime_file), ("calendar", &request.calendar_file)] {
        if let Some(text) = text {
            add(format!("policies/{name}.toml"), text.as_bytes().to_vec());
        }
    }
    for row in &issued {
        let written = certificate_files::hand_out(deps, row).await?;
        for path in written.all() {
            let name = path.file_name().and_then(|name| name.to_str()).context("a certificate's files have names")?;
            add(format!("certificates/{name}"), read(path)?);
        }
        let evidence = certificate_files::read_evidence(&written)?;
        for (name, bytes) in statements_of(deps, &evidence)? {
            add(format!("statements/{}.{name}.json", row.id), bytes);
        }
    }
    for run in verifications::of_request(&deps.db, reference).await? {
        let scores = [("before.json", run.scores_before), ("results.json", run.results)];
        add(format!("verification/{}.protocol.toml", run.id), run.protocol);
        for (name, bytes) in scores.into_iter().filter_map(|(name, bytes)| Some((name, bytes?))) {
            add(format!("verification/{}.{name}", run.id), bytes);
        }
    }
    for path in challenge::countable(deps, reference).await? {
        let name = path.file_name().and_then(|name| name.to_str()).context("a challenge's files have names")?;
        files.insert(format!("challenges/{name}"), read(&path)?);
    }
    let manifest = Manifest::new(reference, &files);
    let statement = signed_manifest(deps, &manifest).await?;
    files.insert(MANIFEST.to_owned(), manifest.to_bytes()?);
    files.insert(STATEMENT.to_owned(), statement);
    Ok(audit_bundle::to_zip(&files)?)
}

/// The request as it stands. Who filed and approved appears by the numbers that the register of persons gives them.
async fn case_document(deps: &Deps, request: &requests::Request) -> Result<serde_json::Value> {
    let approved = approvals::of_request(&deps.db, &request.reference).await?;
    let approved: Vec<_> = approved
        .iter()
        .map(|a| json!({ "person": a.person, "planDigest": a.plan_digest.0, "approvedAt": a.approved_at.0 }))
        .collect();
    Ok(json!({
        "reference": request.reference,
        "state": request.state.to_string(),
        "regime": request.regime,
        "model": request.model,
        "filedBy": request.filed_by,
        "receivedAt": request.received_at.0,
        "planDigest": request.plan_digest.map(|digest| digest.0),
        "sources": requests::sources(&deps.db, &request.reference).await?,
        "approvals": approved,
        "refusalCode": request.refusal_code,
    }))
}

/// The signed steps of the case and the receipt for it, as envelopes. Without their places in the log, whose checkpoint moves
/// with every archive; the log is public, and their leaves are in it.
async fn steps(deps: &Deps, reference: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    let envelope = async |digest: &Digest| -> Result<Vec<u8>> {
        let stored = statements::get(&deps.db, digest).await?;
        Ok(stored.with_context(|| format!("the statement {digest} is missing from the database"))?.envelope)
    };
    for step in case_events::of_request(&deps.db, reference).await? {
        let name = format!("steps/{:03}.{}.json", step.sequence, step.action);
        files.push((name, envelope(&step.statement.0).await?));
    }
    if let Some(receipt) = filings::get(&deps.db, reference).await?.and_then(|filing| filing.receipt) {
        files.push(("receipt.json".to_owned(), envelope(&receipt.0).await?));
    }
    Ok(files)
}

/// What was recorded about the request, oldest first. Not who was handed a bundle or has
/// read: that would make the next one another.
async fn timeline(deps: &Deps, reference: &str) -> Result<serde_json::Value> {
    let mut events = Vec::new();
    let mut after = 0;
    loop {
        let page = audit::page(&deps.db, Some(reference), after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(json!(events)) };
        after = last.id;
        let event = |e: &audit::Event| json!({ "at": e.happened_at.0, "action": e.action, "detail": e.detail });
        let is_step = |e: &&audit::Event| e.action != HANDED_OUT && !READINGS.contains(&e.action.as_str());
        events.extend(page.iter().filter(is_step).map(event));
    }
}

/// The statements of a certificate as bundles of their own, as programs from elsewhere read them.
fn statements_of(deps: &Deps, evidence: &CertificateDocument) -> Result<Vec<(String, Vec<u8>)>> {
    let mut bundles = Vec::new();
    for (number, logged) in evidence.exhibits.iter().chain(&evidence.extensions).enumerate() {
        if logged.exhibit == Exhibit::Certificate {
            continue;
        }
        let place = Place { index: logged.index, path: logged.path.clone() };
        let (name, role) = logged.exhibit.signed_by();
        let bundle = exhibits::bundle(deps, role, logged.envelope.clone(), &place, &evidence.checkpoint)?;
        let name = name.replace('/', "-");
        bundles.push((format!("{number:02}.{name}"), canonical::to_bytes(&bundle)?));
    }
    Ok(bundles)
}

/// The signed statement about a manifest: the one that was made for the same manifest before, unless a key under it was
/// revoked since, or a new one.
async fn signed_manifest(deps: &Deps, manifest: &Manifest) -> Result<Vec<u8>> {
    let digest = Digest::sha256(manifest.to_bytes()?);
    let path = deps.data.certificates().join(format!("{}.audit-bundle.json", manifest.request));
    if path.is_file() {
        let bytes = read(&path)?;
        let kept: Bundle = canonical::from_bytes(&bytes).with_context(|| format!("{} is damaged", path.display()))?;
        let kept = kept.dsse_envelope;
        let said = Statement::<AuditBundle>::verify(&kept, &deps.keys.verifier(AuditBundle::ROLE, &kept)?);
        if said.is_ok_and(|said| said.subject().digest.sha256 == Some(digest)) {
            let Some(objection) = standing::objection(deps, &bytes, None)? else { return Ok(bytes) };
            tracing::info!("the statement in {} is made anew: {objection}", path.display());
        }
    }
    let statement = Statement::new(
        Subject::sha256(&manifest.request, digest),
        AuditBundle {
            request: manifest.request.clone(),
            files: manifest.files.len() as u64,
            made_at: deps.now(),
            salt: deps.salt()?,
        },
    );
    let position = append(deps, sign(deps, &statement)?).await?;
    point("bundle-signed");
    let stored = statements::get(&deps.db, &position.digest).await?.context("the statement was just stored")?;
    let mut proofs = transparency::prove(deps, &[position.index]).await?;
    let place = Place { index: position.index, path: proofs.paths.pop().context("one leaf has one path")? };
    let envelope = Envelope::from_bytes(&stored.envelope)?;
    let bundle = exhibits::bundle(deps, AuditBundle::ROLE, envelope, &place, &proofs.note)?;
    let bytes = canonical::to_bytes(&bundle)?;
    write_durably(&path, &bytes)?;
    point("bundle-kept");
    Ok(bytes)
}

fn read(path: &std::path::Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
