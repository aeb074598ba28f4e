//! Retrains that are missing, into the queue and out of it again. Not here: which those are (`proposal.rs`), and who trains
//! them (`living/worker.rs`).

use anyhow::{Context as _, Result, ensure};
use obelus_policy::Action;
use obelus_store::{
    Write, audit,
    baselines::{self, BaselineEnd, NewBaseline},
    jobs::{self, JobKind, NewJob},
    models::{self, ModelStatus},
};
use serde::Serialize;
use serde_json::json;

use super::{Missing, Proposal, sweep};
use obelus_casework::{Deps, NotThere, case};

/// How retrains are trained, as worked out from their model, and what that was said to cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct How {
    /// Steps instead of those that the model's settings give.
    pub steps: Option<u64>,
    /// Steps in all.
    pub steps_all: u64,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// Threads of one tensor operation.
    pub threads: u32,
    /// The cost of one, as it was shown.
    pub cost: serde_json::Value,
}

/// A retrain that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Added {
    /// Its name.
    pub name: String,
    /// Its seed.
    pub seed: u64,
    /// The job that trains it.
    pub job: i64,
    /// Whether it was put into the queue now; otherwise it was there.
    pub new: bool,
}

/// Puts the missing retrains of a proposal into the queue, each as a job. One that is there already stays as it is; one
/// that was cancelled or refused goes on.
///
/// # Errors
/// When the person may not, or the database fails.
pub async fn add(deps: &Deps, by: &str, proposal: &Proposal, how: &How) -> Result<Vec<Added>> {
    let person = case::permitted(deps, by, Action::Register, None).await?;
    // A kept training that must not go on is not gone on with.
    sweep(deps).await?;
    let write = deps.db.write().await?;
    let mut added = Vec::new();
    for missing in &proposal.missing {
        added.push(enqueue(deps, &write, &person.name, proposal, missing, how).await?);
    }
    write.commit().await?;
    Ok(added)
}

async fn enqueue(
    deps: &Deps,
    write: &Write,
    by: &str,
    proposal: &Proposal,
    missing: &Missing,
    how: &How,
) -> Result<Added> {
    let (now, name) = (deps.now(), &missing.name);
    let whole =
        |what: &str, number: u64| i64::try_from(number).with_context(|| format!("{what} {number} is too large"));
    let baseline = NewBaseline {
        name: name.clone(),
        model: proposal.model.clone(),
        kind: proposal.kind(),
        excluded: proposal.excluded.clone(),
        seed: whole("the seed", missing.seed)?,
        panel_seed: proposal.panel_seed.map(|seed| whole("the seed", seed)).transpose()?,
        steps: how.steps.map(|steps| whole("the number of steps", steps)).transpose()?,
        device: how.device.clone(),
        threads: i64::from(how.threads),
        cost: how.cost.to_string(),
        steps_all: whole("the number of steps", how.steps_all)?,
        requested_by: by.to_owned(),
    };
    let new = baselines::add(write, baseline, now).await? || baselines::reopen(write, name, by, now).await?;
    if new {
        let job = NewJob {
            kind: JobKind::TrainBaseline,
            subject: name.clone(),
            reason: format!("asked for by {by}"),
            schedule: None,
            due_at: now,
            order: None,
        };
        jobs::enqueue(write, job, now).await?;
        let (kind, excluded) = (proposal.kind, proposal.excluded.len());
        let detail = json!({ "baseline": name, "kind": kind, "excluded": excluded, "seed": missing.seed });
        audit::append(write, now, by, "add_baseline", &proposal.model, &detail.to_string()).await?;
    }
    let job = jobs::of_subject(write, JobKind::TrainBaseline, name).await?;
    Ok(Added { name: name.clone(), seed: missing.seed, job: job.context("a retrain has a job")?.id, new })
}

/// Stops the training of a retrain, by its name or the number of its job. What it has trained is kept, and the next who
/// asks for it has it go on. A worker that trains it now is told, and ends it soon.
///
/// # Errors
/// When there is none, it has ended, or the person may not.
pub async fn cancel(deps: &Deps, by: &str, what: &str) -> Result<String> {
    let person = case::permitted(deps, by, Action::Register, None).await?;
    let name = match what.parse::<i64>() {
        Ok(id) => {
            let job = jobs::get(&deps.db, id).await?.filter(|job| job.kind == JobKind::TrainBaseline);
            job.ok_or_else(|| NotThere::baseline(what))?.subject
        }
        Err(_) => what.to_owned(),
    };
    let row = baselines::get(&deps.db, &name).await?.ok_or_else(|| NotThere::baseline(what))?;
    let (now, write) = (deps.now(), deps.db.write().await?);
    let status = models::get(&write, &name).await?.map(|model| model.status);
    ensure!(
        status.is_none_or(|status| matches!(status, ModelStatus::Training | ModelStatus::Refused)),
        "{name} is trained already; there is nothing to cancel"
    );
    let why = format!("cancelled by {}", person.name);
    let ended = baselines::end(&write, &name, BaselineEnd::Cancelled, &why, now).await?;
    ensure!(ended, "{name} has ended already; obelus audit baseline list shows how");
    if let Some(job) = jobs::of_subject(&write, JobKind::TrainBaseline, &name).await? {
        jobs::cancel(&write, job.id, &why, now).await?;
    }
    let detail = json!({ "baseline": name }).to_string();
    audit::append(&write, now, &person.name, "cancel_baseline", &row.model, &detail).await?;
    write.commit().await?;
    Ok(name)
}
