//! For tests only: both databases, each test with its own, the rows of a trained model, verifiers that others wrote, a
//! browser, and the clock that is set by hand.
//!
//! Not here: anything that a program ships, and journeys through the real program (`tests/`).

pub mod accessibility;
pub mod browser;
mod databases;
pub mod outsiders;
mod rows;

pub use databases::{TestDatabase, databases, sqlite};
pub use obelus_core::ManualClock;
pub use rows::{PUBLISHER, trained_model};
