//! Who may do what, and by when the law wants it done: roles, the separation of duties on a case and holds from the Cedar
//! policies in `policies/authz`, regimes and days off from `policies/regimes` and `policies/calendars`.
//!
//! Not here: how somebody proves who they are, and in which state a case must be (`obelus-store`).
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report"))]

mod action;
mod cedar;
mod clocks;
mod refusal;
mod rules;

pub use action::Action;
pub use clocks::{
    Calendar, CalendarError, Clock, ClockError, Due, Extension, History, Pause, Period, Regime, RegimeError,
    RegimeFiles, Start, Stop, day_of, earliest,
};
pub use refusal::Refusal;
pub use rules::{Actor, Case, Grant, Rules, RulesError};
