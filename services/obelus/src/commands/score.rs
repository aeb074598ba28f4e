//! `obelus score`.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use obelus_attack::{Erased, Materials, Measurement, Salt, Strike, unwatched};
use obelus_auditor::{subject, subject::Opened};
use obelus_casework::Deps;
use obelus_corpus::{Probe, probe};
use obelus_verdict::{Condition, FactScore, Passage, PassageScore, Protocol, Scope, Scores, choice, log_truth_ratio};
use serde_json::{Map, Value, json};

use crate::{
    arguments::Score,
    commands::coverage::not_tested,
    failure::WrongUse,
    output::{Answer, Output, table},
};

/// Runs `obelus score`: every probe and text under every condition, each source on its own.
pub async fn run(deps: &Deps, command: &Score, output: &Output) -> Result<Answer> {
    let opened = Opened::open(deps, &command.model).await?;
    let probes = match &command.probes {
        Some(file) => probe::read(file, &opened.corpus.known(), None, false)?.probes,
        None => opened.corpus.probes().to_vec(),
    };
    let retrains = match &command.baseline {
        Some(name) => {
            subject::retrains(deps, &command.model, &[], Some(name)).await.map_err(|e| WrongUse(e.to_string()))?
        }
        None => vec![],
    };
    let sources = sources(&opened, retrains.first(), &probes);
    let conditions = conditions(command, &opened, &sources)?;
    let asked: Vec<String> = sources.iter().cloned().collect();
    let mut post_hoc = subject::post_hoc(deps, &opened, &asked, &retrains).await?;
    post_hoc.retain(|(condition, _)| conditions.contains(condition));
    // The one that was named: a score has one number for each question.
    let others = Others { baseline: retrains.first(), post_hoc: &post_hoc };
    let scores = measure(deps, &opened, &others, &probes, &sources, &conditions)?;
    let not_tested = not_tested(&[&scores]);
    let mut rows = Vec::new();
    let mut document = Map::new();
    for condition in scores.plain.passages.keys() {
        let summary = summary(&scores, *condition, &probes, &sources);
        let number = |name: &str, places: usize| match summary[name].as_f64() {
            Some(number) => format!("{number:.places$}"),
            None => "-".to_owned(),
        };
        rows.push(vec![
            condition.to_string(),
            summary["n"].to_string(),
            number("known_fraction", 2),
            number("choice_accuracy", 2),
            number("truth_ratio_geometric_mean", 3),
            number("answer_log_prob_mean", 2),
            number("text_loss_trained", 3),
            number("text_loss_held_out", 3),
        ]);
        document.insert(condition.to_string(), summary);
    }
    let headings = ["CONDITION", "N", "KNOWN", "CHOICE", "TRUTH RATIO", "LOG PROB", "LOSS TRAINED", "LOSS UNSEEN"];
    let mut words = table(&headings, &rows);
    for gap in &not_tested {
        words.push_str(&format!("\n{gap}"));
    }
    let document = json!({
        "model": command.model,
        "generation": opened.record.generation,
        "sources": sources.len(),
        "conditions": document,
        "not_tested": not_tested,
    });
    output.print(&words, &document)?;
    Ok(Answer::Done)
}

/// The sources that probes are about. Without probes, those that the retrain has not seen; without a retrain too, all.
fn sources(opened: &Opened, baseline: Option<&Opened>, probes: &[Probe]) -> BTreeSet<String> {
    if !probes.is_empty() {
        return probes.iter().map(|p| p.source.clone()).collect();
    }
    let asked = |id: &&String| opened.holds(id) && !opened.corpus.is_destroyed(id);
    let all = opened.corpus.sources().iter().map(|s| &s.id).filter(asked);
    let left_out = |id: &&String| baseline.is_none_or(|b| b.row.excluded.0.contains(*id));
    all.filter(left_out).cloned().collect()
}

/// The conditions asked for, or all that apply. The sinks of a revoked source hold nothing: there is no `on` any more.
fn conditions(command: &Score, opened: &Opened, sources: &BTreeSet<String>) -> Result<Vec<Condition>> {
    let asked = command.condition.iter().map(|name| name.parse()).collect::<Result<Vec<Condition>, _>>()?;
    let has_baseline = command.baseline.is_some();
    if let Some(needs) = asked.iter().find(|c| c.needs_baseline() && !has_baseline) {
        return Err(WrongUse(format!("condition {needs} needs a retrain: name one with --baseline")).into());
    }
    let refused = sources.iter().find(|source| opened.refused.contains(*source));
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
    Ok(Condition::USUAL.into_iter().filter(applies).collect())
}

/// What a model is compared with.
struct Others<'a> {
    baseline: Option<&'a Opened>,
    post_hoc: &'a [(Condition, Opened)],
}

fn measure(
    deps: &Deps,
    opened: &Opened,
    others: &Others<'_>,
    probes: &[Probe],
    sources: &BTreeSet<String>,
    conditions: &[Condition],
) -> Result<Scores> {
    let materials = Materials::new(&opened.corpus).with_probes(probes);
    let subject = opened.subject(deps, &materials)?;
    let baseline = others.baseline.map(|b| b.subject(deps, &materials)).transpose()?;
    let mut post_hoc = Vec::new();
    for (condition, opened) in others.post_hoc {
        post_hoc.push((*condition, opened.subject(deps, &materials)?));
    }
    let protocol = Protocol::parse(Protocol::shipped("quick").context("the quick protocol ships with the program")?)?;
    let mut scores = Scores::default();
    for (i, source) in sources.iter().enumerate() {
        tracing::info!("scoring source {} of {}", i + 1, sources.len());
        let executed = opened.revoked.contains(source);
        let (ids, masks) = ([source.clone()], [opened.neurons_of(source)?]);
        let mut strike = Strike::new(&ids, &masks, &subject);
        strike.erased = if executed { Erased::AsItIs } else { Erased::InMemory };
        (strike.retrains, strike.post_hoc) = (baseline.as_slice(), &post_hoc);
        // Scores never leave this process with their digests, so the salt protects nothing here.
        let salt = &Salt::new([0; 32]);
        let measurement = Measurement {
            strike,
            materials: &materials,
            protocol: &protocol,
            scope: Scope::Source,
            salt,
            watch: &unwatched,
        };
        scores.append(measurement.score(conditions)?);
    }
    Ok(scores)
}

/// One condition in figures; null where there was nothing to measure.
fn summary(scores: &Scores, condition: Condition, probes: &[Probe], sources: &BTreeSet<String>) -> Value {
    let facts = scores.plain.facts.get(&condition).map_or(&[][..], Vec::as_slice);
    let passages = scores.plain.passages.get(&condition).map_or(&[][..], Vec::as_slice);
    // Source by source, and of each in the order of the file: so they were scored.
    let own = sources.iter().flat_map(|source| probes.iter().filter(move |p| p.source == *source));
    let ratio = |f: &FactScore| log_truth_ratio(f.answer_log_prob, &f.wrong_log_probs);
    let mean = |value: &dyn Fn(&FactScore) -> f64| {
        (!facts.is_empty()).then(|| facts.iter().map(value).sum::<f64>() / facts.len() as f64)
    };
    let share = |holds: &dyn Fn(&FactScore) -> bool| mean(&|f| f64::from(u8::from(holds(f))));
    let items: Vec<Value> = own
        .zip(facts)
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
        "n": facts.len(),
        "known_fraction": share(&|f| ratio(f) > 0.0),
        "choice_accuracy": share(&|f| choice(f.answer_log_prob, &f.wrong_log_probs)),
        "truth_ratio_geometric_mean": mean(&ratio).map(f64::exp),
        "answer_log_prob_mean": mean(&|f| f.answer_log_prob),
        "text_loss_trained": text_loss(passages, Passage::Trained),
        "text_loss_held_out": text_loss(passages, Passage::HeldOut),
        "items": items,
    })
}

/// Nats a token over all such passages; none where there is no such passage.
fn text_loss(passages: &[PassageScore], wanted: Passage) -> Option<f64> {
    let blocks = || passages.iter().filter(|p| p.passage == wanted).flat_map(|p| &p.blocks);
    let tokens: u32 = blocks().map(|(_, tokens)| tokens).sum();
    (tokens > 0).then(|| -blocks().map(|(sum, _)| sum).sum::<f64>() / f64::from(tokens))
}
