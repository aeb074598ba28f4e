//! How far attacks go: what a protocol fixes before a run, and the attacks obey.

use serde::{Deserialize, Serialize};

/// How much fine-tuning an attacker does. AdamW with decay rates 0.9 and 0.999, epsilon 1e-8, no weight decay, a constant
/// learning rate, and gradients clipped to a joint norm of 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelearningBudget {
    /// Share of the source's documents that is fine-tuned on, above 0 and at most 1; rounded up to whole documents. Where
    /// nothing is held out, one document at least is left over.
    pub share: f64,
    /// Optimizer steps.
    pub steps: u32,
    /// Steps between two evaluations; there is one before the first step and one after the last, too.
    pub evaluate_every: u32,
    /// Rows (documents, or windows of long documents) in one step.
    pub batch_rows: u32,
    /// Learning rate of every step, dimensionless.
    pub learning_rate: f64,
    /// How often it is done, each time with other documents in another order. The spread over these is all that says how sure
    /// the result for one source is.
    #[serde(default = "once")]
    pub repeats: u32,
    /// Seed of which documents are fine-tuned on, and in which order.
    pub seed: u64,
}

const fn once() -> u32 {
    1
}

/// Which texts of a source are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CompressionTarget {
    /// The answers of its probes. An answer of one token cannot be compressed.
    Answers,
    /// The facts of its probes as its texts tell them: for each probe whose fact is told at all, the first sentence with
    /// the answer in it.
    Facts,
    /// The sentences of the texts that models train on, each sentence once.
    Sentences,
}

/// How long an attacker looks for prompts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompressionBudget {
    /// What is to be brought about.
    pub target: CompressionTarget,
    /// Texts of a source that are compressed at most: the first so many.
    pub most_targets: u32,
    /// Longest prompt, in tokens without the beginning mark.
    pub longest_prompt_tokens: u32,
    /// Steps of GCG at the first length; a fifth more after each length that fails.
    pub steps: u32,
    /// Replacements considered at each place, in tokens: those with the most promising gradients.
    pub top_k: u32,
    /// Prompts tried in one step, before repeated ones and those that cannot be written down are left out.
    pub candidates: u32,
    /// Rows put through the model for one text, over all lengths: a candidate is one, a gradient is one, a check by
    /// generation is one. The check may go one over.
    pub forwards: u64,
    /// Seed of first prompts and replacements. With the text alone it fixes every draw: another order of texts, or another
    /// salt, changes nothing.
    pub seed: u64,
}

/// How far, and where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Steering {
    /// How deep in the model, as a share of its layers above 0 and up to 1: after the first layer that ends there or
    /// later.
    pub depth: f64,
    /// What the direction is multiplied by, once each.
    pub factors: Vec<f64>,
}

impl Steering {
    /// The layer, counted from 0.
    pub fn layer(&self, layers: u32) -> usize {
        ((f64::from(layers) * self.depth).ceil() as usize).clamp(1, layers as usize) - 1
    }
}

/// How passages are continued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Continuing {
    /// Passages, at most a context long, of what was trained on, and as many of what was held out.
    pub most_passages: u32,
    /// Tokens that are given of each; the first half without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_tokens: Option<u32>,
    /// Most tokens that the model adds, and that it is compared with.
    pub most_tokens: u32,
}

/// How questions are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answering {
    /// Most tokens of an answer.
    pub most_tokens: u32,
}

/// How sources that stay are measured: those that share most neurons with what is struck.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SurvivorBudget {
    /// Most sources.
    pub most_sources: usize,
    /// The loss on their texts may change by this much, nats a token; known shares by the margin of shares.
    pub loss_margin: f64,
}
