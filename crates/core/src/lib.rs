//! Digests, timestamps, clocks and configuration.
