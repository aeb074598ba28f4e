//! Regimes of law, as data: their clocks, what stops them, how long a source stays only suppressed. The file that was in force
//! when a case began stays in force for it. Not here: the arithmetic of one clock (`clock.rs`).

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{
    calendar::{Calendar, CalendarError},
    clock::{Clock, Extension, Pause, Start},
    day_of, end_of,
    period::{self, Period},
};

const SHIPPED: [(&str, &str); 6] = [
    ("gdpr-art17", include_str!("../../../../policies/regimes/gdpr-art17.toml")),
    ("uk-gdpr", include_str!("../../../../policies/regimes/uk-gdpr.toml")),
    ("ccpa", include_str!("../../../../policies/regimes/ccpa.toml")),
    ("dmca-512", include_str!("../../../../policies/regimes/dmca-512.toml")),
    ("lgpd", include_str!("../../../../policies/regimes/lgpd.toml")),
    ("eu-ai-act-53", include_str!("../../../../policies/regimes/eu-ai-act-53.toml")),
];

/// A regime.
#[derive(Clone, Debug)]
pub struct Regime {
    /// Name, such as `gdpr-art17`.
    pub name: String,
    /// Version; any change is another one.
    pub version: u32,
    /// In words.
    pub title: String,
    /// The articles that it rests on.
    pub articles: Vec<String>,
    /// Who has looked at it.
    pub review: String,
    /// Who takes complaints about how a request is treated, where the law names somebody.
    pub complaints_to: Option<String>,
    /// Its days off.
    pub calendar: Calendar,
    /// Its clocks.
    pub clocks: Vec<Clock>,
    /// How long after a request nothing is zeroed, so that it can be disputed.
    pub dispute_window: Option<Period>,
    /// Duties that no request starts and no clock ends.
    pub standing: Vec<String>,
}

/// A regime's file and its calendar's, as they are or were at some time. What is kept of a case is both: a calendar that changes
/// moves dates as much as a regime does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegimeFiles<'a> {
    /// The regime.
    pub regime: &'a str,
    /// The calendar that it names.
    pub calendar: &'a str,
}

/// A regime's file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("regime: {0}")]
pub struct RegimeError(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    version: u32,
    title: String,
    articles: Vec<String>,
    review: String,
    complaints_to: Option<String>,
    calendar: String,
    #[serde(default)]
    clock: Vec<Row>,
    dispute_window: Option<period::Row>,
    #[serde(default)]
    standing: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    starts: Start,
    due: Option<period::Row>,
    /// What the law says where it gives no number.
    words: Option<String>,
    #[serde(default)]
    counts_first_day: bool,
    #[serde(default)]
    moves_to_working_day: bool,
    not_before: Option<period::Row>,
    extension: Option<ExtensionRow>,
    #[serde(default)]
    pauses: BTreeSet<Pause>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExtensionRow {
    by: period::Row,
    reason: String,
}

impl Regime {
    /// When a dispute window that opens now has ended, both in microseconds since 1970 UTC: at once where there is none, else
    /// when its last day is over where the time zone counts it.
    ///
    /// # Errors
    /// When the zone is unknown here or dates end.
    pub fn window_end(&self, opened_us: i64, time_zone: Option<&str>) -> Result<i64, CalendarError> {
        match self.dispute_window {
            None => Ok(opened_us),
            Some(period) => end_of(period.after(day_of(opened_us, time_zone)?, &self.calendar)?, time_zone),
        }
    }

    /// Names of the shipped regimes.
    pub fn shipped_names() -> impl Iterator<Item = &'static str> {
        SHIPPED.into_iter().map(|(name, _)| name)
    }

    /// The files of a shipped regime.
    pub fn shipped(name: &str) -> Option<RegimeFiles<'static>> {
        let (_, regime) = SHIPPED.into_iter().find(|(own, _)| *own == name)?;
        let calendar = Calendar::shipped(&File::read(regime).ok()?.calendar)?;
        Some(RegimeFiles { regime, calendar })
    }

    /// Reads a regime's files.
    ///
    /// # Errors
    /// Says which clock makes no sense, that nobody says where it comes from, or that the calendar is another one.
    pub fn parse(files: RegimeFiles<'_>) -> Result<Self, RegimeError> {
        let file = File::read(files.regime)?;
        let refuse = |what: String| RegimeError(format!("{}: {what}", file.name));
        if file.articles.is_empty() || file.review.is_empty() {
            return Err(refuse("articles and review say what it rests on and who has looked at it".to_owned()));
        }
        let calendar = Calendar::parse(files.calendar).map_err(|e| refuse(e.to_string()))?;
        if calendar.name() != file.calendar {
            return Err(refuse(format!("its calendar is {:?}, and {:?} was given", file.calendar, calendar.name())));
        }
        let clocks = file.clock.iter().map(Row::read).collect::<Result<Vec<_>, _>>().map_err(refuse)?;
        let mut names = BTreeSet::new();
        if let Some(twice) = clocks.iter().find(|clock| !names.insert(&clock.name)) {
            return Err(refuse(format!("the clock {} stands twice", twice.name)));
        }
        if clocks.is_empty() && file.standing.is_empty() {
            return Err(refuse("it has neither a clock nor a standing duty".to_owned()));
        }
        let dispute_window = file.dispute_window.as_ref().map(Period::read).transpose().map_err(refuse)?;
        let File { name, version, title, articles, review, complaints_to, standing, .. } = file;
        Ok(Self { name, version, title, articles, review, complaints_to, calendar, clocks, dispute_window, standing })
    }

    /// A clock by name.
    pub fn clock(&self, name: &str) -> Option<&Clock> {
        self.clocks.iter().find(|clock| clock.name == name)
    }
}

impl File {
    fn read(text: &str) -> Result<Self, RegimeError> {
        toml::from_str(text).map_err(|e| RegimeError(e.to_string()))
    }
}

impl Row {
    fn read(&self) -> Result<Clock, String> {
        let named = |e: String| format!("the clock {}: {e}", self.name);
        let period = |row: &Option<period::Row>| row.as_ref().map(Period::read).transpose().map_err(named);
        let due = period(&self.due)?;
        if due.is_some() == self.words.is_some() {
            return Err(named("it takes due, or words where the law gives no number".to_owned()));
        }
        let extension = self.extension.as_ref().map(|row| {
            let by = Period::read(&row.by)?;
            let whole = due.and_then(|due| due.and(by)).ok_or("an extension counts as what it extends")?;
            Ok(Extension { by, whole, reason: row.reason.clone() })
        });
        Ok(Clock {
            name: self.name.clone(),
            starts: self.starts,
            due,
            words: self.words.clone(),
            counts_first_day: self.counts_first_day,
            moves_to_working_day: self.moves_to_working_day,
            not_before: period(&self.not_before)?,
            extension: extension.transpose().map_err(named)?,
            pauses: self.pauses.clone(),
        })
    }
}
