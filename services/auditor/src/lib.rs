//! Takedowns, verification runs and certificates.
