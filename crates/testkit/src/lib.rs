//! For tests only: both databases, each test with its own, and the clock that is set by hand.
//!
//! Not here: anything that a program ships, and journeys through the real program (`tests/`).

mod databases;

pub use databases::{TestDatabase, databases};
pub use obelus_core::ManualClock;
