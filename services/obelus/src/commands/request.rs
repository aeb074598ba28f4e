//! `obelus request`.

use anyhow::Result;
use obelus_auditor::challenge;
use obelus_casework::{Deps, case, case::OWNER, clocks, decision, filing::Filing, notices};
use obelus_store::{
    approvals, blind_challenges, case_notices, case_notices::Notice as CaseNotice, erasures, erasures::Target, models,
    persons, requests, requests::Request as Row,
};
use serde_json::{Value, json};

use crate::{
    arguments::{Notice, Request},
    commands::{self, finding},
    failure::WrongUse,
    output::{Answer, Output, table},
};

/// Requests read at once.
const PAGE: u64 = 1000;

/// Runs `obelus request`.
pub async fn run(deps: &Deps, command: &Request, output: &Output) -> Result<Answer> {
    match command {
        Request::File { what, model, regime, person } => {
            let model = match model {
                Some(model) => model.clone(),
                None => only_model(deps).await?,
            };
            let finding = finding::find(deps, &model, what).await?;
            if finding.sources.is_empty() {
                let words = format!("nothing was filed: no source of {model} is meant\n{}", finding.in_words());
                output.print(words.trim_end(), &finding)?;
                return Ok(Answer::No);
            }
            if !finding.matches.is_empty() {
                output.tell(&finding.in_words());
            }
            let filing = Filing::internal(&model, regime, &finding.sources, deps.now());
            let request = case::file(deps, person.as_deref().unwrap_or(OWNER), &filing).await?;
            let reference = request.reference;
            let words = format!("{reference} received and acknowledged. Next: obelus takedown plan {reference}");
            let document = json!({ "reference": reference, "sources": finding.sources, "found": finding });
            output.print(&words, &document)?;
        }
        Request::List => {
            let rows = all(deps).await?;
            let mut documents = Vec::new();
            for row in &rows {
                documents.push(document(deps, row).await?);
            }
            let cells: Vec<Vec<String>> = rows
                .iter()
                .map(|r| vec![r.reference.clone(), r.shown_state(), r.model.clone(), r.regime.clone()])
                .collect();
            output.print(&table(&["REFERENCE", "STATE", "MODEL", "REGIME"], &cells), &documents)?;
        }
        Request::Show { reference } => {
            let row = case::existing(deps, reference).await?;
            let mut document = document(deps, &row).await?;
            let trail = case::trail(deps, reference).await?;
            document["trail"] =
                trail.iter().map(|e| json!({ "at": e.happened_at.0, "actor": e.actor, "action": e.action })).collect();
            let mut words = format!(
                "{reference}: {}\nmodel: {}\nregime: {}\nsources: {}",
                row.shown_state(),
                row.model,
                row.regime,
                requests::sources(&deps.db, reference).await?.join(", ")
            );
            let clocks = clocks::of(deps, &row).await?;
            for clock in clocks.iter().flat_map(|clocks| &clocks.running) {
                words.push_str(&format!("\n{}", clock.in_words()));
            }
            document["clocks"] = json!(clocks);
            let challenges = blind_challenges::all(&deps.db, Some(reference)).await?;
            for challenge in &challenges {
                words.push_str(&format!("\n{}", challenge::in_words(challenge)?));
            }
            let challenges = challenges.iter().map(commands::challenge::document).collect::<Result<Vec<_>>>()?;
            document["challenges"] = json!(challenges);
            let notices = case_notices::of_request(&deps.db, reference).await?;
            for notice in &notices {
                let settled = if notice.settled_at.is_some() { "settled" } else { "open" };
                words.push_str(&format!("\nnotice {}: {}, {settled}", notice.number, notice.kind));
            }
            document["notices"] = notices.iter().map(notice).collect();
            let targets = erasures::targets(&deps.db, reference).await?;
            for target in &targets {
                words.push_str(&format!("\n{} {}: {}", target.kind, target.path, target.state));
            }
            document["targets"] = targets.iter().map(target).collect();
            if let (Some(code), Some(reason)) = (&row.refusal_code, &row.refusal_reason) {
                words.push_str(&format!("\nrefused: {code}: {reason}"));
            }
            for event in &trail {
                words.push_str(&format!("\n  {}  {:<10} {}", event.happened_at.0, event.action, event.actor));
            }
            output.print(&words, &document)?;
        }
        Request::Approve { reference, person } => {
            let state = decision::approve(deps, &someone(person, "approves")?, reference).await?;
            let words = format!("{reference} is {state}.");
            output.print(&words, &json!({ "reference": reference, "state": state.to_string() }))?;
        }
        Request::Refuse { reference, code, reason, person } => {
            decision::refuse(deps, person.as_deref().unwrap_or(OWNER), reference, code, reason).await?;
            let words = format!("{reference} is refused: {code}.");
            output.print(&words, &json!({ "reference": reference, "state": "refused", "code": code }))?;
        }
        Request::Hold { reference, person } => {
            let new = decision::hold(deps, person.as_deref().unwrap_or(OWNER), reference).await?;
            let words = if new { "is held: nothing is zeroed" } else { "was held already" };
            output.print(&format!("{reference} {words}."), &json!({ "reference": reference, "held": true }))?;
        }
        Request::Object { notice: Notice { reference, from, words, person } } => {
            notices::counter_notice(deps, person.as_deref().unwrap_or(OWNER), reference, from, words).await?;
            let said = format!("{reference}: the objection is noted. Nothing is zeroed until it is settled.");
            output.print(&said, &json!({ "reference": reference, "notice": "counter-notice" }))?;
        }
        Request::Complain { notice: Notice { reference, from, words, person } } => {
            notices::complaint(deps, person.as_deref().unwrap_or(OWNER), reference, from, words).await?;
            let said =
                format!("{reference}: the complaint is noted, and acknowledged by letter where there is an address.");
            output.print(&said, &json!({ "reference": reference, "notice": "complaint" }))?;
        }
        Request::Settle { reference, number, outcome, person } => {
            notices::settle(deps, person.as_deref().unwrap_or(OWNER), reference, *number, outcome).await?;
            let said = format!("{reference}: notice {number} is settled.");
            output.print(&said, &json!({ "reference": reference, "number": number, "settled": true }))?;
        }
        Request::Release { reference, person } => {
            let ended = decision::release(deps, &someone(person, "agrees to release")?, reference).await?;
            let words = if ended { "is released" } else { "stays held until a second person agrees" };
            output.print(&format!("{reference} {words}."), &json!({ "reference": reference, "held": !ended }))?;
        }
    }
    Ok(Answer::Done)
}

fn notice(notice: &CaseNotice) -> Value {
    json!({
        "number": notice.number,
        "kind": notice.kind.to_string(),
        "received_at": notice.received_at.0,
        "settled_at": notice.settled_at.map(|at| at.0),
    })
}

/// What became of a copy, a host or a text; the evidence as it is kept.
fn target(target: &Target) -> Value {
    let evidence: Option<Value> = target.evidence.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let state = target.state.to_string();
    json!({ "kind": target.kind, "path": target.path, "state": state, "at": target.changed_at.0, "evidence": evidence })
}

/// Acts that count people need a name.
fn someone(person: &Option<String>, acts: &str) -> Result<String> {
    match person {
        Some(name) => Ok(name.clone()),
        None => Err(WrongUse(format!("say who {acts}: --as PERSON (obelus person add NAME --role ROLE)")).into()),
    }
}

async fn only_model(deps: &Deps) -> Result<String> {
    let all = models::list(&deps.db).await?;
    let mut own = all.into_iter().filter(|m| m.baseline_of.is_none() && m.control.is_none());
    match (own.next(), own.next()) {
        (Some(row), None) => Ok(row.name),
        (None, _) => Err(WrongUse("there is no model to strike a source from; train one".to_owned()).into()),
        _ => Err(WrongUse("there are several models; say which with --model".to_owned()).into()),
    }
}

async fn all(deps: &Deps) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let after = rows.last().map(|r| r.reference.clone());
        let page = requests::page(&deps.db, after.as_deref(), PAGE).await?;
        if page.is_empty() {
            return Ok(rows);
        }
        rows.extend(page);
    }
}

async fn document(deps: &Deps, row: &Row) -> Result<Value> {
    let mut approved_by = Vec::new();
    for approval in approvals::of_request(&deps.db, &row.reference).await? {
        approved_by.extend(persons::get(&deps.db, approval.person).await?.map(|p| p.name));
    }
    Ok(json!({
        "reference": row.reference,
        "state": row.shown_state(),
        "model": row.model,
        "regime": row.regime,
        "sources": requests::sources(&deps.db, &row.reference).await?,
        "received_at": row.received_at.0,
        "plan_digest": row.plan_digest.map(|d| d.to_string()),
        "approved_by": approved_by,
    }))
}
