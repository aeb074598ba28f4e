//! The templates, each with what it shows. They cannot show a `String`: what they are given was made plain, checked, or
//! is a date. Not here: their words (`templates/`).

use askama::Template;

use super::{
    Case, Certificate, Complaint, CounterNotice, Decision, Execution, Extension, Failure, Matter, OneTimeLink,
    Operator, Part, Question, Receipt, Refusal, Residual, Restoration, Sources, Withdrawal,
};

/// A page about a request.
macro_rules! pages {
    ($($page:ident of $matter:ident is $path:literal),+ $(,)?) => {$(
        #[derive(Template)]
        #[template(path = $path, escape = "none")]
        struct $page<'a> {
            from: &'a Operator,
            case: &'a Case,
            it: &'a $matter,
        }
    )+};
}

pages!(
    ReceiptPage of Receipt is "receipt.txt",
    IdentityNeededPage of Question is "identity_needed.txt",
    ScopeNeededPage of Question is "scope_needed.txt",
    ExtensionPage of Extension is "extension.txt",
    SuppressedPage of Sources is "suppressed.txt",
    RefusedPage of Refusal is "refused.txt",
    PartiallyGrantedPage of Part is "partially_granted.txt",
    CounterNoticeReceivedPage of CounterNotice is "counter_notice_received.txt",
    RestoredPage of Restoration is "restored.txt",
    WithdrawnPage of Withdrawal is "withdrawn.txt",
    ComplaintReceivedPage of Complaint is "complaint_received.txt",
    DecidedPage of Decision is "decided.txt",
    ExecutedPage of Execution is "executed.txt",
    CertifiedPage of Certificate is "certified.txt",
    CertifiedWithResidualPage of Residual is "certified_with_residual.txt",
    VerificationFailedPage of Failure is "verification_failed.txt",
);

#[derive(Template)]
#[template(path = "one_time_link.txt", escape = "none")]
struct OneTimeLinkPage<'a> {
    from: &'a Operator,
    it: &'a OneTimeLink,
}

/// The text of a letter about a request, lines not yet broken.
pub(super) fn of_case(from: &Operator, case: &Case, matter: &Matter) -> Result<String, askama::Error> {
    match matter {
        Matter::Receipt(it) => ReceiptPage { from, case, it }.render(),
        Matter::IdentityNeeded(it) => IdentityNeededPage { from, case, it }.render(),
        Matter::ScopeNeeded(it) => ScopeNeededPage { from, case, it }.render(),
        Matter::Extension(it) => ExtensionPage { from, case, it }.render(),
        Matter::Suppressed(it) => SuppressedPage { from, case, it }.render(),
        Matter::Refused(it) => RefusedPage { from, case, it }.render(),
        Matter::PartiallyGranted(it) => PartiallyGrantedPage { from, case, it }.render(),
        Matter::CounterNoticeReceived(it) => CounterNoticeReceivedPage { from, case, it }.render(),
        Matter::Restored(it) => RestoredPage { from, case, it }.render(),
        Matter::Withdrawn(it) => WithdrawnPage { from, case, it }.render(),
        Matter::ComplaintReceived(it) => ComplaintReceivedPage { from, case, it }.render(),
        Matter::Decided(it) => DecidedPage { from, case, it }.render(),
        Matter::Executed(it) => ExecutedPage { from, case, it }.render(),
        Matter::Certified(it) => CertifiedPage { from, case, it }.render(),
        Matter::CertifiedWithResidual(it) => CertifiedWithResidualPage { from, case, it }.render(),
        Matter::VerificationFailed(it) => VerificationFailedPage { from, case, it }.render(),
    }
}

/// The text of a letter with a link, lines not yet broken.
pub(super) fn of_link(from: &Operator, it: &OneTimeLink) -> Result<String, askama::Error> {
    OneTimeLinkPage { from, it }.render()
}
