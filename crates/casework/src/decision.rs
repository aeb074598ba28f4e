//! Decisions about a case: approvals and the window that they open, refusals, withdrawal, restoring, holds, extensions. Not
//! here: finding out what is meant (`triage.rs`), and what an approved plan does to weights (`obelus-auditor`).

use anyhow::{Context as _, Result, bail, ensure};
use obelus_core::Timestamp;
use obelus_policy::{Action, Regime, RegimeFiles};
use obelus_store::{
    Read, Write, approvals, case_events, case_extensions,
    case_notices::{self, NoticeKind},
    models, requests,
    requests::{Request, RequestState, is_reversible, is_suppressed},
    sources,
};
use serde_json::json;

use crate::{
    Deps,
    case::{SERVICE, existing, in_request, permitted},
    clocks, letters,
    step::{Act, Overtaken, take},
    triggers,
};

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

/// Why sources are used again after a takedown was undone, as the requester is told.
const UNDONE: &str = "The takedown was undone before anything was set to zero.";

/// Approves the plan as it stands. The second approval opens the dispute window of the regime, which may be of no length.
///
/// # Errors
/// When there is no plan, or the person may not.
pub async fn approve(deps: &Deps, by: &str, reference: &str) -> Result<RequestState> {
    let person = permitted(deps, by, Action::Approve, Some(reference)).await?;
    let request = existing(deps, reference).await?;
    let digest = request.plan_digest;
    let digest = digest.with_context(|| format!("{reference} has no plan yet; obelus takedown plan {reference}"))?;
    let second = request.state == RequestState::ApprovedOnce;
    let to = if second { RequestState::ApprovedTwice } else { RequestState::ApprovedOnce };
    let (now, until) = (deps.now(), window_end(deps, &request)?);
    let mut acts = vec![Act::new("approve", &person.name, request.state, to).carrying(&json!({ "plan": digest.0 }))];
    if second {
        acts.push(window(until));
    }
    take(deps, reference, &acts, vec![], async |write, _| {
        approvals::approve(write, reference, person.id, &digest.0, now).await?;
        if second {
            requests::open_window(write, reference, until).await?;
            letters::decided(deps, write, reference, until).await?;
        }
        Ok(())
    })
    .await?;
    Ok(existing(deps, reference).await?.state)
}

fn window(until: Timestamp) -> Act {
    let act = Act::new("open_window", SERVICE, RequestState::ApprovedTwice, RequestState::WindowOpen);
    act.carrying(&json!({ "until": until }))
}

/// Opens the window of a request that was approved twice before there were windows.
///
/// # Errors
/// When the log refuses to sign.
pub async fn open_window(deps: &Deps, reference: &str) -> Result<()> {
    let request = existing(deps, reference).await?;
    if request.state != RequestState::ApprovedTwice {
        return Ok(());
    }
    let until = window_end(deps, &request)?;
    take(deps, reference, &[window(until)], vec![], async |write, _| {
        Ok(requests::open_window(write, reference, until).await?)
    })
    .await
}

/// Makes sure that nothing forbids zeroing now: no hold, no open counter-notice, no time for objections that runs. The step
/// itself asks once more, in its transaction (`requests::begin_zeroing`); this is asked before minutes of work.
///
/// # Errors
/// Says what forbids it, and until when.
pub async fn unhindered(deps: &Deps, request: &Request) -> Result<()> {
    let Request { reference, .. } = request;
    ensure!(
        request.held_at.is_none(),
        "{reference} is frozen by a hold: nothing is zeroed until two persons release it"
    );
    let objection = case_notices::open(&deps.db, reference, NoticeKind::CounterNotice).await?;
    ensure!(objection.is_none(), "{reference} has an open counter-notice: nothing is zeroed until it is settled");
    // One that was approved before there were windows has none yet.
    if let Some(until) = request.window_until.map(|until| until.0).filter(|until| *until > deps.now()) {
        bail!("{reference} is in its dispute window until {until}: nothing is zeroed before");
    }
    Ok(())
}

/// When a dispute window that opens now ends, by the files of the day of receipt.
fn window_end(deps: &Deps, request: &Request) -> Result<Timestamp> {
    let now = deps.now();
    let Some((regime, calendar)) = request.regime_file.as_deref().zip(request.calendar_file.as_deref()) else {
        return Ok(now);
    };
    let regime = Regime::parse(RegimeFiles { regime, calendar })?;
    Ok(Timestamp::from_micros(regime.window_end(now.as_micros(), deps.settings.time_zone.as_deref())?))
}

/// Refuses a request; its sources are no longer suppressed by it.
///
/// # Errors
/// An unknown code, no reason, or rows that are zero already.
pub async fn refuse(deps: &Deps, by: &str, reference: &str, code: &str, reason: &str) -> Result<()> {
    let person = permitted(deps, by, Action::Refuse, Some(reference)).await?;
    refusal(code, reason)?;
    let request = existing(deps, reference).await?;
    let act = Act::new("refuse", &person.name, request.state, RequestState::Refused);
    let act = act.carrying(&json!({ "code": code, "reason": reason }));
    take(deps, reference, &[act], vec![], async |write, _| {
        requests::refuse(write, reference, code, reason).await?;
        letters::refused(deps, write, reference, code, reason).await?;
        lift(deps, write, &request).await
    })
    .await
}

/// Makes sure that a refusal has one of the codes, and says why in words.
///
/// # Errors
/// When it does not.
pub(crate) fn refusal(code: &str, reason: &str) -> Result<()> {
    ensure!(REFUSAL_CODES.contains(&code), "there is no refusal code {code:?}; there are {}", REFUSAL_CODES.join(", "));
    ensure!(!reason.trim().is_empty(), "--reason must say why in words");
    Ok(())
}

/// Takes a request back, for its requester; its sources are no longer suppressed by it.
///
/// # Errors
/// When rows are zero already, or the person may not.
pub async fn withdraw(deps: &Deps, by: &str, reference: &str) -> Result<()> {
    let person = permitted(deps, by, Action::Withdraw, Some(reference)).await?;
    close(deps, reference, "withdraw", &person.name, RequestState::Withdrawn).await
}

/// Lifts the suppression of a request whose rows were not zeroed, and closes it.
///
/// # Errors
/// When nothing is suppressed, or rows are zero already.
pub async fn undo(deps: &Deps, by: &str, reference: &str) -> Result<()> {
    let person = permitted(deps, by, Action::Undo, Some(reference)).await?;
    close(deps, reference, "undo", &person.name, RequestState::Restored).await
}

async fn close(deps: &Deps, reference: &str, action: &'static str, actor: &str, to: RequestState) -> Result<()> {
    let request = existing(deps, reference).await?;
    take(deps, reference, &[Act::new(action, actor, request.state, to)], vec![], async |write, _| {
        requests::advance(write, reference, request.state, to).await?;
        match to {
            RequestState::Withdrawn => letters::withdrawn(deps, write, reference).await?,
            _ => letters::restored(deps, write, reference, UNDONE).await?,
        }
        lift(deps, write, &request).await
    })
    .await
}

/// Closes a request because another one asks for the same.
///
/// # Errors
/// When there is no such request, it is the same, or rows are zero already.
pub async fn mark_duplicate(deps: &Deps, by: &str, reference: &str, other: &str) -> Result<()> {
    let person = permitted(deps, by, Action::MarkDuplicate, Some(reference)).await?;
    let (request, other) = (existing(deps, reference).await?, existing(deps, other).await?.reference);
    let act = Act::new("mark_duplicate", &person.name, request.state, RequestState::DuplicateOf);
    take(deps, reference, &[act.carrying(&json!({ "of": other }))], vec![], async |write, _| {
        requests::mark_duplicate(write, reference, &other).await?;
        lift(deps, write, &request).await
    })
    .await
}

/// Puts the sources of a request that is closed back into routing, but those that another open request has suppressed too.
async fn lift(deps: &Deps, write: &Write, closed: &Request) -> Result<()> {
    if !is_suppressed(closed.state) {
        return Ok(());
    }
    let model = models::get(&deps.db, &closed.model).await?.context("a request names a model that does not exist")?;
    for id in requests::sources(&deps.db, &closed.reference).await? {
        let other = |request: &Request| is_suppressed(request.state) && request.reference != closed.reference;
        let shared = in_request(deps, &closed.model, &id, other).await?.is_some();
        // What was zeroed by an earlier request stays out.
        let struck = sources::get(write, &model.lineage, &id).await?.is_none_or(|source| source.revoked_at.is_some());
        if !shared && !struck {
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
    let request = existing(deps, reference).await?;
    if request.held_at.is_some() {
        return Ok(false);
    }
    let now = deps.now();
    let act = Act::new("hold", &person.name, request.state, request.state);
    take(deps, reference, &[act], vec![], async |write, _| {
        let held = requests::hold(write, reference, now).await?;
        ensure!(held, "somebody else has just put a hold on {reference}");
        Ok(())
    })
    .await?;
    Ok(true)
}

/// Agrees to end a hold; the second person's agreement ends it. True when it has ended.
///
/// # Errors
/// When there is no hold, or the person has agreed before.
pub async fn release(deps: &Deps, by: &str, reference: &str) -> Result<bool> {
    loop {
        match agree(deps, by, reference).await {
            // Two who agree at the same time are a first and a second all the same.
            Err(error) if error.is::<Overtaken>() => {}
            other => return other,
        }
    }
}

async fn agree(deps: &Deps, by: &str, reference: &str) -> Result<bool> {
    let person = permitted(deps, by, Action::Release, Some(reference)).await?;
    let request = existing(deps, reference).await?;
    ensure!(request.held_at.is_some(), "there is no hold on {reference}");
    let agreed = agreements(&deps.db, reference).await?;
    let ended = agreed >= 1;
    let act = Act::new("release", &person.name, request.state, request.state);
    take(deps, reference, &[act.carrying(&json!({ "ended": ended }))], vec![], async |write, _| {
        ensure!(agreements(write, reference).await? == agreed, Overtaken);
        if ended {
            requests::release(write, reference).await?;
        }
        Ok(())
    })
    .await?;
    Ok(ended)
}

/// How many have agreed to end the hold that stands.
async fn agreements(db: &impl Read, reference: &str) -> Result<usize> {
    let steps = case_events::of_request(db, reference).await?;
    Ok(steps.iter().rev().take_while(|step| step.action != "hold").filter(|step| step.action == "release").count())
}

/// Notes that the requester is told that it takes longer, and why; the clocks that may be extended run longer from then on.
///
/// # Errors
/// When the person may not, no reasons are given, no clock of the regime can be extended, it is too late for it, or it was
/// done before.
pub async fn extend(deps: &Deps, by: &str, reference: &str, reasons: &str) -> Result<()> {
    let person = permitted(deps, by, Action::Extend, Some(reference)).await?;
    let request = existing(deps, reference).await?;
    ensure!(!reasons.trim().is_empty(), "say for what reasons it takes longer: the requester is told them");
    ensure!(is_reversible(request.state), "{reference} is {}: nothing is waited for any more", request.state);
    let now = deps.now();
    clocks::check_extension(deps, &request, now).await?;
    let act = Act::new("extend", &person.name, request.state, request.state).carrying(&json!({ "reasons": reasons }));
    take(deps, reference, &[act], vec![], async |write, _| {
        case_extensions::add(write, reference, reasons, now).await?;
        letters::extended(deps, write, reference, reasons).await
    })
    .await
}
