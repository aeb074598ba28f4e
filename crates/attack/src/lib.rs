//! Runs the conditions of a verification on a model and hands numbers to `obelus-verdict`.
//!
//! Nothing that leaves this crate holds a prompt, an answer or a text: items carry salted digests. Not here: what the
//! numbers mean, and any file or database.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report"))]

mod answers;
mod compression;
mod conditions;
mod continuation;
#[cfg(test)]
mod fixed_specimen;
mod gcg;
mod gradient_attack;
mod gradient_norm;
mod instruments;
mod latent;
mod material;
mod membership;
mod names;
mod prompts;
mod reader;
mod relearning;
mod rows;
mod salted;
#[cfg(test)]
mod specimen;
mod stand;
mod steering;
mod stretches;
mod strike;
mod subject;
mod variants;
mod watch;
mod windows;
mod worst_mask;

use answers::{AnswerScore, Ask, Asked};
pub use compression::{Compression, compress};
pub use conditions::{AttackError, Measurement};
pub use gradient_attack::GradientAttackError;
pub use gradient_norm::{GradientNorm, gradient_norms};
pub use material::{Material, Materials};
use names::Names;
pub use relearning::relearn;
pub use rows::Rows;
pub use salted::Salt;
pub use stand::Stand;
pub use strike::{Erased, Strike};
pub use subject::Subject;
pub use watch::{Step, Watch, unwatched};

/// Version of what is measured here: another number, and certificates are verified again.
pub const VERSION: u32 = 2;
/// How the nearest source is chosen, see [`Subject::nearest`].
pub const ROUTER: &str = "pooled-feature-cosine/1";
