//! What all pages have around their own content. Not here: the pages.

use jiff::tz::TimeZone;
use obelus_core::Timestamp;

use crate::{shown::Shown, static_file};

/// A step on the way to a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Crumb {
    pub(crate) path: &'static str,
    pub(crate) name: &'static str,
}

/// The frame of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) title: String,
    pub(crate) stylesheet: String,
    /// Who is signed in.
    pub(crate) person: Option<Shown>,
    /// The code for forms; empty on pages without one.
    pub(crate) code: String,
    pub(crate) crumbs: Vec<Crumb>,
    pub(crate) may_manage_people: bool,
    pub(crate) may_read_audit: bool,
    pub(crate) may_read_cases: bool,
    pub(crate) may_sample: bool,
    pub(crate) may_grant: bool,
    /// Whether there is something for them under Settings besides what is their own.
    pub(crate) may_set: bool,
    /// The address of its script. The page says all without it.
    pub(crate) script: Option<String>,
}

impl Layout {
    /// Of a page that knows nobody.
    pub(crate) fn plain(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            stylesheet: static_file::stylesheet(),
            person: None,
            code: String::new(),
            crumbs: Vec::new(),
            may_manage_people: false,
            may_read_audit: false,
            may_read_cases: false,
            may_sample: false,
            may_grant: false,
            may_set: false,
            script: None,
        }
    }

    /// Of a page that goes on telling how far work is while it is open.
    pub(crate) fn live(self) -> Self {
        Self { script: Some(static_file::progress()), ..self }
    }

    /// With the way to it from the first page.
    pub(crate) fn under(self, crumbs: &[(&'static str, &'static str)]) -> Self {
        let crumbs = crumbs.iter().map(|(path, name)| Crumb { path, name }).collect();
        Self { crumbs, ..self }
    }
}

/// A word of the machine, such as `impact_assessed`, for people.
pub(crate) fn words(name: &str) -> String {
    name.replace('_', " ")
}

/// A time for people, such as `22 November 2026, 10:31 UTC`.
pub(crate) fn time(time: Timestamp) -> String {
    match jiff::Timestamp::from_microsecond(time.as_micros()) {
        Ok(moment) => moment.to_zoned(TimeZone::UTC).strftime("%-d %B %Y, %H:%M UTC").to_string(),
        // A time that no calendar has is shown as it is.
        Err(_) => time.to_string(),
    }
}

/// A day for people, such as `22 November 2026`.
pub(crate) fn day(text: &str) -> String {
    let day: Result<jiff::civil::Date, _> = text.parse();
    day.map_or_else(|_| text.to_owned(), |day| day.strftime("%-d %B %Y").to_string())
}

/// A day for people and for programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    /// Such as `2026-11-22`.
    pub(crate) iso: String,
    /// Such as `22 November 2026`.
    pub(crate) shown: String,
}

impl Day {
    pub(crate) fn of(text: &str) -> Self {
        Self { iso: text.to_owned(), shown: day(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_for_people() {
        assert_eq!((day("2026-03-02").as_str(), day("soon").as_str()), ("2 March 2026", "soon"));
    }

    #[test]
    fn times_are_for_people() {
        assert_eq!(time("2026-11-02T03:23:15.000000Z".parse().unwrap()), "2 November 2026, 03:23 UTC");
        assert_eq!(time(Timestamp::from_micros(i64::MAX)), format!("{}us-out-of-range", i64::MAX));
    }
}
