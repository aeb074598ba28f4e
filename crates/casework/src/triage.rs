//! Finding out what a request means and whether it is to be done: questions to the requester, the sources that are meant, what
//! is granted of it, and suppression, which can be undone. Not here: where sources are looked for (`obelus-search`), and
//! decisions about a plan (`decision.rs`).

use anyhow::{Context as _, Result, ensure};
use obelus_core::Timestamp;
use obelus_policy::Action;
use obelus_store::{
    Write,
    case_questions::{self, QuestionKind},
    models, requests,
    requests::{Request, RequestState},
    sources,
};
use serde_json::json;

use crate::{
    Deps,
    case::{acknowledge, existing, permitted, strikable},
    decision::refusal,
    letters,
    step::{Act, take},
    triggers,
};

/// Asks the requester who they are or what they mean. Where the regime says so, its clock stands still until the answer.
///
/// # Errors
/// When the person may not, nothing is asked, or the request is past triage.
pub async fn ask(deps: &Deps, by: &str, reference: &str, kind: QuestionKind, question: &str) -> Result<()> {
    let person = permitted(deps, by, Action::Ask, Some(reference)).await?;
    ensure!(!question.trim().is_empty(), "say what is asked: the requester reads it");
    let (from, now) = (existing(deps, reference).await?.state, deps.now());
    let to = match kind {
        QuestionKind::Identity => RequestState::IdentityPending,
        QuestionKind::Scope => RequestState::ScopePending,
    };
    let act = Act::new("ask", &person.name, from, to).carrying(&json!({ "kind": kind.to_string() }));
    take(deps, reference, &[act], vec![], async |write, _| {
        requests::advance(write, reference, from, to).await?;
        case_questions::ask(write, reference, kind, question, now).await?;
        letters::asked(deps, write, reference, kind, question).await
    })
    .await
}

/// Records what the requester answered; the clock goes on.
///
/// # Errors
/// When the person may not, or nothing was asked.
pub async fn answer(deps: &Deps, by: &str, reference: &str, answer: &str) -> Result<()> {
    let person = permitted(deps, by, Action::Answer, Some(reference)).await?;
    ensure!(!answer.trim().is_empty(), "the answer is empty");
    let (from, to, now) = (existing(deps, reference).await?.state, RequestState::Acknowledged, deps.now());
    take(deps, reference, &[Act::new("answer", &person.name, from, to)], vec![], async |write, _| {
        requests::advance(write, reference, from, to).await?;
        Ok(case_questions::answer(write, reference, answer, now).await?)
    })
    .await
}

/// Says which sources a request means, besides those that it names already.
///
/// # Errors
/// When the person may not, it is past triage, or a source cannot be struck.
pub async fn match_sources(deps: &Deps, by: &str, reference: &str, ids: &[String]) -> Result<()> {
    let person = permitted(deps, by, Action::MatchSources, Some(reference)).await?;
    let request = existing(deps, reference).await?;
    let before = matches!(request.state, RequestState::Acknowledged | RequestState::Triaged);
    ensure!(before, "{reference} is {}: its sources were settled before", request.state);
    let model = models::get(&deps.db, &request.model).await?.context("a request names a model")?;
    strikable(deps, &model, ids, Some(reference)).await?;
    let act = Act::new("match_sources", &person.name, request.state, request.state);
    take(deps, reference, &[act.carrying(&json!({ "sources": ids }))], vec![], async |write, _| {
        models::lock(write, &model.name).await?;
        strikable(deps, &model, ids, Some(reference)).await?;
        Ok(requests::add_sources(write, reference, ids).await?)
    })
    .await
}

/// Finds that a request is to be done for the sources that it names.
///
/// # Errors
/// When the person may not, it names no source, or it is elsewhere.
pub async fn triage(deps: &Deps, by: &str, reference: &str) -> Result<()> {
    let person = permitted(deps, by, Action::Triage, Some(reference)).await?;
    acknowledge(deps, reference).await?;
    let request = existing(deps, reference).await?;
    named(deps, &request).await?;
    let act = Act::new("triage", &person.name, request.state, RequestState::Triaged);
    take(deps, reference, &[act], vec![], async |write, _| {
        Ok(requests::advance(write, reference, request.state, RequestState::Triaged).await?)
    })
    .await
}

async fn named(deps: &Deps, request: &Request) -> Result<()> {
    let named = requests::sources(&deps.db, &request.reference).await?;
    ensure!(!named.is_empty(), "{} names no source yet; say first which sources it means", request.reference);
    Ok(())
}

/// A source for which a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotGranted {
    /// The source.
    pub source: String,
    /// One of the refusal codes.
    pub code: String,
    /// Why, in words.
    pub reason: String,
}

/// Refuses a request for some of its sources; for the others it goes on.
///
/// # Errors
/// When the person may not, a code is unknown, nothing or all would be refused, or it is not triaged.
pub async fn grant_partially(deps: &Deps, by: &str, reference: &str, refused: &[NotGranted]) -> Result<()> {
    let person = permitted(deps, by, Action::GrantPartially, Some(reference)).await?;
    let named = requests::sources(&deps.db, reference).await?;
    for not in refused {
        refusal(&not.code, &not.reason)?;
        ensure!(named.contains(&not.source), "{reference} does not name the source {}", not.source);
    }
    let left = named.iter().filter(|id| refused.iter().all(|not| not.source != **id)).count();
    ensure!(!refused.is_empty() && left > 0, "part of the sources must be granted and part refused");
    let from = existing(deps, reference).await?.state;
    let detail: Vec<_> = refused.iter().map(|not| json!({ "source": not.source, "code": not.code })).collect();
    let act = Act::new("grant_partially", &person.name, from, RequestState::PartiallyGranted);
    let rows: Vec<_> = refused.iter().map(|not| (not.source.clone(), not.code.clone(), not.reason.clone())).collect();
    take(deps, reference, &[act.carrying(&json!({ "refused": detail }))], vec![], async |write, _| {
        // Told first: afterwards the request does not name the refused sources any more.
        letters::partly(deps, write, reference, refused).await?;
        Ok(requests::grant_partially(write, reference, &rows).await?)
    })
    .await
}

/// Takes the sources of a request out of routing, which can be undone.
///
/// # Errors
/// When the person may not, or it is not triaged.
pub async fn suppress(deps: &Deps, by: &str, reference: &str) -> Result<()> {
    let person = permitted(deps, by, Action::Suppress, Some(reference)).await?;
    let (request, now) = (existing(deps, reference).await?, deps.now());
    named(deps, &request).await?;
    let act = Act::new("suppress", &person.name, request.state, RequestState::Suppressed);
    take(deps, reference, &[act], vec![], async |write, _| {
        requests::advance(write, reference, request.state, RequestState::Suppressed).await?;
        letters::suppressed(deps, write, reference).await?;
        out_of_routing(write, &request, now).await
    })
    .await
}

/// Whatever is missing until the sources of a request are suppressed.
///
/// # Errors
/// When the person may not, a question to the requester is open, or the request is closed.
pub async fn lead_to_suppressed(deps: &Deps, by: &str, reference: &str) -> Result<()> {
    acknowledge(deps, reference).await?;
    let state = existing(deps, reference).await?.state;
    ensure!(
        !matches!(state, RequestState::IdentityPending | RequestState::ScopePending),
        "{reference} is {state}: the requester's answer is waited for"
    );
    if state == RequestState::Acknowledged {
        triage(deps, by, reference).await?;
    }
    if matches!(state, RequestState::Acknowledged | RequestState::Triaged | RequestState::PartiallyGranted) {
        suppress(deps, by, reference).await?;
    }
    Ok(())
}

async fn out_of_routing(write: &Write, request: &Request, now: Timestamp) -> Result<()> {
    let model = models::get(write, &request.model).await?.context("a request names a model")?;
    let mut suppressed = false;
    for id in requests::sources(write, &request.reference).await? {
        suppressed |= sources::suppress(write, &model.lineage, &id, now).await?;
    }
    if suppressed {
        triggers::changed(write, &model.name, "routing changed: a source was suppressed", now).await?;
    }
    Ok(())
}
