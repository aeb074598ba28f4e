//! What long work says of how far it is: to the log, and to whoever follows it. Stopped by ending the process: a verification
//! that was cut off begins its measurement again, and keeps everything that was recorded before.

use std::{
    ops::ControlFlow,
    sync::Mutex,
    time::{Duration, Instant},
};

use obelus_attack::Step;
use tokio::sync::watch;

/// A line about a step at most this often, over all threads that measure.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Whoever follows is told of a step at most this often.
const TOLD_EVERY: Duration = Duration::from_millis(500);

/// Says which stage has begun, and now and then which step of which attack is done.
#[derive(Debug)]
pub struct Progress {
    last: Mutex<Last>,
    now: watch::Sender<String>,
}

#[derive(Debug)]
struct Last {
    line: Instant,
    told: Instant,
}

impl Default for Progress {
    fn default() -> Self {
        let now = Instant::now();
        Self { last: Mutex::new(Last { line: now, told: now }), now: watch::channel(String::new()).0 }
    }
}

impl Progress {
    /// Says that a stage has begun.
    pub fn stage(&self, what: &str) {
        tracing::info!("{what}");
        self.now.send_replace(what.to_owned());
    }

    /// Takes note of a step, as [`obelus_attack::Watch`]; never stops anything.
    pub fn step(&self, step: &Step<'_>) -> ControlFlow<()> {
        // Whoever panicked in between has left times behind, which is all that is in here.
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (line, told) = (last.line.elapsed() >= LINE_EVERY, last.told.elapsed() >= TOLD_EVERY);
        if line || told {
            let Step { instrument, condition, source, part, done } = step;
            let said = format!("{} of {source}, {condition}: part {part}, step {done}", instrument.name());
            if line {
                last.line = Instant::now();
                tracing::info!("{said}");
            }
            last.told = Instant::now();
            self.now.send_replace(said);
        }
        ControlFlow::Continue(())
    }

    /// What is said last, and a wait for what comes next.
    pub fn follow(&self) -> watch::Receiver<String> {
        self.now.subscribe()
    }
}
