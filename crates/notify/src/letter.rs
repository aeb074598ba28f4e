//! What letters tell, and the letters that they become. The words are in `templates/`, one file for each kind; which
//! article asks for which is in `docs/letters.md`. Not here: how a letter is sent.

mod matter;
mod pages;

use std::fmt;

use jiff::{civil::Date, tz::TimeZone};
use obelus_core::Timestamp;
use obelus_store::outbox::{LetterKind, NewLetter};

use crate::{
    address::Mailbox,
    plain::{Line, Link, wrap},
};

pub use matter::{
    Certificate, Complaint, CounterNotice, Decision, Execution, Extension, Failure, Matter, OneTimeLink, Part,
    Question, Receipt, Refusal, Residual, Restoration, Sources, Withdrawal,
};

/// The only language that there are templates for.
const LANGUAGE: &str = "en";
/// Longer than any reference that is given out.
const LONGEST_REFERENCE: usize = 40;

/// The reference of a request, such as `OB-2026-000001`: ASCII letters, digits and hyphens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference(String);

/// Why a text is no reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a reference has 1 to {LONGEST_REFERENCE} ASCII letters, digits and hyphens")]
pub struct ReferenceError;

impl Reference {
    /// A checked reference.
    ///
    /// # Errors
    /// [`ReferenceError`]
    pub fn new(text: &str) -> Result<Self, ReferenceError> {
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let fits = (1..=LONGEST_REFERENCE).contains(&text.len());
        if plain && fits { Ok(Self(text.to_owned())) } else { Err(ReferenceError) }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A civil date, shown like `2 March 2026`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day(pub Date);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.strftime("%-d %B %Y"))
    }
}

/// A moment, shown like `2 March 2026, 14:05 UTC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub Timestamp);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0.as_micros()) {
            Ok(time) => write!(f, "{}", time.to_zoned(TimeZone::UTC).strftime("%-d %B %Y, %H:%M UTC")),
            Err(_) => self.0.fmt(f),
        }
    }
}

/// Who writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The name.
    pub name: Line,
    /// Where an answer goes: an address, a telephone number, a page.
    pub contact: Line,
}

/// The request that a letter is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its reference.
    pub reference: Reference,
    /// The rules that it is filed under, in words, such as `Right to erasure (GDPR)`.
    pub regime: Line,
    /// The day of its receipt.
    pub received: Day,
    /// The day by which the rules want it answered, if they name one.
    pub answer_by: Option<Day>,
    /// The day that we aim at.
    pub aim: Option<Day>,
    /// Who takes complaints, as it stands behind "complain to".
    pub authority: Line,
    /// Where its state can be seen.
    pub page: Option<Link>,
}

/// What stands in a subject line behind the reference. It is the same for everybody, so that nothing about a person is in
/// it.
fn title(kind: LetterKind) -> &'static str {
    match kind {
        LetterKind::Receipt => "Your request was received",
        LetterKind::IdentityNeeded => "We need to know who asks",
        LetterKind::ScopeNeeded => "We need to know what is meant",
        LetterKind::Extension => "Our answer takes longer",
        LetterKind::Suppressed => "The sources are switched off",
        LetterKind::Refused => "Your request is refused",
        LetterKind::PartiallyGranted => "Your request is granted in part",
        LetterKind::CounterNoticeReceived => "A counter-notice was received",
        LetterKind::Restored => "The sources are used again",
        LetterKind::Withdrawn => "Your request was withdrawn",
        LetterKind::ComplaintReceived => "Your complaint was received",
        LetterKind::Decided => "Your request is granted",
        LetterKind::Executed => "The removal is done and is being tested",
        LetterKind::Certified => "The removal is certified",
        LetterKind::CertifiedWithResidual => "The removal is certified with a remainder",
        LetterKind::VerificationFailed => "The tests did not confirm the removal",
        LetterKind::OneTimeLink => "Your link",
    }
}

fn subject(kind: LetterKind, reference: Option<&Reference>) -> String {
    match reference {
        Some(reference) => format!("[{reference}] {}", title(kind)),
        None => title(kind).to_owned(),
    }
}

/// The letter about a request, to be put into the outbox and sent not before `not_before`.
///
/// # Errors
/// When a template fails, which its own tests would have shown.
pub fn compose(
    from: &Operator,
    case: &Case,
    matter: &Matter,
    to: &Mailbox,
    not_before: Timestamp,
) -> Result<NewLetter, askama::Error> {
    let text = pages::of_case(from, case, matter)?;
    Ok(letter(matter.kind(), Some(&case.reference), to, &text, not_before))
}

/// The letter with a link that works once. Its text leaves the outbox when it was sent.
///
/// # Errors
/// When the template fails, which its own test would have shown.
pub fn compose_link(
    from: &Operator,
    link: &OneTimeLink,
    to: &Mailbox,
    not_before: Timestamp,
) -> Result<NewLetter, askama::Error> {
    let text = pages::of_link(from, link)?;
    Ok(letter(LetterKind::OneTimeLink, link.reference.as_ref(), to, &text, not_before))
}

fn letter(kind: LetterKind, about: Option<&Reference>, to: &Mailbox, text: &str, not_before: Timestamp) -> NewLetter {
    NewLetter {
        kind,
        request: about.map(ToString::to_string),
        recipient: to.as_str().to_owned(),
        language: LANGUAGE.to_owned(),
        subject: subject(kind, about),
        body: wrap(text),
        not_before,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_shown_as_they_are_said() {
        assert_eq!(Day(jiff::civil::date(2026, 3, 2)).to_string(), "2 March 2026");
        assert_eq!(Moment(Timestamp::from_micros(1_790_000_000_000_000)).to_string(), "21 September 2026, 14:13 UTC");
        assert_eq!(Moment(Timestamp::from_micros(i64::MAX)).to_string(), format!("{}us-out-of-range", i64::MAX));
    }

    #[test]
    fn a_reference_is_nothing_but_a_reference() {
        assert_eq!(Reference::new("OB-2026-000001").unwrap().to_string(), "OB-2026-000001");
        for bad in ["", "OB 2026", "OB-2026\r\nBcc: x", "ÖB-2026", &"1".repeat(41)] {
            assert_eq!(Reference::new(bad), Err(ReferenceError), "{bad:?}");
        }
    }

    #[test]
    fn no_subject_needs_encoding_or_folding() {
        let reference = Reference::new("OB-2026-000001").unwrap();
        for kind in LetterKind::ALL {
            let subject = subject(*kind, Some(&reference));
            assert!(subject.is_ascii() && subject.len() <= 68, "{subject}");
        }
    }
}
