//! Who may do what, and by when the law wants it done: roles and the separation of duties on a case from
//! `policies/authz/roles.toml`, regimes and days off from `policies/regimes` and `policies/calendars`.
//!
//! Reading is open to every role here; one data directory has one owner. Not here: how somebody proves who they are,
//! and in which state a case must be (`obelus-store`).
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report"))]

mod action;
mod clocks;
mod rules;

pub use action::Action;
pub use clocks::{
    Calendar, CalendarError, Clock, ClockError, Due, Extension, History, Pause, Period, Regime, RegimeError,
    RegimeFiles, Start, Stop, day_of, earliest,
};
pub use rules::{Actor, Refusal, Rules, RulesError};
