//! Does what is due: takes one job after the other, keeps its lease while it goes on, and says what came of it. Several
//! such processes on one database share the work. Not here: the work itself (`reverification.rs`, `baseline.rs`,
//! `ordered.rs`).

use std::{
    ffi::OsString,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use obelus_core::Timestamp;
use obelus_ledger::keys::random_salt;
use obelus_policy::Action;
use obelus_store::{
    Db, certificates, jobs,
    jobs::{Job, JobKind, JobState, Lease, NewJob, Ordered},
    schedules,
};
use serde::Serialize;
use tokio::sync::{Notify, watch};
use tokio_cron_scheduler::{Job as Tick, JobScheduler};

use super::{
    Settled, baseline, expire, ordered, program,
    reverification::{Attempt, reverify},
    settle, tick,
};
use crate::{baselines, progress::Progress};
use obelus_casework::{
    Deps,
    case::{self, SERVICE},
    fault::point,
    triggers,
};

/// What nobody wakes the worker for is looked for this often: changes by other processes, and ends of certificates.
const LOOK_EVERY: Duration = Duration::from_secs(20);
/// Whether a job waits is looked for this often: somebody may have ordered it and look at a page.
const LOOK_FOR_JOBS_EVERY: Duration = Duration::from_secs(1);
/// How far the work is, is written down at most this often.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// A job that failed, or cannot be done yet, is not begun again for this long.
const PAUSE_US: i64 = 60_000_000;

/// How the worker runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who does the work.
    pub by: String,
    /// Do what is due and end.
    pub once: bool,
    /// After this long without a sign of life a job is somebody else's.
    pub lease: Duration,
    /// Program and arguments that train a retrain, whose name is put behind them (`baseline.rs` says how the two speak).
    pub train: Vec<OsString>,
}

/// What came of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A new certificate takes the place of the one before.
    Renewed(String),
    /// The certificate is suspended, with this incident.
    Suspended(String),
    /// There was nothing to do, for this reason.
    Nothing(String),
    /// It cannot be done yet, for this reason.
    Later(String),
    /// The plan is made, with this digest.
    Planned(String),
    /// The takedown is executed; the weights have this root.
    Executed(String),
    /// The takedown is judged and certified, as said here.
    Judged(String),
    /// What was ordered is not done, for this reason.
    NotDone(String),
    /// The retrain of this name is trained.
    Trained(String),
    /// The retrain is not trained: it reads what must not be trained on.
    Refused(String),
    /// Somebody has cancelled the retrain.
    Cancelled(String),
    /// This worker is to end, and so has ended the training, which somebody goes on with.
    Stopped(String),
}

/// A job that was taken, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Done {
    /// Number of the job.
    pub job: i64,
    /// What it was about.
    pub subject: String,
    /// Why it was to be done.
    pub reason: String,
    /// `renewed`, `suspended`, `nothing`, `enqueued`, `planned`, `executed`, `judged`, `not-done`, `trained`, `refused`,
    /// `cancelled`, `stopped`, `later`, `failed`, `dead` or `lost`.
    pub result: &'static str,
    /// The certificate, the incident or the retrain, or why not.
    pub detail: String,
}

/// Does what is due until `stop` says so, or with `once` until nothing is due; says of each job what came of it. A
/// verification that was begun is ended first; a training is stopped, and goes on when somebody takes its job again.
///
/// # Errors
/// When the person may not, or the database or the log fails.
pub async fn run(
    deps: &Deps,
    options: &Options,
    mut stop: watch::Receiver<bool>,
    said: &mut dyn FnMut(&Done),
) -> Result<()> {
    case::permitted(deps, &options.by, Action::Reverify, None).await?;
    let woken = Arc::new(Notify::new());
    let mut ticker = Ticker::default();
    program::changed(deps).await?;
    loop {
        tick(deps).await?;
        point("ticks-made");
        expire(deps).await?;
        baselines::sweep(deps).await?;
        tell(settle(deps).await?);
        while !*stop.borrow() {
            let Some(done) = next(deps, options, &stop).await? else { break };
            tell(settle(deps).await?);
            said(&done);
        }
        if options.once || *stop.borrow() {
            return ticker.stop().await;
        }
        ticker.follow(deps, &woken).await?;
        tokio::select! {
            () = woken.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            waiting = job_waits(deps) => waiting?,
            changed = stop.changed() => changed.context("whoever stops the worker is gone")?,
        }
    }
}

/// Ends when a job may be begun.
async fn job_waits(deps: &Deps) -> Result<()> {
    loop {
        tokio::time::sleep(LOOK_FOR_JOBS_EVERY).await;
        if jobs::is_waiting(&deps.db, deps.now()).await? {
            return Ok(());
        }
    }
}

fn tell(settled: Settled) {
    for change in settled.changes {
        tracing::info!("certificate {} is {}", change.id, change.status);
    }
}

/// Wakes the worker when a schedule is due. It makes nothing: what is due is computed from the database, so that nothing
/// hangs on a tick that was lost.
#[derive(Default)]
struct Ticker {
    crons: Vec<String>,
    scheduler: Option<JobScheduler>,
}

impl Ticker {
    /// Follows the schedules that there are now.
    async fn follow(&mut self, deps: &Deps, woken: &Arc<Notify>) -> Result<()> {
        let mut crons: Vec<String> = schedules::all(&deps.db).await?.into_iter().map(|row| row.cron).collect();
        crons.sort();
        crons.dedup();
        if crons == self.crons {
            return Ok(());
        }
        self.stop().await?;
        let scheduler = JobScheduler::new().await.context("cannot make a ticker")?;
        for cron in &crons {
            let woken = Arc::clone(woken);
            let tick = Tick::new(cron.as_str(), move |_, _| woken.notify_one());
            scheduler.add(tick.with_context(|| format!("cannot follow {cron:?}"))?).await?;
        }
        scheduler.start().await.context("cannot start the ticker")?;
        (self.crons, self.scheduler) = (crons, Some(scheduler));
        Ok(())
    }

    async fn stop(&mut self) -> Result<()> {
        self.crons.clear();
        match self.scheduler.take() {
            Some(mut scheduler) => scheduler.shutdown().await.context("cannot stop the ticker"),
            None => Ok(()),
        }
    }
}

/// Takes a job and does it; none when there is none to be begun.
async fn next(deps: &Deps, options: &Options, stop: &watch::Receiver<bool>) -> Result<Option<Done>> {
    let lease_us = i64::try_from(options.lease.as_micros()).context("a lease is shorter than that")?;
    let token = random_salt().context("cannot make a token")?;
    let (now, write) = (deps.now(), deps.db.write().await?);
    let until = Timestamp::from_micros(now.as_micros() + lease_us);
    let lease = jobs::claim(&write, &token, now, until).await?;
    write.commit().await?;
    let Some(lease) = lease else { return Ok(None) };
    point("job-claimed");
    let progress = Progress::default();
    let by = lease.job.ordered_by.as_deref().unwrap_or(&options.by);
    let attempt = Attempt { lease: &lease, lease_us, by, progress: &progress };
    // A training keeps its own lease, because it is ended as soon as that is lost.
    let is_training = lease.job.kind == JobKind::TrainBaseline;
    let alive = (!is_training).then(|| KeptAlive::begin(deps, lease.clone(), lease_us, progress.follow()));
    let outcome = match lease.job.kind {
        JobKind::ReverifyCase => reverify(deps, &attempt, &lease.job.subject).await,
        JobKind::ReverifyModel => Ok(Outcome::Nothing(String::new())),
        JobKind::TrainBaseline => baseline::train(deps, &attempt, &options.train, stop.clone()).await,
        JobKind::PlanTakedown => ordered::plan(deps, &attempt).await,
        JobKind::ExecuteTakedown => ordered::execute(deps, &attempt).await,
        JobKind::VerifyTakedown => ordered::verify(deps, &attempt).await,
    };
    drop(alive);
    point("job-ended");
    let done = end(deps, &lease, outcome).await;
    let said = |result, detail: String| {
        let Job { id, subject, reason, .. } = lease.job.clone();
        Some(Done { job: id, subject, reason, result, detail })
    };
    match done {
        Ok((result, detail)) => Ok(said(result, detail)),
        Err(error) if is_lost(&error) => Ok(said("lost", format!("{error:#}"))),
        Err(error) => Err(error),
    }
}

/// Ends the job as its outcome says, in one transaction with what follows from it.
async fn end(deps: &Deps, lease: &Lease, outcome: Result<Outcome>) -> Result<(&'static str, String)> {
    let (now, write) = (deps.now(), deps.db.write().await?);
    let later = Timestamp::from_micros(now.as_micros() + PAUSE_US);
    let ended = match outcome {
        Ok(Outcome::Nothing(_)) if lease.job.kind == JobKind::ReverifyModel => {
            let model = &lease.job.subject;
            let cases = certificates::standing_of_model(&write, model).await?.len();
            let new = triggers::changed(&write, model, &lease.job.reason, now).await?;
            ("enqueued", format!("{new} of {cases} certified cases; the others wait already"))
        }
        Ok(Outcome::Renewed(id)) => ("renewed", id),
        Ok(Outcome::Suspended(id)) => ("suspended", id),
        Ok(Outcome::Nothing(why)) => ("nothing", why),
        Ok(Outcome::Planned(digest)) => ("planned", digest),
        Ok(Outcome::Executed(root)) => {
            // Nobody has to ask for it: the program itself judges, and it has executed nothing.
            let order = Some(Ordered { by: SERVICE.to_owned(), argument: None });
            let (kind, subject) = (JobKind::VerifyTakedown, lease.job.subject.clone());
            let reason = "the takedown was executed".to_owned();
            jobs::enqueue(&write, NewJob { kind, subject, reason, schedule: None, due_at: now, order }, now).await?;
            ("executed", root)
        }
        Ok(Outcome::Judged(what)) => ("judged", what),
        Ok(Outcome::NotDone(why)) => ("not-done", why),
        Ok(Outcome::Trained(name)) => ("trained", name),
        Ok(Outcome::Refused(why)) => ("refused", why),
        Ok(Outcome::Cancelled(why)) => ("cancelled", why),
        Ok(Outcome::Stopped(why)) => {
            // Whoever works next goes on at once.
            jobs::postpone(&write, lease, &why, now, now).await?;
            write.commit().await?;
            return Ok(("stopped", why));
        }
        Ok(Outcome::Later(why)) => {
            jobs::postpone(&write, lease, &why, later, now).await?;
            write.commit().await?;
            return Ok(("later", why));
        }
        Err(error) => {
            // Whoever lost the job says nothing about it.
            if is_lost(&error) {
                return Err(error);
            }
            let why = format!("{error:#}");
            tracing::warn!("{} of {} failed: {why}", lease.job.kind, lease.job.subject);
            let state = jobs::fail(&write, lease, &why, later, now).await?;
            write.commit().await?;
            return Ok((if state == JobState::Dead { "dead" } else { "failed" }, why));
        }
    };
    jobs::finish(&write, lease, &format!("{} {}", ended.0, ended.1), now).await?;
    write.commit().await?;
    Ok(ended)
}

/// Whether an error says that somebody else has the job.
pub(super) fn is_lost(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(obelus_store::Error::State { what: "job", .. }))
}

/// Keeps a lease while the work goes on, and notes how far it is, on another thread: scoring blocks its own.
struct KeptAlive(tokio::task::JoinHandle<()>);

impl KeptAlive {
    fn begin(deps: &Deps, lease: Lease, lease_us: i64, mut said: watch::Receiver<String>) -> Self {
        let (db, clock) = (deps.db.clone(), Arc::clone(&deps.clock));
        let every = Duration::from_micros(lease_us.unsigned_abs() / 4);
        Self(tokio::spawn(async move {
            let mut kept_at = Instant::now();
            loop {
                tokio::time::sleep(NOTE_EVERY.min(every)).await;
                let now = said.has_changed().unwrap_or(false).then(|| said.borrow_and_update().clone());
                if now.is_none() && kept_at.elapsed() < every {
                    continue;
                }
                let until = Timestamp::from_micros(clock.now().as_micros() + lease_us);
                if let Err(error) = keep(&db, &lease, until, now).await {
                    tracing::warn!("job {} cannot be kept: {error}", lease.job.id);
                    return;
                }
                kept_at = Instant::now();
            }
        }))
    }
}

impl Drop for KeptAlive {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn keep(db: &Db, lease: &Lease, until: Timestamp, progress: Option<String>) -> obelus_store::Result<()> {
    let write = db.write().await?;
    jobs::keep(&write, lease, until).await?;
    if let Some(progress) = progress {
        jobs::note(&write, lease, &progress).await?;
    }
    write.commit().await
}
