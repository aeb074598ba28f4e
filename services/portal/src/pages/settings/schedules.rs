//! When certificates are verified again: the schedules, what came of each last, making one and ending it. Not here: which times an
//! expression means (`obelus_casework::schedules`).

use askama::Template;
use obelus_casework::{
    orders,
    schedules::{self, BadSchedule, What},
};
use obelus_store::{jobs, schedules as rows};

use crate::{
    dispatch::{Call, see_other},
    form::FieldErrors,
    page::{self, Layout},
    permission::SCHEDULE,
    problem::Problem,
    route::Answer,
    shown::Shown,
};

#[derive(Template)]
#[template(path = "schedules.html")]
struct SchedulesPage {
    layout: Layout,
    errors: FieldErrors,
    schedules: Vec<Line>,
    may_change: bool,
    subject: Shown,
    cron: Shown,
}

struct Line {
    id: Shown,
    scope: String,
    subject: Shown,
    cron: Shown,
    /// The protocol that the expression is from; none of one's own.
    protocol: Option<Shown>,
    by: Shown,
    next: Option<String>,
    last: Option<Last>,
}

/// The last job that it made due.
struct Last {
    what: &'static str,
    due: String,
    state: String,
    outcome: Shown,
}

/// `GET /settings/schedules`.
pub(crate) async fn show(call: Call) -> Answer {
    let page = listed(&call, FieldErrors::default()).await?;
    call.show(&page)
}

async fn listed(call: &Call, errors: FieldErrors) -> Result<SchedulesPage, Problem> {
    let (db, now, mut lines) = (&call.portal.deps.work.db, call.now(), Vec::new());
    for row in rows::all(db).await? {
        let last = jobs::of_schedule(db, &row.id).await?.map(|job| Last {
            what: orders::what(job.kind),
            due: page::time(job.due_at.0),
            state: page::words(&job.state.to_string()),
            outcome: Shown::new(&job.outcome.unwrap_or_default()),
        });
        lines.push(Line {
            next: schedules::next_due(&row.cron, now)?.map(page::time),
            id: Shown::new(&row.id),
            scope: row.scope.to_string(),
            subject: Shown::new(&row.subject),
            cron: Shown::new(&row.cron),
            protocol: Some(row.protocol).filter(|name| name != "own").map(|name| Shown::new(&name)),
            by: Shown::new(&row.created_by),
            last,
        });
    }
    let field = |name| Shown::new(&call.fields.get(name).chars().take(200).collect::<String>());
    Ok(SchedulesPage {
        layout: call.form_layout("Schedules")?.under(&[("/settings", "Settings")]),
        errors,
        schedules: lines,
        may_change: call.portal.permissions.permit(call.person()?, SCHEDULE, now).is_ok(),
        subject: field("subject"),
        cron: field("cron"),
    })
}

/// `POST /settings/schedules`.
pub(crate) async fn add(call: Call) -> Answer {
    let (subject, cron) = (call.text("subject")?, call.text("cron")?);
    let mut errors = FieldErrors::default();
    if subject.is_empty() {
        errors.add("subject", "Say what is verified again");
    }
    if errors.is_empty() {
        let what = if subject.starts_with("OB-") { What::Case(subject) } else { What::Model(subject) };
        let cron = Some(cron.as_str()).filter(|cron| !cron.is_empty());
        match schedules::add(&call.portal.deps.work, &call.person()?.name, &what, cron).await {
            Ok(_) => return Ok(see_other("/settings/schedules")),
            Err(error) if error.is::<obelus_casework::NotThere>() => errors.add("subject", error.to_string()),
            Err(error) if error.is::<BadSchedule>() => {
                errors.add(if cron.is_some() { "cron" } else { "subject" }, error.to_string());
            }
            Err(error) => return Err(Problem::of_case(error)),
        }
    }
    let page = listed(&call, errors).await?;
    call.show_again(&page)
}

/// `POST /settings/schedules/{id}/end`.
pub(crate) async fn end(call: Call) -> Answer {
    let missing = || Problem::not_found("There is no such schedule. The page Schedules lists those that there are.");
    let id = Some(call.part("id")).filter(|id| crate::dispatch::is_reference(id)).ok_or_else(missing)?;
    match schedules::remove(&call.portal.deps.work, &call.person()?.name, id).await {
        Ok(()) => Ok(see_other("/settings/schedules")),
        Err(error) if error.is::<BadSchedule>() => Err(missing()),
        Err(error) => Err(Problem::of_case(error)),
    }
}
