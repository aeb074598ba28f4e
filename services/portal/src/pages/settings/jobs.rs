//! The work that is done later: which there is in which state, what failed and why, and letting a dead job be tried again. Not
//! here: doing it (`obelus-auditor`).

use askama::Template;
use obelus_casework::orders;
use obelus_store::jobs::{self, Job, JobState, MOST_ATTEMPTS};

use crate::{
    dispatch::{Call, see_other},
    page::{self, Layout},
    problem::Problem,
    route::Answer,
    shown::Shown,
};

const JOBS_PER_PAGE: u64 = 50;
/// Each state as people call it, and its look.
const STATES: [(JobState, &str, &str); 4] = [
    (JobState::Queued, "waiting", "open"),
    (JobState::Running, "running", "open"),
    (JobState::Dead, "dead", "bad"),
    (JobState::Done, "done", "good"),
];

#[derive(Template)]
#[template(path = "jobs.html")]
struct JobsPage {
    layout: Layout,
    /// The states, each with whether it is chosen.
    states: Vec<(&'static str, bool)>,
    /// Whether none is.
    every: bool,
    jobs: Vec<Line>,
    next: Option<String>,
    most: i64,
}

struct Line {
    id: i64,
    what: &'static str,
    /// A request's reference or a model's name.
    subject: Shown,
    is_case: bool,
    state: &'static str,
    look: &'static str,
    reason: Shown,
    ordered_by: Option<Shown>,
    attempts: i64,
    due: String,
    enqueued: String,
    finished: Option<String>,
    /// When it is tried again, of one that failed and waits.
    again: Option<String>,
    outcome: Shown,
    is_dead: bool,
}

/// `GET /settings/jobs`: newest first.
pub(crate) async fn show(call: Call) -> Answer {
    let (chosen, before) = (call.query("state"), call.query("before").parse().unwrap_or(i64::MAX));
    let chosen = STATES.iter().find(|(_, word, _)| *word == chosen);
    let state = chosen.map(|(state, ..)| *state);
    let mut rows = jobs::page(&call.portal.deps.work.db, state, before, JOBS_PER_PAGE + 1).await?;
    let more = rows.len() as u64 > JOBS_PER_PAGE;
    rows.truncate(JOBS_PER_PAGE as usize);
    let next = rows.last().filter(|_| more).map(|last| {
        let filter = chosen.map_or_else(String::new, |(_, word, _)| format!("state={word}&"));
        format!("/settings/jobs?{filter}before={}", last.id)
    });
    let page = JobsPage {
        layout: call.form_layout("Jobs")?.under(&[("/settings", "Settings")]),
        states: STATES.iter().map(|(of, word, _)| (*word, state == Some(*of))).collect(),
        every: state.is_none(),
        jobs: rows.into_iter().map(line).collect(),
        next,
        most: MOST_ATTEMPTS,
    };
    call.show(&page)
}

fn line(job: Job) -> Line {
    let (_, state, look) = STATES.iter().find(|(of, ..)| *of == job.state).copied().unwrap_or(STATES[0]);
    let failed = job.state == JobState::Queued && job.outcome.as_deref().is_some_and(|said| !said.is_empty());
    Line {
        id: job.id,
        what: orders::what(job.kind),
        subject: Shown::new(&job.subject),
        is_case: job.subject.starts_with("OB-") && crate::dispatch::is_reference(&job.subject),
        state,
        look,
        reason: Shown::new(&job.reason),
        ordered_by: job.ordered_by.as_deref().map(Shown::new),
        attempts: job.attempts,
        due: page::time(job.due_at.0),
        enqueued: page::time(job.enqueued_at.0),
        finished: job.finished_at.map(|at| page::time(at.0)),
        again: failed.then(|| page::time(job.run_after.0)),
        outcome: Shown::new(&job.outcome.unwrap_or_default()),
        is_dead: job.state == JobState::Dead,
    }
}

/// `POST /settings/jobs/{id}/retry`.
pub(crate) async fn retry(call: Call) -> Answer {
    let missing = || Problem::not_found("There is no job of this number. The page Jobs lists those that there are.");
    let id: i64 = call.part("id").parse().map_err(|_| missing())?;
    orders::retry(&call.portal.deps.work, &call.person()?.name, id).await.map_err(Problem::of_case)?;
    Ok(see_other("/settings/jobs?state=waiting"))
}
