//! The plan of a takedown: exactly which neurons, and what every surviving source loses. Its bytes are what is approved.

use std::borrow::Cow;

use anyhow::{Context as _, Result, ensure};
use obelus_core::Digest;
use obelus_ledger::{canonical, manifest::list_digest};
use obelus_model::SourceMask;
use obelus_policy::{Action, Rules};
use obelus_store::{campaigns, models, requests, requests::RequestState, sources};
use obelus_verdict::Protocol;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{forecast, living, subject::Opened};
use obelus_casework::{
    Deps, case,
    impact::Forecast,
    step::{Act, take},
    triage,
};

/// A surviving source and what it loses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Survivor {
    /// The source.
    pub source: String,
    /// Neurons of its mask that become zero, over all layers.
    pub lost: u64,
    /// The same as a share of its mask, a decimal with six places.
    pub lost_fraction: String,
}

/// What is approved, byte by byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// `obelus-takedown-plan/v1`
    pub format: String,
    /// The request.
    pub reference: String,
    /// The model, and the generation whose weights are meant.
    pub model: String,
    /// Generation of the model.
    pub generation: i64,
    /// Weight root that the strike starts from.
    pub root_before: Digest,
    /// The sources.
    pub sources: Vec<String>,
    /// Digest of the list of their records.
    pub sources_digest: Digest,
    /// Neurons that become zero, one count a layer.
    pub neurons_per_layer: Vec<u64>,
    /// SHA-256 of the canonical neuron lists.
    pub neurons: Digest,
    /// Every surviving source, those that lose most first.
    pub survivors: Vec<Survivor>,
    /// The protocol by which the takedown will be judged: SHA-256 of its file.
    pub protocol: Digest,
    /// Version of the authorisation rules.
    pub rules: u32,
    /// What it is expected to cost those that stay. Measured once, and kept while nothing else of the plan changes: the
    /// same sums come out a little otherwise on another machine. Plans of earlier releases have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
}

/// The format name of plans.
pub const FORMAT: &str = "obelus-takedown-plan/v1";

/// Digest of neuron lists as statements cite it.
///
/// # Errors
/// Never for numbers.
pub fn neurons_digest(mask: &SourceMask) -> Result<Digest> {
    Ok(Digest::sha256(canonical::to_bytes(&mask.per_layer)?))
}

/// Works out the plan of a request from the model and masks as they are now, without its forecast.
///
/// # Errors
/// When the model is not whole, or a source is gone from it.
pub async fn compute(deps: &Deps, reference: &str) -> Result<Plan> {
    let protocol = protocol_of(deps, reference).await?;
    under(deps, reference, &protocol).await
}

async fn under(deps: &Deps, reference: &str, protocol: &str) -> Result<Plan> {
    let request = case::existing(deps, reference).await?;
    let opened = Opened::open(deps, &request.model).await?;
    let struck = requests::sources(&deps.db, reference).await?;
    let masks = struck.iter().map(|id| opened.neurons_of(id)).collect::<Result<Vec<_>>>()?;
    let union = SourceMask::union(&masks);
    let mut survivors = Vec::new();
    for id in opened.corpus.sources().iter().map(|s| s.id.as_str()) {
        let revoked = sources::get(&deps.db, &opened.row.lineage, id).await?.is_none_or(|s| s.revoked_at.is_some());
        if revoked || struck.iter().any(|s| s == id) || !opened.holds(id) {
            continue;
        }
        let mask = opened.neurons_of(id)?;
        let all: usize = mask.per_layer.iter().map(Vec::len).sum();
        let lost_fraction = mask.lost_fraction(&union);
        let lost = (lost_fraction * all as f64).round() as u64;
        survivors.push(Survivor { source: id.to_owned(), lost, lost_fraction: format!("{lost_fraction:.6}") });
    }
    survivors.sort_by(|a, b| b.lost.cmp(&a.lost).then_with(|| a.source.cmp(&b.source)));
    Ok(Plan {
        format: FORMAT.to_owned(),
        reference: reference.to_owned(),
        model: request.model,
        generation: opened.row.generation,
        root_before: opened.row.weight_root.context("a finished model has a weight root")?.0,
        sources_digest: sources_digest(deps, &opened.row, &struck).await?,
        sources: struck,
        neurons_per_layer: union.per_layer.iter().map(|l| l.len() as u64).collect(),
        neurons: neurons_digest(&union)?,
        survivors,
        protocol: Digest::sha256(protocol),
        rules: Rules::shipped()?.version(),
        forecast: None,
    })
}

/// The plan with what it is expected to cost: as `kept` says it, where that is the same plan.
async fn forecast(deps: &Deps, mut plan: Plan, kept: Option<&[u8]>, protocol: &str) -> Result<Plan> {
    let kept: Option<Plan> = kept.map(canonical::from_bytes).transpose()?;
    let kept = kept.filter(|kept| Plan { forecast: None, ..kept.clone() } == plan);
    plan.forecast = match kept.and_then(|kept| kept.forecast) {
        Some(forecast) => Some(forecast),
        None => {
            let opened = Opened::open(deps, &plan.model).await?;
            let masks = plan.sources.iter().map(|id| opened.neurons_of(id)).collect::<Result<Vec<_>>>()?;
            let union = SourceMask::union(&masks);
            Some(forecast::of(deps, &opened, &plan, &union, &Protocol::parse(protocol)?).await?)
        }
    };
    Ok(plan)
}

/// The protocol, as in its file, that a takedown is or will be judged by: the one chosen with its plan, else the standard
/// one.
///
/// # Errors
/// When there is no such request.
pub async fn protocol_of(deps: &Deps, reference: &str) -> Result<Cow<'static, str>> {
    match case::existing(deps, reference).await?.protocol {
        Some(chosen) => Ok(chosen.into()),
        None => Ok(standard()?.into()),
    }
}

/// The standard protocol, as in its file.
///
/// # Errors
/// Never: it ships with the program.
pub fn standard() -> Result<&'static str> {
    Protocol::shipped("standard").context("the standard protocol ships with the program")
}

/// Digest of the records of sources, as statements cite it.
///
/// # Errors
/// When a source is not registered.
pub async fn sources_digest(deps: &Deps, model: &models::Model, ids: &[String]) -> Result<Digest> {
    let mut pairs = Vec::new();
    for id in ids {
        let row = sources::get(&deps.db, &model.lineage, id).await?;
        let row = row.with_context(|| format!("source {id} is not registered for {}", model.name))?;
        pairs.push((Digest::new(row.record_key.0), Digest::sha256(&row.record)));
    }
    Ok(list_digest(pairs)?)
}

/// The secret that salts a lineage's scores: from the manifest key, so that it needs no place of its own.
///
/// # Errors
/// When there is no such campaign.
pub async fn score_salt(deps: &Deps, lineage: &str, reference: &str) -> Result<[u8; 32]> {
    let campaign = campaigns::get(&deps.db, lineage).await?.context("the model has no campaign")?;
    let bytes = [&b"obelus-scores/v1\0"[..], &campaign.manifest_key.0, reference.as_bytes()].concat();
    Ok(*Digest::sha256(bytes).as_bytes())
}

/// Suppresses the sources of a request and sets its plan, to be judged by `protocol` (its file's text), or without one by
/// what was chosen before. Running it again changes nothing while nothing has changed.
///
/// # Errors
/// When the person may not, the protocol cannot be used, or it is chosen after planning is over.
pub async fn set(deps: &Deps, by: &str, reference: &str, protocol: Option<&str>) -> Result<(Plan, Digest)> {
    let person = case::permitted(deps, by, Action::Plan, Some(reference)).await?;
    let request = case::existing(deps, reference).await?;
    if let Some(text) = protocol {
        let protocol = Protocol::parse(text)?;
        // Its schedule is made when the certificate is issued: too late to find that it is none.
        protocol.schedule.map(|cron| living::next_due(&cron, deps.now())).transpose()?;
    }
    if !requests::is_reversible(request.state) {
        ensure!(
            protocol.is_none(),
            "{reference} is {}: its protocol was fixed before the erasure and stays",
            request.state
        );
        let bytes = request.plan.with_context(|| format!("{reference} is {} and has no plan", request.state))?;
        return Ok((canonical::from_bytes(&bytes)?, Digest::sha256(&bytes)));
    }
    let chosen = match protocol {
        Some(text) => Cow::Borrowed(text),
        None => protocol_of(deps, reference).await?,
    };
    let exact = under(deps, reference, &chosen).await?;
    let plan = forecast(deps, exact, request.plan.as_deref(), &chosen).await?;
    let bytes = canonical::to_bytes(&plan)?;
    let digest = Digest::sha256(&bytes);
    // Within minutes of a request its sources are not lit any more; this much can be undone.
    triage::lead_to_suppressed(deps, by, reference).await?;
    let from = case::existing(deps, reference).await?.state;
    // The standard one stays the one of the release that executes, for which another plan would be asked.
    let own = protocol.filter(|text| standard().is_ok_and(|standard| standard != *text));
    let act = Act::new("plan", &person.name, from, RequestState::ImpactAssessed);
    let act = act.carrying(&json!({ "plan": digest, "protocol": plan.protocol }));
    if request.plan_digest == Some(digest.into()) && from != RequestState::Suppressed {
        return Ok((plan, digest));
    }
    take(deps, reference, &[act], vec![], async |write, _| {
        if protocol.is_some() {
            requests::set_protocol(write, reference, own).await?;
        }
        let new = requests::set_plan(write, reference, bytes.clone()).await?;
        ensure!(new, "somebody else has just set this plan");
        Ok(())
    })
    .await?;
    Ok((plan, digest))
}

/// The approved plan, if it is still what would be planned now.
///
/// # Errors
/// When it is not: approvals are of exact bytes.
pub async fn approved(deps: &Deps, reference: &str) -> Result<Plan> {
    let request = case::existing(deps, reference).await?;
    let bytes = request.plan.with_context(|| format!("{reference} has no plan; obelus takedown plan {reference}"))?;
    let approved: Plan = canonical::from_bytes(&bytes)?;
    let now = Plan { forecast: approved.forecast.clone(), ..compute(deps, reference).await? };
    ensure!(
        now == approved,
        "the plan of {reference} is not what would be planned now (the model or its sources have changed); plan it \
         again, which asks for new approvals"
    );
    Ok(now)
}
