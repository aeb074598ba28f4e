//! A letter of every kind, with the same foreign text in all of its fields or with what usually stands there.
//!
//! Not here: assertions about behaviour.

use jiff::civil::{Date, date};
use obelus_core::{Digest, Timestamp};
use obelus_notify::{
    Block, Letter, LetterKind, Line, Lines, Link, Mailbox, NewLetter,
    letter::{
        Case, Certificate, Complaint, CounterNotice, Day, Decision, Execution, Extension, Failure, Matter, Moment,
        OneTimeLink, Operator, Part, Question, Receipt, Reference, Refusal, Residual, Restoration, Sources, Withdrawal,
        compose, compose_link,
    },
};
use obelus_store::{Micros, Sha256, outbox::LetterState};

/// A day in September 2026.
pub const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
/// Whom letters are to.
pub const RECIPIENT: &str = "anna.berg@example.org";
/// Whom they are from.
pub const FROM: &str = "requests@operator.example";

/// What stands in the fields of a letter.
pub struct Words<'a> {
    pub operator: &'a str,
    pub contact: &'a str,
    pub regime: &'a str,
    pub authority: &'a str,
    pub asked: &'a str,
    pub source: &'a str,
    pub code: &'a str,
    pub reason: &'a str,
}

/// What usually stands there.
pub const USUAL: Words<'static> = Words {
    operator: "Kea Models B.V.",
    contact: "requests@operator.example",
    regime: "Right to erasure (GDPR)",
    authority: "the data protection authority of the country where you live or work, or where it happened",
    asked: "Please remove my letters from 1998.\n\nThey were published without asking me.",
    source: "letters-1998",
    code: "no_match",
    reason: "None of our sources holds a passage of the text that you sent.",
};

/// The same text everywhere.
pub fn everywhere(text: &str) -> Words<'_> {
    Words {
        operator: text,
        contact: text,
        regime: text,
        authority: text,
        asked: text,
        source: text,
        code: text,
        reason: text,
    }
}

fn day(date: Date) -> Day {
    Day(date)
}

pub fn reference() -> Reference {
    Reference::new("OB-2026-000001").unwrap()
}

/// Every matter there is.
pub fn matters(words: &Words<'_>) -> Vec<Matter> {
    let asked = || Block::new(words.asked);
    let reason = || Block::new(words.reason);
    let sources = || Lines::new([words.source, words.source]);
    let certificate = || Reference::new("CT-2026-000001").unwrap();
    let question = |clock_pauses, until| Question { asked: asked(), until, clock_pauses };
    let (later, valid_until) = (day(date(2026, 11, 30)), day(date(2027, 9, 21)));
    vec![
        Matter::Receipt(Receipt { asked: asked() }),
        Matter::IdentityNeeded(question(true, Some(later))),
        Matter::ScopeNeeded(question(false, None)),
        Matter::Extension(Extension { reasons: reason(), answer_by: later }),
        Matter::Suppressed(Sources { sources: sources() }),
        Matter::Refused(Refusal { code: Line::new(words.code), reason: reason() }),
        Matter::PartiallyGranted(Part {
            granted: asked(),
            refused: reason(),
            code: Line::new(words.code),
            reason: reason(),
        }),
        Matter::CounterNoticeReceived(CounterNotice {
            copy: asked(),
            not_before: day(date(2026, 7, 16)),
            not_after: day(date(2026, 7, 22)),
        }),
        Matter::Restored(Restoration { sources: sources(), reason: reason(), on: later }),
        Matter::Withdrawn(Withdrawal { on: later }),
        Matter::ComplaintReceived(Complaint { complaint: asked(), received: later, answer_by: None }),
        Matter::Decided(Decision { sources: sources(), not_before: Some(later) }),
        Matter::Executed(Execution { sources: sources(), models: sources(), on: later }),
        Matter::Certified(Certificate { certificate: certificate(), valid_until }),
        Matter::CertifiedWithResidual(Residual { certificate: certificate(), valid_until, residual: reason() }),
        Matter::VerificationFailed(Failure { finding: reason(), next: reason() }),
    ]
}

/// A letter of every kind.
pub fn letters(words: &Words<'_>) -> Vec<NewLetter> {
    let from = Operator { name: Line::new(words.operator), contact: Line::new(words.contact) };
    let case = Case {
        reference: reference(),
        regime: Line::new(words.regime),
        received: day(date(2026, 9, 21)),
        answer_by: Some(day(date(2026, 10, 21))),
        aim: Some(day(date(2026, 10, 19))),
        authority: Line::new(words.authority),
        page: Some(Link::new("https://operator.example/requests/OB-2026-000001").unwrap()),
    };
    let to: Mailbox = RECIPIENT.parse().unwrap();
    let mut letters: Vec<_> =
        matters(words).iter().map(|matter| compose(&from, &case, matter, &to, NOW).unwrap()).collect();
    let link = Link::new("https://operator.example/enter?token=4f2a9c").unwrap();
    let link = OneTimeLink { reference: Some(reference()), link, until: Moment(NOW) };
    letters.push(compose_link(&from, &link, &to, NOW).unwrap());
    let kinds: Vec<_> = letters.iter().map(|letter| letter.kind).collect();
    assert_eq!(kinds, LetterKind::ALL, "there is a letter of every kind");
    letters
}

/// The letter as it lies in the outbox.
pub fn taken(id: i64, new: NewLetter) -> Letter {
    Letter {
        id,
        kind: new.kind,
        request: new.request,
        recipient: new.recipient,
        language: new.language,
        subject: new.subject,
        digest: Sha256(Digest::sha256(&new.body)),
        body: new.body,
        created_at: Micros(NOW),
        not_before: Micros(new.not_before),
        state: LetterState::Sending,
        attempts: 1,
        last_error: None,
        sent_at: None,
        lease_until: None,
        token: None,
    }
}

/// A letter with this text.
pub fn saying(body: &str) -> Letter {
    let mut letter = taken(7, letters(&USUAL).remove(0));
    letter.body = body.to_owned();
    letter
}
