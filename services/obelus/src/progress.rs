//! Progress on standard error: log lines, and a bar for trainings where somebody watches.

use std::{
    io::{self, IsTerminal as _},
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use obelus_model::Progress;
use tracing_subscriber::EnvFilter;

/// How often a training reports where nobody watches.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Sends log lines to standard error. `OBELUS_LOG` filters them; texts and keys are never logged.
pub fn log_to_stderr(quiet: bool) {
    let default = if quiet { "warn" } else { "warn,obelus=info,obelus_auditor=info,obelus_trainer=info" };
    let filter = EnvFilter::try_from_env("OBELUS_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .without_time()
        .with_target(false)
        .init();
}

/// Turns the first interrupt into a flag, so that a training saves its state; the second one ends the process.
pub fn interrupted() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            set.store(true, Ordering::Relaxed);
        }
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(130);
        }
    });
    flag
}

/// Watches a training: shows loss, speed and time left, and stops it when interrupted.
pub fn watch(name: &str, quiet: bool, stop: Arc<AtomicBool>) -> impl FnMut(&Progress) -> ControlFlow<()> {
    let name = name.to_owned();
    let bar = (!quiet && io::stderr().is_terminal()).then(|| {
        let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} {msg}");
        ProgressBar::new(0).with_prefix(name.clone()).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    });
    let mut said = None::<Instant>;
    move |p| {
        let figures = format!("loss {:.3}  {:.0} tokens/s  {:.0} s left", p.loss, p.tokens_per_second, p.seconds_left);
        match &bar {
            Some(bar) => {
                bar.set_length(p.steps);
                bar.set_position(p.step);
                bar.set_message(figures);
            }
            None if quiet => {}
            None => {
                if p.step == p.steps || said.is_none_or(|at| at.elapsed() >= LINE_EVERY) {
                    said = Some(Instant::now());
                    tracing::info!("{name}: step {} of {}  {figures}", p.step, p.steps);
                }
            }
        }
        if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Counts bytes of a long pass: a bar where somebody watches, else a line every few seconds.
pub fn bytes(what: &'static str, all_bytes: u64, quiet: bool) -> impl FnMut(u64) + Send {
    let told = |done: u64, all: u64| format!("{:.1} of {:.1} GB", done as f64 / 1e9, all as f64 / 1e9);
    passed(what, all_bytes, quiet, "{prefix} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}", told)
}

/// Counts `things`, as [`bytes`] counts bytes.
pub fn counted(what: &'static str, things: &'static str, all: u64, quiet: bool) -> impl FnMut(u64) + Send {
    let told = move |done: u64, all: u64| format!("{done} of {all} {things}");
    passed(what, all, quiet, "{prefix} {bar:30} {pos}/{len} {per_sec} {eta}", told)
}

fn passed(
    what: &'static str,
    all: u64,
    quiet: bool,
    template: &str,
    told: impl Fn(u64, u64) -> String + Send,
) -> impl FnMut(u64) + Send {
    let bar = (!quiet && io::stderr().is_terminal()).then(|| {
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::new(all).with_prefix(what).with_style(style)
    });
    let (mut done, mut said) = (0, Instant::now());
    move |more| {
        done += more;
        match &bar {
            Some(bar) => bar.set_position(done),
            None if quiet || said.elapsed() < LINE_EVERY => {}
            None => {
                said = Instant::now();
                tracing::info!("{what}: {}", told(done, all));
            }
        }
    }
}
