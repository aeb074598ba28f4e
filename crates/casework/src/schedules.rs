//! When certificates are due to be verified again: cron expressions with seconds, in UTC. Every time that is due is one
//! job, by whichever process notices it. Not here: doing it (`living/` of `obelus-auditor`).
//!
//! Of times that were missed because nobody ran the schedule, the latest alone is made up for: a verification says what
//! holds now, and repeating it for every missed week would say the same again. The job notes how many there were.

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use croner::{
    Cron,
    parser::{CronParser, Seconds},
};
use obelus_core::Timestamp;
use obelus_policy::Action;
use obelus_store::{
    audit, certificates, models, schedules,
    schedules::{NewSchedule, Schedule, Scope},
    verifications,
};
use obelus_verdict::Protocol;
use serde_json::json;

use crate::{Deps, NotThere, case};

/// Most missed times that are counted; there may be millions.
const MOST_COUNTED: usize = 1000;

/// A schedule cannot be made, or there is none of this name.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadSchedule(String);

/// What a schedule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The certified case of this request.
    Case(String),
    /// Every certified case of this model.
    Model(String),
}

fn parsed(cron: &str) -> Result<Cron, BadSchedule> {
    let parser = CronParser::builder().seconds(Seconds::Required).build();
    parser.parse(cron).map_err(|e| {
        BadSchedule(format!(
            "{cron:?} is no cron expression with seconds, such as \"0 17 3 1 * *\" for 03:17:00 UTC on the first of every \
             month: {e}"
        ))
    })
}

fn civil(time: Timestamp) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp_micros(time.as_micros()).context("the time is out of range")
}

/// The first time after `after` at which an expression is due; none when there is none any more.
///
/// # Errors
/// [`BadSchedule`] when it is no expression.
pub fn next_due(cron: &str, after: Timestamp) -> Result<Option<Timestamp>> {
    let next = parsed(cron)?.find_next_occurrence(&civil(after)?, false);
    Ok(next.ok().map(|next| Timestamp::from_micros(next.timestamp_micros())))
}

/// The latest time after `after` and up to `now` at which an expression was due, and how many there were before it.
fn latest_due(cron: &str, after: Timestamp, now: Timestamp) -> Result<Option<(Timestamp, usize)>> {
    let Ok(latest) = parsed(cron)?.find_previous_occurrence(&civil(now)?, true) else { return Ok(None) };
    let latest = Timestamp::from_micros(latest.timestamp_micros());
    if latest <= after {
        return Ok(None);
    }
    let (mut missed, mut at) = (0, after);
    while missed < MOST_COUNTED {
        match next_due(cron, at)? {
            Some(next) if next < latest => (missed, at) = (missed + 1, next),
            _ => break,
        }
    }
    Ok(Some((latest, missed)))
}

/// Makes a schedule. Without an expression of its own it has that of the protocol which the case was judged by; for a
/// model, of the standard one.
///
/// # Errors
/// [`BadSchedule`] when there is nothing to verify or the expression is none; when the person may not.
pub async fn add(deps: &Deps, by: &str, what: &What, cron: Option<&str>) -> Result<Schedule> {
    let (scope, subject, reference) = match what {
        What::Case(reference) => (Scope::Case, reference, Some(reference.as_str())),
        What::Model(model) => (Scope::Model, model, None),
    };
    let person = case::permitted(deps, by, Action::Schedule, reference).await?;
    let protocol = match what {
        What::Case(reference) => {
            let none = || BadSchedule(format!("{reference} has no certificate that could be verified again"));
            certificates::newest(&deps.db, reference).await?.ok_or_else(none)?;
            let run = verifications::first_of_request(&deps.db, reference).await?;
            Protocol::parse(std::str::from_utf8(&run.context("a certificate has a run")?.protocol)?)?
        }
        What::Model(model) => {
            models::get(&deps.db, model).await?.ok_or_else(|| NotThere::model(model))?;
            Protocol::parse(Protocol::shipped("standard").context("the standard protocol ships with the program")?)?
        }
    };
    let (cron, from) = match (cron, protocol.schedule) {
        (Some(own), _) => (own.to_owned(), "own".to_owned()),
        (None, Some(shipped)) => (shipped, protocol.name),
        (None, None) => {
            let refusal = format!("the protocol {} has no schedule: say when, with --cron", protocol.name);
            return Err(BadSchedule(refusal).into());
        }
    };
    let now = deps.now();
    if next_due(&cron, now)?.is_none() {
        return Err(BadSchedule(format!("{cron:?} is never due")).into());
    }
    let write = deps.db.write().await?;
    let new = NewSchedule { scope, subject: subject.clone(), cron, protocol: from, created_by: person.name.clone() };
    let made = schedules::add(&write, new, now).await?;
    let detail = json!({ "schedule": made.id, "cron": made.cron }).to_string();
    audit::append(&write, now, &person.name, "add_schedule", subject, &detail).await?;
    write.commit().await?;
    Ok(made)
}

/// Ends a schedule. What it has made due stays.
///
/// # Errors
/// When there is none, or the person may not.
pub async fn remove(deps: &Deps, by: &str, id: &str) -> Result<()> {
    let person = case::permitted(deps, by, Action::Schedule, None).await?;
    let own = schedules::all(&deps.db).await?.into_iter().find(|schedule| schedule.id == id);
    let own =
        own.ok_or_else(|| BadSchedule(format!("there is no schedule {id:?}; obelus audit schedule list shows them")))?;
    let write = deps.db.write().await?;
    schedules::remove(&write, id, deps.now()).await?;
    let detail = json!({ "schedule": id }).to_string();
    audit::append(&write, deps.now(), &person.name, "remove_schedule", &own.subject, &detail).await?;
    Ok(write.commit().await?)
}

/// Makes the jobs that are due now, and gives how many were new.
///
/// # Errors
/// When the database fails.
pub async fn tick(deps: &Deps) -> Result<usize> {
    let (mut new, now) = (0, deps.now());
    for schedule in schedules::all(&deps.db).await? {
        let Some((due, missed)) = latest_due(&schedule.cron, schedule.last_due_at.0, now)? else { continue };
        let mut reason = format!("{} was due at {due}", schedule.id);
        if missed > 0 {
            let more = if missed == MOST_COUNTED { " or more" } else { "" };
            reason.push_str(&format!("; {missed}{more} times before it were missed and are not made up for"));
        }
        let write = deps.db.write().await?;
        new += usize::from(schedules::tick(&write, &schedule, due, reason, now).await?);
        write.commit().await?;
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_str(&format!("{text}.000000Z")).unwrap()
    }

    fn check(cron: &str, after: &str, now: &str, expected: Option<(&str, usize)>) {
        let found = latest_due(cron, at(after), at(now)).unwrap();
        assert_eq!(found, expected.map(|(due, missed)| (at(due), missed)), "{cron} after {after} at {now}");
    }

    #[test]
    fn of_missed_times_the_latest_is_due_and_the_others_are_counted() {
        let monthly = "0 17 3 1 * *";
        check(monthly, "2026-11-21T00:00:00", "2026-12-01T03:16:59", None);
        check(monthly, "2026-11-21T00:00:00", "2026-12-01T03:17:00", Some(("2026-12-01T03:17:00", 0)));
        check(monthly, "2026-12-01T03:17:00", "2026-12-31T00:00:00", None);
        check(monthly, "2026-11-21T00:00:00", "2027-03-05T00:00:00", Some(("2027-03-01T03:17:00", 3)));
        check("* * * * * *", "2026-11-21T00:00:00", "2026-11-22T00:00:00", Some(("2026-11-22T00:00:00", MOST_COUNTED)));
        // A clock that was set back makes nothing due twice.
        check(monthly, "2027-03-01T03:17:00", "2026-12-24T00:00:00", None);
    }

    #[test]
    fn shipped_protocols_have_schedules_that_come_due_before_certificates_end() {
        for name in Protocol::SHIPPED {
            let protocol = Protocol::parse(Protocol::shipped(name).unwrap()).unwrap();
            let (cron, from) = (protocol.schedule.unwrap(), at("2026-11-21T00:00:00"));
            let days = (next_due(&cron, from).unwrap().unwrap().as_micros() - from.as_micros()) / 86_400_000_000;
            assert!(days < i64::from(protocol.validity_days), "{name}: {days} days");
        }
    }

    #[test]
    fn what_is_no_expression_with_seconds_is_refused() {
        for bad in ["", "every day", "17 3 1 * *", "60 * * * * *", "0 0 0 31 2 * * *"] {
            let refusal = parsed(bad).unwrap_err().to_string();
            assert!(refusal.contains("cron expression"), "{bad}: {refusal}");
        }
    }
}
