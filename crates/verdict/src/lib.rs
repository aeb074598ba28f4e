//! Metric formulas, statistics, verification protocols and verdicts: pure functions on numbers.
//!
//! A run on a model gives [`Scores`] per [`Condition`]; [`judge`] compares the erased model with the retrain under a
//! [`Protocol`] that was fixed before. Not here: how a model is scored (`obelus-attack`), texts and prompts (scores
//! carry salted digests), signatures.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report"))]

mod bootstrap;
mod condition;
mod decision;
mod judgement;
mod limits;
mod metric;
mod protocol;
mod scores;
mod summary;

pub use bootstrap::{Interval, Resampler};
pub use condition::{Condition, UnknownCondition};
pub use decision::{Outcome, Verdict};
pub use judgement::{AttackResult, Categories, Control, Judgement, Scope, judge};
pub use metric::{Metric, choice, extraction_strength, log_truth_ratio};
pub use protocol::{Protocol, ProtocolError};
pub use scores::{FactKind, FactScore, Passage, PassageScore, Scores};
pub use summary::{ConditionSummary, Estimate, summarise};
