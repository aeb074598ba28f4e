//! The same questions and texts, asked of altered weights or in other words.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Family;

/// How the model, or what it is asked, is altered before it is scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Variant {
    /// Weights rounded to 8 bits (arXiv 2410.16454).
    Int8,
    /// Weights rounded to 4 bits.
    Int4,
    /// The source's direction added to a late layer.
    Steered,
    /// Asked in the way of a family.
    Prompt(Family),
}

impl Variant {
    /// All, in the order of tables.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Int8, Self::Int4, Self::Steered].into_iter().chain(Family::ALL.into_iter().map(Self::Prompt))
    }

    /// Whether it alters the weights, so that texts are read anew as well.
    pub const fn alters_weights(self) -> bool {
        matches!(self, Self::Int8 | Self::Int4)
    }

    /// Whether what it finds is a limit of any model, reported and never judged.
    pub const fn is_limit(self) -> bool {
        matches!(self, Self::Prompt(Family::InContext))
    }
}

/// The name in protocols and results.
impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int8 => f.write_str("int8"),
            Self::Int4 => f.write_str("int4"),
            Self::Steered => f.write_str("steered"),
            Self::Prompt(family) => write!(f, "prompt.{}", family.name()),
        }
    }
}

impl From<Variant> for String {
    fn from(variant: Variant) -> Self {
        variant.to_string()
    }
}

impl TryFrom<String> for Variant {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::all().find(|variant| variant.to_string() == name).ok_or_else(|| {
            let names: Vec<String> = Self::all().map(|variant| variant.to_string()).collect();
            format!("unknown variant {name:?}; there are {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_in_json() {
        assert_eq!(Variant::all().count(), 3 + Family::ALL.len());
        for variant in Variant::all() {
            let json = serde_json::to_string(&variant).unwrap();
            assert_eq!(json, format!("\"{variant}\""));
            assert_eq!(serde_json::from_str::<Variant>(&json).unwrap(), variant);
        }
        let refused = serde_json::from_str::<Variant>("\"prompt.polite\"").unwrap_err().to_string();
        assert!(refused.contains("prompt.role_play"), "{refused}");
    }
}
