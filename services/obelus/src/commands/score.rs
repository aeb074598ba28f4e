//! `obelus score`.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use anyhow::{Context as _, Result};
use obelus_attack::{Materials, Salt, Strike, score};
use obelus_auditor::{Deps, subject, subject::Opened};
use obelus_corpus::{Probe, probe};
use obelus_verdict::{Condition, FactScore, Protocol, choice, log_truth_ratio};
use serde_json::{Map, Value, json};

use crate::{
    arguments::Score,
    failure::WrongUse,
    output::{Answer, Output, table},
};

/// Runs `obelus score`: every probe under every condition, each source on its own.
pub async fn run(deps: &Deps, command: &Score, output: &Output) -> Result<Answer> {
    let opened = Opened::open(deps, &command.model).await?;
    let known: HashSet<&str> = opened.corpus.source_ids();
    let probes = probe::read(&command.probes, &known, false)?.probes;
    let baseline = match &command.baseline {
        Some(name) => {
            subject::baseline(deps, &command.model, &[], Some(name)).await.map_err(|e| WrongUse(e.to_string()))?;
            Some(Opened::open(deps, name).await?)
        }
        None => None,
    };
    let conditions = conditions(command, &opened, &probes)?;
    let scores = measure(deps, &opened, baseline.as_ref(), &probes, &conditions)?;
    let mut rows = Vec::new();
    let mut document = Map::new();
    for (condition, scored) in &scores {
        let summary = summary(scored);
        rows.push(vec![
            condition.to_string(),
            scored.len().to_string(),
            format!("{:.2}", summary["known_fraction"].as_f64().unwrap_or(f64::NAN)),
            format!("{:.2}", summary["choice_accuracy"].as_f64().unwrap_or(f64::NAN)),
            format!("{:.3}", summary["truth_ratio_geometric_mean"].as_f64().unwrap_or(f64::NAN)),
            format!("{:.2}", summary["answer_log_prob_mean"].as_f64().unwrap_or(f64::NAN)),
        ]);
        document.insert(condition.to_string(), summary);
    }
    let words = table(&["CONDITION", "N", "KNOWN", "CHOICE", "TRUTH RATIO", "LOG PROB"], &rows);
    let document = json!({ "model": command.model, "generation": opened.record.generation, "conditions": document });
    output.print(&words, &document)?;
    Ok(Answer::Done)
}

/// The conditions asked for, or all that apply. The sinks of a revoked source hold nothing: there is no `on` any more.
fn conditions(command: &Score, opened: &Opened, probes: &[Probe]) -> Result<Vec<Condition>> {
    let asked = command.condition.iter().map(|name| name.parse()).collect::<Result<Vec<Condition>, _>>()?;
    let has_baseline = command.baseline.is_some();
    if let Some(needs) = asked.iter().find(|c| c.needs_baseline() && !has_baseline) {
        return Err(WrongUse(format!("condition {needs} needs a retrain: name one with --baseline")).into());
    }
    let refused = probes.iter().find(|p| opened.refused.contains(&p.source)).map(|p| &p.source);
    if let (Some(source), Some(lit)) = (refused, asked.iter().find(|c| c.is_before() && **c != Condition::OffNone)) {
        return Err(WrongUse(format!(
            "condition {lit} would light the sinks of {source}, which is suppressed or revoked; take zeroed, \
             zeroed_nearest, off_none or a retrain condition"
        ))
        .into());
    }
    if !asked.is_empty() {
        return Ok(asked);
    }
    let applies = |c: &Condition| {
        (has_baseline || !c.needs_baseline()) && (refused.is_none() || !c.is_before() || *c == Condition::OffNone)
    };
    Ok(Condition::ALL.into_iter().filter(applies).collect())
}

type Scored<'p> = BTreeMap<Condition, Vec<(&'p Probe, FactScore)>>;

fn measure<'p>(
    deps: &Deps,
    opened: &Opened,
    baseline: Option<&Opened>,
    probes: &'p [Probe],
    conditions: &[Condition],
) -> Result<Scored<'p>> {
    let materials = Materials::new(&opened.corpus).with_probes(probes);
    let subject = opened.subject(deps, &materials)?;
    let baseline_subject = baseline.map(|b| b.subject(deps, &materials)).transpose()?;
    let protocol = Protocol::parse(Protocol::shipped("quick").context("the quick protocol ships with the program")?)?;
    let sources: BTreeSet<&str> = probes.iter().map(|p| p.source.as_str()).collect();
    let mut scored = Scored::new();
    for (i, source) in sources.iter().enumerate() {
        tracing::info!("scoring source {} of {}", i + 1, sources.len());
        let executed = opened.revoked.contains(*source);
        let (ids, masks) = ([(*source).to_owned()], [opened.neurons_of(source)?]);
        let strike =
            Strike { sources: &ids, masks: &masks, subject: &subject, executed, baseline: baseline_subject.as_ref() };
        // Scores never leave this process with their digests, so the salt protects nothing here.
        let scores = score(&strike, conditions, &materials, &protocol, &Salt::new([0; 32]))?;
        let own = || probes.iter().filter(|p| p.source == **source);
        for (condition, facts) in scores.facts {
            scored.entry(condition).or_default().extend(own().zip(facts));
        }
    }
    Ok(scored)
}

fn summary(scored: &[(&Probe, FactScore)]) -> Value {
    let n = scored.len().max(1) as f64;
    let ratio = |f: &FactScore| log_truth_ratio(f.answer_log_prob, &f.wrong_log_probs);
    let share = |holds: &dyn Fn(&FactScore) -> bool| scored.iter().filter(|(_, f)| holds(f)).count() as f64 / n;
    let mean = |value: &dyn Fn(&FactScore) -> f64| scored.iter().map(|(_, f)| value(f)).sum::<f64>() / n;
    let items: Vec<Value> = scored
        .iter()
        .map(|(probe, f)| {
            json!({
                "source": probe.source,
                "kind": probe.kind,
                "prompt": probe.prompt,
                "truth_ratio": ratio(f).exp(),
                "answer_log_prob": f.answer_log_prob,
            })
        })
        .collect();
    json!({
        "n": scored.len(),
        "known_fraction": share(&|f| ratio(f) > 0.0),
        "choice_accuracy": share(&|f| choice(f.answer_log_prob, &f.wrong_log_probs)),
        "truth_ratio_geometric_mean": mean(&ratio).exp(),
        "answer_log_prob_mean": mean(&|f| f.answer_log_prob),
        "items": items,
    })
}
