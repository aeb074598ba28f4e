//! Cases for programs: which there are, and one of them. Not here: the steps (`acts.rs`).

use obelus_casework::{case, clocks, filing::Filing};
use obelus_ledger::canonical;
use obelus_policy::Action;
use obelus_store::{
    case_events, case_questions, certificates, filings, log,
    requests::{self, Request, RequestState, is_closed},
};
use schemars::JsonSchema;
use serde::Serialize;

use super::{ApiCall, Reply};
use crate::{problem::Problem, scope::Scope};

/// How a case stands.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Standing {
    /// The reference of the request.
    reference: String,
    #[schemars(extend("enum" = states()))]
    state: String,
    /// Whether a hold forbids zeroing.
    held: bool,
    /// The model that it is about.
    model: String,
    /// The law that it was filed under.
    regime: String,
    /// When the request came in, in UTC.
    #[schemars(extend("format" = "date-time"))]
    received_at: String,
    /// The day that is safe on every reading, of the clock that ends first; none of a closed case.
    due: Option<String>,
}

/// A page of cases.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Cases {
    /// By reference, the first filed first.
    cases: Vec<Standing>,
    /// What to send as `after` for the next page; none on the last.
    next: Option<String>,
}

/// A case with all that is known of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Case {
    #[serde(flatten)]
    standing: Standing,
    /// Until when nothing is zeroed, in UTC.
    #[schemars(extend("format" = "date-time"))]
    window_until: Option<String>,
    /// The request that asks for the same, where it was closed for that.
    duplicate_of: Option<String>,
    /// The code by which it was refused.
    refusal_code: Option<String>,
    /// SHA-256 of the plan as it stands.
    plan: Option<String>,
    clocks: Vec<Clock>,
    sources: Vec<Source>,
    questions: Vec<Question>,
    steps: Vec<Step>,
    /// The certificates of it, the oldest first.
    certificates: Vec<String>,
    /// What was filed. None without the scope `personal`, to those who may not read it, and once it is erased.
    personal: Option<Personal>,
}

/// A clock that runs.
#[derive(Debug, Serialize, JsonSchema)]
struct Clock {
    /// What is due.
    clock: String,
    /// The last day that the law allows; none where it gives no number of days, and while it stands still.
    statutory: Option<String>,
    /// The last working day on the safe side of every reading.
    conservative: Option<String>,
    /// What the law says where it gives no number.
    words: Option<String>,
}

/// A source that the request names.
#[derive(Debug, Serialize, JsonSchema)]
struct Source {
    id: String,
    /// The code by which the request is refused for it.
    refusal_code: Option<String>,
}

/// A question to the requester.
#[derive(Debug, Serialize, JsonSchema)]
struct Question {
    #[schemars(extend("enum" = ["identity", "scope"]))]
    kind: String,
    question: String,
    #[schemars(extend("format" = "date-time"))]
    asked_at: String,
    #[schemars(extend("format" = "date-time"))]
    answered_at: Option<String>,
    /// For those to whom `personal` is shown.
    answer: Option<String>,
}

/// A signed step.
#[derive(Debug, Serialize, JsonSchema)]
struct Step {
    /// Its place in the case.
    sequence: i64,
    action: String,
    /// Who took it.
    actor: String,
    /// The state after it.
    #[schemars(extend("enum" = states()))]
    state: String,
    #[schemars(extend("format" = "date-time"))]
    at: String,
    /// SHA-256 of its statement.
    statement: String,
    /// The statement's place in the log.
    log_index: Option<u64>,
}

/// What was filed.
#[derive(Debug, Serialize, JsonSchema)]
struct Personal {
    name: String,
    email: String,
    capacity: String,
    authority: String,
    subject: String,
    statement: String,
    passage: String,
    /// Why it was refused, in words.
    refusal_reason: Option<String>,
}

fn states() -> Vec<String> {
    RequestState::ALL.iter().map(ToString::to_string).collect()
}

/// How a request stands.
pub(super) async fn standing(call: &ApiCall, request: &Request) -> Result<Standing, Problem> {
    let clocks = if is_closed(request.state) { Vec::new() } else { clocks(call, request).await? };
    Ok(Standing {
        reference: request.reference.clone(),
        state: request.state.to_string(),
        held: request.held_at.is_some(),
        model: request.model.clone(),
        regime: request.regime.clone(),
        received_at: request.received_at.0.to_string(),
        due: clocks.into_iter().filter_map(|clock| clock.conservative).min(),
    })
}

async fn clocks(call: &ApiCall, request: &Request) -> Result<Vec<Clock>, Problem> {
    let running = clocks::of(&call.portal.deps.work, request).await?.map(|clocks| clocks.running).unwrap_or_default();
    let clock = |running: clocks::Running| Clock {
        clock: running.clock,
        statutory: running.statutory,
        conservative: running.conservative,
        words: running.words,
    };
    Ok(running.into_iter().map(clock).collect())
}

/// `GET /api/v1/cases`.
pub(crate) async fn list(call: ApiCall) -> Result<Reply<Cases>, Problem> {
    let (after, limit) = call.page()?;
    let mut rows = requests::page(&call.portal.deps.work.db, after.as_deref(), limit + 1).await?;
    let more = rows.len() as u64 > limit;
    rows.truncate(usize::try_from(limit).map_err(anyhow::Error::from)?);
    let mut cases = Vec::new();
    for request in &rows {
        cases.push(standing(&call, request).await?);
    }
    let next = rows.pop().filter(|_| more).map(|last| last.reference);
    Ok(Reply::ok(Cases { cases, next }))
}

/// `GET /api/v1/cases/{reference}`.
pub(crate) async fn show(call: ApiCall) -> Result<Reply<Case>, Problem> {
    let (work, program, reference) = (&call.portal.deps.work, call.program()?, call.reference()?);
    let request = case::existing(work, reference).await.map_err(Problem::of_case)?;
    let permitted = async |action| case::permitted(work, &program.name, action, Some(reference)).await;
    permitted(Action::ReadCase).await.map_err(Problem::of_case)?;
    let is_personal = program.has(Scope::Personal) && permitted(Action::ReadPersonalData).await.is_ok();
    let certificates = certificates::of_request(&work.db, reference).await?.into_iter().map(|row| row.id).collect();
    Ok(Reply::ok(Case {
        standing: standing(&call, &request).await?,
        window_until: request.window_until.map(|until| until.0.to_string()),
        duplicate_of: request.duplicate_of.clone(),
        refusal_code: request.refusal_code.clone(),
        plan: request.plan_digest.map(|digest| digest.to_string()),
        clocks: clocks(&call, &request).await?,
        sources: sources(&call, reference).await?,
        questions: questions(&call, reference, is_personal).await?,
        steps: steps(&call, reference).await?,
        certificates,
        personal: if is_personal { personal(&call, &request).await? } else { None },
    }))
}

async fn sources(call: &ApiCall, reference: &str) -> Result<Vec<Source>, Problem> {
    let rows = requests::all_sources(&call.portal.deps.work.db, reference).await?;
    let source = |row: requests::RequestSource| Source { id: row.source_id, refusal_code: row.refusal_code };
    Ok(rows.into_iter().map(source).collect())
}

async fn questions(call: &ApiCall, reference: &str, is_personal: bool) -> Result<Vec<Question>, Problem> {
    let rows = case_questions::of_request(&call.portal.deps.work.db, reference).await?;
    let question = |row: case_questions::Question| Question {
        kind: row.kind.to_string(),
        question: row.question,
        asked_at: row.asked_at.0.to_string(),
        answered_at: row.answered_at.map(|at| at.0.to_string()),
        answer: row.answer.filter(|_| is_personal),
    };
    Ok(rows.into_iter().map(question).collect())
}

async fn steps(call: &ApiCall, reference: &str) -> Result<Vec<Step>, Problem> {
    let db = &call.portal.deps.work.db;
    let mut steps = Vec::new();
    for event in case_events::of_request(db, reference).await? {
        steps.push(Step {
            sequence: event.sequence,
            log_index: log::index_of(db, &event.statement.0).await?,
            action: event.action,
            actor: event.actor,
            state: event.to_state.to_string(),
            at: event.happened_at.0.to_string(),
            statement: event.statement.to_string(),
        });
    }
    Ok(steps)
}

async fn personal(call: &ApiCall, request: &Request) -> Result<Option<Personal>, Problem> {
    let filed = filings::get(&call.portal.deps.work.db, &request.reference).await?;
    let document = filed.and_then(|filed| filed.document);
    let Some(filing) = document.and_then(|bytes| canonical::from_bytes::<Filing>(&bytes).ok()) else {
        return Ok(None);
    };
    let who = filing.requester.unwrap_or_default();
    Ok(Some(Personal {
        name: who.name,
        email: who.email,
        capacity: who.capacity,
        authority: who.authority,
        subject: filing.subject,
        statement: filing.statement,
        passage: filing.passage,
        refusal_reason: request.refusal_reason.clone(),
    }))
}
