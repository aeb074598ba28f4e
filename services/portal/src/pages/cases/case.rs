//! One case: what was asked and by whom, where it stands, by when, every signed step, and what the reader may do next. Not
//! here: doing it (`acts.rs`).

use actix_web::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use askama::Template;
use obelus_casework::{
    case, clocks,
    decision::REFUSAL_CODES,
    filing::Filing,
    orders::{self, Order},
};
use obelus_ledger::canonical;
use obelus_policy::{Action, Regime, RegimeFiles};
use obelus_store::{
    case_events, case_notices, case_questions, certificates, filings, log, outbox,
    requests::{self, Request, RequestState, is_closed, is_reversible},
};

use serde::Deserialize;

use super::{
    clock::Clock,
    look,
    work::{Target, Work, of_case, targets},
};
use crate::{
    dispatch::Call,
    headers::LIVE_POLICY,
    page::{self, Layout},
    problem::Problem,
    route::Answer,
    shown::Shown,
};

/// Survivors that are shown.
const SURVIVORS: usize = 10;

#[derive(Template)]
#[template(path = "case.html")]
struct CasePage {
    layout: Layout,
    reference: Shown,
    state: String,
    look: &'static str,
    is_held: bool,
    model: Shown,
    regime: Shown,
    received: String,
    window: Option<String>,
    clocks: Vec<Clock>,
    asked: Option<Asked>,
    sources: Vec<Source>,
    questions: Vec<Question>,
    notices: Vec<Notice>,
    steps: Vec<Step>,
    letters: Vec<Letter>,
    certificates: Vec<Shown>,
    plan: Option<Plan>,
    codes: &'static [&'static str],
    protocols: &'static [&'static str],
    work: Vec<Work>,
    targets: Vec<Target>,
    may: May,
    /// Whether the reader may take an export along.
    may_export: bool,
}

/// What was filed, for those who may read personal data.
struct Asked {
    name: Shown,
    email: Shown,
    capacity: Shown,
    authority: Shown,
    subject: Shown,
    statement: Shown,
    passage: Shown,
    declarations: Vec<Shown>,
}

struct Source {
    id: Shown,
    refused: Option<Shown>,
}

/// A counter-notice or a complaint.
struct Notice {
    number: i64,
    kind: String,
    sender: Shown,
    words: Shown,
    at: String,
    outcome: Option<(Shown, String)>,
}

struct Question {
    kind: String,
    question: Shown,
    asked: String,
    answer: Option<(Shown, String)>,
}

struct Step {
    action: String,
    actor: Shown,
    state: String,
    at: String,
    /// Its place in the log.
    entry: Option<u64>,
}

struct Letter {
    kind: String,
    state: String,
    at: String,
}

struct Plan {
    digest: String,
    text: Shown,
    /// Neurons that become zero, over how many layers.
    neurons: Option<(u64, usize)>,
    /// What the strike costs others: those that lose most, and the share of their sinks.
    survivors: Vec<(Shown, String)>,
}

/// What a plan says of its impact, as far as it is known here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Impact {
    neurons_per_layer: Vec<u64>,
    survivors: Vec<Survivor>,
}

#[derive(Deserialize)]
struct Survivor {
    source: String,
    /// A decimal.
    lost_fraction: String,
}

/// What the reader may do next, by the rules and by where the case is.
#[derive(Default, PartialEq, Eq)]
struct May {
    ask: bool,
    answer: bool,
    match_sources: bool,
    triage: bool,
    partially: bool,
    suppress: bool,
    approve: bool,
    refuse: bool,
    extend: bool,
    hold: bool,
    release: bool,
    undo: bool,
    duplicate: bool,
    objection: bool,
    complaint: bool,
    settle: bool,
    /// These order work of a worker.
    plan: bool,
    execute: bool,
    verify: bool,
}

/// `GET /cases/{reference}`.
pub(crate) async fn show(call: Call) -> Answer {
    let (work, person) = (&call.portal.deps.work, call.person()?);
    let reference = call.reference()?.to_owned();
    let missing = || Problem::not_found("There is no case of this number. The page Cases lists those that there are.");
    let request = requests::get(&work.db, &reference).await?.ok_or_else(missing)?;
    case::permitted(work, &person.name, Action::ReadCase, Some(&reference)).await.map_err(Problem::of_case)?;
    call.note_reading("read_case", &reference, &serde_json::json!({})).await?;
    let personal = permitted(&call, &request, Action::ReadPersonalData).await?;
    let regime = request.regime_file.as_deref().zip(request.calendar_file.as_deref());
    let regime = regime.and_then(|(regime, calendar)| Regime::parse(RegimeFiles { regime, calendar }).ok());
    let clocks = clocks::of(work, &request).await?.map(|clocks| clocks.running).unwrap_or_default();
    let plan = request.plan_digest.zip(request.plan.as_deref());
    let plan = plan.map(|(digest, plan)| impact(digest.to_string(), plan));
    let under_way = of_case(work, &reference).await?;
    let is_live = under_way.iter().any(|work| work.is_open);
    let layout = call.form_layout(&format!("Case {reference}"))?.under(&[("/cases", "Cases")]);
    let page = CasePage {
        layout: if is_live { layout.live() } else { layout },
        reference: Shown::new(&reference),
        state: page::words(&request.state.to_string()),
        look: look(&request),
        is_held: request.held_at.is_some(),
        model: Shown::new(&request.model),
        regime: Shown::new(regime.as_ref().map_or(&request.regime, |regime| &regime.title)),
        received: page::time(request.received_at.0),
        window: request.window_until.map(|until| page::time(until.0)),
        clocks: clocks.iter().map(Clock::of).collect(),
        asked: if personal { asked(&call, &reference).await? } else { None },
        sources: sources(&call, &reference).await?,
        questions: questions(&call, &reference, personal).await?,
        notices: notices(&call, &reference, personal).await?,
        steps: steps(&call, &reference).await?,
        letters: letters(&call, &reference).await?,
        certificates: certificates_of(&call, &reference).await?,
        plan,
        codes: &REFUSAL_CODES,
        protocols: orders::PROTOCOLS,
        targets: targets(work, &reference).await?,
        work: under_way,
        may: may(&call, &request, is_live).await?,
        may_export: permitted(&call, &request, Action::HandOut).await?,
    };
    let mut answer = call.show(&page)?;
    if is_live {
        answer.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(LIVE_POLICY));
    }
    Ok(answer)
}

impl May {
    fn nothing(&self) -> bool {
        *self == Self::default()
    }
}

async fn permitted(call: &Call, request: &Request, action: Action) -> Result<bool, Problem> {
    let name = &call.person()?.name;
    Ok(case::permitted(&call.portal.deps.work, name, action, Some(&request.reference)).await.is_ok())
}

async fn may(call: &Call, request: &Request, is_live: bool) -> Result<May, Problem> {
    use RequestState::{
        Acknowledged, ApprovedOnce, IdentityPending, ImpactAssessed, PartiallyGranted, ScopePending, Suppressed,
        Triaged,
    };
    let state = request.state;
    let at = |states: &[RequestState]| states.contains(&state);
    let reversible = is_reversible(state);
    let ordered = |order: Order| !is_live && order.fits(state);
    let may = async |action, fits: bool| Ok::<_, Problem>(fits && permitted(call, request, action).await?);
    Ok(May {
        ask: may(Action::Ask, at(&[Acknowledged])).await?,
        answer: may(Action::Answer, at(&[IdentityPending, ScopePending])).await?,
        match_sources: may(Action::MatchSources, at(&[Acknowledged, Triaged])).await?,
        triage: may(Action::Triage, at(&[Acknowledged])).await?,
        partially: may(Action::GrantPartially, at(&[Triaged])).await?,
        suppress: may(Action::Suppress, at(&[Triaged, PartiallyGranted])).await?,
        plan: may(
            Action::Plan,
            !is_live && at(&[Acknowledged, Triaged, PartiallyGranted, Suppressed, ImpactAssessed, ApprovedOnce]),
        )
        .await?,
        approve: may(Action::Approve, at(&[ImpactAssessed, ApprovedOnce])).await?,
        execute: may(Action::Execute, ordered(Order::Execute)).await?,
        verify: may(Action::Verify, ordered(Order::Verify)).await?,
        refuse: may(Action::Refuse, reversible).await?,
        extend: may(Action::Extend, reversible).await?,
        hold: may(Action::Hold, request.held_at.is_none() && !is_closed(state)).await?,
        release: may(Action::Release, request.held_at.is_some()).await?,
        undo: may(Action::Undo, requests::is_suppressed(state) && reversible).await?,
        duplicate: may(Action::MarkDuplicate, reversible).await?,
        objection: may(Action::CounterNotice, reversible).await?,
        complaint: may(Action::Complain, true).await?,
        settle: may(Action::SettleNotice, true).await?,
    })
}

async fn asked(call: &Call, reference: &str) -> Result<Option<Asked>, Problem> {
    let document = filings::get(&call.portal.deps.work.db, reference).await?.and_then(|filing| filing.document);
    let Some(filing) = document.and_then(|bytes| canonical::from_bytes::<Filing>(&bytes).ok()) else {
        return Ok(None);
    };
    let who = filing.requester.unwrap_or_default();
    Ok(Some(Asked {
        name: Shown::new(&who.name),
        email: Shown::new(&who.email),
        capacity: Shown::new(&who.capacity),
        authority: Shown::new(&who.authority),
        subject: Shown::new(&filing.subject),
        statement: Shown::new(&filing.statement),
        passage: Shown::new(&filing.passage),
        declarations: filing.declarations.iter().map(|words| Shown::new(words)).collect(),
    }))
}

async fn sources(call: &Call, reference: &str) -> Result<Vec<Source>, Problem> {
    let rows = requests::all_sources(&call.portal.deps.work.db, reference).await?;
    let source = |row: requests::RequestSource| Source {
        id: Shown::new(&row.source_id),
        refused: row.refusal_code.map(|code| Shown::new(&page::words(&code))),
    };
    Ok(rows.into_iter().map(source).collect())
}

async fn questions(call: &Call, reference: &str, personal: bool) -> Result<Vec<Question>, Problem> {
    let rows = case_questions::of_request(&call.portal.deps.work.db, reference).await?;
    // What is asked of somebody may say who it is.
    let words = |text: &str| Shown::new(if personal { text } else { "(for those who may read personal data)" });
    let question = |row: case_questions::Question| Question {
        kind: row.kind.to_string(),
        question: words(&row.question),
        asked: page::time(row.asked_at.0),
        answer: row.answer.zip(row.answered_at).map(|(text, at)| (words(&text), page::time(at.0))),
    };
    Ok(rows.into_iter().map(question).collect())
}

async fn notices(call: &Call, reference: &str, personal: bool) -> Result<Vec<Notice>, Problem> {
    let rows = case_notices::of_request(&call.portal.deps.work.db, reference).await?;
    let shown = |text: &str| Shown::new(if personal { text } else { "(for those who may read personal data)" });
    let notice = |row: case_notices::Notice| Notice {
        number: row.number,
        kind: row.kind.to_string(),
        sender: if row.sender.is_empty() { Shown::new("the requester") } else { shown(&row.sender) },
        words: shown(&row.words),
        at: page::time(row.received_at.0),
        outcome: row.outcome.zip(row.settled_at).map(|(outcome, at)| (shown(&outcome), page::time(at.0))),
    };
    Ok(rows.into_iter().map(notice).collect())
}

async fn steps(call: &Call, reference: &str) -> Result<Vec<Step>, Problem> {
    let db = &call.portal.deps.work.db;
    let mut steps = Vec::new();
    for event in case_events::of_request(db, reference).await? {
        steps.push(Step {
            action: page::words(&event.action),
            actor: Shown::new(&event.actor),
            state: page::words(&event.to_state.to_string()),
            at: page::time(event.happened_at.0),
            entry: log::index_of(db, &event.statement.0).await?,
        });
    }
    Ok(steps)
}

async fn letters(call: &Call, reference: &str) -> Result<Vec<Letter>, Problem> {
    let rows = outbox::of_request(&call.portal.deps.work.db, reference).await?;
    let letter = |row: outbox::Letter| Letter {
        kind: row.kind.to_string().replace('-', " "),
        state: row.state.to_string(),
        at: page::time(row.created_at.0),
    };
    Ok(rows.into_iter().map(letter).collect())
}

async fn certificates_of(call: &Call, reference: &str) -> Result<Vec<Shown>, Problem> {
    let rows = certificates::of_request(&call.portal.deps.work.db, reference).await?;
    Ok(rows.iter().map(|row| Shown::new(&row.id)).collect())
}

/// A plan with its impact.
fn impact(digest: String, plan: &[u8]) -> Plan {
    let Impact { neurons_per_layer, survivors } = serde_json::from_slice(plan).unwrap_or_default();
    let percent =
        |fraction: &str| fraction.parse::<f64>().map_or(fraction.to_owned(), |f| format!("{:.1} %", 100.0 * f));
    let most = survivors.iter().take(SURVIVORS).map(|s| (Shown::new(&s.source), percent(&s.lost_fraction)));
    Plan {
        digest,
        text: Shown::new(&pretty(plan)),
        neurons: (!neurons_per_layer.is_empty()).then(|| (neurons_per_layer.iter().sum(), neurons_per_layer.len())),
        survivors: most.collect(),
    }
}

/// A plan for people; as it is where it is no JSON.
fn pretty(plan: &[u8]) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_slice(plan).ok();
    let pretty = parsed.and_then(|value| serde_json::to_string_pretty(&value).ok());
    pretty.unwrap_or_else(|| String::from_utf8_lossy(plan).into_owned())
}
