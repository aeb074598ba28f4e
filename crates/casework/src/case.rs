//! A request as people handle it: who acts, whether they may, filing and its receipt. Not here: finding out what is meant
//! (`triage.rs`) and deciding (`decision.rs`).

use anyhow::{Context as _, Result, bail, ensure};
use obelus_core::Digest;
use obelus_ledger::statement::{RequestReceipt, Statement, Subject};
use obelus_policy::{Action, Actor, Case, Rules};
use obelus_store::{
    Write, approvals, audit, filings, models, persons,
    persons::Person,
    requests,
    requests::{NewRequest, Request, RequestState, is_reversible},
};
use serde_json::json;

use crate::{
    Deps, NotThere, clocks,
    filing::Filing,
    grants, letters,
    step::{Act, take},
    transparency::sign,
};

/// The owner of the data directory, who acts where nobody is named. May not approve.
pub const OWNER: &str = "owner";
/// The roles of [`OWNER`].
pub const OWNER_ROLES: [&str; 8] =
    ["admin", "executor", "hold_officer", "intake", "key_custodian", "legal_reviewer", "registrar", "requester"];
/// Who judges a takedown where nobody is named: the program itself.
pub const SERVICE: &str = "obelus-auditor";
/// The roles of [`SERVICE`].
pub const SERVICE_ROLES: [&str; 1] = ["verifier"];

/// Who files for whoever asks from outside: the portal.
pub const PORTAL: &str = "obelus-portal";
/// The roles of [`PORTAL`].
pub const PORTAL_ROLES: [&str; 1] = ["requester"];

/// Events of an audit trail read at once.
const PAGE: u64 = 1000;

/// Finds who acts and checks that they may, on a case where one is given.
///
/// # Errors
/// When there is no such person, or the rules refuse.
pub async fn permitted(deps: &Deps, name: &str, action: Action, reference: Option<&str>) -> Result<Person> {
    let person = persons::named(&deps.db, name).await?;
    let person = person.ok_or_else(|| NotThere::person(name))?;
    let grant = grants::of(&deps.db, person.id, deps.now()).await?;
    let actor = Actor { name: &person.name, roles: &person.roles, grant: grant.as_ref() };
    let Some(reference) = reference else {
        Rules::shipped()?.permit(actor, action, None, deps.now())?;
        return Ok(person);
    };
    let held = existing(deps, reference).await?.held_at.is_some();
    let history = history(deps, reference).await?;
    Rules::shipped()?.permit(actor, action, Some(&Case { reference, history: &history, held }), deps.now())?;
    Ok(person)
}

/// Who took which step in a case. Approvals are those of the plan as it stands.
pub(crate) async fn history(deps: &Deps, reference: &str) -> Result<Vec<(Action, String)>> {
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

/// Files a request, and acknowledges it with a signed receipt.
///
/// # Errors
/// When the person may not, something in it cannot be, or a source is not in the model, is revoked, or is in another open
/// request.
pub async fn file(deps: &Deps, by: &str, filing: &Filing) -> Result<Request> {
    file_with(deps, by, filing, async |_, _| Ok(())).await
}

/// [`file()`], together with something else that is kept about the request of the reference: both, or neither.
///
/// # Errors
/// As of [`file()`], and when `with` refuses.
pub async fn file_with(
    deps: &Deps,
    by: &str,
    filing: &Filing,
    with: impl AsyncFn(&Write, &str) -> Result<()>,
) -> Result<Request> {
    let person = permitted(deps, by, Action::File, None).await?;
    let model = models::get(&deps.db, &filing.model).await?.ok_or_else(|| NotThere::model(&filing.model))?;
    let files = clocks::files(&filing.regime)?;
    let document = filing.to_bytes()?;
    strikable(deps, &model, &filing.sources, None).await?;
    let write = deps.db.write().await?;
    let reference = requests::reserve(&write, deps.now()).await?;
    write.commit().await?;
    let new = NewRequest {
        regime: filing.regime.clone(),
        regime_file: Some(files.regime.to_owned()),
        calendar_file: Some(files.calendar.to_owned()),
        model: filing.model.clone(),
        filed_by: person.id,
        sources: filing.sources.clone(),
    };
    let act = Act {
        action: "file",
        actor: person.name,
        from: None,
        to: RequestState::Received,
        detail: json!({ "filed": Digest::sha256(&document) }).to_string(),
    };
    take(deps, &reference, &[act], vec![], async |write, _| {
        // Once more, now that nobody else can: another may have filed for the same.
        models::lock(write, &model.name).await?;
        strikable(deps, &model, &filing.sources, Some(&reference)).await?;
        requests::file(write, reference.clone(), new.clone(), filing.received_at).await?;
        filings::put(write, &reference, document.clone()).await?;
        with(write, &reference).await
    })
    .await?;
    acknowledge(deps, &reference).await?;
    existing(deps, &reference).await
}

/// Signs the receipt of a request that has none yet. Nobody is asked whether they may: it is done as soon as it can be.
///
/// # Errors
/// When the log refuses to sign.
pub async fn acknowledge(deps: &Deps, reference: &str) -> Result<()> {
    let done = sign_receipt(deps, reference).await;
    // Where somebody else was faster it is done all the same.
    if done.is_err() && existing(deps, reference).await?.state != RequestState::Received {
        return Ok(());
    }
    done
}

async fn sign_receipt(deps: &Deps, reference: &str) -> Result<()> {
    let request = existing(deps, reference).await?;
    if request.state != RequestState::Received {
        return Ok(());
    }
    let (from, to) = (RequestState::Received, RequestState::Acknowledged);
    let act = Act::new("acknowledge", SERVICE, from, to);
    let filing = filings::get(&deps.db, reference).await?;
    let files = request.regime_file.as_deref().zip(request.calendar_file.as_deref());
    // One from before filings were kept has nothing that a receipt could be about.
    let Some((filing, (regime_file, calendar_file))) = filing.zip(files) else {
        return take(deps, reference, &[act], vec![], async |write, _| {
            Ok(requests::advance(write, reference, from, to).await?)
        })
        .await;
    };
    let receipt = Statement::new(
        Subject::sha256(reference, filing.document_digest.0),
        RequestReceipt {
            request: reference.to_owned(),
            regime: request.regime,
            regime_file: Digest::sha256(regime_file),
            calendar_file: Digest::sha256(calendar_file),
            filed: filing.document_digest.0,
            received_at: request.received_at.0,
            acknowledged_at: deps.now(),
            salt: deps.salt()?,
        },
    );
    take(deps, reference, &[act], vec![sign(deps, &receipt)?], async |write, digests| {
        requests::advance(write, reference, from, to).await?;
        for receipt in digests {
            filings::record_receipt(write, reference, receipt).await?;
        }
        letters::received(deps, write, reference).await
    })
    .await
}

/// Makes sure that sources can be struck from a model, by a request that is not `own`.
///
/// # Errors
/// Says which source cannot, and why.
pub async fn strikable(deps: &Deps, model: &models::Model, sources: &[String], own: Option<&str>) -> Result<()> {
    trained(model)?;
    let name = &model.name;
    ensure!(
        model.baseline_of.is_none(),
        "model {name} is a retrain to compare with: strike from {}",
        model.baseline_of.as_deref().unwrap_or_default()
    );
    ensure!(model.control.is_none(), "model {name} is a control without sinks: nothing can be struck from it");
    for id in sources {
        let source = obelus_store::sources::get(&deps.db, &model.lineage, id).await?;
        let source = source.ok_or_else(|| NotThere::source(id))?;
        // One whose verification failed is struck again: its request is open, and what remains of it can be zeroed.
        let reopened =
            in_request(deps, name, id, |request| request.state == RequestState::VerificationFailed).await?.is_some();
        ensure!(source.revoked_at.is_none() || reopened, "source {id} is revoked already");
        let held = source.since > 0 && source.since <= model.generation && !model.excluded.0.contains(id);
        ensure!(held, "no_match: model {name} was trained without {id}");
        let open = |request: &Request| is_reversible(request.state) && Some(request.reference.as_str()) != own;
        if let Some(open) = in_request(deps, name, id, open).await? {
            bail!("source {id} is in the open request {open} already");
        }
    }
    Ok(())
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

/// The first request about a source of a model that is such a one.
pub(crate) async fn in_request(
    deps: &Deps,
    model: &str,
    source: &str,
    such: impl Fn(&Request) -> bool,
) -> Result<Option<String>> {
    for request in of_model(deps, model).await?.into_iter().filter(|request| such(request)) {
        if requests::sources(&deps.db, &request.reference).await?.iter().any(|id| id == source) {
            return Ok(Some(request.reference));
        }
    }
    Ok(None)
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
