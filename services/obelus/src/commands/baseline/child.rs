//! The process that trains one retrain for a worker. It tells its steps on standard output, and stops and saves what it has
//! when its standard input ends: so it does not outlive a worker that is killed.

use std::{
    io::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use obelus_auditor::living::Steps;
use obelus_casework::{Deps, NotThere, case::permitted};
use obelus_model::Progress;
use obelus_policy::Action;
use obelus_store::{baselines, models};

use crate::{
    arguments::{RowsKind, Train},
    commands::train,
    output::Answer,
    progress,
};

/// How often the steps are told.
const TELL_EVERY: Duration = Duration::from_millis(500);

/// Trains the retrain of a name.
///
/// # Errors
/// When there is none to be trained, whoever asked for it may not, or the training fails or is stopped.
pub async fn train(deps: &Deps, name: &str) -> Result<Answer> {
    let row = baselines::get(&deps.db, name).await?.ok_or_else(|| NotThere::baseline(name))?;
    permitted(deps, &row.requested_by, Action::Register, None).await?;
    let base = models::get(&deps.db, &row.model).await?.ok_or_else(|| NotThere::model(&row.model))?;
    let order = Train {
        name: row.name,
        corpus: base.corpus,
        preset: None,
        config: None,
        seed: u64::try_from(row.seed).context("a seed counts from 0")?,
        steps: row.steps.map(u64::try_from).transpose().context("steps count from 0")?,
        device: row.device,
        dtype: None,
        threads: u32::try_from(row.threads).context("threads count from 1")?,
        baseline_of: Some(row.model),
        exclude: row.excluded.0,
        control: None,
        from: None,
        learning_rate: None,
        add_sources: None,
        rows: RowsKind::Fresh,
        salt: None,
    };
    let mut shown = progress::watch(name, false, input_ended());
    let mut told = None::<Instant>;
    train::run(deps, &order, |progress| {
        if progress.step == progress.steps || told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            told = Some(Instant::now());
            tell(progress);
        }
        shown(progress)
    })
    .await?;
    Ok(Answer::Done)
}

/// Tells the steps to whoever listens. Nobody does when the worker was killed, and then the input has ended too.
fn tell(progress: &Progress) {
    let steps = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let steps = Steps { step: steps(progress.step), steps: steps(progress.steps) };
    if let Ok(line) = serde_json::to_string(&steps) {
        let mut out = io::stdout().lock();
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}

/// A flag that is set once standard input has ended.
fn input_ended() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    thread::spawn(move || {
        // An input that cannot be read has ended too.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        set.store(true, Ordering::Relaxed);
    });
    flag
}
