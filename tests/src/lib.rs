//! Journeys through the real system.
