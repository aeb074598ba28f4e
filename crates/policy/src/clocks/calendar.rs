//! Days off, as data: weekends, and holidays by rule. Not here: which calendar a regime goes by.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{
    ToSpan as _,
    civil::{Date, Weekday, date},
};
use serde::Deserialize;

/// More days off in a row than this are a mistake in the data.
const LONGEST_PAUSE: usize = 31;

const SHIPPED: [(&str, &str); 4] = [
    ("weekends", include_str!("../../../../policies/calendars/weekends.toml")),
    ("us-federal", include_str!("../../../../policies/calendars/us-federal.toml")),
    ("uk-england-wales", include_str!("../../../../policies/calendars/uk-england-wales.toml")),
    ("de-federal", include_str!("../../../../policies/calendars/de-federal.toml")),
];

/// A calendar: Saturdays, Sundays and its holidays are no working days.
#[derive(Clone, Debug)]
pub struct Calendar {
    name: String,
    source: String,
    holidays: Vec<Holiday>,
    once: BTreeSet<Date>,
    without: BTreeSet<Date>,
}

/// A calendar's data, or a date that it leads to, cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("calendar: {0}")]
pub struct CalendarError(pub(super) String);

/// A calendar as in its file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    source: String,
    #[serde(default)]
    holiday: Vec<Row>,
    /// Days off of one year.
    #[serde(default)]
    once: Vec<String>,
    /// Days that a rule gives and that are none, because they were moved in that year.
    #[serde(default)]
    without: Vec<String>,
}

/// A holiday as in its file: on a day of a month, on a weekday of a month, or so many days from Easter Sunday.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    month: Option<i8>,
    day: Option<i8>,
    weekday: Option<String>,
    /// 1 for the first of the month, -1 for the last.
    nth: Option<i8>,
    easter: Option<i32>,
    observed: Option<Observed>,
    /// The first year that has it.
    since: Option<i16>,
}

/// What becomes of a holiday on a weekend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Observed {
    /// Saturday's on the Friday before, Sunday's on the Monday after.
    Nearest,
    /// On the next weekday that is not a holiday already.
    NextFree,
}

#[derive(Clone, Copy, Debug)]
enum Rule {
    Day(i8, i8),
    Weekday(i8, Weekday, i8),
    Easter(i32),
}

#[derive(Clone, Debug)]
struct Holiday {
    rule: Rule,
    observed: Option<Observed>,
    since: i16,
}

impl Calendar {
    /// Names of the shipped calendars.
    pub fn shipped_names() -> impl Iterator<Item = &'static str> {
        SHIPPED.into_iter().map(|(name, _)| name)
    }

    /// The file of a shipped calendar.
    pub fn shipped(name: &str) -> Option<&'static str> {
        SHIPPED.into_iter().find(|(own, _)| *own == name).map(|(_, text)| text)
    }

    /// Reads a calendar's file.
    ///
    /// # Errors
    /// Says which holiday makes no sense.
    pub fn parse(text: &str) -> Result<Self, CalendarError> {
        let file: File = toml::from_str(text).map_err(|e| CalendarError(e.to_string()))?;
        let days = |days: &[String]| {
            let read = |day: &String| day.parse().map_err(|e| CalendarError(format!("{day:?} is no date: {e}")));
            days.iter().map(read).collect::<Result<BTreeSet<Date>, _>>()
        };
        let holidays = file.holiday.iter().map(Holiday::read).collect::<Result<_, _>>()?;
        Ok(Self {
            name: file.name,
            source: file.source,
            holidays,
            once: days(&file.once)?,
            without: days(&file.without)?,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its days come from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether work is done on a day.
    pub fn is_working_day(&self, day: Date) -> bool {
        !is_weekend(day) && !self.is_holiday(day)
    }

    /// The day, or the first working day after it.
    ///
    /// # Errors
    /// When the data has no working day for a month.
    pub fn on_or_after(&self, day: Date) -> Result<Date, CalendarError> {
        self.first_working(day, 1)
    }

    /// The day, or the last working day before it.
    ///
    /// # Errors
    /// As [`Calendar::on_or_after`].
    pub fn on_or_before(&self, day: Date) -> Result<Date, CalendarError> {
        self.first_working(day, -1)
    }

    /// The so-manieth working day after a day, which itself does not count.
    ///
    /// # Errors
    /// As [`Calendar::on_or_after`].
    pub fn working_days_after(&self, day: Date, count: u32) -> Result<Date, CalendarError> {
        (0..count).try_fold(day, |day, _| self.on_or_after(later(day, 1)?))
    }

    fn first_working(&self, from: Date, step: i64) -> Result<Date, CalendarError> {
        let mut day = from;
        for _ in 0..=LONGEST_PAUSE {
            if self.is_working_day(day) {
                return Ok(day);
            }
            day = later(day, step)?;
        }
        Err(CalendarError(format!("{} has no working day within {LONGEST_PAUSE} days of {from}", self.name)))
    }

    fn is_holiday(&self, day: Date) -> bool {
        if self.without.contains(&day) {
            return false;
        }
        // The first of January may be observed in the year before.
        self.once.contains(&day)
            || [day.year(), day.year().saturating_add(1)].iter().any(|y| self.of(*y).contains(&day))
    }

    /// Days on which the holidays of a year are observed.
    fn of(&self, year: i16) -> BTreeSet<Date> {
        let dated = self.holidays.iter().filter(|h| h.since <= year);
        let dated: BTreeMap<usize, (Date, Option<Observed>)> =
            dated.enumerate().filter_map(|(at, h)| Some((at, (h.rule.day(year)?, h.observed)))).collect();
        let mut off: BTreeSet<Date> = dated.values().map(|(day, _)| *day).filter(|day| !is_weekend(*day)).collect();
        for (day, observed) in dated.values().filter(|(day, _)| is_weekend(*day)) {
            let instead = match observed {
                None => None,
                Some(Observed::Nearest) if day.weekday() == Weekday::Saturday => later(*day, -1).ok(),
                Some(Observed::Nearest) => later(*day, 1).ok(),
                Some(Observed::NextFree) => {
                    (1..14).filter_map(|n| later(*day, n).ok()).find(|day| !is_weekend(*day) && !off.contains(day))
                }
            };
            off.extend(instead);
        }
        off
    }
}

impl Holiday {
    fn read(row: &Row) -> Result<Self, CalendarError> {
        let refuse = |what: &str| CalendarError(format!("{}: {what}", row.name));
        let rule = match (row.month, row.day, &row.weekday, row.nth, row.easter) {
            (Some(month), Some(day), None, None, None) => {
                // A leap year has every day that there is.
                Date::new(2000, month, day).map_err(|_| refuse("there is no such day"))?;
                Rule::Day(month, day)
            }
            (Some(month), None, Some(weekday), Some(nth), None) => {
                let weekday = weekday_named(weekday).ok_or_else(|| refuse("weekday is monday to sunday"))?;
                let known = (1..=12).contains(&month) && (matches!(nth, 1..=4) || nth == -1);
                known.then_some(Rule::Weekday(month, weekday, nth)).ok_or_else(|| refuse("nth is 1 to 4, or -1"))?
            }
            (None, None, None, None, Some(days)) if days.abs() <= 100 => Rule::Easter(days),
            _ => return Err(refuse("it takes month and day; month, weekday and nth; or easter")),
        };
        Ok(Self { rule, observed: row.observed, since: row.since.unwrap_or(i16::MIN) })
    }
}

impl Rule {
    /// Its day in a year; none where the year has no such day.
    fn day(self, year: i16) -> Option<Date> {
        match self {
            Self::Day(month, day) => Date::new(year, month, day).ok(),
            Self::Weekday(month, weekday, nth) => {
                Date::new(year, month, 1).ok()?.nth_weekday_of_month(nth, weekday).ok()
            }
            Self::Easter(days) => later(easter(year), i64::from(days)).ok(),
        }
    }
}

fn weekday_named(name: &str) -> Option<Weekday> {
    use Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};
    let all = [Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday];
    all.into_iter().find(|day| format!("{day:?}").to_lowercase() == name)
}

fn is_weekend(day: Date) -> bool {
    matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

pub(super) fn later(day: Date, days: i64) -> Result<Date, CalendarError> {
    day.checked_add(days.days()).map_err(|e| CalendarError(format!("{day} and {days} days: {e}")))
}

/// Easter Sunday of the Gregorian calendar (the anonymous algorithm of 1876, as in Meeus, Astronomical Algorithms, chapter 8).
fn easter(year: i16) -> Date {
    let y = i32::from(year);
    let (a, b, c) = (y.rem_euclid(19), y.div_euclid(100), y.rem_euclid(100));
    let (d, e) = (b.div_euclid(4), b.rem_euclid(4));
    let g = (8 * b + 13).div_euclid(25);
    let h = (19 * a + b - d - g + 15).rem_euclid(30);
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k).rem_euclid(7);
    let m = (a + 11 * h + 19 * l) / 433;
    let n = (h + l - 7 * m + 90) / 25;
    let day = (h + l - 7 * m + 33 * n + 19) % 32;
    date(year, n as i8, day as i8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped(name: &str) -> Calendar {
        Calendar::parse(Calendar::shipped(name).unwrap()).unwrap()
    }

    #[test]
    fn easter_falls_where_it_fell() {
        // As python-dateutil 2.9 gives them; 1818 and 2285 are the earliest day there is, 1943 and 2038 the latest.
        let known = [
            "1818-03-22",
            "1943-04-25",
            "1961-04-02",
            "2000-04-23",
            "2024-03-31",
            "2026-04-05",
            "2038-04-25",
            "2285-03-22",
        ];
        for day in known {
            let day: Date = day.parse().unwrap();
            assert_eq!(easter(day.year()), day);
        }
    }

    #[test]
    fn every_shipped_calendar_is_readable_and_named_as_its_file() {
        for name in Calendar::shipped_names() {
            assert_eq!(shipped(name).name(), name);
            assert!(!shipped(name).source().is_empty());
        }
    }

    #[test]
    fn holidays_that_make_no_sense_are_refused() {
        for row in [
            "month = 2\nday = 30",
            "month = 13\nweekday = \"monday\"\nnth = 1",
            "month = 5\nweekday = \"moonday\"\nnth = 1",
            "month = 5\nweekday = \"monday\"\nnth = 5",
            "easter = 400",
            "month = 5",
            "month = 5\nday = 1\neaster = 1",
        ] {
            let text = format!("name = \"x\"\nsource = \"y\"\n[[holiday]]\nname = \"Feast\"\n{row}");
            assert!(Calendar::parse(&text).unwrap_err().to_string().contains("Feast"), "{row}");
        }
    }

    #[test]
    fn a_calendar_without_working_days_ends_with_an_error() {
        let year: Vec<String> =
            (0..60).map(|n| format!("{:?}", later(date(2026, 1, 1), n).unwrap().to_string())).collect();
        let text = format!("name = \"x\"\nsource = \"y\"\nonce = [{}]", year.join(", "));
        let calendar = Calendar::parse(&text).unwrap();
        assert!(calendar.on_or_after(date(2026, 1, 1)).is_err());
        assert!(calendar.on_or_before(date(9999, 12, 31)).is_ok());
    }
}
