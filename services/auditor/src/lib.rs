//! What happens to a model after somebody asks: registration before training, takedowns, verification, certificates.
//!
//! Every step that signs or destroys is here, each idempotent: killed anywhere and run again, it ends the same. Model
//! work blocks the calling thread. Not here: training itself, formats and proofs (`obelus-ledger`), formulas
//! (`obelus-verdict`), the command line.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report"))]

pub mod adaptation;
pub mod audit_bundle;
pub mod baselines;
pub mod certificate_files;
pub mod certification;
pub mod challenge;
pub mod drill;
pub mod export;
pub mod living;
pub mod measurement;
pub mod model_signature;
pub mod model_statement;
pub mod plan;
pub mod progress;
pub mod registration;
pub mod run_data;
pub mod shredding;
mod standing;
pub mod strike;
pub mod subject;
pub mod training;
pub mod verification;
pub mod zeroing;

mod certificate_pdf;
mod forecast;
mod hosts;
mod manifest;
mod pool;
mod refusal;
mod targets;
