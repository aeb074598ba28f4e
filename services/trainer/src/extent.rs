//! What a run will take, known or measured before it begins. Not here: the run (`lib.rs`).

use std::{ops::ControlFlow, time::Instant};

use anyhow::{Context as _, Result, bail};
use obelus_corpus::Corpus;
use obelus_model::{ModelError, Progress, Trainer};

use crate::{Order, Prepared, prepare};

/// What a run reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Optimizer steps.
    pub steps: u64,
    /// Targets over all steps; where the last pass is not whole, its share.
    pub tokens: u64,
    /// Numbers in the checkpoint; each is four bytes, and the optimizer keeps two more.
    pub parameters: u64,
}

/// How fast a run goes here.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Targets a second.
    pub tokens_per_second: f64,
    /// The most memory that this process held at once, if the system says it.
    pub peak_memory_bytes: Option<u64>,
    /// Steps that were timed.
    pub steps: u64,
}

/// What an order will take.
///
/// # Errors
/// As [`crate::run`], before its first step.
pub fn extent(order: &Order, corpus: &Corpus) -> Result<Extent> {
    let Prepared { preset, set, settings, .. } = prepare(order, corpus)?;
    let tokens = u128::from(settings.steps) * u128::from(set.tokens()) / u128::from(set.steps_per_epoch().max(1));
    let tokens = u64::try_from(tokens).context("a run has fewer tokens than that")?;
    Ok(Extent { steps: settings.steps, tokens, parameters: preset.model.parameters() })
}

/// Times `steps` steps of an order on fresh weights. Nothing is written. The step before them is not timed: it makes
/// what the later ones find.
///
/// # Errors
/// As [`crate::run`].
pub fn pace(order: &Order, corpus: &Corpus, steps: u64) -> Result<Pace> {
    obelus_model::set_threads(order.threads);
    let Prepared { preset, set, settings, .. } = prepare(order, corpus)?;
    let mut trainer = Trainer::new(&preset, settings)?;
    let (mut first, mut last) = (None, None);
    let watch = |progress: &Progress| {
        first.get_or_insert((Instant::now(), progress.step));
        last = Some((Instant::now(), *progress));
        if progress.step > steps { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    match trainer.run(&set, None, u64::MAX, watch) {
        Ok(_) | Err(ModelError::Cancelled(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let (Some((from, before)), Some((to, last))) = (first, last) else { bail!("the training has no step to time") };
    let timed = last.step - before;
    let targets = set.tokens() as f64 / set.steps_per_epoch().max(1) as f64 * timed as f64;
    // A run of one step has no other to time.
    let tokens_per_second = if timed == 0 { last.tokens_per_second } else { targets / (to - from).as_secs_f64() };
    Ok(Pace { tokens_per_second, peak_memory_bytes: peak_memory_bytes().ok(), steps: timed.max(1) })
}

/// The most memory that this process held at once, libtorch included: what the kernel calls `VmHWM`.
///
/// # Errors
/// Where the kernel does not say.
pub fn peak_memory_bytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("the kernel says no VmHWM")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().with_context(|| format!("VmHWM is {line:?}"))?;
    Ok(kib << 10)
}
