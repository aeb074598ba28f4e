//! The questions of a request, in their order, each on a page of its own. Not here: what answers are kept (`answers.rs`).

use obelus_policy::{Regime, Start};

use crate::form::FieldErrors;

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    Who,
    Right,
    Model,
    Work,
    Authority,
    Statements,
}

/// Where all answers are looked at once more.
pub(super) const CHECK: &str = "/request/new/check";
/// What the register said.
pub(super) const MATCHES: &str = "/request/new/matches";

impl Question {
    /// All of them, as they are asked.
    pub(crate) const ALL: [Self; 6] =
        [Self::Who, Self::Right, Self::Model, Self::Work, Self::Authority, Self::Statements];

    /// The address of its page.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Who => "/request/new/who",
            Self::Right => "/request/new/right",
            Self::Model => "/request/new/model",
            Self::Work => "/request/new/work",
            Self::Authority => "/request/new/authority",
            Self::Statements => "/request/new/statements",
        }
    }

    /// The question.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Who => "Who are you?",
            Self::Right => "Under which right do you ask?",
            Self::Model => "Which model is it about?",
            Self::Work => "What is it about?",
            Self::Authority => "As whom do you ask?",
            Self::Statements => "What you ask, and what you declare",
        }
    }

    /// The fields of its page.
    const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Who => &["name", "email"],
            Self::Right => &["regime"],
            Self::Model => &["model"],
            Self::Work => &["subject", "passage"],
            Self::Authority => &["capacity", "authority"],
            Self::Statements => &["statement", "declared"],
        }
    }

    /// The question whose page has a field.
    pub(super) fn of(field: &str) -> Self {
        // What belongs to no page is said where everything can be changed: at the first.
        Self::ALL.into_iter().find(|question| question.fields().contains(&field)).unwrap_or(Self::Who)
    }

    /// Of all that is wrong, what is wrong on its page.
    pub(super) fn errors(self, all: &FieldErrors) -> FieldErrors {
        let mut own = FieldErrors::default();
        for (field, what) in all.list().iter().filter(|(field, _)| Self::of(field) == self) {
            own.add(field, what);
        }
        own
    }

    /// Its place among the questions, from 1.
    pub(super) fn number(self) -> usize {
        1 + self as usize
    }

    /// The page before it.
    pub(super) fn before(self) -> &'static str {
        match self {
            Self::Who => "/request/new",
            Self::Right => Self::Who.path(),
            Self::Model => Self::Right.path(),
            Self::Work => Self::Model.path(),
            Self::Authority => MATCHES,
            Self::Statements => Self::Authority.path(),
        }
    }

    /// The page of the first question that something is wrong with; that of all answers where nothing is.
    pub(super) fn next(errors: &FieldErrors) -> &'static str {
        let wrong = Self::ALL.into_iter().find(|question| !question.errors(errors).is_empty());
        wrong.map_or(CHECK, Self::path)
    }
}

/// A right that somebody can ask under.
pub(super) struct Right {
    pub(super) name: &'static str,
    pub(super) title: String,
    /// Whom it is for, in plain words.
    pub(super) hint: &'static str,
}

/// The shipped regimes that a request can be filed under.
pub(super) fn rights() -> impl Iterator<Item = Right> {
    Regime::shipped_names().filter_map(|name| {
        let regime = Regime::shipped(name).and_then(|files| Regime::parse(files).ok())?;
        // One that knows standing duties only is nothing to file under.
        let starts = regime.clocks.iter().any(|clock| clock.starts == Start::Receipt);
        starts.then(|| Right { name, title: regime.title, hint: hint(name) })
    })
}

fn hint(regime: &str) -> &'static str {
    match regime {
        "gdpr-art17" => "The law of the European Union. For data about you.",
        "uk-gdpr" => "The law of the United Kingdom. For data about you.",
        "ccpa" => "The law of California. For data about you, if you live there.",
        "dmca-512" => "The law of the United States. For a work that you hold the copyright of.",
        "lgpd" => "The law of Brazil. For data about you.",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_right_says_whom_it_is_for_and_every_field_has_a_page() {
        let rights: Vec<Right> = rights().collect();
        assert!(rights.len() >= 4);
        for right in rights {
            assert!(!right.hint.is_empty(), "{}", right.name);
        }
        for (place, question) in Question::ALL.into_iter().enumerate() {
            assert_eq!(question.number(), place + 1);
            for field in question.fields() {
                assert_eq!(Question::of(field), question);
            }
        }
    }
}
