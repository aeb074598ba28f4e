//! What happens to a model after somebody asks: registration before training, takedowns, verification, certificates.
//!
//! Every step that signs or destroys is here, each idempotent: killed anywhere and run again, it ends the same. Model
//! work blocks the calling thread. Not here: training itself, formats and proofs (`obelus-ledger`), formulas
//! (`obelus-verdict`), the command line.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report"))]

pub mod adaptation;
pub mod audit_bundle;
pub mod baselines;
pub mod case;
pub mod certificate_files;
pub mod certification;
pub mod challenge;
pub mod clocks;
pub mod custody;
pub mod deps;
pub mod drill;
pub mod export;
pub mod fault;
pub mod keyring;
pub mod living;
pub mod measurement;
pub mod model_signature;
pub mod model_statement;
pub mod plan;
pub mod progress;
pub mod provenance;
pub mod registration;
pub mod run_data;
mod standing;
pub mod strike;
pub mod subject;
pub mod training;
pub mod transparency;
pub mod verification;
pub mod zeroing;

mod certificate_pdf;
pub mod durable;
mod exhibits;
mod manifest;
mod manifest_tree;
mod not_there;
mod pool;
mod refusal;
mod targets;

pub use deps::{Deps, Settings};
pub use not_there::NotThere;
