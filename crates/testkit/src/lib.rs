//! For tests only: both databases, each test with its own, verifiers that others wrote, and the clock that is set by hand.
//!
//! Not here: anything that a program ships, and journeys through the real program (`tests/`).

mod databases;
pub mod outsiders;

pub use databases::{TestDatabase, databases};
pub use obelus_core::ManualClock;
