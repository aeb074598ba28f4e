//! Verdicts on scores whose truth is known: exact erasures, leaks of every size, damage, and sources never stored.
//! Not here: scores of a real model.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

use std::collections::BTreeMap;

use obelus_core::Digest;
use obelus_verdict::{
    Condition, FactKind, FactScore, Instrument, Judgement, MembershipScore, Outcome, Passage, PassageScore, Protocol,
    Reading, Scope, Scores, Variant, Verdict, summarise,
};

/// Judged without a look at sources that stay.
fn judge(protocol: &Protocol, panel: &Scores, source: &Scores) -> Judgement {
    obelus_verdict::judge(protocol, panel, source, &Scores::default())
}

/// A deterministic number in [-1, 1] for a name.
fn noise(name: &str) -> f64 {
    let digest = Digest::sha256(name);
    f64::from(u32::from_be_bytes(digest.as_bytes()[..4].try_into().unwrap())) / f64::from(u32::MAX) * 2.0 - 1.0
}

/// What a made-up model knows: log-probability a token that each condition adds to chance.
struct World {
    sources: usize,
    facts: usize,
    on: f64,
    /// Share of the source's effect that is left after the takedown.
    leak: f64,
    /// What zeroing another source leaves of the effect.
    placebo: f64,
    /// What shared facts lose by the takedown.
    damage: f64,
}

const EXACT: World = World { sources: 20, facts: 4, on: 4.0, leak: 0.0, placebo: 0.98, damage: 0.0 };

/// What variants and instruments are read under.
const COMPARED: [Condition; 3] = [Condition::On, Condition::Zeroed, Condition::RetrainNone];

impl World {
    fn strength(&self, condition: Condition, kind: FactKind) -> f64 {
        use Condition::*;
        if kind == FactKind::Shared {
            let erased = condition.is_after();
            return if erased { 4.0 - self.damage } else { 4.0 };
        }
        match condition {
            On => self.on,
            Placebo => self.on * self.placebo,
            _ if condition.is_after() => self.on * self.leak,
            _ => 0.0,
        }
    }

    fn scores(&self) -> Scores {
        let mut scores = Scores::default();
        for condition in Condition::ALL {
            let facts = scores.plain.facts.entry(condition).or_default();
            for source in 0..self.sources {
                for (kind, n) in [(FactKind::Specific, self.facts), (FactKind::Shared, self.facts)] {
                    for i in 0..n {
                        let id = format!("{source} {kind:?} {i}");
                        // The same fact is hard or easy for every model; each model has its own small error beside it.
                        let own = 0.05 * noise(&format!("{id} {condition}"));
                        let answer_log_prob = -5.0 + 0.5 * noise(&id) + own + self.strength(condition, kind);
                        let wrong_log_probs = (0..4).map(|w| -5.0 + 0.5 * noise(&format!("{id} {w}"))).collect();
                        facts.push(FactScore {
                            item: Digest::sha256(&id),
                            fact: Digest::sha256(&id),
                            source: Digest::sha256(source.to_string()),
                            kind,
                            answer_log_prob,
                            wrong_log_probs,
                        });
                    }
                }
            }
            let passages = scores.plain.passages.entry(condition).or_default();
            for source in 0..self.sources {
                for i in 0..6 {
                    let id = format!("{source} passage {i}");
                    // What was trained on word for word gains more.
                    let verbatim = if i == 0 { 0.25 } else { 0.4 };
                    let gain = self.strength(condition, FactKind::Specific) * verbatim;
                    let own = 0.005 * noise(&format!("{id} {condition}"));
                    let blocks: Vec<(f64, u32)> =
                        (0..7).map(|b| (16.0 * (-2.0 + 0.2 * noise(&format!("{id} {b}")) + own + gain), 16)).collect();
                    let loss = -blocks.iter().map(|(sum, _)| sum).sum::<f64>() / (16.0 * 7.0);
                    passages.push(PassageScore {
                        item: Digest::sha256(&id),
                        source: Digest::sha256(source.to_string()),
                        passage: if i == 0 { Passage::HeldOut } else { Passage::Trained },
                        blocks,
                        extraction_strength: (0.05 + 0.8 * gain + 0.01 * noise(&format!("{id} {condition} e")))
                            .max(0.0),
                        exact_memorization: 0.4 + 0.3 * gain + 0.01 * noise(&format!("{id} {condition} m")),
                        membership: BTreeMap::from([(MembershipScore::MinKPp, loss)]),
                    });
                }
            }
        }
        let mut rounded = scores.plain.clone();
        rounded.facts.retain(|condition, _| COMPARED.contains(condition));
        rounded.passages.retain(|condition, _| COMPARED.contains(condition));
        scores.variants = [Variant::Int8, Variant::Int4].map(|variant| (variant, rounded.clone())).into();
        for instrument in [Instrument::LogitLens, Instrument::RelearningOwn] {
            let of = |condition| (condition, self.read(condition, 4 * self.sources.max(2)));
            scores.readings.insert(instrument, COMPARED.map(of).into());
        }
        if self.sources == 1 {
            scores.readings.insert(Instrument::RowsLeft, BTreeMap::from([(Condition::Zeroed, self.rows())]));
        }
        scores
    }

    /// What an instrument finds.
    fn read(&self, condition: Condition, items: usize) -> Vec<Reading> {
        let reading = |number: usize| {
            let item = Digest::sha256(number.to_string());
            let value =
                self.strength(condition, FactKind::Specific) / 4.0 + 0.01 * noise(&format!("{number} {condition}"));
            Reading { item, cluster: item, value, detail: vec![] }
        };
        (0..items).map(reading).collect()
    }

    /// Three matrices of two layers; what a leak is made of are rows that still hold what they held.
    fn rows(&self) -> Vec<Reading> {
        let row = |number: u32| {
            let item = Digest::sha256(number.to_string());
            Reading { item, cluster: item, value: if self.leak > 0.0 { 1.0 } else { 0.0 }, detail: vec![] }
        };
        (0..6).map(row).collect()
    }
}

fn standard() -> Protocol {
    Protocol { resamples: 1000, ..Protocol::parse(Protocol::shipped("standard").unwrap()).unwrap() }
}

fn verdict(panel: &World, source: &World) -> Verdict {
    judge(&standard(), &panel.scores(), &source.scores()).verdict
}

const SOURCE: World = World { sources: 1, facts: 4, ..EXACT };

#[test]
fn an_exact_erasure_is_verified() {
    let judgement = judge(&standard(), &EXACT.scores(), &SOURCE.scores());
    let open: Vec<_> = judgement.attacks.iter().filter(|(_, a)| a.required && a.outcome != Outcome::Pass).collect();
    assert_eq!(judgement.verdict, Verdict::Verified, "{open:#?}");
    assert!(judgement.gate[&Scope::Panel].holds && judgement.placebo[&Scope::Panel].holds);
    assert_eq!(judgement.categories[&Scope::Panel].shared, 80);
}

#[test]
fn a_bounded_leak_is_a_residual_and_printed() {
    let panel = World { leak: 0.2, ..EXACT };
    let judgement = judge(&standard(), &panel.scores(), &World { leak: 0.2, ..SOURCE }.scores());
    let leak = &judgement.attacks["panel.truth_ratio"];
    assert_eq!(leak.outcome, Outcome::Residual);
    let (residual, interval) = (leak.residual.unwrap(), leak.residual_interval.unwrap());
    assert!((residual - 0.2).abs() < 0.03 && interval.low < residual && residual < interval.high);
    assert!(judgement.limits.iter().any(|l| l.contains("remains") && l.contains("panel.truth_ratio")));
    assert_ne!(judgement.verdict, Verdict::Verified);
}

#[test]
fn every_broken_erasure_is_not_verified() {
    let broken = [
        ("nothing was zeroed", World { leak: 1.0, ..EXACT }),
        ("one matrix of three was zeroed", World { leak: 0.6, ..EXACT }),
        ("shared facts were destroyed", World { damage: 5.0, ..EXACT }),
        ("zeroing another source does as much", World { placebo: 0.0, ..EXACT }),
        ("the model never stored its sources", World { on: 0.0, ..EXACT }),
    ];
    for (what, panel) in broken {
        let source = World { sources: 1, ..panel };
        assert_eq!(verdict(&panel, &source), Verdict::NotVerified, "{what}");
    }
    // The panel is fine and the source itself is not: its tokens give it away.
    assert_eq!(verdict(&EXACT, &World { leak: 1.0, ..SOURCE }), Verdict::NotVerified);
}

#[test]
fn a_few_facts_never_decide_about_a_source() {
    let judgement = judge(&standard(), &EXACT.scores(), &SOURCE.scores());
    for (name, attack) in judgement.attacks.iter().filter(|(name, _)| name.starts_with("source.")) {
        let about_facts = name.ends_with("known") || name.ends_with("choice") || name.ends_with("truth_ratio");
        if about_facts {
            assert_eq!(attack.outcome, Outcome::Inconclusive, "{name}");
        }
    }
    assert_eq!(judgement.attacks["source.text_loss"].outcome, Outcome::Pass);
}

#[test]
fn without_a_retrain_nothing_is_verified() {
    let without = |world: &World| {
        let mut scores = world.scores();
        scores.retain(|c| !c.needs_baseline());
        scores
    };
    let judgement = judge(&standard(), &without(&EXACT), &without(&SOURCE));
    assert_eq!(judgement.verdict, Verdict::NotVerified);
    // Rows are counted and compared with nothing.
    let compared = judgement.attacks.iter().filter(|(name, _)| *name != "source.rows_left");
    assert!(compared.map(|(_, attack)| attack).all(|attack| attack.outcome == Outcome::NotTested));
}

#[test]
fn conditions_measured_on_other_items_are_not_compared() {
    let mut scores = EXACT.scores();
    scores.plain.facts.get_mut(&Condition::RetrainNone).unwrap().remove(3);
    let judgement = judge(&standard(), &scores, &SOURCE.scores());
    assert_eq!(judgement.attacks["panel.specific_known"].outcome, Outcome::NotTested);
}

#[test]
fn the_same_scores_give_the_same_result() {
    let run = || serde_json::to_string(&judge(&standard(), &EXACT.scores(), &SOURCE.scores())).unwrap();
    assert_eq!(run(), run());
}

#[test]
fn the_table_of_conditions_has_every_metric_with_its_interval() {
    let table = summarise(&EXACT.scores(), &standard().resampler());
    assert_eq!(table.len(), Condition::ALL.len());
    let known = table[&Condition::On]["specific_known"];
    assert!(known.value > 0.95 && known.interval.is_some() && known.clusters == 80);
    assert!(table[&Condition::RetrainNone]["specific_known"].value < 0.8);
}

/// A panel in which one source was not struck at all.
fn one_forgotten() -> Scores {
    let (mut panel, leaky) = (EXACT.scores(), World { leak: 1.0, ..EXACT }.scores());
    let forgotten = Digest::sha256("7");
    let both = |condition| condition == Condition::Zeroed || condition == Condition::ZeroedNearest;
    for (condition, passages) in panel.plain.passages.iter_mut().filter(|(c, _)| both(**c)) {
        for (own, leaked) in passages.iter_mut().zip(&leaky.plain.passages[condition]) {
            if own.source == forgotten {
                *own = leaked.clone();
            }
        }
    }
    panel
}

#[test]
fn one_source_of_twenty_that_was_not_struck_fails_the_panel() {
    let judgement = judge(&standard(), &one_forgotten(), &SOURCE.scores());
    let (mean, worst) = (&judgement.attacks["panel.text_loss"], &judgement.attacks["panel.worst_source"]);
    assert!(mean.outcome < Outcome::Fail, "a mean over twenty does not show it: {mean:?}");
    assert_eq!(worst.outcome, Outcome::Fail, "{worst:?}");
    assert!(worst.reason.starts_with("1 of 20 sources") && worst.residual.unwrap() > 0.9, "{worst:?}");
    assert_eq!(judgement.verdict, Verdict::NotVerified);
}

#[test]
fn a_row_that_is_still_there_fails_whatever_the_model_says() {
    let mut source = SOURCE.scores();
    source.readings.get_mut(&Instrument::RowsLeft).unwrap().get_mut(&Condition::Zeroed).unwrap()[4].value = 0.03;
    let judgement = judge(&standard(), &EXACT.scores(), &source);
    assert_eq!(judgement.attacks["source.rows_left"].outcome, Outcome::Fail);
    assert_eq!(judgement.verdict, Verdict::NotVerified);
}

#[test]
fn trained_texts_that_are_told_from_others_fail() {
    let judge = |leak| judge(&standard(), &World { leak, ..EXACT }.scores(), &SOURCE.scores()).attacks;
    let (exact, leaky) = (judge(0.0), judge(0.9));
    let (exact, leaky) = (&exact["panel.membership.loss"], &leaky["panel.membership.loss"]);
    assert_eq!((exact.outcome, leaky.outcome), (Outcome::Pass, Outcome::Fail), "{exact:?} {leaky:?}");
    assert!(exact.original > 0.9 && exact.erased < 0.7 && leaky.erased > 0.9);
}

#[test]
fn truth_ratios_are_told_apart_only_where_something_is_left() {
    let quality = |leak| {
        let found = judge(&standard(), &World { leak, ..EXACT }.scores(), &SOURCE.scores());
        found.attacks["panel.forget_quality"].clone()
    };
    let (exact, leaky) = (quality(0.0), quality(0.9));
    assert_eq!((exact.outcome, leaky.outcome), (Outcome::Pass, Outcome::Fail));
    assert!(leaky.p_value.unwrap() < 1e-6 && leaky.p_adjusted >= leaky.p_value);
}

#[test]
fn retrains_that_disagree_widen_every_interval() {
    let alone = judge(&standard(), &EXACT.scores(), &SOURCE.scores());
    let mut panel = EXACT.scores();
    for shift in [-0.6, 0.6] {
        let mut retrain = panel.plain.clone();
        retrain.facts.retain(|condition, _| condition.needs_baseline());
        retrain.passages.retain(|condition, _| condition.needs_baseline());
        retrain.facts.values_mut().flatten().for_each(|fact| fact.answer_log_prob += shift);
        panel.further_retrains.push(retrain);
    }
    let several = judge(&standard(), &panel, &SOURCE.scores());
    let width = |judgement: &Judgement| {
        let interval = judgement.attacks["panel.answer_log_prob"].difference_interval.unwrap();
        interval.high - interval.low
    };
    assert!(width(&several) > 3.0 * width(&alone), "{} {}", width(&several), width(&alone));
    let difference = several.attacks["panel.answer_log_prob"].difference;
    assert!((difference - alone.attacks["panel.answer_log_prob"].difference).abs() < 1e-9, "their mean is the same");
    assert!(several.categories[&Scope::Panel].ambiguous > 0 && alone.categories[&Scope::Panel].ambiguous == 0);
}

/// Sources that stay: what they know before, and what is left of it after the takedown of another one.
fn survivors(kept: f64) -> Scores {
    let mut scores = World { leak: kept, ..EXACT }.scores();
    scores.retain(|condition| matches!(condition, Condition::On | Condition::Zeroed));
    scores
}

#[test]
fn what_a_takedown_costs_others_is_compared_with_before_and_decides_nothing_unless_required() {
    let judged = |protocol: &Protocol, kept| {
        obelus_verdict::judge(protocol, &EXACT.scores(), &SOURCE.scores(), &survivors(kept))
    };
    let outcomes = |judgement: &Judgement| {
        ["specific_known", "text_loss"].map(|name| judgement.attacks[&format!("survivors.{name}")].outcome)
    };
    let (kept, lost) = (judged(&standard(), 1.0), judged(&standard(), 0.0));
    assert_eq!(outcomes(&kept), [Outcome::Pass; 2]);
    assert_eq!(outcomes(&lost), [Outcome::Fail; 2]);
    assert_eq!(kept.verdict, lost.verdict);
    let known = &lost.attacks["survivors.specific_known"];
    assert_eq!((known.retrain, known.residual), (known.original, None), "the model before stands for the retrain");
    let mut strict = standard();
    strict.required.push("survivors.specific_known".to_owned());
    assert_eq!(judged(&strict, 0.0).verdict, Verdict::NotVerified);
    assert_eq!(judged(&strict, 1.0).verdict, kept.verdict);
}
