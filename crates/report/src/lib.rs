//! Documents for persons: the PDF of a certificate, and plots.
//!
//! Numbers and words come in as plain data; bytes come out, the same for the same data. Not here: signing, checking,
//! models, databases, and the judgement of what is shown.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report"))]

pub mod certificate;
pub mod plot;
mod spelling;
mod typesetting;

/// Why a document was not made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReportError {
    /// The parts of a page contradict each other.
    #[error("the page of {id} contradicts itself: {what}")]
    Contradiction {
        /// Certificate id.
        id: String,
        /// What, and what was expected.
        what: String,
    },
    /// The attachment's file name would not survive being saved.
    #[error("{0:?} is no name for an attached file; use letters, digits, '.', '_' and '-'")]
    BundleName(String),
    /// Nobody could open the address on paper.
    #[error("{0:?} is no address; write https://..., in ASCII, or leave it empty")]
    VerificationUrl(String),
    /// A time that cannot be written out.
    #[error("{0} lies outside of the years 0 to 9999")]
    Time(String),
    /// The document cannot be set.
    #[error("the document cannot be set: {0}")]
    Typesetting(String),
    /// The QR code cannot be made.
    #[error("no QR code holds {bytes} bytes; give a shorter verification address")]
    TooLongForQr {
        /// Bytes that it should hold.
        bytes: usize,
    },
}
