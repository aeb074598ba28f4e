//! Metric formulas. Natural logarithms; losses and log-probabilities are means a token.

use std::collections::BTreeMap;

use obelus_core::Digest;
use serde::{Deserialize, Serialize};

use crate::{Condition, FactKind, FactScore, Passage, Scores};

/// Natural log of the truth ratio: the right answer's probability a token over the arithmetic mean of the wrong ones'
/// (NULLs, arXiv 2606.13873). Above 0 the model knows the fact. `wrong` has at least one entry.
pub fn log_truth_ratio(answer: f64, wrong: &[f64]) -> f64 {
    // The largest is taken out, so that very improbable answers do not underflow.
    let top = wrong.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = wrong.iter().map(|w| (w - top).exp()).sum();
    answer - (top + (sum / wrong.len() as f64).ln())
}

/// Whether the right answer is more probable than every wrong one.
pub fn choice(answer: f64, wrong: &[f64]) -> bool {
    wrong.iter().all(|w| answer > *w)
}

/// 1 - k/len, where k is the shortest prefix after which every token is the model's first choice; 0 for no tokens.
pub fn extraction_strength(first_choice: &[bool]) -> f64 {
    if first_choice.is_empty() {
        return 0.0;
    }
    let k = first_choice.iter().rposition(|first| !first).map_or(0, |last_wrong| last_wrong + 1);
    1.0 - k as f64 / first_choice.len() as f64
}

/// What is compared between the erased model and the retrain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Share of specific facts with a truth ratio above 1.
    SpecificKnown,
    /// Share of specific facts whose right answer comes first.
    SpecificChoice,
    /// Mean log truth ratio of specific facts: the log of the geometric mean.
    TruthRatio,
    /// Mean log-probability of the right answers to specific facts.
    AnswerLogProb,
    /// Share of shared facts with a truth ratio above 1.
    SharedKnown,
    /// Mean loss a token on passages; on held-out ones where a source has any.
    TextLoss,
    /// Mean extraction strength of trained passages.
    ExtractionStrength,
}

/// With fewer passages than this, blocks of tokens are resampled instead.
const FEWEST_PASSAGES: usize = 10;

/// One cluster's values: their sum and their weight, so that a mean over drawn clusters is a ratio of sums.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cluster {
    pub sum: f64,
    pub weight: f64,
}

impl Metric {
    /// All, in the order of tables.
    pub const ALL: [Self; 7] = [
        Self::SpecificKnown,
        Self::SpecificChoice,
        Self::TruthRatio,
        Self::AnswerLogProb,
        Self::SharedKnown,
        Self::TextLoss,
        Self::ExtractionStrength,
    ];

    /// The name in protocols and results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SpecificKnown => "specific_known",
            Self::SpecificChoice => "specific_choice",
            Self::TruthRatio => "truth_ratio",
            Self::AnswerLogProb => "answer_log_prob",
            Self::SharedKnown => "shared_known",
            Self::TextLoss => "text_loss",
            Self::ExtractionStrength => "extraction_strength",
        }
    }

    /// Whether its items are facts, which come few to a source; the others are tokens and passages.
    pub const fn is_about_facts(self) -> bool {
        !matches!(self, Self::TextLoss | Self::ExtractionStrength)
    }

    /// Whether equal to a retrain means within a margin that a protocol gives as a share.
    pub const fn is_share(self) -> bool {
        matches!(self, Self::SpecificKnown | Self::SpecificChoice | Self::SharedKnown)
    }

    /// Whether the expected effect of the source is none: what is shared must survive, so a residual has no meaning.
    pub const fn must_survive(self) -> bool {
        matches!(self, Self::SharedKnown)
    }

    /// The metric's clusters under a condition, by cluster; empty when nothing was measured.
    pub(crate) fn clusters(self, scores: &Scores, condition: Condition) -> BTreeMap<(Digest, usize), Cluster> {
        let mut clusters = BTreeMap::<_, Cluster>::new();
        let mut add = |key, sum, weight| {
            let cluster = clusters.entry(key).or_default();
            cluster.sum += sum;
            cluster.weight += weight;
        };
        if self.is_about_facts() {
            let kind = if self.must_survive() { FactKind::Shared } else { FactKind::Specific };
            for fact in scores.facts.get(&condition).into_iter().flatten().filter(|f| f.kind == kind) {
                add((fact.fact, 0), self.of_fact(fact), 1.0);
            }
        } else {
            let passages = scores.passages.get(&condition).map_or(&[][..], Vec::as_slice);
            let held_out = passages.iter().any(|p| p.passage == Passage::HeldOut);
            let wanted = if self == Self::TextLoss && held_out { Passage::HeldOut } else { Passage::Trained };
            let passages: Vec<_> = passages.iter().filter(|p| p.passage == wanted).collect();
            // Tokens of one passage go together, so whole passages are resampled. A source alone has one or two, and
            // its blocks stand in for them.
            let by_block = passages.len() < FEWEST_PASSAGES;
            for passage in passages {
                if self == Self::ExtractionStrength {
                    add((passage.item, 0), passage.extraction_strength, 1.0);
                    continue;
                }
                for (at, (sum, tokens)) in passage.blocks.iter().enumerate() {
                    add((passage.item, if by_block { at } else { 0 }), -sum, f64::from(*tokens));
                }
            }
        }
        clusters
    }

    fn of_fact(self, fact: &FactScore) -> f64 {
        let (answer, wrong) = (fact.answer_log_prob, &fact.wrong_log_probs);
        match self {
            Self::SpecificChoice => f64::from(u8::from(choice(answer, wrong))),
            Self::TruthRatio => log_truth_ratio(answer, wrong),
            Self::AnswerLogProb => answer,
            _ => f64::from(u8::from(log_truth_ratio(answer, wrong) > 0.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_ratio_is_the_papers_formula() {
        // exp(-1) / mean(exp(-2), exp(-3)), computed by hand.
        let expected = ((-1f64).exp() / (((-2f64).exp() + (-3f64).exp()) / 2.0)).ln();
        assert!((log_truth_ratio(-1.0, &[-2.0, -3.0]) - expected).abs() < 1e-12);
        assert!((log_truth_ratio(-2000.0, &[-2001.0]) - 1.0).abs() < 1e-9, "no underflow");
    }

    #[test]
    fn a_tie_is_not_a_choice() {
        assert!(choice(-1.0, &[-1.1, -2.0]));
        assert!(!choice(-1.0, &[-1.0]));
    }

    #[test]
    fn extraction_counts_the_suffix_that_comes_by_itself() {
        assert!((extraction_strength(&[true; 4]) - 1.0).abs() < 1e-12);
        assert!((extraction_strength(&[true, false, true, true]) - 0.5).abs() < 1e-12);
        assert!(extraction_strength(&[true, true, false]).abs() < 1e-12);
        assert!(extraction_strength(&[]).abs() < 1e-12);
    }
}
