//! Metric formulas, statistics and verdicts: pure functions on numbers.
