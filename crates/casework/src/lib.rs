//! Cases as people handle them: who acts and whether they may, the steps of a request, its clocks; and what each step is
//! recorded with: keys, signed statements, the transparency log.
//!
//! Nothing here touches a model, so that a service without libtorch can do all of it. Not here: what a takedown does to
//! weights and how it is judged (`obelus-auditor`), formats and proofs (`obelus-ledger`), who may (`obelus-policy`).
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report"))]

pub mod case;
pub mod clocks;
pub mod custody;
pub mod decision;
pub mod declarations;
pub mod deps;
pub mod durable;
pub mod exhibits;
pub mod export;
pub mod fault;
pub mod filing;
pub mod finding;
pub mod grants;
pub mod impact;
pub mod keyring;
pub mod letters;
pub mod manifest_tree;
pub mod notices;
pub mod open;
pub mod orders;
pub mod post;
pub mod provenance;
pub mod public_match;
pub mod sampling;
pub mod schedules;
pub mod step;
pub mod transparency;
pub mod triage;
pub mod triggers;

mod not_there;
#[cfg(test)]
mod tests;

pub use deps::{Deps, Settings};
pub use not_there::NotThere;
