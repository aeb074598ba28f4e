//! From scores to a verdict: every attack of a protocol against the retrain, with controls before any number counts.
//! Not here: what is compared (`sample.rs`), and the bounds (`decision.rs`).

use std::collections::BTreeMap;

use crate::{
    AttackResult, Condition, Instrument, Interval, Judgement, MembershipScore, Metric, Outcome, Protocol, Scope,
    Scores, Variant, Verdict,
    attack::{Attack, Comparison, PLAIN, Question, attacks},
    controls::{Controls, categories, controls},
    decision::{by_equivalence, by_residual, overall, worse},
    forget_quality::forget_quality,
    limits::limits,
    metric::Cluster,
    sample::{Paired, Sample},
    worst_source::worst_source,
};

/// Judges the scores of the panel, of the struck source, and of sources that stay, under a protocol. The last are `on` the
/// model before and `zeroed` after the takedown of the struck source, their own sinks lit both times.
pub fn judge(protocol: &Protocol, panel: &Scores, source: &Scores, survivors: &Scores) -> Judgement {
    let mut judgement = Judgement {
        verdict: Verdict::NotVerified,
        gate: BTreeMap::new(),
        placebo: BTreeMap::new(),
        categories: BTreeMap::new(),
        attacks: BTreeMap::new(),
        limits: vec![],
    };
    // Whether the struck source was stored in its sinks does not bear on what others keep.
    let mut by_scope = BTreeMap::from([(Scope::Survivors, (survivors, Ok(())))]);
    for (scope, scores) in [(Scope::Panel, panel), (Scope::Source, source)] {
        let (gate, placebo, found) = controls(protocol, scores);
        judgement.gate.insert(scope, gate);
        judgement.placebo.insert(scope, placebo);
        judgement.categories.insert(scope, categories(scores));
        by_scope.insert(scope, (scores, found));
    }
    let (mut gone, mut beside) = (Vec::new(), Vec::new());
    for attack in attacks(protocol) {
        let (scores, controls) = by_scope[&attack.scope];
        let name = attack.to_string();
        let mut result = Case { protocol, scores, controls }.judge(&attack);
        result.required = protocol.required.contains(&name);
        if result.required {
            if attack.shows_forgetting() { &mut gone } else { &mut beside }.push(result.outcome);
        }
        judgement.attacks.insert(name, result);
    }
    judgement.verdict = overall(&gone, &beside);
    judgement.limits = limits(protocol, &judgement);
    judgement
}

/// One scope's scores under a protocol.
struct Case<'a> {
    protocol: &'a Protocol,
    scores: &'a Scores,
    controls: Controls,
}

/// What the rules ask of an attack beside its sample.
struct Rule {
    /// Fewer items than this are too few to judge by.
    fewest_items: usize,
    /// The smaller number is the one that gives more away.
    falling: bool,
    /// Equal within this margin, both ways, and nothing else: it is not to be gone.
    must_survive: Option<f64>,
    /// Also equal to the retrain's within a margin, both ways.
    share: bool,
    /// Reported, and never judged.
    limit: bool,
}

const MEAN: Rule = Rule { fewest_items: 0, falling: false, must_survive: None, share: false, limit: false };
const NOT_MEASURED: &str = "it was not measured under every condition that it compares";

impl Case<'_> {
    fn judge(&self, attack: &Attack) -> AttackResult {
        match attack.question {
            Question::Mean { variant, comparison, metric } => self.mean(variant, comparison, metric),
            Question::Relative => self.relative(),
            Question::Membership(score) => self.membership(score),
            Question::ForgetQuality(comparison) => self.forget_quality(comparison),
            Question::WorstSource => worst_source(self.protocol, &self.scores.plain, self.controls),
            Question::Reading(instrument) => self.reading(instrument),
            Question::Kept(metric) => self.kept(metric),
        }
    }

    fn mean(&self, variant: Option<Variant>, comparison: Comparison, metric: Metric) -> AttackResult {
        let facts = if metric.is_about_facts() { self.protocol.fewest_facts } else { 0 };
        let rule = Rule {
            fewest_items: facts,
            falling: metric == Metric::TextLoss,
            must_survive: metric.must_survive().then_some(self.protocol.share_margin),
            share: metric.is_share(),
            limit: variant.is_some_and(Variant::is_limit),
        };
        let conditions = [Condition::On, comparison.erased, comparison.retrain];
        let sample = match variant {
            None => Sample::of_metric(metric, &self.scores.plain, &self.scores.retrains(), conditions),
            Some(variant) => {
                self.scores.variants.get(&variant).and_then(|a| Sample::of_metric(metric, a, &[], conditions))
            }
        };
        self.compared(sample, &rule)
    }

    fn membership(&self, score: MembershipScore) -> AttackResult {
        let conditions = [Condition::On, PLAIN.erased, PLAIN.retrain];
        let sample = Sample::of_membership(score, &self.scores.plain, conditions, self.protocol.fewest_clusters);
        // An area is a share too: of the pairs of texts that are told apart.
        self.compared(sample, &Rule { share: true, ..MEAN })
    }

    fn reading(&self, instrument: Instrument) -> AttackResult {
        let readings = self.scores.readings.get(&instrument);
        let sample = readings.and_then(|r| Sample::of_readings(r, [Condition::On, PLAIN.erased, PLAIN.retrain]));
        if instrument.is_exact() {
            return self.exact(readings.and_then(|r| r.get(&PLAIN.erased)).map(Vec::as_slice));
        }
        let facts = if instrument.is_about_facts() { self.protocol.fewest_facts } else { 0 };
        self.compared(sample, &Rule { fewest_items: facts, ..MEAN })
    }

    /// What sources that stay have, after the takedown against before. There is no retrain in it: what stands in its place is
    /// the model before.
    fn kept(&self, metric: Metric) -> AttackResult {
        let of_loss = self.protocol.survivors.as_ref().filter(|_| !metric.is_share()).map(|budget| budget.loss_margin);
        let margin = of_loss.unwrap_or(self.protocol.share_margin);
        let conditions = [Condition::On, Condition::Zeroed, Condition::On];
        let sample = Sample::of_metric(metric, &self.scores.plain, &[], conditions);
        self.compared(sample, &Rule { must_survive: Some(margin), ..MEAN })
    }

    /// Counts what is left; no chance is in it, so one is too many.
    fn exact(&self, erased: Option<&[crate::Reading]>) -> AttackResult {
        let Some(readings) = erased.filter(|readings| !readings.is_empty()) else {
            return AttackResult::not_measured(0.0, NOT_MEASURED);
        };
        let mut result = AttackResult::not_measured(0.0, "");
        (result.items, result.clusters) = (readings.len(), readings.len());
        result.original = 1.0;
        result.erased = readings.iter().map(|r| r.value).sum::<f64>() / readings.len() as f64;
        result.difference = result.erased;
        result.residual = Some(result.erased);
        let left = readings.iter().any(|r| r.value > 0.0);
        result.decided(match left {
            true => (Outcome::Fail, format!("{:.1} % of it is still there", 100.0 * result.erased)),
            false => (Outcome::Pass, "nothing of it is there".to_owned()),
        });
        result
    }

    /// Original, erased and retrain under the rules of residual and equivalence.
    fn compared(&self, sample: Option<Sample<'_>>, rule: &Rule) -> AttackResult {
        let protocol = self.protocol;
        let margin = rule.must_survive.unwrap_or(protocol.residual_pass);
        let Some(sample) = sample else { return AttackResult::not_measured(margin, NOT_MEASURED) };
        let resampler = protocol.resampler();
        let resampled = sample.resampled(&resampler);
        let interval = |statistic: fn([f64; 3]) -> f64| resampler.interval_of(resampled.iter().map(|v| statistic(*v)));
        let [original, erased, retrain] = sample.once();
        let difference_interval = interval(|[_, e, r]| e - r);
        let effect = interval(|[o, _, r]| o - r);
        let residual = rule.must_survive.is_none().then_some((erased - retrain) / (original - retrain));
        let residual_interval = match rule.must_survive {
            Some(_) => None,
            None => interval(|[o, e, r]| (e - r) / (o - r)),
        };
        let succeeds_before = effect.is_some_and(|e| if rule.falling { e.high < 0.0 } else { e.low > 0.0 });
        let found = if rule.limit {
            (Outcome::NotTested, "a limit of every model, reported and not judged".to_owned())
        } else if sample.items < rule.fewest_items {
            (Outcome::Inconclusive, format!("{} facts, the protocol asks for {}", sample.items, rule.fewest_items))
        } else if sample.clusters < protocol.fewest_clusters {
            (Outcome::Inconclusive, format!("{} clusters give no interval to trust", sample.clusters))
        } else if let Some(margin) = rule.must_survive {
            // The controls of a source's own facts do not bear on what must survive.
            decided(difference_interval.map(|d| by_equivalence(d, margin)), "difference")
        } else if let Err((outcome, reason)) = self.controls {
            (outcome, reason.to_owned())
        } else if !succeeds_before {
            (Outcome::NotTested, "it does not succeed before the takedown".to_owned())
        } else {
            let found = residual_interval.map(|r| by_residual(r, protocol.residual_pass, protocol.residual_bound));
            match (found, difference_interval) {
                (Some(found), Some(difference)) if rule.share => {
                    let equivalent = by_equivalence(difference, protocol.share_margin);
                    decided(Some(worse(found, equivalent)), "residual and difference from the retrain")
                }
                (found, _) => decided(found, "residual"),
            }
        };
        let mut result = AttackResult {
            items: sample.items,
            clusters: sample.clusters,
            original,
            erased,
            erased_interval: interval(|[_, e, _]| e),
            retrain,
            difference: erased - retrain,
            difference_interval,
            residual: residual.filter(|r| r.is_finite()),
            residual_interval,
            smallest_detectable: difference_interval.map(|i| smallest_detectable(i, protocol.confidence)),
            ..AttackResult::not_measured(margin, "")
        };
        result.decided(found);
        result
    }

    /// The distributions of truth ratios, and where they differ, by how much.
    fn forget_quality(&self, comparison: Comparison) -> AttackResult {
        let bound = self.mean(None, comparison, Metric::TruthRatio);
        forget_quality(self.protocol, &self.scores.plain, comparison, bound, self.controls)
    }

    /// Whether the erased model is nearer to the retrain than to the original: mean |erased - retrain| minus mean
    /// |erased - original|, per cluster, must lie below 0. On truth ratios where there are enough facts, else on passages: how
    /// sure a backbone is of any answer hangs on its seed, and cancels in a ratio.
    fn relative(&self) -> AttackResult {
        let (protocol, asked) = (self.protocol, &self.scores.plain);
        let conditions = [Condition::On, Condition::Zeroed, Condition::RetrainNone];
        let enough = Metric::TruthRatio.items(asked, Condition::Zeroed) >= protocol.fewest_facts;
        let metric = if enough { Metric::TruthRatio } else { Metric::TextLoss };
        let Some(paired) = Paired::new(metric, asked, conditions) else {
            return AttackResult::not_measured(0.0, NOT_MEASURED);
        };
        let distance = |weights: &[u32]| {
            let (mut to_retrain, mut to_original, mut all) = (0.0, 0.0, 0.0);
            for ([original, erased, retrain], w) in paired.rows().iter().zip(weights) {
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
        let found = match (self.controls, interval) {
            (Err((outcome, reason)), _) => (outcome, reason.to_owned()),
            (_, Some(i)) if paired.clusters() >= protocol.fewest_clusters => {
                let found = match (i.high < 0.0, i.low > 0.0) {
                    (true, _) => Outcome::Pass,
                    (_, true) => Outcome::Fail,
                    _ => Outcome::Inconclusive,
                };
                decided(Some(found), "distance to the retrain less its distance to the original, in nats")
            }
            _ => (Outcome::Inconclusive, format!("{} clusters give no interval to trust", paired.clusters())),
        };
        let mut result = AttackResult {
            items: metric.items(asked, Condition::Zeroed),
            clusters: paired.clusters(),
            original,
            erased,
            retrain,
            difference: distance(&paired.once()),
            difference_interval: interval,
            ..AttackResult::not_measured(0.0, "")
        };
        result.decided(found);
        result
    }
}

fn decided(outcome: Option<Outcome>, by: &str) -> (Outcome, String) {
    match outcome {
        Some(outcome) => (outcome, format!("by its {by}")),
        None => (Outcome::Inconclusive, format!("its {by} has no interval")),
    }
}

/// The true difference that would lie outside 0 with a power of 80 %, from the interval's own width (normal theory).
pub(crate) fn smallest_detectable(interval: Interval, confidence: f64) -> f64 {
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
