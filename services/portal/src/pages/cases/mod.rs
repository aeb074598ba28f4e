//! Cases for those who work on them: which there are, those first that are due first. Not here: one case (`case.rs`), and what
//! is done in it (`acts.rs`) and for it (`work.rs`), and which sources it may mean (`find.rs`).

mod acts;
mod case;
mod clock;
mod find;
mod impact;
mod work;

use askama::Template;
use obelus_casework::clocks;
use obelus_store::requests::{self, Request, is_closed};

pub(crate) use acts::{
    answer, approve, ask, complaint, duplicate, extend, hold, match_sources, objection, partially, refuse, release,
    settle, suppress, triage, undo,
};
pub(crate) use case::show;
pub(crate) use find::{find, form as find_form};
pub(crate) use impact::show as impact;
pub(crate) use work::{execute, plan, progress, verify};

use crate::{
    dispatch::Call,
    page::{self, Day, Layout},
    permission::READ_CASE,
    problem::Problem,
    route::Answer,
    shown::Shown,
};

/// Cases read at once, and closed ones on a page.
const PAGE: u64 = 200;

#[derive(Template)]
#[template(path = "cases.html")]
struct CasesPage {
    layout: Layout,
    open: Vec<Line>,
    closed: Vec<Line>,
}

struct Line {
    reference: Shown,
    state: String,
    look: &'static str,
    model: Shown,
    received: String,
    /// The day that is safe on every reading, of the clock that ends first.
    due: Option<String>,
    /// The same for people.
    day: Option<Day>,
    is_held: bool,
}

/// `GET /cases`.
pub(crate) async fn list(call: Call) -> Answer {
    let (mut open, mut closed) = (Vec::new(), Vec::new());
    let (person, now) = (call.person()?, call.now());
    let permissions = &call.portal.permissions;
    // Who may read any case sees all; who may read those of a grant sees them and no other.
    let mut shown = all(&call).await?;
    if permissions.permit_in_any(person, READ_CASE, now).is_err() {
        shown.retain(|request| permissions.permit_in(person, READ_CASE, &request.reference, now).is_ok());
    }
    let read: Vec<&str> = shown.iter().map(|request| request.reference.as_str()).collect();
    call.note_reading("read_cases", &person.name, &serde_json::json!({ "cases": read })).await?;
    for request in shown {
        let due = if is_closed(request.state) { None } else { due(&call, &request).await? };
        let line = Line {
            reference: Shown::new(&request.reference),
            state: page::words(&request.state.to_string()),
            look: look(&request),
            model: Shown::new(&request.model),
            received: page::time(request.received_at.0),
            day: due.as_deref().map(Day::of),
            due,
            is_held: request.held_at.is_some(),
        };
        if is_closed(request.state) { closed.push(line) } else { open.push(line) }
    }
    // Days are written so that their order is that of the calendar; what has no day comes last.
    open.sort_by(|a, b| (a.due.is_none(), &a.due).cmp(&(b.due.is_none(), &b.due)));
    closed.reverse();
    closed.truncate(PAGE as usize);
    call.show(&CasesPage { layout: call.layout("Cases")?, open, closed })
}

async fn all(call: &Call) -> Result<Vec<Request>, Problem> {
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = requests::page(&call.portal.deps.work.db, after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(all) };
        after = Some(last.reference.clone());
        all.extend(page);
    }
}

async fn due(call: &Call, request: &Request) -> Result<Option<String>, Problem> {
    let clocks = clocks::of(&call.portal.deps.work, request).await?;
    let running = clocks.map(|clocks| clocks.running).unwrap_or_default();
    Ok(running.into_iter().filter_map(|clock| clock.conservative).min())
}

/// How the state of a request looks.
pub(super) fn look(request: &Request) -> &'static str {
    use obelus_store::requests::RequestState::{
        Certified, CertifiedWithResidual, DuplicateOf, Refused, Restored, VerificationFailed, Withdrawn,
    };
    match request.state {
        Certified | CertifiedWithResidual => "good",
        VerificationFailed => "bad",
        Refused | Withdrawn | DuplicateOf | Restored => "",
        _ => "open",
    }
}
