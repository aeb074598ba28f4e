//! Who may do what: roles and the separation of duties on a case, read from `policies/authz/roles.toml`.
//!
//! Reading is open to every role here; one data directory has one owner. Not here: how somebody proves who they are,
//! and in which state a case must be (`obelus-store`).
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report"))]

mod action;
mod rules;

pub use action::Action;
pub use rules::{Actor, Refusal, Rules, RulesError};
