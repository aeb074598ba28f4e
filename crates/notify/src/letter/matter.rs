//! What each kind of letter tells, as data. Not here: its words (`templates/`), and what is the same in all of them
//! (`letter.rs`).

use obelus_store::outbox::LetterKind;

use super::{Day, Moment, Reference};
use crate::plain::{Block, Line, Lines, Link};

/// What a letter about a request tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matter {
    /// The request was received.
    Receipt(Receipt),
    /// It must be shown who asks.
    IdentityNeeded(Question),
    /// It must be said what is meant.
    ScopeNeeded(Question),
    /// The answer takes longer.
    Extension(Extension),
    /// The sources are not used any more, which can be undone.
    Suppressed(Sources),
    /// The request is refused.
    Refused(Refusal),
    /// Part of it is granted.
    PartiallyGranted(Part),
    /// Somebody objects.
    CounterNoticeReceived(CounterNotice),
    /// The sources are used again.
    Restored(Restoration),
    /// The request was withdrawn.
    Withdrawn(Withdrawal),
    /// A complaint was received.
    ComplaintReceived(Complaint),
    /// The request is granted and is carried out.
    Decided(Decision),
    /// The sources' neurons are zeroed.
    Executed(Execution),
    /// The erasure is certified.
    Certified(Certificate),
    /// It is certified, and something remains.
    CertifiedWithResidual(Residual),
    /// It could not be verified.
    VerificationFailed(Failure),
}

/// The beginning of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What was asked, in the words of whoever asked.
    pub asked: Block,
}

/// What we need to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What is asked for.
    pub asked: Block,
    /// By when.
    pub until: Option<Day>,
    /// Whether the rules let our time stand still until it is answered.
    pub clock_pauses: bool,
}

/// A longer time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Why it takes longer: GDPR Art. 12(3) wants the reasons told.
    pub reasons: Block,
    /// The new last day.
    pub answer_by: Day,
}

/// What is switched off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    /// The sources as their holder knows them.
    pub sources: Lines,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The code, such as `no_match`.
    pub code: Line,
    /// The reason in words.
    pub reason: Block,
}

/// A request that is granted in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What is granted.
    pub granted: Block,
    /// What is not.
    pub refused: Block,
    /// The code of the refusal.
    pub code: Line,
    /// Its reason in words.
    pub reason: Block,
}

/// An objection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterNotice {
    /// The notice, in the words of whoever sent it: 17 U.S.C. 512(g)(2)(B) wants a copy of it passed on.
    pub copy: Block,
    /// The first day on which the sources may be used again.
    pub not_before: Day,
    /// The last such day.
    pub not_after: Day,
}

/// What is switched on again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restoration {
    /// The sources as their holder knows them.
    pub sources: Lines,
    /// Why.
    pub reason: Block,
    /// Since when.
    pub on: Day,
}

/// The end of a request by whoever made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// When.
    pub on: Day,
}

/// A complaint about how a request is treated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// What it says.
    pub complaint: Block,
    /// When it came.
    pub received: Day,
    /// By when it is answered.
    pub answer_by: Option<Day>,
}

/// A request that is granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The sources as their holder knows them.
    pub sources: Lines,
    /// The first day on which anything is zeroed, where others may object before.
    pub not_before: Option<Day>,
}

/// What was zeroed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// The sources as their holder knows them.
    pub sources: Lines,
    /// The models.
    pub models: Lines,
    /// When.
    pub on: Day,
}

/// A certificate without a remainder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Its reference.
    pub certificate: Reference,
    /// Its last day.
    pub valid_until: Day,
}

/// A certificate with a remainder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Residual {
    /// Its reference.
    pub certificate: Reference,
    /// Its last day.
    pub valid_until: Day,
    /// What the tests still found.
    pub residual: Block,
}

/// Tests that were not passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What they found.
    pub finding: Block,
    /// What happens next.
    pub next: Block,
}

/// A link that works once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneTimeLink {
    /// The request whose page it opens, if it is one's.
    pub reference: Option<Reference>,
    /// The link.
    pub link: Link,
    /// How long it works.
    pub until: Moment,
}

impl Matter {
    /// The kind of letter.
    pub fn kind(&self) -> LetterKind {
        match self {
            Self::Receipt(_) => LetterKind::Receipt,
            Self::IdentityNeeded(_) => LetterKind::IdentityNeeded,
            Self::ScopeNeeded(_) => LetterKind::ScopeNeeded,
            Self::Extension(_) => LetterKind::Extension,
            Self::Suppressed(_) => LetterKind::Suppressed,
            Self::Refused(_) => LetterKind::Refused,
            Self::PartiallyGranted(_) => LetterKind::PartiallyGranted,
            Self::CounterNoticeReceived(_) => LetterKind::CounterNoticeReceived,
            Self::Restored(_) => LetterKind::Restored,
            Self::Withdrawn(_) => LetterKind::Withdrawn,
            Self::ComplaintReceived(_) => LetterKind::ComplaintReceived,
            Self::Decided(_) => LetterKind::Decided,
            Self::Executed(_) => LetterKind::Executed,
            Self::Certified(_) => LetterKind::Certified,
            Self::CertifiedWithResidual(_) => LetterKind::CertifiedWithResidual,
            Self::VerificationFailed(_) => LetterKind::VerificationFailed,
        }
    }
}
