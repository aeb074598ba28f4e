//! Clocks of law: what a request starts, and when it runs out. Regimes and calendars are data (`policies/regimes`,
//! `policies/calendars`); civil dates only, so whoever asks says on which day something happened where the law applies.
//!
//! Not here: what has happened in a case (`obelus-store`), and letters that tell of it.

mod calendar;
mod clock;
mod period;
mod regime;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use calendar::later;
pub use calendar::{Calendar, CalendarError};
pub use clock::{Clock, ClockError, Due, Extension, History, Pause, Start, Stop, earliest};
pub use period::Period;
pub use regime::{Regime, RegimeError, RegimeFiles};

/// The day of a moment, in microseconds since 1970 UTC, where a time zone counts it; in UTC without one.
///
/// # Errors
/// When the zone is unknown here or the moment is out of range; says which.
pub fn day_of(at_us: i64, time_zone: Option<&str>) -> Result<Date, CalendarError> {
    let at = Timestamp::from_microsecond(at_us).map_err(|e| CalendarError(e.to_string()))?;
    Ok(zone(time_zone)?.to_datetime(at).date())
}

/// The moment at which a day is over where a time zone counts it, in microseconds since 1970 UTC.
///
/// # Errors
/// When the zone is unknown here or dates end; says which.
pub fn end_of(day: Date, time_zone: Option<&str>) -> Result<i64, CalendarError> {
    let next = later(day, 1)?;
    let begins = next.to_zoned(zone(time_zone)?).map_err(|e| CalendarError(e.to_string()))?;
    Ok(begins.timestamp().as_microsecond())
}

fn zone(name: Option<&str>) -> Result<TimeZone, CalendarError> {
    match name {
        None => Ok(TimeZone::UTC),
        Some(name) => TimeZone::get(name).map_err(|e| CalendarError(format!("time_zone: {e}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_of_working_days_ends_when_its_last_day_is_over() {
        let dmca = Regime::parse(Regime::shipped("dmca-512").unwrap()).unwrap();
        // 2026-07-01T12:00:00Z; July 3 is observed, and 14 business days later is July 22.
        let opened = 1_782_907_200_000_000;
        assert_eq!(dmca.window_end(opened, None), Ok(end_of("2026-07-22".parse().unwrap(), None).unwrap()));
        assert_eq!(day_of(dmca.window_end(opened, None).unwrap() - 1, None).unwrap().to_string(), "2026-07-22");
        let zone = Some("America/New_York");
        assert_eq!(day_of(dmca.window_end(opened, zone).unwrap(), zone).unwrap().to_string(), "2026-07-23");
        let gdpr = Regime::parse(Regime::shipped("gdpr-art17").unwrap()).unwrap();
        assert_eq!(gdpr.window_end(opened, None), Ok(opened));
    }

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
