//! How far a long attack has come, told to whoever may stop it. Not here: how it is shown.

use std::ops::ControlFlow;

use obelus_verdict::{Condition, Instrument};

/// An attack after one of its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// Which attack.
    pub instrument: Instrument,
    /// On what weights.
    pub condition: Condition,
    /// The source.
    pub source: &'a str,
    /// Which text or repeat of its texts, from 1.
    pub part: u32,
    /// Steps done in this part.
    pub done: u64,
}

/// Sees every step and may stop the measurement, of which nothing is kept then.
pub type Watch<'a> = dyn Fn(&Step<'_>) -> ControlFlow<()> + Sync + 'a;

/// Watches nothing.
pub fn unwatched(_: &Step<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}
