//! Finds what a request means: sources by id, publisher, title, the name of a person or work, or a passage; what each match
//! rests on, where the request does not end where sources end, and what striking them would leave in others. Keeps
//! fingerprints of struck sources, by which a text that comes back is noticed.
//!
//! An index lies in a folder of its own, is built from documents alone and can be built again at any time. Not here: the
//! corpus, databases, async code, routing, and any judgement of what a person meant.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report"))]

mod answer;
mod boundary;
mod candidates;
mod error;
mod fields;
mod fingerprints;
mod folder;
mod index;
mod names;
mod passage;
mod query;
mod remains;
mod runs;
mod shingles;
mod signature;
mod stamp;
mod words;

pub use answer::{Basis, Coverage, DocumentCoverage, Fit, Found, Match, Place};
pub use boundary::{BoundaryMismatch, Part};
pub use error::SearchError;
pub use fingerprints::{Fingerprints, FingerprintsError, Resemblance, resembles};
pub use index::Index;
pub use query::{Limits, MAX_TEXT_BYTES, Query};
pub use remains::{MAX_REMAINS, Remains, RunPlace, SharedFact, SharedRun};
pub use shingles::RUN_WORDS;
pub use stamp::documents_digest;
pub use words::Words;
