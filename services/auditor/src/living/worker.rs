//! Does what is due: takes one job after the other, keeps its lease while it goes on, and says what came of it. Several
//! such processes on one database share the work. Not here: the work itself (`reverification.rs`, `baseline.rs`).

use std::{ffi::OsString, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use obelus_core::Timestamp;
use obelus_ledger::keys::random_salt;
use obelus_policy::Action;
use obelus_store::{
    Db, audit, certificates, jobs,
    jobs::{Job, JobKind, JobState, Lease},
    schedules,
};
use serde::Serialize;
use serde_json::json;
use tokio::sync::{Notify, watch};
use tokio_cron_scheduler::{Job as Tick, JobScheduler};

use super::{
    Settled, baseline, expire, program,
    reverification::{Attempt, reverify},
    schedule, settle,
};
use crate::baselines;
use obelus_casework::{Deps, NotThere, case, fault::point, triggers};

/// What nobody wakes the worker for is looked for this often: changes by other processes, and ends of certificates.
const LOOK_EVERY: Duration = Duration::from_secs(20);
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
    /// `renewed`, `suspended`, `nothing`, `enqueued`, `trained`, `refused`, `cancelled`, `stopped`, `later`, `failed`, `dead`
    /// or `lost`.
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
        schedule::tick(deps).await?;
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
            changed = stop.changed() => changed.context("whoever stops the worker is gone")?,
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
    let attempt = Attempt { lease: &lease, lease_us, by: &options.by };
    let outcome = match lease.job.kind {
        JobKind::ReverifyCase => {
            let _alive = KeptAlive::begin(deps, lease.clone(), lease_us);
            reverify(deps, &attempt, &lease.job.subject).await
        }
        JobKind::ReverifyModel => Ok(Outcome::Nothing(String::new())),
        JobKind::TrainBaseline => baseline::train(deps, &attempt, &options.train, stop.clone()).await,
    };
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

/// Keeps a lease while the work goes on, on another thread: scoring blocks its own.
struct KeptAlive(tokio::task::JoinHandle<()>);

impl KeptAlive {
    fn begin(deps: &Deps, lease: Lease, lease_us: i64) -> Self {
        let (db, clock) = (deps.db.clone(), Arc::clone(&deps.clock));
        let every = Duration::from_micros(lease_us.unsigned_abs() / 4);
        Self(tokio::spawn(async move {
            loop {
                tokio::time::sleep(every).await;
                let until = Timestamp::from_micros(clock.now().as_micros() + lease_us);
                if let Err(error) = keep(&db, &lease, until).await {
                    tracing::warn!("job {} cannot be kept: {error}", lease.job.id);
                    return;
                }
            }
        }))
    }
}

impl Drop for KeptAlive {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn keep(db: &Db, lease: &Lease, until: Timestamp) -> obelus_store::Result<()> {
    let write = db.write().await?;
    jobs::keep(&write, lease, until).await?;
    write.commit().await
}

/// Lets a job that failed too often be tried again.
///
/// # Errors
/// When it is not dead, or the person may not.
pub async fn retry(deps: &Deps, by: &str, id: i64) -> Result<()> {
    let person = case::permitted(deps, by, Action::Schedule, None).await?;
    let job = jobs::get(&deps.db, id).await?.ok_or_else(|| NotThere::job(id))?;
    let write = deps.db.write().await?;
    jobs::revive(&write, id, deps.now()).await?;
    let detail = json!({ "job": id }).to_string();
    audit::append(&write, deps.now(), &person.name, "retry", &job.subject, &detail).await?;
    Ok(write.commit().await?)
}
