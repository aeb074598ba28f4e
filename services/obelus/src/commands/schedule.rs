//! `obelus audit schedule`, `jobs`, `retry` and `incident`: what becomes of certificates after they were issued.

use std::{ffi::OsString, time::Duration};

use anyhow::{Context as _, Result};
use obelus_auditor::living::{self, Done, Options, What};
use obelus_casework::{
    Deps,
    case::{OWNER, SERVICE},
    orders,
};
use obelus_store::{incidents, jobs, jobs::JobState, schedules};
use serde_json::{Value, json};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    arguments::{Incident, Schedule},
    failure::WrongUse,
    output::{Answer, Output, table},
};

/// Without a sign of life for this long a job is somebody else's.
const LEASE_SECONDS: u64 = 60;
/// Jobs that are shown.
const SHOWN: u64 = 100;

/// Runs `obelus audit schedule`.
pub async fn run(deps: &Deps, command: &Schedule, output: &Output) -> Result<Answer> {
    match command {
        Schedule::List => list(deps, output).await,
        Schedule::Add { reference, model, cron, person } => {
            let what = match (reference, model) {
                (Some(reference), _) => What::Case(reference.clone()),
                (None, Some(model)) => What::Model(model.clone()),
                _ => return Err(WrongUse("name a request, or --model".to_owned()).into()),
            };
            let by = person.as_deref().unwrap_or(OWNER);
            let made = living::add(deps, by, &what, cron.as_deref()).await?;
            let next = living::next_due(&made.cron, deps.now())?;
            let due = next.map_or_else(|| "never".to_owned(), |next| next.to_string());
            let words = format!("{} verifies {} again at \"{}\"; next: {due}", made.id, made.subject, made.cron);
            output.print(&words, &document(&made, next))?;
            Ok(Answer::Done)
        }
        Schedule::Remove { id, person } => {
            living::remove(deps, person.as_deref().unwrap_or(OWNER), id).await?;
            output.print(&format!("{id} is removed. What it has made due stays."), &json!({ "id": id }))?;
            Ok(Answer::Done)
        }
        Schedule::Run { once, lease_seconds, person } => {
            let by = person.clone().unwrap_or_else(|| SERVICE.to_owned());
            let lease = Duration::from_secs(u64::from(*lease_seconds));
            let options = Options { by, once: *once, lease, train: training(deps)? };
            work(deps, &options, output).await
        }
    }
}

/// How a worker runs that goes on until it is stopped.
pub(super) fn everlasting(deps: &Deps) -> Result<Options> {
    let (by, train) = (SERVICE.to_owned(), training(deps)?);
    Ok(Options { by, once: false, lease: Duration::from_secs(LEASE_SECONDS), train })
}

/// The command that trains a retrain.
fn training(deps: &Deps) -> Result<Vec<OsString>> {
    let program = std::env::current_exe().context("cannot find the running program")?;
    let words = ["audit", "baseline", "train"].map(OsString::from);
    let data = [program.into(), "--data".into(), deps.data.root().as_os_str().to_owned()];
    Ok(data.into_iter().chain(words).collect())
}

async fn list(deps: &Deps, output: &Output) -> Result<Answer> {
    let (mut cells, mut documents) = (Vec::new(), Vec::new());
    for row in schedules::all(&deps.db).await? {
        let next = living::next_due(&row.cron, deps.now())?;
        let due = next.map_or_else(String::new, |next| next.to_string());
        documents.push(document(&row, next));
        cells.push(vec![row.id, row.scope.to_string(), row.subject, row.cron, row.protocol, due]);
    }
    output.print(&table(&["ID", "WHAT", "OF", "CRON (UTC)", "FROM", "NEXT"], &cells), &documents)?;
    Ok(Answer::Done)
}

fn document(row: &schedules::Schedule, next: Option<obelus_core::Timestamp>) -> Value {
    json!({
        "id": row.id,
        "what": row.scope.to_string(),
        "subject": row.subject,
        "cron": row.cron,
        "protocol": row.protocol,
        "created_by": row.created_by,
        "last_due_at": row.last_due_at.0,
        "next_due_at": next,
    })
}

/// Works until it is told to stop, or with `once` until nothing is due. Answers no when a certificate was suspended or
/// something failed.
async fn work(deps: &Deps, options: &Options, output: &Output) -> Result<Answer> {
    let (stop, stopped) = watch::channel(false);
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let told = tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {} _ = tokio::signal::ctrl_c() => {} }
        tracing::info!("stopping; a verification that was begun is ended first, and a training is saved");
        // Whoever does not listen any more has stopped.
        let _ = stop.send(true);
        // Kept, because a worker whose stopper is gone takes that for a failure.
        std::future::pending::<()>().await;
    });
    let mut done: Vec<Done> = Vec::new();
    let worked = living::run(deps, options, stopped, &mut |one| {
        tracing::info!("{}: {} ({}) {}", one.subject, one.result, one.reason, one.detail);
        done.push(one.clone());
    })
    .await;
    told.abort();
    worked?;
    let cells: Vec<Vec<String>> = done
        .iter()
        .map(|d| vec![d.job.to_string(), d.subject.clone(), d.result.to_owned(), d.detail.clone()])
        .collect();
    output.print(&table(&["JOB", "OF", "RESULT", "DETAIL"], &cells), &json!({ "jobs": done }))?;
    let bad = done.iter().any(|d| ["suspended", "refused", "failed", "dead"].contains(&d.result));
    Ok(if options.once && bad { Answer::No } else { Answer::Done })
}

/// Runs `obelus audit jobs`.
pub async fn jobs(deps: &Deps, dead: bool, output: &Output) -> Result<Answer> {
    let rows = jobs::newest(&deps.db, dead.then_some(JobState::Dead), SHOWN).await?;
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|r| {
            let outcome = r.outcome.clone().unwrap_or_default();
            vec![
                r.id.to_string(),
                r.state.to_string(),
                r.subject.clone(),
                r.attempts.to_string(),
                r.reason.clone(),
                outcome,
            ]
        })
        .collect();
    let documents: Vec<Value> = rows
        .iter()
        .map(|r| {
            json!({
                "id": r.id,
                "kind": r.kind.to_string(),
                "subject": r.subject,
                "state": r.state.to_string(),
                "reason": r.reason,
                "schedule": r.schedule,
                "attempts": r.attempts,
                "due_at": r.due_at.0,
                "outcome": r.outcome,
            })
        })
        .collect();
    output.print(&table(&["JOB", "STATE", "OF", "ATTEMPTS", "WHY", "OUTCOME"], &cells), &documents)?;
    Ok(Answer::Done)
}

/// Runs `obelus audit retry`.
pub async fn retry(deps: &Deps, by: &str, id: i64, output: &Output) -> Result<Answer> {
    orders::retry(deps, by, id).await?;
    output.print(&format!("job {id} waits again; obelus audit schedule run does it."), &json!({ "job": id }))?;
    Ok(Answer::Done)
}

/// Runs `obelus audit incident`.
pub async fn incident(deps: &Deps, command: &Incident, output: &Output) -> Result<Answer> {
    match command {
        Incident::List => {
            let rows = incidents::all(&deps.db, None).await?;
            let state = |row: &incidents::Incident| if row.closed_at.is_some() { "closed" } else { "open" };
            let cells: Vec<Vec<String>> = rows
                .iter()
                .map(|r| {
                    let (kind, verdict) = (r.kind.to_string(), r.verdict.clone().unwrap_or_default());
                    vec![r.id.clone(), state(r).to_owned(), r.certificate.clone(), kind, verdict]
                })
                .collect();
            let documents: Vec<Value> = rows.iter().map(|row| shown(row, state(row))).collect();
            output.print(&table(&["ID", "STATE", "CERTIFICATE", "WHAT", "VERDICT"], &cells), &documents)?;
        }
        Incident::Close { id, reason, person } => {
            let row = living::close(deps, person, id, reason).await?;
            let words = format!("{id} is closed. {} is verified again by obelus audit schedule run.", row.request);
            output.print(&words, &shown(&row, "closed"))?;
        }
    }
    Ok(Answer::Done)
}

fn shown(row: &incidents::Incident, state: &str) -> Value {
    let detail: Value = serde_json::from_str(&row.detail).unwrap_or_default();
    json!({
        "id": row.id,
        "state": state,
        "certificate": row.certificate,
        "request": row.request,
        "kind": row.kind.to_string(),
        "run": row.run,
        "verdict": row.verdict,
        "detail": detail,
        "opened_at": row.opened_at.0,
        "closed_at": row.closed_at.map(|at| at.0),
        "closed_by": row.closed_by,
        "reason": row.reason,
    })
}
