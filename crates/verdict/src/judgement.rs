//! From scores to a verdict: every metric in every scope against the retrain, with controls before any number counts.

use std::{collections::BTreeMap, fmt};

use obelus_core::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    Condition, FactKind, Interval, Metric, Outcome, Protocol, Scores, Verdict,
    decision::{by_equivalence, by_residual, overall, worse},
    limits::limits,
    log_truth_ratio,
    metric::Cluster,
};

/// Whose facts a number is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Sources held out of the retrain, each struck alone in memory: they carry the mechanism's claim.
    Panel,
    /// The struck source.
    Source,
}

impl Scope {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Panel, Self::Source];
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Panel => "panel",
            Self::Source => "source",
        })
    }
}

/// How one attack came out, with every number that the outcome rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttackResult {
    /// The outcome.
    pub outcome: Outcome,
    /// Why, in words.
    pub reason: String,
    /// Whether the protocol requires it.
    pub required: bool,
    /// Items (facts or passages) and clusters measured.
    pub items: usize,
    /// Clusters that were resampled.
    pub clusters: usize,
    /// The metric before the takedown, own sinks lit.
    pub original: f64,
    /// The metric of the erased model.
    pub erased: f64,
    /// Its interval.
    pub erased_interval: Option<Interval>,
    /// The metric of the retrain.
    pub retrain: f64,
    /// Mean paired difference, erased minus retrain.
    pub difference: f64,
    /// Its interval.
    pub difference_interval: Option<Interval>,
    /// (erased - retrain) / (original - retrain).
    pub residual: Option<f64>,
    /// Its interval.
    pub residual_interval: Option<Interval>,
    /// The margin or bound that decided.
    pub margin: f64,
    /// The difference that this many clusters would have shown with a power of 80 %.
    pub smallest_detectable: Option<f64>,
}

/// A control: without it a number is not reported as a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// Whether it holds.
    pub holds: bool,
    /// Mean paired difference in nats a token.
    pub nats: f64,
    /// Its interval.
    pub interval: Option<Interval>,
    /// Clusters it rests on.
    pub clusters: usize,
}

/// Facts by what was known before and to the retrain. Reported, never used to drop a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Categories {
    /// Known before, unknown to the retrain.
    pub unique: usize,
    /// Known before and to the retrain, told in no other source.
    pub inferred: usize,
    /// Told elsewhere too.
    pub shared: usize,
    /// Not known before.
    pub unknown: usize,
}

/// The result of a verification run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Own sinks against another source's sinks, before: was the source stored in its sinks at all?
    pub gate: BTreeMap<Scope, Control>,
    /// Zeroing the source against zeroing another source instead.
    pub placebo: BTreeMap<Scope, Control>,
    /// Facts by category.
    pub categories: BTreeMap<Scope, Categories>,
    /// Every attack by name.
    pub attacks: BTreeMap<String, AttackResult>,
    /// What the result does not prove.
    pub limits: Vec<String>,
}

/// Whether a scope's controls hold; if not, what that makes of its attacks, and why.
type Controls = Result<(), (Outcome, &'static str)>;

/// The conditions that an attack compares.
struct Comparison {
    infix: &'static str,
    erased: Condition,
    retrain: Condition,
}

const COMPARISONS: [Comparison; 2] = [
    Comparison { infix: "", erased: Condition::Zeroed, retrain: Condition::RetrainNone },
    Comparison { infix: "nearest.", erased: Condition::ZeroedNearest, retrain: Condition::RetrainNearest },
];

/// Judges the scores of the panel and of the struck source under a protocol.
pub fn judge(protocol: &Protocol, panel: &Scores, source: &Scores) -> Judgement {
    let mut judgement = Judgement {
        verdict: Verdict::NotVerified,
        gate: BTreeMap::new(),
        placebo: BTreeMap::new(),
        categories: BTreeMap::new(),
        attacks: BTreeMap::new(),
        limits: vec![],
    };
    for (scope, scores) in [(Scope::Panel, panel), (Scope::Source, source)] {
        let gate = control(protocol, scores, Condition::On, Condition::OffRandom, protocol.gate_nats);
        let placebo = control(protocol, scores, Condition::Placebo, Condition::Zeroed, 0.0);
        let controls = match (gate.holds, placebo.holds) {
            (false, _) => Err((Outcome::NotTested, "not localised: own sinks are not worth what the gate asks for")),
            (true, false) => Err((Outcome::Fail, "placebo: zeroing another source does as much")),
            _ => Ok(()),
        };
        for comparison in &COMPARISONS {
            for metric in Metric::ALL {
                let name = format!("{scope}.{}{}", comparison.infix, metric.name());
                let result = attack(protocol, scores, metric, comparison, controls);
                judgement.attacks.insert(name, result);
            }
        }
        judgement.attacks.insert(format!("{scope}.relative"), relative(protocol, scores, controls));
        judgement.gate.insert(scope, gate);
        judgement.placebo.insert(scope, placebo);
        judgement.categories.insert(scope, categories(scores));
    }
    let (mut gone, mut survives) = (Vec::new(), Vec::new());
    for name in &protocol.required {
        // A protocol cannot be read when it requires an attack that does not exist.
        if let Some(attack) = judgement.attacks.get_mut(name) {
            attack.required = true;
            let survival = Metric::ALL.iter().any(|m| m.must_survive() && name.ends_with(m.name()));
            if survival { &mut survives } else { &mut gone }.push(attack.outcome);
        }
    }
    judgement.verdict = overall(&gone, &survives);
    judgement.limits = limits(protocol, &judgement);
    judgement
}

/// A metric's clusters under several conditions, in one order.
pub(crate) struct Paired<const N: usize>(Vec<[Cluster; N]>);

impl<const N: usize> Paired<N> {
    /// None when a condition was not measured, or on other items.
    pub(crate) fn new(metric: Metric, scores: &Scores, conditions: [Condition; N]) -> Option<Self> {
        let all = conditions.map(|c| metric.clusters(scores, c));
        let keys: Vec<&(Digest, usize)> = all[0].keys().collect();
        if keys.is_empty() || all.iter().any(|c| !c.keys().eq(keys.iter().copied())) {
            return None;
        }
        let rows = keys.iter().map(|key| std::array::from_fn(|i| all[i][*key])).collect();
        Some(Self(rows))
    }

    /// The metric under each condition when each cluster counts `weights` times.
    pub(crate) fn means(&self, weights: &[u32]) -> [f64; N] {
        std::array::from_fn(|i| {
            let (mut sum, mut weight) = (0.0, 0.0);
            for (row, w) in self.0.iter().zip(weights) {
                sum += f64::from(*w) * row[i].sum;
                weight += f64::from(*w) * row[i].weight;
            }
            sum / weight
        })
    }

    pub(crate) fn once(&self) -> Vec<u32> {
        vec![1; self.0.len()]
    }

    pub(crate) fn clusters(&self) -> usize {
        self.0.len()
    }
}

fn attack(
    protocol: &Protocol,
    scores: &Scores,
    metric: Metric,
    comparison: &Comparison,
    controls: Controls,
) -> AttackResult {
    let margin = if metric.must_survive() { protocol.share_margin } else { protocol.residual_pass };
    let conditions = [Condition::On, comparison.erased, comparison.retrain];
    let Some(paired) = Paired::new(metric, scores, conditions) else {
        return not_measured(margin, "it was not measured under every condition that it compares");
    };
    let resampler = protocol.resampler();
    let interval = |statistic: &dyn Fn([f64; 3]) -> f64| {
        resampler.interval(paired.clusters(), |weights| statistic(paired.means(weights)))
    };
    let [original, erased, retrain] = paired.means(&paired.once());
    let difference_interval = interval(&|[_, e, r]| e - r);
    let effect = interval(&|[o, _, r]| o - r);
    let residual = (!metric.must_survive()).then(|| (erased - retrain) / (original - retrain));
    let residual_interval = if metric.must_survive() { None } else { interval(&|[o, e, r]| (e - r) / (o - r)) };
    let mut result = AttackResult {
        outcome: Outcome::NotTested,
        reason: String::new(),
        required: false,
        items: items(scores, metric, comparison.erased),
        clusters: paired.clusters(),
        original,
        erased,
        erased_interval: interval(&|[_, e, _]| e),
        retrain,
        difference: erased - retrain,
        difference_interval,
        residual: residual.filter(|r| r.is_finite()),
        residual_interval,
        margin,
        smallest_detectable: difference_interval.map(|i| smallest_detectable(i, protocol.confidence)),
    };
    let succeeds_before = effect.is_some_and(|e| if metric == Metric::TextLoss { e.high < 0.0 } else { e.low > 0.0 });
    (result.outcome, result.reason) = if metric.is_about_facts() && result.items < protocol.fewest_facts {
        (Outcome::Inconclusive, format!("{} facts, the protocol asks for {}", result.items, protocol.fewest_facts))
    } else if paired.clusters() < protocol.fewest_clusters {
        (Outcome::Inconclusive, format!("{} clusters give no interval to trust", paired.clusters()))
    } else if metric.must_survive() {
        // What others tell too must survive: the controls of a source's own facts do not bear on it.
        decided(difference_interval.map(|d| by_equivalence(d, protocol.share_margin)), "difference from the retrain")
    } else if let Err((outcome, reason)) = controls {
        (outcome, reason.to_owned())
    } else if !succeeds_before {
        (Outcome::NotTested, "it does not succeed before the takedown".to_owned())
    } else {
        let by_residual = residual_interval.map(|r| by_residual(r, protocol.residual_pass, protocol.residual_bound));
        match (by_residual, difference_interval) {
            (Some(found), Some(difference)) if metric.is_share() => {
                let equivalent = by_equivalence(difference, protocol.share_margin);
                decided(Some(worse(found, equivalent)), "residual and difference from the retrain")
            }
            (found, _) => decided(found, "residual"),
        }
    };
    result
}

fn decided(outcome: Option<Outcome>, by: &str) -> (Outcome, String) {
    match outcome {
        Some(outcome) => (outcome, format!("by its {by}")),
        None => (Outcome::Inconclusive, format!("its {by} has no interval")),
    }
}

fn not_measured(margin: f64, reason: &str) -> AttackResult {
    AttackResult {
        outcome: Outcome::NotTested,
        reason: reason.to_owned(),
        required: false,
        items: 0,
        clusters: 0,
        original: 0.0,
        erased: 0.0,
        erased_interval: None,
        retrain: 0.0,
        difference: 0.0,
        difference_interval: None,
        residual: None,
        residual_interval: None,
        margin,
        smallest_detectable: None,
    }
}

/// Whether the erased model is nearer to the retrain than to the original: mean |erased - retrain| minus mean
/// |erased - original|, per cluster, must lie below 0. On answers where there are enough facts, else on passages.
fn relative(protocol: &Protocol, scores: &Scores, controls: Controls) -> AttackResult {
    let conditions = [Condition::On, Condition::Zeroed, Condition::RetrainNone];
    let enough = items(scores, Metric::AnswerLogProb, Condition::Zeroed) >= protocol.fewest_facts;
    let metric = if enough { Metric::AnswerLogProb } else { Metric::TextLoss };
    let Some(paired) = Paired::new(metric, scores, conditions) else {
        return not_measured(0.0, "it was not measured under every condition that it compares");
    };
    let distance = |weights: &[u32]| {
        let (mut to_retrain, mut to_original, mut all) = (0.0, 0.0, 0.0);
        for ([original, erased, retrain], w) in paired.0.iter().zip(weights) {
            let mean = |c: &Cluster| c.sum / c.weight;
            let w = f64::from(*w) * erased.weight;
            to_retrain += w * (mean(erased) - mean(retrain)).abs();
            to_original += w * (mean(erased) - mean(original)).abs();
            all += w;
        }
        (to_retrain - to_original) / all
    };
    let [original, erased, retrain] = paired.means(&paired.once());
    let interval = protocol.resampler().interval(paired.clusters(), distance);
    let mut result = not_measured(0.0, "");
    result.items = items(scores, metric, Condition::Zeroed);
    result.clusters = paired.clusters();
    (result.original, result.erased, result.retrain) = (original, erased, retrain);
    result.difference = distance(&paired.once());
    result.difference_interval = interval;
    (result.outcome, result.reason) = match (controls, interval) {
        (Err((outcome, reason)), _) => (outcome, reason.to_owned()),
        (_, Some(i)) if paired.clusters() >= protocol.fewest_clusters => {
            let found = match (i.high < 0.0, i.low > 0.0) {
                (true, _) => Outcome::Pass,
                (_, true) => Outcome::Fail,
                _ => Outcome::Inconclusive,
            };
            decided(Some(found), "distance to the retrain less its distance to the original, in nats a token")
        }
        _ => (Outcome::Inconclusive, format!("{} clusters give no interval to trust", paired.clusters())),
    };
    result
}

/// A control in nats a token: answers where there are facts, else passages.
fn control(protocol: &Protocol, scores: &Scores, with: Condition, without: Condition, least: f64) -> Control {
    let answers = Paired::new(Metric::AnswerLogProb, scores, [with, without]).map(|p| (p, 1.0));
    let (paired, sign) = match answers.or_else(|| Some((Paired::new(Metric::TextLoss, scores, [with, without])?, -1.0)))
    {
        Some(found) => found,
        None => return Control { holds: false, nats: 0.0, interval: None, clusters: 0 },
    };
    let gain = |[a, b]: [f64; 2]| sign * (a - b);
    let nats = gain(paired.means(&paired.once()));
    let interval = protocol.resampler().interval(paired.clusters(), |w| gain(paired.means(w)));
    Control {
        holds: nats >= least && interval.is_some_and(|i| i.low > 0.0),
        nats,
        interval,
        clusters: paired.clusters(),
    }
}

fn items(scores: &Scores, metric: Metric, condition: Condition) -> usize {
    if !metric.is_about_facts() {
        return scores.passages.get(&condition).map_or(0, Vec::len);
    }
    let kind = if metric.must_survive() { FactKind::Shared } else { FactKind::Specific };
    scores.facts.get(&condition).map_or(0, |f| f.iter().filter(|f| f.kind == kind).count())
}

fn categories(scores: &Scores) -> Categories {
    let mut found = Categories::default();
    let facts = |c: Condition| scores.facts.get(&c).map_or(&[][..], Vec::as_slice);
    for (before, retrain) in facts(Condition::On).iter().zip(facts(Condition::RetrainNone)) {
        let knows = |f: &crate::FactScore| log_truth_ratio(f.answer_log_prob, &f.wrong_log_probs) > 0.0;
        match (before.kind, knows(before), knows(retrain)) {
            (_, false, _) => found.unknown += 1,
            (FactKind::Shared, ..) => found.shared += 1,
            (_, true, true) => found.inferred += 1,
            (_, true, false) => found.unique += 1,
        }
    }
    found
}

/// The true difference that would lie outside 0 with a power of 80 %, from the interval's own width (normal theory).
fn smallest_detectable(interval: Interval, confidence: f64) -> f64 {
    // Standard normal quantiles for the coverages that protocols use; others fall back to the widest.
    let two_sided = if confidence <= 0.90 {
        1.645
    } else if confidence <= 0.95 {
        1.960
    } else {
        2.576
    };
    let standard_error = (interval.high - interval.low) / (2.0 * two_sided);
    (two_sided + 0.842) * standard_error
}
