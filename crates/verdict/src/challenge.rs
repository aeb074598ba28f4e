//! Questions that nobody knew before a takedown: the erased model against the retrain on them alone. What the model knew
//! before it was struck cannot be asked any more, so there is no residual here and no positive control. Not here: how such
//! questions are sealed and opened.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Asked, Condition, FactKind, Interval, Metric, Outcome, Protocol, Scores,
    attack::{Comparison, NEAREST, PLAIN},
    decision::{by_equivalence, worse},
    judgement::smallest_detectable,
    sample::Sample,
};

/// What is compared, and what it is called here: every kind of fact is compared alike.
const METRICS: [(Metric, &str); 4] = [
    (Metric::SpecificKnown, "known"),
    (Metric::SpecificChoice, "choice"),
    (Metric::TruthRatio, "truth_ratio"),
    (Metric::AnswerLogProb, "answer_log_prob"),
];

const KINDS: [(FactKind, &str); 3] =
    [(FactKind::Specific, "specific"), (FactKind::Shared, "shared"), (FactKind::Inferred, "inferred")];

/// One comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// How it came out: by the protocol's margin where it is a share, else `not_tested`.
    pub outcome: Outcome,
    /// Why, in words.
    pub reason: String,
    /// Facts.
    pub items: usize,
    /// Clusters that were resampled.
    pub clusters: usize,
    /// The metric of the erased model.
    pub erased: f64,
    /// Its interval.
    pub erased_interval: Option<Interval>,
    /// The metric of the retrain; none without one.
    pub retrain: Option<f64>,
    /// Its interval.
    pub retrain_interval: Option<Interval>,
    /// Mean paired difference, erased minus retrain.
    pub difference: Option<f64>,
    /// Its interval.
    pub difference_interval: Option<Interval>,
    /// The margin that decides, where it is a share.
    pub margin: Option<f64>,
    /// The difference that this many clusters would have shown with a power of 80 %.
    pub smallest_detectable: Option<f64>,
}

/// What came of a challenge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Challenged {
    /// The worst of what could be judged; `fail` wherever anything fails.
    pub outcome: Outcome,
    /// Facts by kind.
    pub facts: BTreeMap<String, usize>,
    /// Every comparison by name: how the model was lit, kind of facts, metric.
    pub compared: BTreeMap<String, Compared>,
    /// What it does not prove.
    pub limits: Vec<String>,
}

/// Compares the erased model with the retrain on the questions of a challenge, under the margin and the sizes of the
/// protocol of the case. Without a retrain nothing is judged.
pub fn challenged(protocol: &Protocol, scores: &Scores) -> Challenged {
    let (mut compared, mut facts) = (BTreeMap::new(), BTreeMap::new());
    for (kind, name) in KINDS {
        let all: Vec<Asked> = scores.retrains().into_iter().map(|asked| of_kind(asked, kind)).collect();
        let retrains: Vec<&Asked> = all.iter().collect();
        let count = Metric::SpecificKnown.items(&all[0], Condition::Zeroed);
        if count == 0 {
            continue;
        }
        facts.insert(name.to_owned(), count);
        for comparison in [PLAIN, NEAREST] {
            for (metric, metric_name) in METRICS {
                let found = compare(protocol, metric, comparison, &all[0], &retrains);
                if let Some(found) = found {
                    compared.insert(format!("{}{name}.{metric_name}", comparison.infix), found);
                }
            }
        }
    }
    let outcome = overall(protocol, compared.values());
    let limits = limits(protocol, scores, &facts, outcome);
    Challenged { outcome, facts, compared, limits }
}

/// The worst of the shares. Kinds of which there are too few facts are left out where there is one with enough.
fn overall<'c>(protocol: &Protocol, compared: impl Iterator<Item = &'c Compared>) -> Outcome {
    let judged: Vec<&Compared> = compared.filter(|c| c.margin.is_some()).collect();
    let worst = |enough: bool| {
        let counted = judged.iter().filter(|c| !enough || c.items >= protocol.fewest_facts);
        counted.map(|c| c.outcome).reduce(worse)
    };
    worst(true).or_else(|| worst(false)).unwrap_or(Outcome::NotTested)
}

/// The facts of one kind, as those that metrics are about.
fn of_kind(asked: &Asked, kind: FactKind) -> Asked {
    let mut own = Asked { facts: asked.facts.clone(), passages: BTreeMap::new() };
    for facts in own.facts.values_mut() {
        facts.retain(|fact| fact.kind == kind);
        facts.iter_mut().for_each(|fact| fact.kind = FactKind::Specific);
    }
    own
}

fn compare(
    protocol: &Protocol,
    metric: Metric,
    comparison: Comparison,
    asked: &Asked,
    retrains: &[&Asked],
) -> Option<Compared> {
    let Comparison { erased: after, retrain, .. } = comparison;
    // The original is not there to be asked; the erased model stands in its place and nothing is read off it.
    let against = Sample::of_metric(metric, asked, retrains, [after, after, retrain]);
    let has_retrain = against.is_some();
    let sample = against.or_else(|| Sample::of_metric(metric, asked, &[], [after; 3]))?;
    let resampler = protocol.resampler();
    let resampled = sample.resampled(&resampler);
    let interval = |of: fn([f64; 3]) -> f64| resampler.interval_of(resampled.iter().map(|values| of(*values)));
    let [_, erased, retrain] = sample.once();
    let difference_interval = interval(|[_, e, r]| e - r).filter(|_| has_retrain);
    let margin = metric.is_share().then_some(protocol.share_margin);
    let (outcome, reason) = match (margin, difference_interval) {
        _ if !has_retrain => (Outcome::NotTested, "no retrain that never saw the source".to_owned()),
        (None, _) => (Outcome::NotTested, "reported, and not judged: no margin is fixed for it".to_owned()),
        _ if sample.items < protocol.fewest_facts => {
            (Outcome::Inconclusive, format!("{} facts, the protocol asks for {}", sample.items, protocol.fewest_facts))
        }
        _ if sample.clusters < protocol.fewest_clusters => {
            (Outcome::Inconclusive, format!("{} clusters give no interval to trust", sample.clusters))
        }
        (Some(_), None) => (Outcome::Inconclusive, "its difference from the retrain has no interval".to_owned()),
        (Some(margin), Some(found)) => (by_equivalence(found, margin), "by its difference from the retrain".to_owned()),
    };
    Some(Compared {
        outcome,
        reason,
        items: sample.items,
        clusters: sample.clusters,
        erased,
        erased_interval: interval(|[_, e, _]| e),
        retrain: has_retrain.then_some(retrain),
        retrain_interval: interval(|[_, _, r]| r).filter(|_| has_retrain),
        difference: has_retrain.then_some(erased - retrain),
        difference_interval,
        margin,
        smallest_detectable: difference_interval.map(|i| smallest_detectable(i, protocol.confidence)),
    })
}

fn limits(protocol: &Protocol, scores: &Scores, facts: &BTreeMap<String, usize>, outcome: Outcome) -> Vec<String> {
    let mut limits = vec![
        "What the model knew of these questions before it was struck was never measured: they were sealed then. A pass says \
         that the erased model answers them like a model that never saw the source, not that it has forgotten anything."
            .to_owned(),
    ];
    let retrains = scores.retrains().iter().filter(|a| a.facts.contains_key(&Condition::RetrainNone)).count();
    match retrains {
        0 => limits.push("No retrain that never saw the source: nothing was compared.".to_owned()),
        1 => limits.push("One retrain seed: its variance is unknown.".to_owned()),
        _ => {}
    }
    if outcome != Outcome::NotTested {
        let few = facts.iter().filter(|(_, count)| **count < protocol.fewest_facts);
        let few: Vec<String> = few.map(|(kind, count)| format!("{count} {kind}")).collect();
        if !few.is_empty() {
            limits.push(format!("Too few facts to judge by: {}.", few.join(", ")));
        }
    }
    limits
}

#[cfg(test)]
mod tests {
    use obelus_core::Digest;

    use super::*;
    use crate::FactScore;

    /// Scores of so many facts of a kind, of which a share is known under each condition.
    fn facts(kind: FactKind, count: usize, known: &[(Condition, f64)]) -> Asked {
        let fact = |at: usize, share: f64| FactScore {
            item: Digest::sha256(format!("item {at}")),
            fact: Digest::sha256(format!("fact {at}")),
            source: Digest::sha256("source"),
            kind,
            answer_log_prob: if (at as f64) < share * count as f64 { -1.0 } else { -3.0 },
            wrong_log_probs: vec![-2.0, -2.0],
        };
        let of = |(condition, share): &(Condition, f64)| (*condition, (0..count).map(|at| fact(at, *share)).collect());
        Asked { facts: known.iter().map(of).collect(), passages: BTreeMap::new() }
    }

    fn found(count: usize, erased: f64, retrain: Option<f64>) -> Challenged {
        let mut known = vec![(Condition::Zeroed, erased), (Condition::ZeroedNearest, erased)];
        for condition in [Condition::RetrainNone, Condition::RetrainNearest] {
            known.extend(retrain.map(|share| (condition, share)));
        }
        let scores = Scores { plain: facts(FactKind::Specific, count, &known), ..Scores::default() };
        challenged(&Protocol::parse(Protocol::shipped("standard").unwrap()).unwrap(), &scores)
    }

    #[test]
    fn a_model_that_answers_like_the_retrain_passes_and_one_that_knows_more_or_less_fails() {
        for (erased, retrain, outcome) in [
            (0.1, 0.1, Outcome::Pass),
            (0.9, 0.1, Outcome::Fail),
            (0.1, 0.9, Outcome::Fail),
            (0.2, 0.1, Outcome::Inconclusive),
        ] {
            let found = found(200, erased, Some(retrain));
            assert_eq!(found.outcome, outcome, "{erased}, {retrain}: {found:?}");
            let known = &found.compared["specific.known"];
            assert!((known.erased - erased).abs() < 1e-9 && (known.retrain.unwrap() - retrain).abs() < 1e-9);
            assert!((known.difference.unwrap() - (erased - retrain)).abs() < 1e-9);
            assert!(known.difference_interval.is_some() && known.smallest_detectable.is_some());
            assert!(found.compared.contains_key("nearest.specific.choice"));
            assert!(found.limits[0].contains("never measured"));
        }
    }

    #[test]
    fn few_facts_decide_nothing_and_without_a_retrain_nothing_is_tested() {
        let few = found(12, 0.9, Some(0.1));
        assert_eq!(few.outcome, Outcome::Inconclusive);
        assert!(few.limits.iter().any(|limit| limit.contains("12 specific")), "{:?}", few.limits);
        let alone = found(200, 0.9, None);
        assert_eq!(alone.outcome, Outcome::NotTested);
        let known = &alone.compared["specific.known"];
        assert_eq!((known.retrain, known.difference, known.difference_interval), (None, None, None));
        assert!(known.erased_interval.is_some());
        assert!(alone.limits.iter().any(|limit| limit.contains("No retrain")));
    }

    #[test]
    fn kinds_are_compared_apart_and_one_that_fails_is_not_hidden_by_another() {
        let protocol = Protocol::parse(Protocol::shipped("standard").unwrap()).unwrap();
        let known = |share| [(Condition::Zeroed, share), (Condition::RetrainNone, 0.5)];
        let mut plain = facts(FactKind::Specific, 100, &known(0.5));
        for (condition, shared) in facts(FactKind::Shared, 100, &known(0.0)).facts {
            plain.facts.get_mut(&condition).unwrap().extend(shared);
        }
        let found = challenged(&protocol, &Scores { plain, ..Scores::default() });
        assert_eq!(found.facts, BTreeMap::from([("specific".to_owned(), 100), ("shared".to_owned(), 100)]));
        assert_eq!(found.compared["specific.known"].outcome, Outcome::Pass);
        assert_eq!((found.compared["shared.known"].outcome, found.outcome), (Outcome::Fail, Outcome::Fail));
    }
}
