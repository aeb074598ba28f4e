//! What we sign in the hands of verifiers that others wrote: each accepts the good files and refuses the tampered ones.
//!
//! What they are asked is in `tests/outsiders/` of the checkout. Where one of them is missing its tests say so and show
//! nothing; with `CI=true` they fail. Not here: what our own verifier says (`../certificate/`).
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

mod bundles;
mod envelopes;
#[allow(dead_code, reason = "shared with the tests of certificates, which use more of it")]
#[path = "../certificate/fixture.rs"]
mod fixture;
mod logs;
mod models;
#[allow(dead_code, reason = "shared with the tests of certificates, which use more of it")]
#[path = "../certificate/statements.rs"]
mod statements;
