//! The data of a verification run for whoever wants to recompute it: every number as JSON and as CSV, plots, the table of
//! conditions and the limits. Items are salted digests, so nothing of what was removed is in it.
//!
//! Not here: what the numbers mean (docs/statistics.md), and who may have them.

use std::collections::BTreeMap;

use anyhow::Result;
use obelus_report::plot::{ConditionRow, Curve, CurvePoint, Estimate, ResidualRow, Table, curves, known, residuals};
use obelus_verdict::{
    Asked, AttackResult, Condition, FactKind, Instrument, Interval, Metric, Passage, Protocol, Reading, Scope, Scores,
};

use crate::verification::Results;

/// The conditions that the plot of known facts shows, in this order.
const SHOWN: [Condition; 4] = [Condition::On, Condition::Zeroed, Condition::OffNone, Condition::RetrainNone];
/// The curves that are drawn, with their files.
const CURVES: [(Instrument, &str); 3] = [
    (Instrument::RelearningBackbone, "relearning.backbone.svg"),
    (Instrument::RelearningOwn, "relearning.own.svg"),
    (Instrument::RelearningNeighbour, "relearning.neighbour.svg"),
];
/// What stands for a plain question in a column of variants.
const PLAIN: &str = "plain";

/// The files of a run, by name.
///
/// # Errors
/// Never for results that were measured.
pub fn files(results: &Results, protocol: &Protocol) -> Result<BTreeMap<&'static str, Vec<u8>>> {
    let scopes =
        [(Scope::Panel, &results.panel), (Scope::Source, &results.source), (Scope::Survivors, &results.survivors)];
    let rows =
        |of: fn(Scope, &Scores) -> Vec<Vec<String>>| scopes.iter().flat_map(|(scope, s)| of(*scope, s)).collect();
    let mut files = BTreeMap::new();
    let mut table = |name, columns, rows| files.insert(name, Table { columns, rows }.csv().into_bytes());
    table("attacks.csv", ATTACK_COLUMNS.to_vec(), attacks(results));
    table("conditions.csv", CONDITION_COLUMNS.to_vec(), conditions(results, protocol));
    table("facts.csv", FACT_COLUMNS.to_vec(), rows(facts));
    table("passages.csv", PASSAGE_COLUMNS.to_vec(), rows(passages));
    table("blocks.csv", BLOCK_COLUMNS.to_vec(), rows(blocks));
    table("readings.csv", READING_COLUMNS.to_vec(), rows(readings));
    for (svg, plot) in
        [("known.svg", known(&known_rows(results, protocol))), ("residuals.svg", residuals(&residual_rows(results)))]
    {
        files.insert(svg, plot.svg.into_bytes());
    }
    for (instrument, svg) in CURVES {
        if let Some(read) = results.panel.readings.get(&instrument) {
            let title = format!("Loss while the sources are trained on again: {}", instrument.name());
            let plot = curves(&title, "steps", "nats a token", &relearning(read, protocol));
            files.insert(svg, plot.svg.into_bytes());
        }
    }
    files.insert("results.json", serde_json::to_vec(results)?);
    files.insert(
        "limits.txt",
        results.judgement.limits.iter().map(|limit| format!("{limit}\n")).collect::<String>().into(),
    );
    Ok(files)
}

/// The mean curve of each condition, with its interval over sources' blocks. A reading's detail is its curve: steps and losses
/// in turn.
fn relearning(read: &BTreeMap<Condition, Vec<Reading>>, protocol: &Protocol) -> Vec<Curve> {
    let curve = |(condition, readings): (&Condition, &Vec<Reading>)| {
        let steps = readings.iter().map(|reading| reading.detail.len() / 2).min().unwrap_or(0);
        let point = |step: usize| {
            let mut blocks: BTreeMap<_, (f64, u32)> = BTreeMap::new();
            for reading in readings {
                let block = blocks.entry(reading.cluster).or_default();
                *block = (block.0 + reading.detail[2 * step + 1], block.1 + 1);
            }
            let blocks: Vec<f64> = blocks.values().map(|(sum, times)| sum / f64::from(*times)).collect();
            let mean = |drawn: &[u32]| {
                let drawn = drawn.iter().map(|times| f64::from(*times));
                drawn.zip(&blocks).map(|(times, loss)| times * loss).sum::<f64>() / blocks.len() as f64
            };
            let interval = protocol.resampler().interval(blocks.len(), mean);
            let (low, high) = interval.map_or((f64::NAN, f64::NAN), |i| (i.low, i.high));
            CurvePoint { at: readings[0].detail[2 * step], value: mean(&vec![1; blocks.len()]), low, high }
        };
        Curve { name: condition.to_string(), points: (0..steps).map(point).collect() }
    };
    read.iter().map(curve).collect()
}

/// The required attacks as the rows of a plot.
pub fn residual_rows(results: &Results) -> Vec<ResidualRow> {
    let row = |(name, attack): (&String, &AttackResult)| {
        let (residual, interval) = (attack.residual?, attack.residual_interval?);
        let margin = (attack.margin > 0.0).then_some(attack.margin);
        Some(ResidualRow { name: name.clone(), residual, low: interval.low, high: interval.high, margin })
    };
    results.judgement.attacks.iter().filter(|(_, attack)| attack.required).filter_map(row).collect()
}

/// Known facts of the panel, condition by condition, as the rows of a plot.
pub fn known_rows(results: &Results, protocol: &Protocol) -> Vec<ConditionRow> {
    let [panel, _] = results.tables(protocol);
    let estimate = |condition: &Condition, metric: Metric| {
        let nothing = Estimate { value: f64::NAN, low: f64::NAN, high: f64::NAN };
        let Some(found) = panel.get(condition).and_then(|row| row.get(metric.name())) else { return nothing };
        let interval = found.interval.map_or((f64::NAN, f64::NAN), |i| (i.low, i.high));
        Estimate { value: found.value, low: interval.0, high: interval.1 }
    };
    SHOWN
        .iter()
        .filter(|condition| panel.contains_key(condition))
        .map(|condition| ConditionRow {
            condition: condition.to_string(),
            specific: estimate(condition, Metric::SpecificKnown),
            shared: estimate(condition, Metric::SharedKnown),
        })
        .collect()
}

const ATTACK_COLUMNS: [&str; 18] = [
    "attack",
    "required",
    "outcome",
    "reason",
    "items",
    "clusters",
    "original",
    "erased",
    "retrain",
    "difference",
    "difference_low",
    "difference_high",
    "residual",
    "residual_low",
    "residual_high",
    "smallest_detectable",
    "p_value",
    "p_adjusted",
];

fn attacks(results: &Results) -> Vec<Vec<String>> {
    let row = |(name, a): (&String, &AttackResult)| {
        // Nothing was measured: no number stands for that.
        let measured = |number: f64| if a.clusters == 0 { String::new() } else { exact(Some(number)) };
        let mut row = vec![name.clone(), a.required.to_string(), a.outcome.to_string(), a.reason.clone()];
        row.extend([a.items.to_string(), a.clusters.to_string()]);
        row.extend([a.original, a.erased, a.retrain, a.difference].map(measured));
        row.extend(ends(a.difference_interval));
        row.push(exact(a.residual));
        row.extend(ends(a.residual_interval));
        row.extend([a.smallest_detectable, a.p_value, a.p_adjusted].map(exact));
        row
    };
    results.judgement.attacks.iter().map(row).collect()
}

const CONDITION_COLUMNS: [&str; 7] = ["scope", "condition", "metric", "value", "low", "high", "clusters"];

fn conditions(results: &Results, protocol: &Protocol) -> Vec<Vec<String>> {
    let tables = results.tables(protocol);
    let mut rows = Vec::new();
    for (scope, table) in Scope::STRUCK.iter().zip(&tables) {
        for (condition, metrics) in table {
            for (metric, estimate) in metrics {
                let mut row =
                    vec![scope.to_string(), condition.to_string(), (*metric).to_owned(), exact(Some(estimate.value))];
                row.extend(ends(estimate.interval));
                row.push(estimate.clusters.to_string());
                rows.push(row);
            }
        }
    }
    rows
}

/// Everything that was asked: how, of which retrain, and what it gave.
fn asked(scores: &Scores) -> impl Iterator<Item = (String, usize, &Asked)> {
    let plain = std::iter::once((PLAIN.to_owned(), 0, &scores.plain));
    let further = scores.further_retrains.iter().enumerate().map(|(i, asked)| (PLAIN.to_owned(), i + 1, asked));
    plain.chain(further).chain(scores.variants.iter().map(|(variant, asked)| (variant.to_string(), 0, asked)))
}

const FACT_COLUMNS: [&str; 10] =
    ["scope", "asked", "retrain", "condition", "item", "fact", "source", "kind", "answer_log_prob", "wrong_log_probs"];

fn facts(scope: Scope, scores: &Scores) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for (how, retrain, asked) in asked(scores) {
        for (condition, facts) in &asked.facts {
            rows.extend(facts.iter().map(|fact| {
                vec![
                    scope.to_string(),
                    how.clone(),
                    retrain.to_string(),
                    condition.to_string(),
                    fact.item.to_string(),
                    fact.fact.to_string(),
                    fact.source.to_string(),
                    kind(fact.kind).to_owned(),
                    exact(Some(fact.answer_log_prob)),
                    list(fact.wrong_log_probs.iter().copied()),
                ]
            }));
        }
    }
    rows
}

const PASSAGE_COLUMNS: [&str; 10] = [
    "scope",
    "asked",
    "retrain",
    "condition",
    "item",
    "source",
    "passage",
    "extraction_strength",
    "exact_memorization",
    "membership",
];

fn passages(scope: Scope, scores: &Scores) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for (how, retrain, asked) in asked(scores) {
        for (condition, passages) in &asked.passages {
            rows.extend(passages.iter().map(|p| {
                let membership = p.membership.iter().map(|(score, value)| format!("{}={value}", score.name()));
                vec![
                    scope.to_string(),
                    how.clone(),
                    retrain.to_string(),
                    condition.to_string(),
                    p.item.to_string(),
                    p.source.to_string(),
                    passage(p.passage).to_owned(),
                    exact(Some(p.extraction_strength)),
                    exact(Some(p.exact_memorization)),
                    membership.collect::<Vec<_>>().join(" "),
                ]
            }));
        }
    }
    rows
}

const BLOCK_COLUMNS: [&str; 8] = ["scope", "asked", "retrain", "condition", "item", "block", "log_prob_sum", "tokens"];

fn blocks(scope: Scope, scores: &Scores) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for (how, retrain, asked) in asked(scores) {
        for (condition, passages) in &asked.passages {
            for passage in passages {
                rows.extend(passage.blocks.iter().enumerate().map(|(number, (sum, tokens))| {
                    vec![
                        scope.to_string(),
                        how.clone(),
                        retrain.to_string(),
                        condition.to_string(),
                        passage.item.to_string(),
                        number.to_string(),
                        exact(Some(*sum)),
                        tokens.to_string(),
                    ]
                }));
            }
        }
    }
    rows
}

const READING_COLUMNS: [&str; 7] = ["scope", "instrument", "condition", "item", "cluster", "value", "detail"];

fn readings(scope: Scope, scores: &Scores) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for (instrument, conditions) in &scores.readings {
        for (condition, readings) in conditions {
            rows.extend(readings.iter().map(|reading| {
                vec![
                    scope.to_string(),
                    instrument.name().to_owned(),
                    condition.to_string(),
                    reading.item.to_string(),
                    reading.cluster.to_string(),
                    exact(Some(reading.value)),
                    list(reading.detail.iter().copied()),
                ]
            }));
        }
    }
    rows
}

const fn kind(kind: FactKind) -> &'static str {
    match kind {
        FactKind::Specific => "specific",
        FactKind::Shared => "shared",
        FactKind::Inferred => "inferred",
    }
}

const fn passage(passage: Passage) -> &'static str {
    match passage {
        Passage::Trained => "trained",
        Passage::HeldOut => "held_out",
    }
}

/// As many digits as it takes to read the same number back; nothing where there is none.
fn exact(number: Option<f64>) -> String {
    number.filter(|n| n.is_finite()).map_or_else(String::new, |n| n.to_string())
}

fn ends(interval: Option<Interval>) -> [String; 2] {
    [exact(interval.map(|i| i.low)), exact(interval.map(|i| i.high))]
}

/// Numbers with a space between.
fn list(numbers: impl Iterator<Item = f64>) -> String {
    numbers.map(|n| n.to_string()).collect::<Vec<_>>().join(" ")
}
