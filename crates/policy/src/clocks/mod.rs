//! Clocks of law: what a request starts, and when it runs out. Regimes and calendars are data (`policies/regimes`,
//! `policies/calendars`); civil dates only, so whoever asks says on which day something happened where the law applies.
//!
//! Not here: what has happened in a case (`obelus-store`), and letters that tell of it.

mod calendar;
mod clock;
mod period;
mod regime;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

pub use calendar::{Calendar, CalendarError};
pub use clock::{Clock, ClockError, Due, Extension, History, Pause, Start, Stop, earliest};
pub use period::Period;
pub use regime::{Regime, RegimeError, RegimeFiles};

/// The day of a moment, in microseconds since 1970 UTC, where a time zone counts it; in UTC without one.
///
/// # Errors
/// When the zone is unknown here or the moment is out of range; says which.
pub fn day_of(at_us: i64, time_zone: Option<&str>) -> Result<Date, CalendarError> {
    let zone = match time_zone {
        None => TimeZone::UTC,
        Some(name) => TimeZone::get(name).map_err(|e| CalendarError(format!("time_zone: {e}")))?,
    };
    let at = Timestamp::from_microsecond(at_us).map_err(|e| CalendarError(e.to_string()))?;
    Ok(zone.to_datetime(at).date())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_where_its_time_zone_says() {
        // 2026-01-31T23:30:00Z
        let late = 1_769_902_200_000_000;
        let day = |zone| day_of(late, zone).map(|day| day.to_string());
        assert_eq!(day(None), Ok("2026-01-31".to_owned()));
        assert_eq!(day(Some("Europe/Berlin")), Ok("2026-02-01".to_owned()));
        assert_eq!(day(Some("America/Los_Angeles")), Ok("2026-01-31".to_owned()));
        assert!(day(Some("Atlantis/Centre")).unwrap_err().to_string().contains("Atlantis"));
    }
}
