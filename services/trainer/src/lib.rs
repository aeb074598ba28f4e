//! One training rank.
