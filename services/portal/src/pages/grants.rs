//! What regulators may look at: the grants that were given, giving another, and taking one back. Not here: who may
//! (`routes.rs`), and what a grant shows (`permission.rs`).

use askama::Template;
use jiff::{ToSpan as _, civil::Date, tz::TimeZone};
use obelus_casework::grants::{self, Granting, REGULATOR};
use obelus_core::Timestamp;
use obelus_store::{
    access_grants::{self, AccessGrant},
    persons,
};

use crate::{
    dispatch::{Call, see_other},
    form::FieldErrors,
    page::{self, Layout},
    problem::Problem,
    route::Answer,
    shown::Shown,
};

#[derive(Template)]
#[template(path = "grants.html")]
struct GrantsPage {
    layout: Layout,
    grants: Vec<Line>,
}

struct Line {
    id: i64,
    to: Shown,
    matter: Shown,
    from: String,
    until: String,
    draws: i64,
    by: Shown,
    /// Each with whether it was drawn.
    cases: Vec<(Shown, bool)>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Runs,
    Begins,
    Over,
    Revoked,
}

impl State {
    fn of(grant: &AccessGrant, now: Timestamp) -> Self {
        match grant {
            grant if grant.revoked_at.is_some() => Self::Revoked,
            grant if grant.ends_at.0 <= now => Self::Over,
            grant if grants::runs(grant, now) => Self::Runs,
            _ => Self::Begins,
        }
    }
}

#[derive(Template)]
#[template(path = "grant_new.html")]
struct NewPage {
    layout: Layout,
    errors: FieldErrors,
    /// Each with whether it is chosen.
    regulators: Vec<(Shown, bool)>,
    matter: Shown,
    cases: Shown,
    from: Shown,
    until: Shown,
    draws: Shown,
}

/// `GET /settings/grants`.
pub(crate) async fn show(call: Call) -> Answer {
    let (db, now) = (&call.portal.deps.work.db, call.now());
    let mut lines = Vec::new();
    for grant in access_grants::all(db, None).await?.into_iter().rev() {
        let to = persons::get(db, grant.person).await?.map(|person| person.name).unwrap_or_default();
        let cases = access_grants::cases(db, grant.id).await?;
        lines.push(Line {
            id: grant.id,
            to: Shown::new(&to),
            matter: Shown::new(&grant.matter),
            from: page::time(grant.starts_at.0),
            until: page::time(grant.ends_at.0),
            draws: grant.draws,
            by: Shown::new(&grant.given_by),
            cases: cases.iter().map(|case| (Shown::new(&case.request), case.sample.is_some())).collect(),
            state: State::of(&grant, now),
        });
    }
    call.show(&GrantsPage { layout: call.form_layout("Grants")?, grants: lines })
}

/// `GET /settings/grants/new`.
pub(crate) async fn form(call: Call) -> Answer {
    let page = new_page(&call, FieldErrors::default()).await?;
    call.show(&page)
}

async fn new_page(call: &Call, errors: FieldErrors) -> Result<NewPage, Problem> {
    let people = persons::list(&call.portal.deps.work.db).await?;
    let chosen = call.fields.get("person");
    let regulators = people.iter().filter(|person| person.roles.iter().any(|role| role == REGULATOR));
    let field = |name| Shown::new(&call.fields.get(name).chars().take(10_000).collect::<String>());
    Ok(NewPage {
        layout: call.form_layout("Give a grant")?.under(&[("/settings/grants", "Grants")]),
        errors,
        regulators: regulators.map(|person| (Shown::new(&person.name), person.name == chosen)).collect(),
        matter: field("matter"),
        cases: field("cases"),
        from: field("from"),
        until: field("until"),
        draws: field("draws"),
    })
}

/// `POST /settings/grants/new`.
pub(crate) async fn give(call: Call) -> Answer {
    let mut errors = FieldErrors::default();
    let (to, matter, cases) = (call.text("person")?, call.text("matter")?, call.text("cases")?);
    let mut references = Vec::new();
    for line in cases.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if !crate::dispatch::is_reference(line) {
            errors.add("cases", "Write one reference on each line, such as OB-2026-000001");
            break;
        }
        references.push(line.to_owned());
    }
    if to.is_empty() {
        errors.add("person", "Choose to whom the grant is given");
    }
    let from = errors.take("from", day(call.fields.get("from"), 0));
    // Its last day counts whole.
    let until = errors.take("until", day(call.fields.get("until"), 1));
    let draws = match call.fields.get("draws").trim() {
        "" => Ok(0),
        text => text.parse::<u32>().map_err(|_| "Write a number, such as 5, or leave it empty"),
    };
    let draws = errors.take("draws", draws);
    if let (true, Some(from), Some(until), Some(draws)) = (errors.is_empty(), from, until, draws) {
        let new = Granting { to, matter, cases: references, from, until, draws };
        match grants::give(&call.portal.deps.work, &call.person()?.name, &new).await {
            Ok(_) => return Ok(see_other("/settings/grants")),
            Err(error) if said(&error) => errors.add("matter", error.to_string()),
            Err(error) => return Err(Problem::of_case(error)),
        }
    }
    let page = new_page(&call, errors).await?;
    call.show_again(&page)
}

/// Whether an error says what is wrong with what was entered.
fn said(error: &anyhow::Error) -> bool {
    error.is::<String>() || error.is::<&str>() || error.is::<obelus_casework::NotThere>()
}

/// `POST /settings/grants/{id}/revoke`.
pub(crate) async fn revoke(call: Call) -> Answer {
    let missing = || Problem::not_found("There is no grant of this number. Choose one on the page Grants.");
    let id: i64 = call.part("id").parse().map_err(|_| missing())?;
    access_grants::get(&call.portal.deps.work.db, id).await?.ok_or_else(missing)?;
    grants::revoke(&call.portal.deps.work, &call.person()?.name, id).await.map_err(Problem::of_case)?;
    Ok(see_other("/settings/grants"))
}

/// The first moment, in UTC, of a day that is written as browsers do, or of the day so many after it.
pub(crate) fn day(text: &str, later: i64) -> Result<Timestamp, &'static str> {
    let wrong = "Write a day as 2026-11-30";
    let text = text.trim();
    let day: Date = text.parse().ok().filter(|day: &Date| day.to_string() == text).ok_or(wrong)?;
    let start = day.checked_add(later.days()).and_then(|day| day.to_zoned(TimeZone::UTC)).map_err(|_| wrong)?;
    Ok(Timestamp::from_micros(start.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_midnight_utc_and_nothing_else_is_one() {
        assert_eq!(day(" 2026-12-31 ", 0).unwrap().to_string(), "2026-12-31T00:00:00.000000Z");
        assert_eq!(day("2026-12-31", 1).unwrap().to_string(), "2027-01-01T00:00:00.000000Z");
        for bad in ["", "2026-02-30", "20261231", "31.12.2026", "2026-12-31T10:00", "9999-12-31x"] {
            assert!(day(bad, 0).is_err(), "{bad}");
        }
        assert!(day("9999-12-31", 1).is_err());
    }
}
