//! What a token is for. It never lets a program do more than the person who issued it may; a scope makes it less. Not here:
//! what a person may (`obelus-policy`).

use std::{fmt, str::FromStr};

/// A part of what programs can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Read cases without personal data.
    Read,
    /// Read the personal data in them too.
    Personal,
    /// File requests.
    File,
    /// Take the steps of a case that can be gone back on.
    Work,
    /// Refuse a request, and undo a suppression. In the portal these take a password that was just entered.
    Decide,
}

/// A word that names no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such scope; there are read, personal, file, work and decide")]
pub struct ScopeError;

impl Scope {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Read, Self::Personal, Self::File, Self::Work, Self::Decide];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Personal => "personal",
            Self::File => "file",
            Self::Work => "work",
            Self::Decide => "decide",
        }
    }

    /// What it is for.
    pub const fn says(self) -> &'static str {
        match self {
            Self::Read => "read cases, without personal data",
            Self::Personal => "read the personal data in cases, together with read",
            Self::File => "file requests",
            Self::Work => {
                "take steps in cases: ask, answer, match sources, triage, grant in part, suppress, extend, hold, mark as \
                 duplicate, withdraw"
            }
            Self::Decide => "refuse requests, and undo suppressions",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        Self::ALL.into_iter().find(|scope| scope.name() == text).ok_or(ScopeError)
    }
}
