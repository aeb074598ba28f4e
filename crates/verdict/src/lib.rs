//! Metric formulas, statistics, verification protocols and verdicts: pure functions on numbers.
//!
//! A run on a model gives [`Scores`] per [`Condition`]; [`judge`] compares the erased model with the retrain under a
//! [`Protocol`] that was fixed before. Not here: how a model is scored (`obelus-attack`), texts and prompts (scores
//! carry salted digests), signatures.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report"))]

mod attack;
mod bootstrap;
mod budget;
mod challenge;
mod compression;
mod condition;
mod controls;
mod decision;
mod family;
mod forget_quality;
mod holm;
mod instrument;
mod judgement;
mod limits;
mod membership;
mod metric;
mod protocol;
mod recall;
mod relearning;
mod result;
mod sample;
mod scores;
mod summary;
mod truth;
mod two_sample;
mod variant;
mod worst_source;

pub use attack::{Lighting, Scope};
pub use bootstrap::{Interval, Resampler};
pub use budget::{
    Answering, CompressionBudget, CompressionTarget, Continuing, RelearningBudget, Steering, SurvivorBudget,
};
pub use challenge::{Challenged, Compared, challenged};
pub use compression::{Ratio, Search, compression_ratio, is_compressible};
pub use condition::{Condition, UnknownCondition};
pub use decision::{Outcome, Verdict};
pub use family::Family;
pub use holm::holm;
pub use instrument::Instrument;
pub use judgement::judge;
pub use membership::{MembershipScore, Ranking, Surprise, min_k, min_k_pp, priv_leak, reference, zlib};
pub use metric::Metric;
pub use protocol::{Measures, Protocol, ProtocolError};
pub use recall::{RougeL, exact_memorization, extraction_strength, rouge_l};
pub use relearning::{Point, advantage, steps_to};
pub use result::{AttackResult, Categories, Control, Judgement};
pub use scores::{Asked, FactKind, FactScore, Passage, PassageScore, Reading, Scores};
pub use summary::{ConditionSummary, Estimate, summarise};
pub use truth::{choice, forget_truth_ratio, log_truth_ratio, retain_truth_ratio, truth_ratio_tofu};
pub use two_sample::{KolmogorovSmirnov, kolmogorov_smirnov};
pub use variant::Variant;
