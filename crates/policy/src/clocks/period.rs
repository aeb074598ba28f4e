//! How long something may take: so many months and days (ISO 8601), or so many working days.

use std::fmt;

use jiff::{ToSpan as _, civil::Date};
use serde::Deserialize;

use super::calendar::{Calendar, CalendarError};

/// A period. Months end on the day of the same number, or where the month has none on its last day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// Months, then days.
    Civil {
        /// Months.
        months: u32,
        /// Days.
        days: u32,
    },
    /// Working days of the regime's calendar; the day of the event does not count.
    WorkingDays(u32),
}

/// As in a file: `period = "P1M"` or `working_days = 10`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub period: Option<String>,
    pub working_days: Option<u32>,
}

/// More than a lifetime is a mistake.
const MOST: u32 = 36_525;

impl Period {
    /// Of the two ways to write one.
    pub(super) fn read(row: &Row) -> Result<Self, String> {
        match (&row.period, row.working_days) {
            (None, Some(days @ 1..=MOST)) => Ok(Self::WorkingDays(days)),
            (Some(text), None) => Self::iso(text).ok_or_else(|| format!("{text:?} is no period such as P1M or P45D")),
            _ => Err("it takes period, such as \"P1M\", or working_days, such as 10".to_owned()),
        }
    }

    /// `P`, so many years, months, weeks and days; nothing smaller, and not nothing.
    fn iso(text: &str) -> Option<Self> {
        let span: jiff::Span =
            text.strip_prefix('P').filter(|rest| !rest.contains('T')).and_then(|_| text.parse().ok())?;
        let months = u32::try_from(i32::from(span.get_years()) * 12 + span.get_months()).ok()?;
        let days = u32::try_from(span.get_weeks() * 7 + span.get_days()).ok()?;
        ((1..=MOST).contains(&(months + days))).then_some(Self::Civil { months, days })
    }

    /// Both together; none where one counts working days and the other does not.
    pub(super) fn and(self, more: Self) -> Option<Self> {
        match (self, more) {
            (Self::WorkingDays(a), Self::WorkingDays(b)) => Some(Self::WorkingDays(a + b)),
            (Self::Civil { months: a, days: b }, Self::Civil { months: c, days: d }) => {
                Some(Self::Civil { months: a + c, days: b + d })
            }
            _ => None,
        }
    }

    /// The last day of a period that begins with an event on `day`.
    ///
    /// # Errors
    /// When the calendar has no working days, or dates end.
    pub(super) fn after(self, day: Date, calendar: &Calendar) -> Result<Date, CalendarError> {
        match self {
            Self::WorkingDays(count) => calendar.working_days_after(day, count),
            Self::Civil { months, days } => day
                .checked_add(i64::from(months).months())
                .and_then(|day| day.checked_add(i64::from(days).days()))
                .map_err(|e| CalendarError(format!("{day} and {self}: {e}"))),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let several = |n: u32| if n == 1 { "" } else { "s" };
        match *self {
            Self::WorkingDays(n) => write!(f, "{n} working day{}", several(n)),
            Self::Civil { months, days: 0 } => write!(f, "{months} month{}", several(months)),
            Self::Civil { months: 0, days } => write!(f, "{days} day{}", several(days)),
            Self::Civil { months, days } => {
                write!(f, "{months} month{} and {days} day{}", several(months), several(days))
            }
        }
    }
}
