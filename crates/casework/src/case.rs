//! A request as people handle it: who acts, whether they may, and the steps that destroy nothing.

use anyhow::{Context as _, Result, bail, ensure};
use obelus_policy::{Action, Actor, Rules};
use obelus_store::{
    Write, approvals, audit, models, persons,
    persons::Person,
    requests,
    requests::{NewRequest, Request, RequestState, is_reversible},
    sources,
};
use serde_json::json;

use crate::{Deps, NotThere, clocks, triggers};

/// The owner of the data directory, who acts where nobody is named. May not approve.
pub const OWNER: &str = "owner";
/// The roles of [`OWNER`].
pub const OWNER_ROLES: [&str; 8] =
    ["admin", "executor", "hold_officer", "intake", "key_custodian", "legal_reviewer", "registrar", "requester"];
/// Who judges a takedown where nobody is named: the program itself.
pub const SERVICE: &str = "obelus-auditor";
/// The roles of [`SERVICE`].
pub const SERVICE_ROLES: [&str; 1] = ["verifier"];

/// Events of an audit trail read at once.
const PAGE: u64 = 1000;

/// The refusal codes of requests.
pub const REFUSAL_CODES: [&str; 13] = [
    "suspected_fraud",
    "insufficient_verification",
    "no_match",
    "claim_not_covered",
    "outside_jurisdiction",
    "too_many_requests",
    "no_such_source",
    "not_rights_holder",
    "exception_17_3",
    "legal_hold",
    "manifestly_unfounded",
    "boundary_mismatch",
    "other",
];

/// Finds who acts and checks that they may, on a case where one is given.
///
/// # Errors
/// When there is no such person, or the rules refuse.
pub async fn permitted(deps: &Deps, name: &str, action: Action, reference: Option<&str>) -> Result<Person> {
    let person = persons::named(&deps.db, name).await?;
    let person = person.ok_or_else(|| NotThere::person(name))?;
    let history = match reference {
        Some(reference) => history(deps, reference).await?,
        None => vec![],
    };
    let rules = Rules::shipped()?;
    let actor = Actor { name: &person.name, roles: &person.roles };
    rules.permit(actor, action, history.iter().map(|(action, who)| (*action, who.as_str())))?;
    Ok(person)
}

/// Who took which step in a case. Approvals are those of the plan as it stands.
async fn history(deps: &Deps, reference: &str) -> Result<Vec<(Action, String)>> {
    let request = existing(deps, reference).await?;
    let mut history = Vec::new();
    let name = async |id| -> Result<String> {
        Ok(persons::get(&deps.db, id).await?.context("a request names a person who does not exist")?.name)
    };
    history.push((Action::File, name(request.filed_by).await?));
    for approval in approvals::of_request(&deps.db, reference).await? {
        history.push((Action::Approve, name(approval.person).await?));
    }
    for event in trail(deps, reference).await? {
        match event.action.as_str() {
            "deposit_challenge" => history.push((Action::DepositChallenge, event.actor)),
            "execute" => history.push((Action::Execute, event.actor)),
            "verify" => history.push((Action::Verify, event.actor)),
            "reverify" => history.push((Action::Reverify, event.actor)),
            "release" => history.push((Action::Release, event.actor)),
            // Agreements to end an earlier hold do not count for a later one.
            "hold" => history.retain(|(action, _)| *action != Action::Release),
            _ => {}
        }
    }
    Ok(history)
}

/// The audit trail of a case, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn trail(deps: &Deps, reference: &str) -> Result<Vec<audit::Event>> {
    let mut events: Vec<audit::Event> = Vec::new();
    loop {
        let after = events.last().map_or(0, |event| event.id);
        let page = audit::page(&deps.db, Some(reference), after, PAGE).await?;
        if page.is_empty() {
            return Ok(events);
        }
        events.extend(page);
    }
}

/// A request that exists.
///
/// # Errors
/// When it does not.
pub async fn existing(deps: &Deps, reference: &str) -> Result<Request> {
    let request = requests::get(&deps.db, reference).await?;
    Ok(request.ok_or_else(|| NotThere::request(reference))?)
}

/// Files a request to strike `source_ids` from `model`.
///
/// # Errors
/// When a source is not in the model, is revoked, or is in another open request.
pub async fn file(deps: &Deps, by: &str, model: &str, regime: &str, source_ids: &[String]) -> Result<Request> {
    let person = permitted(deps, by, Action::File, None).await?;
    let row = models::get(&deps.db, model).await?;
    let row = row.ok_or_else(|| NotThere::model(model))?;
    trained(&row)?;
    ensure!(
        row.baseline_of.is_none(),
        "model {model} is a retrain to compare with: strike from {}",
        row.baseline_of.as_deref().unwrap_or_default()
    );
    ensure!(row.control.is_none(), "model {model} is a control without sinks: nothing can be struck from it");
    let files = clocks::files(regime)?;
    for id in source_ids {
        let source = sources::get(&deps.db, &row.lineage, id).await?;
        let source = source.ok_or_else(|| NotThere::source(id))?;
        // One whose verification failed is struck again: its request is open, and what remains of it can be zeroed.
        let reopened = failed_request(deps, model, id).await?;
        ensure!(source.revoked_at.is_none() || reopened, "source {id} is revoked already");
        let held = source.since > 0 && source.since <= row.generation && !row.excluded.0.contains(id);
        ensure!(held, "no_match: model {model} was trained without {id}");
        if let Some(open) = open_request(deps, model, id).await? {
            bail!("source {id} is in the open request {open} already");
        }
    }
    let write = deps.db.write().await?;
    let new = NewRequest {
        regime: regime.to_owned(),
        regime_file: Some(files.regime.to_owned()),
        calendar_file: Some(files.calendar.to_owned()),
        model: model.to_owned(),
        filed_by: person.id,
        sources: source_ids.to_vec(),
    };
    let request = requests::file(&write, new, deps.now()).await?;
    note(deps, &write, &person.name, "file", &request.reference).await?;
    write.commit().await?;
    Ok(request)
}

/// Makes sure that a model was trained to its end.
///
/// # Errors
/// When it is being trained, or its training was given up.
pub fn trained(row: &models::Model) -> Result<()> {
    ensure!(row.status != models::ModelStatus::Training, "model {} is still being trained", row.name);
    ensure!(
        row.status != models::ModelStatus::Refused,
        "the training of {} was given up, because it read a source that must not be trained on",
        row.name
    );
    Ok(())
}

async fn open_request(deps: &Deps, model: &str, source: &str) -> Result<Option<String>> {
    for request in of_model(deps, model).await?.into_iter().filter(|r| is_reversible(r.state)) {
        if requests::sources(&deps.db, &request.reference).await?.iter().any(|s| s == source) {
            return Ok(Some(request.reference));
        }
    }
    Ok(None)
}

/// Whether a request has struck this source, and its verification has failed.
async fn failed_request(deps: &Deps, model: &str, source: &str) -> Result<bool> {
    for request in of_model(deps, model).await?.into_iter().filter(|r| r.state == RequestState::VerificationFailed) {
        if requests::sources(&deps.db, &request.reference).await?.iter().any(|s| s == source) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The requests about a model, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn of_model(deps: &Deps, model: &str) -> Result<Vec<Request>> {
    let (mut own, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = requests::page(&deps.db, after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(own) };
        after = Some(last.reference.clone());
        own.extend(page.into_iter().filter(|request| request.model == model));
    }
}

/// Approves the plan as it stands.
///
/// # Errors
/// When there is no plan, or the person may not.
pub async fn approve(deps: &Deps, by: &str, reference: &str) -> Result<RequestState> {
    let person = permitted(deps, by, Action::Approve, Some(reference)).await?;
    let request = existing(deps, reference).await?;
    let digest = request.plan_digest;
    let digest = digest.with_context(|| format!("{reference} has no plan yet; obelus takedown plan {reference}"))?;
    let write = deps.db.write().await?;
    let state = approvals::approve(&write, reference, person.id, &digest.0, deps.now()).await?;
    let detail = json!({ "plan": digest.to_string() }).to_string();
    audit::append(&write, deps.now(), &person.name, "approve", reference, &detail).await?;
    write.commit().await?;
    Ok(state)
}

/// Refuses a request; its sources are no longer suppressed by it.
///
/// # Errors
/// An unknown code, no reason, or rows that are zero already.
pub async fn refuse(deps: &Deps, by: &str, reference: &str, code: &str, reason: &str) -> Result<()> {
    let person = permitted(deps, by, Action::Refuse, Some(reference)).await?;
    ensure!(REFUSAL_CODES.contains(&code), "there is no refusal code {code:?}; there are {}", REFUSAL_CODES.join(", "));
    ensure!(!reason.trim().is_empty(), "--reason must say why in words");
    let write = deps.db.write().await?;
    requests::refuse(&write, reference, code, reason).await?;
    lift(deps, &write, reference).await?;
    note(deps, &write, &person.name, "refuse", reference).await?;
    Ok(write.commit().await?)
}

/// Lifts the suppression of a request whose rows were not zeroed, and closes it.
///
/// # Errors
/// When rows are zero already.
pub async fn undo(deps: &Deps, by: &str, reference: &str) -> Result<()> {
    let person = permitted(deps, by, Action::Undo, Some(reference)).await?;
    let request = existing(deps, reference).await?;
    let write = deps.db.write().await?;
    requests::advance(&write, reference, request.state, RequestState::Restored).await?;
    lift(deps, &write, reference).await?;
    note(deps, &write, &person.name, "undo", reference).await?;
    Ok(write.commit().await?)
}

async fn lift(deps: &Deps, write: &Write, reference: &str) -> Result<()> {
    let request = existing(deps, reference).await?;
    let model = models::get(&deps.db, &request.model).await?.context("a request names a model that does not exist")?;
    for id in requests::sources(&deps.db, reference).await? {
        // What was zeroed by an earlier request stays out.
        if sources::get(write, &model.lineage, &id).await?.is_some_and(|source| source.revoked_at.is_none()) {
            sources::restore(write, &model.lineage, &id).await?;
        }
    }
    triggers::changed(write, &model.name, "routing changed: a suppression was lifted", deps.now()).await?;
    Ok(())
}

/// Forbids zeroing until two persons have agreed to release. False when a hold stands already.
///
/// # Errors
/// When the person may not.
pub async fn hold(deps: &Deps, by: &str, reference: &str) -> Result<bool> {
    let person = permitted(deps, by, Action::Hold, Some(reference)).await?;
    let write = deps.db.write().await?;
    let held = requests::hold(&write, reference, deps.now()).await?;
    if held {
        note(deps, &write, &person.name, "hold", reference).await?;
    }
    write.commit().await?;
    Ok(held)
}

/// Agrees to end a hold; the second person's agreement ends it. True when it has ended.
///
/// # Errors
/// When there is no hold, or the person has agreed before.
pub async fn release(deps: &Deps, by: &str, reference: &str) -> Result<bool> {
    let person = permitted(deps, by, Action::Release, Some(reference)).await?;
    ensure!(existing(deps, reference).await?.held_at.is_some(), "there is no hold on {reference}");
    let agreed = history(deps, reference).await?.iter().filter(|(action, _)| *action == Action::Release).count();
    let write = deps.db.write().await?;
    note(deps, &write, &person.name, "release", reference).await?;
    let ended = agreed >= 1;
    if ended {
        requests::release(&write, reference).await?;
    }
    write.commit().await?;
    Ok(ended)
}

async fn note(deps: &Deps, write: &Write, actor: &str, action: &str, reference: &str) -> Result<()> {
    Ok(audit::append(write, deps.now(), actor, action, reference, "{}").await?)
}
