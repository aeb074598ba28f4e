//! A clock of a case as its page tells it. Not here: which clocks run (`obelus_casework::clocks`).

use obelus_casework::clocks::Running;

use crate::page::{self, Day};

/// A clock that has started.
pub(super) struct Clock {
    /// What is due.
    pub(super) what: String,
    /// The first day on which it may be done, where there is one.
    pub(super) not_before: Option<Day>,
    /// The last day that the law allows.
    pub(super) by: Option<Day>,
    /// The last day on the safe side of every reading.
    pub(super) safe: Option<Day>,
    /// What the law says where it gives no day; or that it stands still.
    pub(super) words: String,
}

impl Clock {
    pub(super) fn of(running: &Running) -> Self {
        let day = |day: &Option<String>| day.as_deref().map(Day::of);
        let safe = if running.not_before.is_some() { None } else { day(&running.conservative) };
        // A clock has both days, or neither.
        let by = running.conservative.as_ref().and_then(|_| day(&running.statutory));
        let words = running.words.clone().unwrap_or_else(|| "stands still".to_owned());
        Self { what: page::words(&running.clock), not_before: day(&running.not_before), by, safe, words }
    }
}
