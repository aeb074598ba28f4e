//! Seed to neurons: null-seed/v1 and null-mask/v1.
