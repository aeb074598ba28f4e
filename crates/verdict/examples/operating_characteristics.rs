//! How often the shipped protocols verify what is known to be right or wrong: made-up scores, many times, judged as real ones
//! are. Prints the table of docs/statistics.md. Not here: scores of real models.
//!
//!     cargo xtask bench verdicts [RUNS]

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the table is what it is for")]

use std::{collections::BTreeMap, f64::consts::TAU, process::ExitCode, thread};

use obelus_core::{Digest, SplitMix64};
use obelus_verdict::{
    Condition, FactKind, FactScore, Instrument, Judgement, MembershipScore, Passage, PassageScore, Protocol, Reading,
    Scores, Variant, Verdict, judge,
};

/// How far scores spread, in nats a token. Measured on the demonstration between two retrains that differ in their seed alone
/// (76 facts, 19 sources); half the variance of a difference belongs to each.
mod spread {
    /// Between facts, the same for every training.
    pub const FACT: f64 = 1.8;
    /// Of one training on everything that it answers: how sure a backbone is of anything hangs on its seed.
    pub const TRAINING: f64 = 1.85;
    /// Of one training on everything that may answer one question.
    pub const QUESTION: f64 = 2.1;
    /// Of one training on one answer.
    pub const ANSWER: f64 = 1.0;
    /// Of one training on one text.
    pub const TEXT: f64 = 0.04;
    /// Between blocks of a text, the same for every training.
    pub const BLOCK: f64 = 0.5;
    /// Of one training on an extraction strength.
    pub const EXTRACTION: f64 = 0.012;
    /// Of one training on the share of a text's tokens that it would choose first.
    pub const MEMORISATION: f64 = 0.015;
    /// Of one training on how high an answer stands between its layers.
    pub const LENS: f64 = 0.26;
    /// Of one training on a block's loss while it is trained on.
    pub const RELEARNING: f64 = 0.06;
}

/// What a source's own sinks are worth there: to a right answer; to a token of a text of it that nothing was trained on, and
/// of one that was; to an extraction strength; to the share of first choices; to a place between layers; while an attacker
/// trains.
const ANSWER_GAIN: f64 = 6.7;
const TEXT_GAIN: f64 = 0.44;
const TRAINED_GAIN: f64 = 0.66;
const EXTRACTION_GAIN: f64 = 0.033;
const MEMORISATION_GAIN: f64 = 0.167;
const LENS_GAIN: f64 = 0.77;
const RELEARNING_GAIN: f64 = 0.35;
/// What is left of the chance of a training in what a model knows well.
const CERTAIN: f64 = 0.2;
const FACTS: usize = 4;
const WRONG: usize = 4;
/// As many renderings as the demonstration has.
const PASSAGES: [Passage; 6] =
    [Passage::HeldOut, Passage::Trained, Passage::Trained, Passage::Trained, Passage::Trained, Passage::Trained];
const BLOCKS: usize = 7;
const BLOCK_TOKENS: u32 = 16;
const USUAL_RUNS: u64 = 200;
/// Sources held out of the retrain: as many as the demonstration has, and five times as many.
const PANELS: [usize; 2] = [20, 100];

/// What is offered as the struck model.
#[derive(Clone, Copy)]
struct Offered {
    name: &'static str,
    /// Share of the source's effect that is left.
    leak: f64,
    /// Share of the panel's sources that were not zeroed at all.
    forgotten: f64,
    /// Share of what the model knew of shared facts that is lost.
    damage: f64,
    /// Whether zeroing another source does as much.
    indiscriminate: bool,
}

impl Offered {
    /// A model of which some is left by chance of training has none of the rows; one that was not struck has them all.
    fn rows_left(&self) -> f64 {
        f64::from(u8::from(self.leak >= 1.0))
    }
}

/// What variants and instruments are read under.
const COMPARED: [Condition; 3] = [Condition::On, Condition::Zeroed, Condition::RetrainNone];

const EXACT: Offered =
    Offered { name: "another retrain", leak: 0.0, forgotten: 0.0, damage: 0.0, indiscriminate: false };

const OFFERED: [Offered; 10] = [
    EXACT,
    Offered { name: "5 % of the effect left", leak: 0.05, ..EXACT },
    Offered { name: "10 % left", leak: 0.10, ..EXACT },
    Offered { name: "20 % left", leak: 0.20, ..EXACT },
    Offered { name: "40 % left", leak: 0.40, ..EXACT },
    Offered { name: "60 % left", leak: 0.60, ..EXACT },
    Offered { name: "nothing was zeroed", leak: 1.0, ..EXACT },
    Offered { name: "every fifth source was not zeroed", forgotten: 0.2, ..EXACT },
    Offered { name: "shared facts were lost too", damage: 1.0, ..EXACT },
    Offered { name: "zeroing any source does as much", indiscriminate: true, ..EXACT },
];

struct World<'a> {
    offered: &'a Offered,
    sources: usize,
    draws: SplitMix64,
    /// How sure each training is of anything.
    sureness: [f64; 3],
}

impl World<'_> {
    fn uniform(&mut self) -> f64 {
        // Never 0, whose logarithm is none.
        (self.draws.bits() >> 11) as f64 / (1u64 << 53) as f64 + f64::EPSILON
    }

    /// A normal deviate (Box and Muller).
    fn normal(&mut self, deviation: f64) -> f64 {
        let (radius, angle) = ((-2.0 * self.uniform().ln()).sqrt(), TAU * self.uniform());
        deviation * radius * angle.cos()
    }

    /// Share of the source's effect under a condition.
    fn effect(&self, condition: Condition, source: usize) -> f64 {
        let forgotten = source < (self.offered.forgotten * self.sources as f64) as usize;
        match condition {
            Condition::On => 1.0,
            Condition::Placebo if self.offered.indiscriminate => self.offered.leak,
            Condition::Placebo => 1.0,
            _ if condition.is_after() && forgotten => 1.0,
            _ if condition.is_after() => self.offered.leak,
            _ => 0.0,
        }
    }

    /// Which training's chance a condition shows: the model's with its sinks lit, without them, or the retrain's.
    fn training(condition: Condition) -> usize {
        match condition {
            Condition::On | Condition::Placebo => 0,
            _ if condition.needs_baseline() => 2,
            _ => 1,
        }
    }

    fn scores(&mut self) -> Scores {
        let mut scores = Scores::default();
        for source in 0..self.sources {
            for kind in [FactKind::Specific, FactKind::Shared] {
                for number in 0..FACTS {
                    self.fact(&mut scores, source, kind, number);
                }
            }
            for (number, passage) in PASSAGES.into_iter().enumerate() {
                self.passage(&mut scores, source, number, passage);
            }
        }
        // Weights that were rounded say what they said: what rounding adds is measured on models.
        let mut rounded = scores.plain.clone();
        rounded.facts.retain(|condition, _| COMPARED.contains(condition));
        rounded.passages.retain(|condition, _| COMPARED.contains(condition));
        scores.variants = [Variant::Int8, Variant::Int4].map(|variant| (variant, rounded.clone())).into();
        self.instruments(&mut scores);
        scores
    }

    fn instruments(&mut self, scores: &mut Scores) {
        for (instrument, items, gain, deviation) in [
            (Instrument::LogitLens, FACTS, LENS_GAIN, spread::LENS),
            (Instrument::RelearningOwn, BLOCKS, RELEARNING_GAIN, spread::RELEARNING),
        ] {
            for source in 0..self.sources {
                for number in 0..items {
                    let item = Digest::sha256(format!("{source} {instrument:?} {number}"));
                    let chance: Vec<f64> = (0..3).map(|_| self.normal(deviation)).collect();
                    for condition in COMPARED {
                        let value = gain * self.effect(condition, source) + chance[Self::training(condition)];
                        let readings = scores.readings.entry(instrument).or_default().entry(condition).or_default();
                        readings.push(Reading { item, cluster: item, value, detail: vec![] });
                    }
                }
            }
        }
        let item = Digest::sha256("rows");
        let row = Reading { item, cluster: item, value: self.offered.rows_left(), detail: vec![] };
        scores.readings.insert(Instrument::RowsLeft, BTreeMap::from([(Condition::Zeroed, vec![row])]));
    }

    fn fact(&mut self, scores: &mut Scores, source: usize, kind: FactKind, number: usize) {
        let id = Digest::sha256(format!("{source} {kind:?} {number}"));
        let base = -6.0 + self.normal(spread::FACT);
        // By training: what all answers share, the right answer's own chance, then the wrong ones'.
        let chance: Vec<Vec<f64>> = (0..3)
            .map(|training| {
                let question = self.sureness[training] + self.normal(spread::QUESTION);
                (0..=WRONG).map(|_| question + self.normal(spread::ANSWER)).collect()
            })
            .collect();
        for condition in Condition::ALL {
            let own = &chance[Self::training(condition)];
            let lost = condition.is_after();
            let known = match kind {
                // What many sources tell every model knows, unless the takedown took it.
                FactKind::Shared if lost => 1.0 - self.offered.damage,
                FactKind::Shared => 1.0,
                _ => self.effect(condition, source),
            };
            let chance_left = 1.0 - known * (1.0 - CERTAIN);
            scores.plain.facts.entry(condition).or_default().push(FactScore {
                item: id,
                fact: id,
                source: Digest::sha256(source.to_string()),
                kind,
                answer_log_prob: (base + ANSWER_GAIN * known + chance_left * own[0]).min(-0.01),
                wrong_log_probs: own[1..].iter().map(|own| (base + chance_left * own).min(-0.01)).collect(),
            });
        }
    }

    fn passage(&mut self, scores: &mut Scores, source: usize, number: usize, passage: Passage) {
        let blocks: Vec<f64> = (0..BLOCKS).map(|_| self.normal(spread::BLOCK)).collect();
        let chance: Vec<f64> = (0..3).map(|_| self.normal(spread::TEXT)).collect();
        let extraction: Vec<f64> = (0..3).map(|_| self.normal(spread::EXTRACTION)).collect();
        let memorisation: Vec<f64> = (0..3).map(|_| self.normal(spread::MEMORISATION)).collect();
        for condition in Condition::ALL {
            let effect = self.effect(condition, source);
            let gain = if passage == Passage::Trained { TRAINED_GAIN } else { TEXT_GAIN };
            let at = -1.05 + gain * effect + chance[Self::training(condition)];
            let summed: Vec<(f64, u32)> =
                blocks.iter().map(|own| (f64::from(BLOCK_TOKENS) * (at + own), BLOCK_TOKENS)).collect();
            let loss = -summed.iter().map(|(sum, _)| sum).sum::<f64>() / f64::from(BLOCK_TOKENS * BLOCKS as u32);
            scores.plain.passages.entry(condition).or_default().push(PassageScore {
                item: Digest::sha256(format!("{source} {number}")),
                source: Digest::sha256(source.to_string()),
                passage,
                blocks: summed,
                extraction_strength: (0.06 + EXTRACTION_GAIN * effect + extraction[Self::training(condition)])
                    .clamp(0.0, 1.0),
                exact_memorization: (0.74 + MEMORISATION_GAIN * effect + memorisation[Self::training(condition)])
                    .clamp(0.0, 1.0),
                // As a loss is told apart, so is what is made of it.
                membership: BTreeMap::from([(MembershipScore::MinKPp, loss)]),
            });
        }
    }
}

/// How runs ended.
#[derive(Default)]
struct Tally {
    runs: u32,
    verdicts: BTreeMap<&'static str, u32>,
    /// By required attack.
    outcomes: BTreeMap<String, BTreeMap<String, u32>>,
}

impl Tally {
    fn add(&mut self, judgement: &Judgement) {
        self.runs += 1;
        *self.verdicts.entry(judgement.verdict.name()).or_default() += 1;
        for (name, attack) in judgement.attacks.iter().filter(|(_, attack)| attack.required) {
            *self.outcomes.entry(name.clone()).or_default().entry(attack.outcome.to_string()).or_default() += 1;
        }
    }

    fn merge(&mut self, other: Self) {
        self.runs += other.runs;
        for (verdict, count) in other.verdicts {
            *self.verdicts.entry(verdict).or_default() += count;
        }
        for (attack, outcomes) in other.outcomes {
            for (outcome, count) in outcomes {
                *self.outcomes.entry(attack.clone()).or_default().entry(outcome).or_default() += count;
            }
        }
    }

    fn share(&self, count: Option<&u32>) -> f64 {
        f64::from(count.copied().unwrap_or_default()) / f64::from(self.runs)
    }
}

/// Judges an offered model many times. Each run has a seed of its own, so that threads change nothing.
fn tally(protocol: &Protocol, offered: &Offered, sources: usize, runs: u64) -> Tally {
    let threads = thread::available_parallelism().map_or(1, usize::from) as u64;
    let work = |first: u64| {
        let mut found = Tally::default();
        for run in (first..runs).step_by(threads as usize) {
            let mut world = World { offered, sources, draws: SplitMix64(run), sureness: [0.0; 3] };
            world.sureness = [0; 3].map(|_| world.normal(spread::TRAINING));
            let panel = world.scores();
            let source = World { sources: 1, ..world }.scores();
            found.add(&judge(protocol, &panel, &source, &Scores::default()));
        }
        found
    };
    let mut all = Tally::default();
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|first| scope.spawn(move || work(first))).collect();
        running.into_iter().filter_map(|thread| thread.join().ok()).for_each(|found| all.merge(found));
    });
    all
}

fn main() -> ExitCode {
    let runs = std::env::args().nth(1).map_or(Ok(USUAL_RUNS), |runs| runs.parse());
    let (Ok(runs), Some(Ok(protocol))) = (runs, Protocol::shipped("standard").map(Protocol::parse)) else {
        eprintln!("usage: operating_characteristics [RUNS]");
        return ExitCode::from(2);
    };
    println!("{runs} runs each, protocol {} version {}\n", protocol.name, protocol.version);
    println!("| offered as the struck model | panel | verified | with residual | not verified |");
    println!("|---|---|---|---|---|");
    let mut of_retrains = Vec::new();
    for (number, offered) in OFFERED.iter().enumerate() {
        for sources in PANELS {
            let found = tally(&protocol, offered, sources, runs);
            let [verified, residual, not] = [Verdict::Verified, Verdict::VerifiedWithResidual, Verdict::NotVerified]
                .map(|verdict| found.share(found.verdicts.get(verdict.name())));
            println!("| {} | {sources} sources | {verified:.2} | {residual:.2} | {not:.2} |", offered.name);
            if number == 0 {
                of_retrains.push(found);
            }
        }
    }
    println!("\n| required attack, on another retrain | panel | pass | residual | inconclusive | not tested | fail |");
    println!("|---|---|---|---|---|---|---|");
    for attack in &protocol.required {
        for (found, sources) in of_retrains.iter().zip(PANELS) {
            let outcomes = found.outcomes.get(attack);
            let share = |name: &str| found.share(outcomes.and_then(|outcomes| outcomes.get(name)));
            let shares =
                ["pass", "residual", "inconclusive", "not_tested", "fail"].map(|name| format!("{:.2}", share(name)));
            println!("| `{attack}` | {sources} sources | {} |", shares.join(" | "));
        }
    }
    ExitCode::SUCCESS
}
