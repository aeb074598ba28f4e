//! One attempt at training a retrain: a process of its own is started, watched and stopped. Its lease is kept while it
//! goes on; whoever lost the lease ends it at once, because somebody else goes on from what it has saved. Not here: the
//! training itself, which the caller's command does.
//!
//! The two processes speak by pipes. The training tells its steps, one JSON document a line, on standard output; it stops,
//! and saves what it has, when its standard input ends, which it also does when this process dies.

use std::{ffi::OsString, process::ExitStatus, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, bail};
use obelus_core::Timestamp;
use obelus_store::{
    baselines::{self, Baseline, BaselineEnd},
    jobs, models,
    models::ModelStatus,
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::watch,
    task::JoinHandle,
    time::MissedTickBehavior,
};

use super::{Attempt, Outcome, worker::is_lost};
use crate::{export, refusal};
use obelus_casework::{Deps, fault::point};

/// Whether it was cancelled is looked for this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How far a training is, as it tells the process that started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steps {
    /// Steps done.
    pub step: i64,
    /// Steps in all.
    pub steps: i64,
}

/// Trains the retrain of a name, in one attempt at its job. `command` is the program and arguments that train the one
/// whose name is put behind them.
///
/// # Errors
/// When the lease is lost, the training fails, or the database does.
pub(super) async fn train(
    deps: &Deps,
    attempt: &Attempt<'_>,
    command: &[OsString],
    stop: watch::Receiver<bool>,
) -> Result<Outcome> {
    let name = &attempt.lease.job.subject;
    let row = baselines::get(&deps.db, name).await?;
    let row = row.with_context(|| format!("there is no retrain {name} to be trained"))?;
    if let Some(ended) = ended(deps, &row).await? {
        return Ok(ended);
    }
    if let Some(why) = refused(deps, &row).await? {
        let folder = deps.data.model(name);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let _alone = export::lock(deps, name, true)?;
        refusal::give_up(deps, name, &why).await?;
        return Ok(Outcome::Refused(why));
    }
    let mut training = Training::start(command, name)?;
    point("baseline-started");
    let watched = training.watch(deps, attempt, stop).await;
    let (exit, said) = match watched {
        Ok(exit) => (exit, training.last_words().await),
        // Dropped, it is killed: what it has saved is enough for whoever goes on.
        Err(error) => return Err(error),
    };
    point("baseline-trained");
    let row = baselines::get(&deps.db, name).await?.context("retrains are never removed")?;
    match (ended(deps, &row).await?, exit.told) {
        (Some(ended), _) => Ok(ended),
        (None, true) => Ok(Outcome::Stopped(format!("{name} was stopped; its training is kept"))),
        (None, false) => bail!("the training of {name} ended with {}: {said}", exit.status),
    }
}

/// How a retrain has ended; none while it goes on.
async fn ended(deps: &Deps, row: &Baseline) -> Result<Option<Outcome>> {
    let model = models::get(&deps.db, &row.name).await?;
    if model.is_some_and(|model| !matches!(model.status, ModelStatus::Training | ModelStatus::Refused)) {
        return Ok(Some(Outcome::Trained(row.name.clone())));
    }
    let why = row.why.clone().unwrap_or_default();
    Ok(row.ended.map(|end| match end {
        BaselineEnd::Refused => Outcome::Refused(why),
        BaselineEnd::Cancelled => Outcome::Cancelled(why),
    }))
}

/// Why a retrain must not be trained, whether or not its training has begun.
async fn refused(deps: &Deps, row: &Baseline) -> Result<Option<String>> {
    let base = models::get(&deps.db, &row.model).await?.context("a retrain is of a model")?;
    let reads =
        refusal::Reads { lineage: &base.lineage, excluded: &row.excluded.0, unlearns: false, suppressed_too: true };
    refusal::of(&deps.db, &reads).await
}

/// The process that trains.
struct Training {
    child: Child,
    /// Dropped to tell it to stop.
    input: Option<ChildStdin>,
    steps: Lines<BufReader<ChildStdout>>,
    said: JoinHandle<String>,
}

/// How the process ended.
struct Ended {
    status: ExitStatus,
    /// Whether it was told to stop.
    told: bool,
}

impl Training {
    fn start(command: &[OsString], name: &str) -> Result<Self> {
        let (program, arguments) = command.split_first().context("this worker was not told how to train")?;
        let mut child = Command::new(program)
            .args(arguments)
            .arg(name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // An interrupt from the keyboard is for this process, which tells it to stop.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start the training of {name}"))?;
        let steps = child.stdout.take().context("its standard output is piped")?;
        let said = child.stderr.take().context("its standard error is piped")?;
        let (input, steps) = (child.stdin.take(), BufReader::new(steps).lines());
        Ok(Self { child, input, steps, said: tokio::spawn(relay(name.to_owned(), said)) })
    }

    /// Keeps the lease and notes the steps until the process ends; tells it to stop when somebody cancels it, or this
    /// process is to end.
    async fn watch(&mut self, deps: &Deps, attempt: &Attempt<'_>, mut stop: watch::Receiver<bool>) -> Result<Ended> {
        let name = &attempt.lease.job.subject;
        let mut kept = Kept::begin(deps, attempt);
        let (mut told, mut talks) = (false, true);
        let mut look = tokio::time::interval(LOOK_EVERY.min(kept.every / 2));
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                line = self.steps.next_line(), if talks => match line.context("cannot hear the training")? {
                    Some(line) => kept.steps = serde_json::from_str(&line).ok().or(kept.steps),
                    None => talks = false,
                },
                status = self.child.wait(), if !talks => {
                    kept.note(deps, attempt).await?;
                    return Ok(Ended { status: status.context("cannot wait for the training")?, told });
                }
                _ = look.tick() => {
                    kept.keep(deps, attempt).await?;
                    let row = baselines::get(&deps.db, name).await?;
                    let cancelled = row.is_some_and(|row| row.ended == Some(BaselineEnd::Cancelled));
                    if (cancelled || *stop.borrow()) && !told {
                        told = true;
                        tracing::info!("{name}: stopping; its training is saved first");
                        self.input = None;
                    }
                }
                // Looked at with the next tick.
                changed = stop.changed(), if !told && !*stop.borrow() => {
                    changed.context("whoever stops the worker is gone")?;
                }
            }
        }
    }

    /// The last line that it has said on standard error.
    async fn last_words(&mut self) -> String {
        (&mut self.said).await.unwrap_or_default()
    }
}

/// Passes on what a training says, and gives its last line.
async fn relay(name: String, from: impl AsyncRead + Unpin) -> String {
    let (mut lines, mut last) = (BufReader::new(from).lines(), String::new());
    while let Ok(Some(line)) = lines.next_line().await {
        tracing::info!("[{name}] {}", line.trim());
        last = line;
    }
    last
}

/// The lease of an attempt, and the steps that are not noted yet.
struct Kept {
    every: Duration,
    last: std::time::Instant,
    until: Timestamp,
    steps: Option<Steps>,
    noted: Option<Steps>,
}

impl Kept {
    fn begin(deps: &Deps, attempt: &Attempt<'_>) -> Self {
        let until = Timestamp::from_micros(deps.now().as_micros() + attempt.lease_us);
        let every = Duration::from_micros(attempt.lease_us.unsigned_abs() / 4);
        Self { every, last: std::time::Instant::now(), until, steps: None, noted: None }
    }

    /// Keeps the lease where it is time to. A database that fails for a while costs nothing until the lease has run out.
    async fn keep(&mut self, deps: &Deps, attempt: &Attempt<'_>) -> Result<()> {
        if self.last.elapsed() < self.every {
            return Ok(());
        }
        match self.note(deps, attempt).await {
            Err(error) if !is_lost(&error) && deps.now() < self.until => {
                tracing::warn!("job {} cannot be kept: {error:#}", attempt.lease.job.id);
                Ok(())
            }
            other => other,
        }
    }

    async fn note(&mut self, deps: &Deps, attempt: &Attempt<'_>) -> Result<()> {
        let until = Timestamp::from_micros(deps.now().as_micros() + attempt.lease_us);
        let write = deps.db.write().await?;
        jobs::keep(&write, attempt.lease, until).await?;
        if let Some(steps) = self.steps.filter(|steps| Some(*steps) != self.noted) {
            baselines::record_progress(&write, &attempt.lease.job.subject, steps.step, steps.steps).await?;
            self.noted = Some(steps);
        }
        write.commit().await?;
        (self.last, self.until) = (std::time::Instant::now(), until);
        Ok(())
    }
}
