//! A certified case verified again, on the model as it is now: with the protocol, the baselines and the scores from before
//! that were fixed for the takedown. As good as before, its certificate is renewed; worse, it is suspended.
//!
//! Killed anywhere and begun again it ends the same: the run belongs to the job, and the certificate to the run. Not here:
//! who gets the job (`worker.rs`).

use anyhow::{Context as _, Result};
use obelus_core::{Digest, Timestamp};
use obelus_ledger::statement::{Repetition as Repeated, Statement, Subject, VerificationRun};
use obelus_model::WeightTree;
use obelus_policy::Action;
use obelus_store::{
    audit, certificates,
    certificates::{Certificate, CertificateStatus},
    incidents,
    incidents::{IncidentKind, NewIncident},
    jobs,
    jobs::Lease,
    models,
    models::ModelStatus,
    requests,
    requests::RequestState,
    verifications::{self, Judgement, Repetition, Run},
};
use obelus_verdict::{AttackResult, Verdict};
use serde_json::{Value, json};

use super::{Circumstances, Outcome};
use crate::{
    certificate_files, certification, export,
    progress::Progress,
    standing,
    subject::Opened,
    verification::{self, Results},
};
use obelus_casework::{
    Deps, case,
    fault::point,
    letters,
    step::{Act, take},
    transparency::{publish, sign},
};

/// How long a change of this attempt may keep the job.
pub(crate) struct Attempt<'a> {
    pub(super) lease: &'a Lease,
    /// Length of a lease, in microseconds.
    pub(super) lease_us: i64,
    /// Who does it.
    pub(super) by: &'a str,
    /// Told how far it is.
    pub(super) progress: &'a Progress,
}

impl Attempt<'_> {
    /// Fails when somebody else has the job. In the transaction of every change.
    pub(crate) async fn fence(&self, write: &obelus_store::Write, now: Timestamp) -> Result<()> {
        Ok(jobs::keep(write, self.lease, Timestamp::from_micros(now.as_micros() + self.lease_us)).await?)
    }
}

/// Verifies the case of a request again, in one attempt at its job.
///
/// # Errors
/// When the person may not, the model cannot be opened, or what was recorded does not fit what is measured.
pub(super) async fn reverify(deps: &Deps, attempt: &Attempt<'_>, reference: &str) -> Result<Outcome> {
    let person = case::permitted(deps, attempt.by, Action::Reverify, Some(reference)).await?;
    let Some(certificate) = certificates::newest(&deps.db, reference).await? else {
        return Ok(Outcome::Nothing(format!("{reference} has no certificate")));
    };
    if let Some(run) = verifications::of_job(&deps.db, attempt.lease.job.id).await? {
        return conclude(deps, attempt, &certificate, &run).await;
    }
    if let Some(open) = incidents::open_of(&deps.db, &certificate.id).await? {
        return Ok(Outcome::Nothing(format!("{} is open, and a person has to close it first", open.id)));
    }
    let row = models::get(&deps.db, &certificate.model).await?.context("a certificate names a model")?;
    if row.status != ModelStatus::Ready {
        return Ok(Outcome::Later(format!("{} is {}", row.name, row.status)));
    }
    revoke_if_nothing_counts(deps, attempt, &certificate).await?;
    // A takedown or an adaptation that goes on has it alone, and its end makes another job.
    let _held = export::lock(deps, &certificate.model, false)?;
    let opened = Opened::open(deps, &certificate.model).await?;
    let checkpoint = opened.record.checkpoint_path(&deps.data.model(&certificate.model));
    let found = WeightTree::read(&checkpoint, deps.hashing_threads(), |_| ())?.root();
    let signed = opened.row.weight_root.context("a finished model has a weight root")?.0;
    if found != signed {
        return foreign_weights(deps, attempt, &certificate, found, signed).await;
    }
    if requests::sources(&deps.db, reference).await?.iter().any(|id| opened.corpus.is_destroyed(id)) {
        return Ok(Outcome::Nothing(
            "the weights are those that were signed; nothing is asked, because text and probes of its sources were destroyed \
             (obelus takedown shred)"
                .to_owned(),
        ));
    }
    let run = measure(deps, attempt, &person.name, reference, &opened, found).await?;
    point("reverified");
    conclude(deps, attempt, &certificate, &run).await
}

/// Scores the struck sources, judges, and signs the run.
async fn measure(
    deps: &Deps,
    attempt: &Attempt<'_>,
    person: &str,
    reference: &str,
    opened: &Opened,
    root: Digest,
) -> Result<Run> {
    let started_at = deps.now();
    let first = verifications::first_of_request(&deps.db, reference).await?;
    let first = first.context("a certified case has a verification run")?;
    let before = verifications::of_request(&deps.db, reference).await?.pop().context("the run was just read")?;
    let now = Circumstances::now(deps, opened, root, &first.protocol).await?;
    let changes = match Circumstances::of(&before)? {
        Some(before) => now.changes_since(&before),
        None => vec!["unknown: the run before is from an earlier version"],
    };
    tracing::info!("verifying {reference} again; changed since {}: {}", before.id, list(&changes));
    let measured = verification::measured(deps, &first, opened, reference, attempt.progress).await?;
    let bytes = serde_json::to_vec(&measured.results)?;
    let verdict = measured.results.judgement.verdict.name();
    let statement = Statement::new(
        Subject::weights(&first.model, root),
        VerificationRun {
            request: reference.to_owned(),
            model: first.model.clone(),
            protocol: first.protocol_statement.0,
            baselines: measured.baselines,
            baseline_kind: measured.results.baseline_kind.clone(),
            before: measured.before,
            results: Digest::sha256(&bytes),
            verdict: verdict.to_owned(),
            repetition: Some(Repeated {
                previous: before.statement.context("a judged run has a statement")?.0,
                generation: now.generation,
                routing: now.routing,
                copies: now.copies,
                attack: now.attack,
            }),
            judged_at: deps.now(),
            salt: deps.salt()?,
        },
    );
    let write = deps.db.write().await?;
    let id = verifications::reserve(&write, deps.now()).await?;
    write.commit().await?;
    let (job, at) = (attempt.lease.job.id, deps.now());
    publish(deps, sign(deps, &statement)?, async |write, digest| {
        attempt.fence(write, at).await?;
        let repetition = Repetition { id: id.clone(), job, started_at };
        let judgement = Judgement {
            results: bytes.clone(),
            verdict: verdict.to_owned(),
            statement: *digest,
            circumstances: serde_json::to_string(&now)?,
        };
        verifications::repeat(write, &first, repetition, judgement, at).await?;
        let detail = json!({ "run": id, "verdict": verdict, "changed": changes }).to_string();
        Ok(audit::append(write, at, person, Action::Reverify.name(), reference, &detail).await?)
    })
    .await?;
    verifications::of_job(&deps.db, job).await?.context("the run was just kept")
}

fn list(changes: &[&str]) -> String {
    if changes.is_empty() { "nothing".to_owned() } else { changes.join(", ") }
}

/// Renews or suspends by what a run found, unless that was done.
async fn conclude(deps: &Deps, attempt: &Attempt<'_>, newest: &Certificate, run: &Run) -> Result<Outcome> {
    if newest.verification_run == run.id {
        certificate_files::hand_out(deps, newest).await?;
        return Ok(Outcome::Renewed(newest.id.clone()));
    }
    let results = verification::stored(run)?;
    let own = incidents::all(&deps.db, Some(&newest.request)).await?;
    if let Some(opened) = own.iter().find(|incident| incident.run.as_deref() == Some(run.id.as_str())) {
        return Ok(Outcome::Suspended(opened.id.clone()));
    }
    // What a person has accepted since the certificate was issued is not found wrong once more.
    let accepted = own
        .iter()
        .filter(|incident| incident.certificate == newest.id && incident.closed_at.is_some())
        .filter_map(|incident| incident.verdict.as_deref())
        .chain([newest.verdict.as_str()])
        .map(badness)
        .max();
    if Some(badness(results.judgement.verdict.name())) > accepted {
        return suspend(deps, attempt, newest, run, &results).await;
    }
    let renewed = certification::renew(deps, attempt, newest, run).await?;
    point("certificate-renewed");
    certificate_files::hand_out(deps, &renewed).await?;
    Ok(Outcome::Renewed(renewed.id))
}

/// How bad a verdict is. One that is not known is the worst.
fn badness(verdict: &str) -> usize {
    let known = [Verdict::Verified, Verdict::VerifiedWithResidual, Verdict::NotVerified];
    known.iter().position(|known| known.name() == verdict).unwrap_or(known.len())
}

async fn suspend(
    deps: &Deps,
    attempt: &Attempt<'_>,
    certificate: &Certificate,
    run: &Run,
    results: &Results,
) -> Result<Outcome> {
    let verdict = results.judgement.verdict;
    let figure = |(name, attack): (&String, &AttackResult)| {
        (name.clone(), json!({ "outcome": attack.outcome, "residual": attack.residual, "value": attack.erased }))
    };
    let required = results.judgement.attacks.iter().filter(|(_, attack)| attack.required);
    let figures: serde_json::Map<String, Value> = required.map(figure).collect();
    let new = NewIncident {
        certificate: certificate.id.clone(),
        request: certificate.request.clone(),
        kind: IncidentKind::Verdict,
        run: Some((run.id.clone(), verdict.name().to_owned())),
        detail: json!({ "before": certificate.verdict, "now": verdict.name(), "figures": figures }).to_string(),
    };
    let reopens = verdict == Verdict::NotVerified;
    open_incident(deps, attempt, new, reopens).await
}

async fn foreign_weights(
    deps: &Deps,
    attempt: &Attempt<'_>,
    certificate: &Certificate,
    found: Digest,
    signed: Digest,
) -> Result<Outcome> {
    tracing::warn!("{} has the weight root {found}, and {signed} was signed", certificate.model);
    let new = NewIncident {
        certificate: certificate.id.clone(),
        request: certificate.request.clone(),
        kind: IncidentKind::Weights,
        run: None,
        detail: json!({ "model": certificate.model, "found": found, "signed": signed }).to_string(),
    };
    open_incident(deps, attempt, new, false).await
}

/// Suspends the certificate in one transaction with the incident; the request is open again where verification failed.
async fn open_incident(deps: &Deps, attempt: &Attempt<'_>, new: NewIncident, reopens: bool) -> Result<Outcome> {
    let (now, request) = (deps.now(), new.request.clone());
    let state = case::existing(deps, &request).await?.state;
    let to = if reopens { RequestState::VerificationFailed } else { state };
    let detail = json!({ "certificate": new.certificate, "reopened": reopens });
    let act = Act::new("suspend", attempt.by, state, to).carrying(&detail);
    take(deps, &request, &[act], vec![], async |write, _| {
        attempt.fence(write, now).await?;
        certificates::set_status(write, &new.certificate, CertificateStatus::Suspended, now).await?;
        if state != to {
            requests::advance(write, &request, state, to).await?;
            letters::reopened(deps, write, &request, &new.certificate).await?;
        }
        incidents::open(write, new.clone(), now).await?;
        Ok(())
    })
    .await?;
    point("certificate-suspended");
    let opened = incidents::open_of(&deps.db, &new.certificate).await?.context("the incident was just opened")?;
    Ok(Outcome::Suspended(opened.id))
}

/// Says of a certificate that rests on a key that was revoked that it does not count. What is measured next is signed with
/// the keys of now.
async fn revoke_if_nothing_counts(deps: &Deps, attempt: &Attempt<'_>, row: &Certificate) -> Result<()> {
    if row.status == CertificateStatus::Revoked {
        return Ok(());
    }
    let files = certificate_files::CertificateFiles::of(&deps.data.certificates(), &row.id);
    if !files.bundle.is_file() || !files.evidence.is_file() {
        return Ok(());
    }
    // A checkpoint under a log key that was revoked is replaced by the one of now, which may be all that is wrong.
    if let Err(refused) = certificate_files::hand_out(deps, row).await {
        tracing::info!("{refused:#}");
    }
    let Some(objection) = standing::certificate_objection(deps, &row.id, &files)? else { return Ok(()) };
    tracing::warn!("the certificate {} does not count any more: {objection}", row.id);
    let now = deps.now();
    let write = deps.db.write().await?;
    attempt.fence(&write, now).await?;
    certificates::set_status(&write, &row.id, CertificateStatus::Revoked, now).await?;
    let detail = json!({ "certificate": row.id }).to_string();
    audit::append(&write, now, attempt.by, "revoke_certificate", &row.request, &detail).await?;
    Ok(write.commit().await?)
}
