//! The conditions under which the same facts are scored, so that no routing choice can flatter a result.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Which weights, and which sinks are lit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// The model as it is, the source's own sinks lit.
    On,
    /// The model as it is, the sinks of the nearest other source lit.
    OffNearest,
    /// The model as it is, the sinks of another source drawn by chance lit.
    OffRandom,
    /// The model as it is, the backbone alone.
    OffNone,
    /// The source's sinks zeroed, and lit all the same.
    Zeroed,
    /// The source's sinks zeroed, the sinks of the nearest surviving source lit.
    ZeroedNearest,
    /// Another source's sinks zeroed instead, the source's own lit.
    Placebo,
    /// The retrain without the source, the sinks of its own nearest source lit.
    RetrainNearest,
    /// The retrain without the source, the backbone alone.
    RetrainNone,
}

impl Condition {
    /// All, in the order of tables.
    pub const ALL: [Self; 9] = [
        Self::On,
        Self::OffNearest,
        Self::OffRandom,
        Self::OffNone,
        Self::Zeroed,
        Self::ZeroedNearest,
        Self::Placebo,
        Self::RetrainNearest,
        Self::RetrainNone,
    ];

    /// The name on the command line and in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::OffNearest => "off_nearest",
            Self::OffRandom => "off_random",
            Self::OffNone => "off_none",
            Self::Zeroed => "zeroed",
            Self::ZeroedNearest => "zeroed_nearest",
            Self::Placebo => "placebo",
            Self::RetrainNearest => "retrain_nearest",
            Self::RetrainNone => "retrain_none",
        }
    }

    /// Whether it is scored on a retrain.
    pub const fn needs_baseline(self) -> bool {
        matches!(self, Self::RetrainNearest | Self::RetrainNone)
    }

    /// Whether it can be scored only while the source's sinks hold what they learnt.
    pub const fn is_before(self) -> bool {
        matches!(self, Self::On | Self::OffNearest | Self::OffRandom | Self::OffNone | Self::Placebo)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// There is no such condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown condition {0:?}; there are on, off_nearest, off_random, off_none, zeroed, zeroed_nearest, placebo, retrain_nearest, retrain_none"
)]
pub struct UnknownCondition(pub String);

impl FromStr for Condition {
    type Err = UnknownCondition;

    fn from_str(name: &str) -> Result<Self, UnknownCondition> {
        Self::ALL.into_iter().find(|c| c.name() == name).ok_or_else(|| UnknownCondition(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_here_and_in_json() {
        for condition in Condition::ALL {
            assert_eq!(condition.name().parse(), Ok(condition));
            assert_eq!(serde_json::to_value(condition).unwrap(), condition.name());
        }
        assert!("off".parse::<Condition>().unwrap_err().to_string().contains("off_none"));
    }
}
