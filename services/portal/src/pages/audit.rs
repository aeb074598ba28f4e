//! The trail of who did what, for those who may read it: all of it or one subject's, a page at a time.

use askama::Template;
use obelus_store::audit;

use crate::{
    dispatch::Call,
    page::{self, Layout},
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
    let subject = subject.trim();
    // A subject never has a NUL, and PostgreSQL takes none.
    let found = match subject {
        "" => audit::page(&call.portal.deps.work.db, None, after, EVENTS_PER_PAGE + 1).await?,
        subject if subject.contains('\0') => Vec::new(),
        subject => audit::page(&call.portal.deps.work.db, Some(subject), after, EVENTS_PER_PAGE + 1).await?,
    };
    let mut events: Vec<Line> = found.into_iter().map(line).collect();
    let more = events.len() as u64 > EVENTS_PER_PAGE;
    events.truncate(EVENTS_PER_PAGE as usize);
    let last = events.last().filter(|_| more).map(|event| event.id);
    let next = last.map(|last| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("subject", subject).append_pair("after", &last.to_string());
        format!("/audit?{}", query.finish())
    });
    let shown: String = subject.chars().take(200).collect();
    call.show(&AuditPage { layout: call.layout("Audit trail")?, subject: Shown::new(&shown), events, next })
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
