//! What a run on a model measures, per condition. Prompts, answers and source ids appear as salted digests only.

use std::collections::BTreeMap;

use obelus_core::Digest;
use serde::{Deserialize, Serialize};

use crate::Condition;

/// Where else a fact may be known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactKind {
    /// Told by one source alone.
    Specific,
    /// Told by several sources.
    Shared,
    /// Told by none, but it follows.
    Inferred,
}

/// One probe under one condition. Log-probabilities are natural, means a token of the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FactScore {
    /// Salted digest of the probe.
    pub item: Digest,
    /// Salted digest of the fact: paraphrases of one question share it, and are resampled together.
    pub fact: Digest,
    /// Salted digest of the source.
    pub source: Digest,
    /// Where else it may be known from.
    pub kind: FactKind,
    /// Of the right answer.
    pub answer_log_prob: f64,
    /// Of each wrong answer.
    pub wrong_log_probs: Vec<f64>,
}

/// Whether a passage was trained on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Passage {
    /// Trained on, word for word.
    Trained,
    /// The same content in words that nothing was trained on.
    HeldOut,
}

/// A passage of a source, at most a context long, under one condition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PassageScore {
    /// Salted digest of the passage.
    pub item: Digest,
    /// Salted digest of the source.
    pub source: Digest,
    /// Whether it was trained on.
    pub passage: Passage,
    /// Summed natural log-probability and number of tokens of each block of consecutive tokens. Blocks, because tokens
    /// beside each other are not independent, and a short passage must still give an interval.
    pub blocks: Vec<(f64, u32)>,
    /// 1 - k/len, k the shortest prefix after which the model's first choice is right to the end.
    pub extraction_strength: f64,
}

/// Everything that was scored, per condition. Under every condition the same items are in the same order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// Facts.
    pub facts: BTreeMap<Condition, Vec<FactScore>>,
    /// Passages.
    pub passages: BTreeMap<Condition, Vec<PassageScore>>,
}

impl Scores {
    /// Takes over the conditions of another measurement; those that are here already stay.
    pub fn complete(&mut self, other: Self) {
        for (condition, facts) in other.facts {
            self.facts.entry(condition).or_insert(facts);
        }
        for (condition, passages) in other.passages {
            self.passages.entry(condition).or_insert(passages);
        }
    }

    /// Appends the items of another source, condition by condition.
    pub fn append(&mut self, other: Self) {
        for (condition, facts) in other.facts {
            self.facts.entry(condition).or_default().extend(facts);
        }
        for (condition, passages) in other.passages {
            self.passages.entry(condition).or_default().extend(passages);
        }
    }
}
