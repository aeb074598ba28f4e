//! For tests only: both databases, each test with its own, the rows of a trained model, verifiers that others wrote, and the clock that is set by hand.
//!
//! Not here: anything that a program ships, and journeys through the real program (`tests/`).

mod databases;
pub mod outsiders;
mod rows;

pub use databases::{TestDatabase, databases};
pub use obelus_core::ManualClock;
pub use rows::trained_model;
