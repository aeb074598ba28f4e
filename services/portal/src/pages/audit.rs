//! The trail of who did what, for those who may read it: all of it or one subject's, a page at a time; of a regulator that of
//! the cases of their grants alone. And what regulators have read, for auditors.

use askama::Template;
use obelus_casework::grants::READINGS;
use obelus_store::audit;

use crate::{
    dispatch::Call,
    page::{self, Layout},
    permission::READ_AUDIT,
    problem::Problem,
    route::Answer,
    shown::Shown,
};

const EVENTS_PER_PAGE: u64 = 50;

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    layout: Layout,
    subject: Shown,
    events: Vec<Line>,
    /// The address of the next page.
    next: Option<String>,
    /// Whether all of it may be read.
    whole: bool,
}

#[derive(Template)]
#[template(path = "audit_access.html")]
struct AccessPage {
    layout: Layout,
    subject: Shown,
    events: Vec<Line>,
    next: Option<String>,
}

struct Line {
    id: i64,
    time: String,
    actor: Shown,
    action: Shown,
    subject: Shown,
    detail: Shown,
}

/// `GET /audit`.
pub(crate) async fn show(call: Call) -> Answer {
    let (subject, after) = (call.query("subject"), call.query("after").parse().unwrap_or(0));
    let (subject, db) = (subject.trim(), &call.portal.deps.work.db);
    let whole = call.portal.permissions.permit(call.person()?, READ_AUDIT, call.now()).is_ok();
    // A subject never has a NUL, and PostgreSQL takes none.
    let found = match subject {
        subject if subject.contains('\0') => Vec::new(),
        subject if !whole => {
            let cases = granted(&call, subject)?;
            let detail = serde_json::json!({ "cases": cases });
            call.note_reading("read_audit", &call.person()?.name, &detail).await?;
            audit::of_subjects(db, &cases, after, EVENTS_PER_PAGE + 1).await?
        }
        "" => audit::page(db, None, after, EVENTS_PER_PAGE + 1).await?,
        subject => audit::page(db, Some(subject), after, EVENTS_PER_PAGE + 1).await?,
    };
    let mut events: Vec<Line> = found.into_iter().map(line).collect();
    let more = events.len() as u64 > EVENTS_PER_PAGE;
    events.truncate(EVENTS_PER_PAGE as usize);
    if !whole {
        // What a step carries may be a reason in somebody's own words.
        events.iter_mut().for_each(|event| event.detail = Shown::default());
    }
    let last = events.last().filter(|_| more).map(|event| event.id);
    let next = last.map(|last| address("/audit", subject, ("after", last)));
    let subject = shortened(subject);
    call.show(&AuditPage { layout: call.layout("Audit trail")?, subject, events, next, whole })
}

/// The cases whose trail a grant shows: those that are asked for, or all of them.
fn granted(call: &Call, subject: &str) -> Result<Vec<String>, Problem> {
    let (person, now) = (call.person()?, call.now());
    let all = person.grant.iter().flat_map(|grant| &grant.cases).filter(|case| subject.is_empty() || *case == subject);
    let shown = all.filter(|case| call.portal.permissions.permit_in(person, READ_AUDIT, case, now).is_ok());
    Ok(shown.cloned().collect())
}

/// `GET /audit/access`: the newest first.
pub(crate) async fn access(call: Call) -> Answer {
    let (subject, before) = (call.query("subject"), call.query("before").parse().unwrap_or(i64::MAX));
    let subject = subject.trim();
    let actions: Vec<&str> = READINGS.into_iter().chain(["hand_out"]).collect();
    let of = Some(subject).filter(|subject| !subject.is_empty());
    let mut found = match of {
        Some(subject) if subject.contains('\0') => Vec::new(),
        of => audit::of_actions(&call.portal.deps.work.db, &actions, of, before, EVENTS_PER_PAGE + 1).await?,
    };
    let more = found.len() as u64 > EVENTS_PER_PAGE;
    found.truncate(EVENTS_PER_PAGE as usize);
    let last = found.last().filter(|_| more).map(|event| event.id);
    let next = last.map(|last| address("/audit/access", subject, ("before", last)));
    let layout = call.layout("Access log")?.under(&[("/audit", "Audit trail")]);
    let events = found.into_iter().map(line).collect();
    call.show(&AccessPage { layout, subject: shortened(subject), events, next })
}

fn address(page: &str, subject: &str, (from, id): (&str, i64)) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("subject", subject).append_pair(from, &id.to_string());
    format!("{page}?{}", query.finish())
}

fn shortened(subject: &str) -> Shown {
    Shown::new(&subject.chars().take(200).collect::<String>())
}

fn line(event: audit::Event) -> Line {
    Line {
        id: event.id,
        time: page::time(event.happened_at.0),
        actor: Shown::new(&event.actor),
        action: Shown::new(&event.action.replace('_', " ")),
        subject: Shown::new(&event.subject),
        detail: Shown::new(if event.detail == "{}" { "" } else { &event.detail }),
    }
}
