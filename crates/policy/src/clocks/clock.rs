//! One clock of a regime on one case: from the days on which things happened to the day on which it runs out.

use std::collections::BTreeSet;

use jiff::{Unit, civil::Date};
use serde::Deserialize;

use super::{
    calendar::{Calendar, CalendarError, later},
    period::Period,
};

/// What starts a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// A request is received, in whatever way.
    Receipt,
    /// Somebody contradicts a request, who wants what it took away put back.
    CounterNotice,
    /// Somebody complains about how they were treated.
    Complaint,
    /// Somebody asks for a full statement of what is held.
    AccessRequest,
}

/// What stops a clock while it is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pause {
    /// Who the requester is.
    Identity,
    /// What the request means.
    Clarification,
}

/// A clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clock {
    /// What is due, such as `answer`.
    pub name: String,
    /// What starts it.
    pub starts: Start,
    /// How long it runs; none where the law gives no number.
    pub due: Option<Period>,
    /// What the law says instead.
    pub words: Option<String>,
    /// Whether the day that starts it is the first.
    pub counts_first_day: bool,
    /// Whether a last day off moves to the next working day.
    pub moves_to_working_day: bool,
    /// What must have passed before it is done.
    pub not_before: Option<Period>,
    /// How it may be made longer, once.
    pub extension: Option<Extension>,
    /// What stops it.
    pub pauses: BTreeSet<Pause>,
}

/// An extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// By how much.
    pub by: Period,
    /// The clock's period with it, counted as one from the start.
    pub whole: Period,
    /// For what reasons, and what must be told.
    pub reason: String,
}

/// A time during which a clock stood still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Why.
    pub pause: Pause,
    /// The day on which the question went out.
    pub from: Date,
    /// The day on which its answer came; none while it is waited for.
    pub to: Option<Date>,
}

/// What has happened to a clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The day on which it started.
    pub started: Date,
    /// When it stood still, in any order.
    pub stops: Vec<Stop>,
    /// The day on which the requester was told that it takes longer, and why.
    pub extended: Option<Date>,
}

/// When a clock runs out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// It runs.
    By {
        /// The last day that the law allows.
        statutory: Date,
        /// The last working day that is on the safe side of every reading: no day off is waited out.
        conservative: Date,
        /// The first day on which it may be done, where there is one.
        not_before: Option<Date>,
    },
    /// It stands still, since that day.
    Stopped {
        /// Since when.
        since: Date,
    },
    /// The law gives no number of days.
    WithoutNumber,
}

/// What is said to have happened to a clock cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    /// The regime does not stop it for that.
    #[error("the clock {clock} does not stop for {pause:?}")]
    NoSuchPause {
        /// Which clock.
        clock: String,
        /// For what.
        pause: Pause,
    },
    /// A stop ends before it begins, or begins before the clock does.
    #[error("the clock {clock} started on {started}: it cannot have stopped from {from} to {to}")]
    StopOutside {
        /// Which clock.
        clock: String,
        /// When it started.
        started: Date,
        /// From when.
        from: Date,
        /// To when, in words where it goes on.
        to: String,
    },
    /// The regime knows no extension.
    #[error("the clock {0} cannot be extended")]
    NoExtension(String),
    /// The requester was told too late.
    #[error("the clock {clock} ran out on {ended}: an extension that is told on {told} comes too late")]
    ExtendedLate {
        /// Which clock.
        clock: String,
        /// Its last day.
        ended: Date,
        /// When it was told.
        told: Date,
    },
    /// Dates end, or the calendar has no working days.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
}

impl Clock {
    /// When it runs out.
    ///
    /// # Errors
    /// When what is said to have happened cannot have.
    pub fn due(&self, history: &History, calendar: &Calendar) -> Result<Due, ClockError> {
        let Some(due) = self.due else { return Ok(Due::WithoutNumber) };
        self.check(&history.stops, history.started)?;
        let period = match (&self.extension, history.extended) {
            (_, None) => due,
            (None, Some(_)) => return Err(ClockError::NoExtension(self.name.clone())),
            (Some(extension), Some(told)) => {
                // Only what had stood still by then moves the day by which it had to be told.
                let stops = history.stops.iter().filter_map(|stop| stop.until(told)).collect();
                let ended = self.end(due, &History { stops, ..history.clone() }, calendar)?.day();
                if told < history.started || told > ended {
                    return Err(ClockError::ExtendedLate { clock: self.name.clone(), ended, told });
                }
                extension.whole
            }
        };
        let (statutory, nominal) = match self.end(period, history, calendar)? {
            End::On { statutory, nominal } => (statutory, nominal),
            End::Open { since, .. } => return Ok(Due::Stopped { since }),
        };
        let not_before = self.not_before.map(|period| period.after(history.started, calendar)).transpose()?;
        // Never before the event itself, which a very short period over a holiday would give.
        let conservative = calendar.on_or_before(nominal)?.max(history.started);
        Ok(Due::By { statutory, conservative, not_before })
    }

    fn check(&self, stops: &[Stop], started: Date) -> Result<(), ClockError> {
        for stop in stops {
            if !self.pauses.contains(&stop.pause) {
                return Err(ClockError::NoSuchPause { clock: self.name.clone(), pause: stop.pause });
            }
            if stop.from < started || stop.to.is_some_and(|to| to < stop.from) {
                return Err(ClockError::StopOutside {
                    clock: self.name.clone(),
                    started,
                    from: stop.from,
                    to: stop.to.map_or_else(|| "now".to_owned(), |to| to.to_string()),
                });
            }
        }
        Ok(())
    }

    /// Where a period ends, with the days on which it stood still; days that are in several stops count once, and a stop that
    /// begins when the clock has run out changes nothing.
    fn end(&self, period: Period, history: &History, calendar: &Calendar) -> Result<End, ClockError> {
        let last = period.after(history.started, calendar)?;
        let on = |stood: i64| -> Result<(Date, Date), ClockError> {
            let nominal = later(last, stood - i64::from(self.counts_first_day))?;
            let statutory = if self.moves_to_working_day { calendar.on_or_after(nominal)? } else { nominal };
            Ok((statutory, nominal))
        };
        let mut stops: Vec<&Stop> = history.stops.iter().collect();
        stops.sort_unstable_by_key(|stop| (stop.from, stop.to));
        let (mut stood, mut counted) = (0, Date::MIN);
        for stop in stops {
            if stop.from > on(stood)?.0 {
                break;
            }
            let Some(to) = stop.to else {
                let (so_far, _) = on(stood)?;
                return Ok(End::Open { since: stop.from, so_far });
            };
            let from = stop.from.max(counted);
            if to > from {
                let days = from.until((Unit::Day, to)).map_err(|e| CalendarError(e.to_string()))?;
                stood += i64::from(days.get_days());
                counted = to;
            }
        }
        let (statutory, nominal) = on(stood)?;
        Ok(End::On { statutory, nominal })
    }
}

/// Where a clock ends.
enum End {
    /// The last day by law, and the day that it has before days off are waited out.
    On { statutory: Date, nominal: Date },
    /// It stands still; without that it would end so.
    Open { since: Date, so_far: Date },
}

impl End {
    fn day(&self) -> Date {
        match self {
            Self::On { statutory, .. } => *statutory,
            Self::Open { so_far, .. } => *so_far,
        }
    }
}

impl Stop {
    /// What of it lies before the end of a day; none where nothing does.
    fn until(&self, day: Date) -> Option<Self> {
        (self.from <= day).then_some(Self { to: Some(self.to.map_or(day, |to| to.min(day))), ..*self })
    }
}

/// Of several regimes that one case is under, the earliest dates.
pub fn earliest(dues: impl IntoIterator<Item = Due>) -> Option<Due> {
    let by = dues.into_iter().filter_map(|due| match due {
        Due::By { statutory, conservative, .. } => Some((statutory, conservative)),
        Due::Stopped { .. } | Due::WithoutNumber => None,
    });
    let (statutory, conservative) = by.reduce(|a, b| (a.0.min(b.0), a.1.min(b.1)))?;
    Some(Due::By { statutory, conservative, not_before: None })
}
