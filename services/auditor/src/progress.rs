//! What a measurement says while it is in an attack that takes minutes. Stopped by ending the process: a verification that was
//! cut off begins its measurement again, and keeps everything that was recorded before.

use std::{
    ops::ControlFlow,
    sync::Mutex,
    time::{Duration, Instant},
};

use obelus_attack::Step;

/// A line at most this often, over all threads that measure.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Says now and then which step of which attack is done.
#[derive(Debug)]
pub struct Progress {
    said: Mutex<Instant>,
}

impl Default for Progress {
    fn default() -> Self {
        Self { said: Mutex::new(Instant::now()) }
    }
}

impl Progress {
    /// Takes note of a step, as [`obelus_attack::Watch`]; never stops anything.
    pub fn step(&self, step: &Step<'_>) -> ControlFlow<()> {
        // Whoever panicked in between has left a time behind, which is all that is in here.
        let mut said = self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if said.elapsed() >= LINE_EVERY {
            *said = Instant::now();
            let Step { instrument, condition, source, part, done } = step;
            tracing::info!("{} of {source}, {condition}: part {part}, step {done}", instrument.name());
        }
        ControlFlow::Continue(())
    }
}
