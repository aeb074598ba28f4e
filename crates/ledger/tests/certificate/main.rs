//! Whole certificates against a hostile world: the unchanged one verifies, every changed one is refused. Not here: the
//! parts alone (`vectors.rs` and the crate's own tests).
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

mod adaptations;
mod browser;
mod bundles;
mod challenges;
mod extensions;
mod fixture;
mod flips;
mod forgeries;
mod javascript;
mod key_windows;
mod listings;
mod log_folder;
mod outsiders;
mod renewals;
mod spoiled;
mod statements;
mod status;
