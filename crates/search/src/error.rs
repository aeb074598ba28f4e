//! Why something cannot be searched, built or forgotten. No message says what is in a text.

use std::{io, path::PathBuf};

/// What went wrong, and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// Nothing was asked.
    #[error("the {what} to look for is empty or has no letter and no digit; give some words of it")]
    NoWords {
        /// Which part of the question.
        what: &'static str,
    },
    /// Too much was asked.
    #[error("the {what} to look for is {bytes} bytes long, the limit is {limit}; look for a part of it")]
    TooLong {
        /// Which part of the question.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The longest that is looked for.
        limit: usize,
    },
    /// A source that is not in the index.
    #[error("source {0:?} is not in the index; look it up by its id first")]
    UnknownSource(String),
    /// Two documents with one id.
    #[error("document {0:?} is there twice; ids of documents are unique in a corpus")]
    Twice(String),
    /// The index is not what was written.
    #[error("{}: {reason}; build the index again from the corpus", .path.display())]
    Corrupt {
        /// The folder or file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The system refused.
    #[error("{}: {source}; see that the folder can be written to and has room, then try again", .path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}
