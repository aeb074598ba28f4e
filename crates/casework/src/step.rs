//! A step of a case: the change, its audit entry and its signed statement, in one transaction. The statements of a case are a
//! chain: whoever takes a step while another is taken learns it and takes it again on what there is now.
//!
//! Not here: who may take which step (`case.rs`), and which there are (`obelus-store`).

use anyhow::{Context as _, Result, ensure};
use obelus_core::Digest;
use obelus_ledger::statement::{CaseEvent, Statement, Subject, actor_digest};
use obelus_policy::Rules;
use obelus_store::{
    Error, Write, audit, case_events,
    case_events::NewEvent,
    requests::{self, RequestState},
};

use crate::{
    Deps,
    transparency::{Batch, Signed, sign},
};

/// Somebody who was overtaken tries again this often.
const ATTEMPTS: usize = 5;

/// Somebody else took a step in between, on which the one at hand depends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("somebody else has just taken a step in this case; look at it and try again")]
pub(crate) struct Overtaken;

/// What somebody does in a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// The act, as the audit trail names it.
    pub action: &'static str,
    /// Who, by name.
    pub actor: String,
    /// State before; none of the first step.
    pub from: Option<RequestState>,
    /// State after; the same where the step changes no state.
    pub to: RequestState,
    /// What it carries, as JSON.
    pub detail: String,
}

impl Act {
    /// An act that carries nothing.
    pub fn new(action: &'static str, actor: &str, from: RequestState, to: RequestState) -> Self {
        Self { action, actor: actor.to_owned(), from: Some(from), to, detail: "{}".to_owned() }
    }

    /// The same with what it carries.
    pub fn carrying(self, detail: &serde_json::Value) -> Self {
        Self { detail: detail.to_string(), ..self }
    }
}

/// Takes steps of a case, one after the other, with statements that belong to them: `change` makes the changes of state and
/// gets the digests of `with`. All of it happens, or nothing.
///
/// # Errors
/// When `change` refuses, the request is elsewhere afterwards than the last act says, or the log refuses to sign.
pub async fn take(
    deps: &Deps,
    reference: &str,
    acts: &[Act],
    with: Vec<Signed>,
    change: impl AsyncFn(&Write, &[Digest]) -> Result<()>,
) -> Result<()> {
    let mut attempt = 1;
    loop {
        let (steps, events) = signed(deps, reference, acts).await?;
        let statements: Vec<Signed> = with.iter().cloned().chain(steps).collect();
        match together(deps, reference, statements, &events, with.len(), &change).await {
            Err(error) if attempt < ATTEMPTS && is_overtaken(&error) => attempt += 1,
            other => return other,
        }
    }
}

async fn together(
    deps: &Deps,
    reference: &str,
    statements: Vec<Signed>,
    events: &[NewEvent],
    with: usize,
    change: &impl AsyncFn(&Write, &[Digest]) -> Result<()>,
) -> Result<()> {
    let now = deps.now();
    let batch = Batch::begin(deps, statements).await?;
    let write = batch.store(deps).await?;
    change(&write, &batch.digests[..with]).await?;
    for event in events {
        case_events::append(&write, event.clone(), now).await?;
        audit::append(&write, now, &event.actor, &event.action, reference, &event.detail).await?;
    }
    let state = requests::get(&write, reference).await?.context("a step is taken in a case")?.state;
    let to = events.last().map(|event| event.to);
    ensure!(to.is_none_or(|to| to == state), "{reference} is {state} after the step, and not {to:?}");
    batch.commit(deps, write).await.map(drop)
}

fn is_overtaken(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::Exists { what: case_events::WHAT, .. }))
}

/// Signs acts as the next steps of a case.
async fn signed(deps: &Deps, reference: &str, acts: &[Act]) -> Result<(Vec<Signed>, Vec<NewEvent>)> {
    let last = case_events::last(&deps.db, reference).await?;
    let mut previous = last.as_ref().map(|event| event.statement.0);
    let mut sequence = last.map_or(0, |event| event.sequence);
    let rules = Rules::shipped()?.digest();
    let (mut steps, mut events) = (Vec::new(), Vec::new());
    for act in acts {
        sequence += 1;
        let (salt, detail) = (deps.salt()?, Digest::sha256(&act.detail));
        let statement = Statement::new(
            Subject::sha256(reference, detail),
            CaseEvent {
                request: reference.to_owned(),
                sequence: u64::try_from(sequence).context("steps count from 1")?,
                previous,
                action: act.action.to_owned(),
                from: act.from.map(|state| state.to_string()),
                to: act.to.to_string(),
                actor: actor_digest(&salt, &act.actor),
                detail,
                rules,
                happened_at: deps.now(),
                salt,
            },
        );
        let step = sign(deps, &statement)?;
        let digest = step.digest()?;
        previous = Some(digest);
        events.push(NewEvent {
            request: reference.to_owned(),
            sequence,
            statement: digest,
            action: act.action.to_owned(),
            from: act.from,
            to: act.to,
            actor: act.actor.clone(),
            detail: act.detail.clone(),
        });
        steps.push(step);
    }
    Ok((steps, events))
}
