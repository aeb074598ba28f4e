//! The clocks of a case: when what its regime demands is due. Not here: how days are counted (`obelus-policy`).

use anyhow::{Result, ensure};
use obelus_core::{Digest, Timestamp};
use obelus_policy::{Due, History, Pause, Regime, RegimeFiles, Start, Stop, day_of};
use obelus_store::{
    Read, case_extensions,
    case_notices::{self, NoticeKind},
    case_questions::{self, Question, QuestionKind},
    requests::Request,
};
use serde::Serialize;

use crate::{Deps, NotThere};

/// A clock that has started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Running {
    /// What is due, such as `answer`.
    pub clock: String,
    /// The last day that the law allows; none where it gives no number of days.
    pub statutory: Option<String>,
    /// The last working day on the safe side of every reading.
    pub conservative: Option<String>,
    /// The first day on which it may be done, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// What the law says where it gives no number.
    pub words: Option<String>,
}

/// What a case's regime demands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Clocks {
    /// Version of the regime's file.
    pub version: u32,
    /// SHA-256 of the file that is in force for the case.
    pub sha256: Digest,
    /// SHA-256 of its calendar's file, likewise.
    pub calendar_sha256: Digest,
    /// The clocks that the request has started.
    pub running: Vec<Running>,
}

/// The files of a regime under which requests may be filed.
///
/// # Errors
/// [`NotThere`] when there is none of that name, or it knows standing duties only.
pub fn files(regime: &str) -> Result<RegimeFiles<'static>> {
    let files = Regime::shipped(regime).ok_or_else(|| NotThere::regime(regime))?;
    let started = Regime::parse(files)?.clocks.iter().any(|clock| clock.starts == Start::Receipt);
    if started { Ok(files) } else { Err(NotThere::regime(regime).into()) }
}

/// The clocks of a request, by the files that were in force when it was received, counted from that day where the operator is
/// (UTC without a time zone), with what has happened to them. None for a request of before regimes were data.
///
/// # Errors
/// When the files cannot be read any more, or the time zone is unknown.
pub async fn of(deps: &Deps, request: &Request) -> Result<Option<Clocks>> {
    read(deps, &deps.db, request).await
}

/// [`of`], as a transaction sees it.
pub(crate) async fn read(deps: &Deps, db: &impl Read, request: &Request) -> Result<Option<Clocks>> {
    let questions = case_questions::of_request(db, &request.reference).await?;
    let extension = case_extensions::get(db, &request.reference).await?;
    let told = extension.map(|extension| extension.told_at.0);
    let mut starts = vec![(Start::Receipt, request.received_at.0)];
    // What is settled is due no more.
    for (kind, start) in [(NoticeKind::CounterNotice, Start::CounterNotice), (NoticeKind::Complaint, Start::Complaint)]
    {
        let open = case_notices::open(db, &request.reference, kind).await?;
        starts.extend(open.map(|notice| (start, notice.received_at.0)));
    }
    running(request, &starts, &questions, told, deps.settings.time_zone.as_deref())
}

/// Whether a clock of a request stands still until such a question is answered.
pub(crate) fn pauses(request: &Request, kind: QuestionKind) -> Result<bool> {
    let Some((regime, calendar)) = request.regime_file.as_deref().zip(request.calendar_file.as_deref()) else {
        return Ok(false);
    };
    let regime = Regime::parse(RegimeFiles { regime, calendar })?;
    let started = regime.clocks.iter().filter(|clock| clock.starts == Start::Receipt);
    Ok(started.into_iter().any(|clock| clock.pauses.contains(&pause(kind))))
}

fn pause(kind: QuestionKind) -> Pause {
    match kind {
        QuestionKind::Identity => Pause::Identity,
        QuestionKind::Scope => Pause::Clarification,
    }
}

/// Makes sure that the clocks of a request can be extended now.
///
/// # Errors
/// When its regime knows no extension, or it is too late for one.
pub(crate) async fn check_extension(deps: &Deps, request: &Request, now: Timestamp) -> Result<()> {
    let questions = case_questions::of_request(&deps.db, &request.reference).await?;
    let zone = deps.settings.time_zone.as_deref();
    let starts = [(Start::Receipt, request.received_at.0)];
    let after = |told| running(request, &starts, &questions, told, zone);
    let (before, after) = (after(None)?, after(Some(now))?);
    ensure!(
        before.is_some() && before != after,
        "the regime {} of {} knows no extension",
        request.regime,
        request.reference
    );
    Ok(())
}

fn running(
    request: &Request,
    starts: &[(Start, Timestamp)],
    questions: &[Question],
    told: Option<Timestamp>,
    time_zone: Option<&str>,
) -> Result<Option<Clocks>> {
    let Some((regime_file, calendar_file)) = request.regime_file.as_deref().zip(request.calendar_file.as_deref())
    else {
        return Ok(None);
    };
    let regime = Regime::parse(RegimeFiles { regime: regime_file, calendar: calendar_file })?;
    let day = |at: Timestamp| day_of(at.as_micros(), time_zone);
    let told = told.map(day).transpose()?;
    let mut stops = Vec::new();
    for question in questions {
        let pause = pause(question.kind);
        let to = question.answered_at.map(|at| day(at.0)).transpose()?;
        stops.push(Stop { pause, from: day(question.asked_at.0)?, to });
    }
    let mut running = Vec::new();
    for clock in &regime.clocks {
        let Some((_, at)) = starts.iter().find(|(start, _)| *start == clock.starts) else { continue };
        let started = day(*at)?;
        let stops = stops.iter().filter(|stop| clock.pauses.contains(&stop.pause)).copied().collect();
        let history = History { started, stops, extended: told.filter(|_| clock.extension.is_some()) };
        let (statutory, conservative, not_before) = match clock.due(&history, &regime.calendar)? {
            Due::By { statutory, conservative, not_before } => (Some(statutory), Some(conservative), not_before),
            Due::Stopped { .. } | Due::WithoutNumber => (None, None, None),
        };
        running.push(Running {
            clock: clock.name.clone(),
            statutory: statutory.map(|day| day.to_string()),
            conservative: conservative.map(|day| day.to_string()),
            not_before: not_before.map(|day| day.to_string()),
            words: clock.words.clone(),
        });
    }
    Ok(Some(Clocks {
        version: regime.version,
        sha256: Digest::sha256(regime_file),
        calendar_sha256: Digest::sha256(calendar_file),
        running,
    }))
}

impl Running {
    /// A line of text.
    pub fn in_words(&self) -> String {
        match (&self.statutory, &self.conservative, &self.words) {
            (Some(statutory), Some(_), _) if self.not_before.is_some() => {
                let not_before = self.not_before.as_deref().unwrap_or_default();
                format!("{}: not before {not_before}, by {statutory}", self.clock)
            }
            (Some(statutory), Some(safe), _) => format!("{}: by {statutory}, to be safe by {safe}", self.clock),
            (_, _, Some(words)) => format!("{}: {words}", self.clock),
            _ => format!("{}: stands still", self.clock),
        }
    }
}

#[cfg(test)]
mod tests {
    use obelus_store::{Micros, requests::RequestState};

    use super::*;

    const LATE: &str = "2026-01-31T23:30:00.000000Z";

    fn received(regime: &str, calendar: &str) -> Request {
        Request {
            reference: "OB-2026-000001".to_owned(),
            state: RequestState::Received,
            regime: "gdpr-art17".to_owned(),
            model: "m".to_owned(),
            filed_by: 1,
            received_at: Micros(LATE.parse().unwrap()),
            plan_digest: None,
            plan: None,
            refusal_code: None,
            refusal_reason: None,
            held_at: None,
            protocol: None,
            regime_file: Some(regime.to_owned()),
            calendar_file: Some(calendar.to_owned()),
            window_until: None,
            duplicate_of: None,
        }
    }

    fn statutory(request: &Request, time_zone: Option<&str>) -> Option<String> {
        running(request, &[(Start::Receipt, request.received_at.0)], &[], None, time_zone).unwrap().unwrap().running[0]
            .statutory
            .clone()
    }

    #[test]
    fn the_files_of_the_day_of_receipt_stay_in_force() {
        let RegimeFiles { regime, calendar } = files("gdpr-art17").unwrap();
        let now = received(regime, calendar);
        assert_eq!(statutory(&now, None).as_deref(), Some("2026-03-02"));
        // There it was February already, whose month ends on a Sunday.
        assert_eq!(statutory(&now, Some("Europe/Berlin")).as_deref(), Some("2026-03-02"));
        let shorter = regime.replace("\"P1M\"", "\"P20D\"").replace("\"P2M\"", "\"P40D\"");
        assert_eq!(statutory(&received(&shorter, calendar), None).as_deref(), Some("2026-02-20"));
        assert_eq!(statutory(&received(&shorter, calendar), Some("Europe/Berlin")).as_deref(), Some("2026-02-23"));
        let feast = format!("{calendar}once = [\"2026-03-02\"]\n");
        assert_eq!(statutory(&received(regime, &feast), None).as_deref(), Some("2026-03-03"));
        assert_eq!(running(&Request { regime_file: None, ..now }, &[], &[], None, None).unwrap(), None);
    }

    #[test]
    fn the_refusal_lists_every_regime_that_knows_requests() {
        let said = files("atlantis").unwrap_err().to_string();
        for name in Regime::shipped_names() {
            assert_eq!(said.contains(name), files(name).is_ok(), "{name}: {said}");
        }
    }
}
