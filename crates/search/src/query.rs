//! What is asked, and how much work a question may cause. Not here: the answers (`answer.rs`).

use std::time::Duration;

use obelus_corpus::document::MAX_NAME_BYTES;
use serde::{Deserialize, Serialize};

use crate::{answer::Found, error::SearchError, index::Index, names, passage, words::Words};

/// Longest passage to look for, in bytes.
pub const MAX_TEXT_BYTES: usize = 1 << 20;

/// A question in somebody's own words. They are looked for and never interpreted: there is no syntax.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", content = "value", rename_all = "snake_case")]
pub enum Query {
    /// The id of a source or of a document.
    Id(String),
    /// Who published it.
    Publisher(String),
    /// What it is called.
    Title(String),
    /// A passage of it, at most [`MAX_TEXT_BYTES`] long.
    Text(String),
    /// A person or a work: named in titles, publishers and texts.
    Name(String),
}

/// Bounds on the work of one question. An answer that ran into one says that it is not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most sources in an answer.
    pub sources: usize,
    /// Most documents that are compared with one text.
    pub documents: usize,
    /// Most entries of the index that are read.
    pub postings: usize,
    /// Most bytes of documents that are compared.
    pub text_bytes: usize,
    /// Longest time. Only an answer that ran into this one may differ when it is asked again.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sources: 50,
            documents: 2_000,
            postings: 20_000_000,
            text_bytes: 256 << 20,
            time: Duration::from_secs(20),
        }
    }
}

impl Query {
    /// What it is, in the words of an error.
    const fn what(&self) -> &'static str {
        match self {
            Self::Id(_) => "id",
            Self::Publisher(_) => "publisher",
            Self::Title(_) => "title",
            Self::Text(_) => "text",
            Self::Name(_) => "name",
        }
    }

    /// Its words, if it can be asked.
    fn words(&self) -> Result<(&str, Words), SearchError> {
        let (value, limit) = match self {
            Self::Text(text) => (text, MAX_TEXT_BYTES),
            Self::Id(name) | Self::Publisher(name) | Self::Title(name) | Self::Name(name) => (name, MAX_NAME_BYTES),
        };
        let what = self.what();
        if value.len() > limit {
            return Err(SearchError::TooLong { what, bytes: value.len(), limit });
        }
        let words = Words::of(value);
        // An id may be of signs alone.
        let nothing = words.is_empty() && (!matches!(self, Self::Id(_)) || value.trim().is_empty());
        if nothing { Err(SearchError::NoWords { what }) } else { Ok((value, words)) }
    }
}

impl Index {
    /// The sources that a question may mean, likeliest first, and what each rests on. The same index gives the same answer
    /// to the same question, unless time ran out.
    ///
    /// # Errors
    /// The question has no words or is too long, or the index cannot be read.
    pub fn find(&self, query: &Query) -> Result<Found, SearchError> {
        let (value, words) = query.words()?;
        match query {
            Query::Id(_) => names::by_id(self, value.trim(), &words),
            Query::Publisher(_) => names::by_label(self, names::Label::Publisher, &words),
            Query::Title(_) => names::by_label(self, names::Label::Title, &words),
            Query::Name(_) => names::by_name(self, &words),
            Query::Text(_) => passage::find(self, &words),
        }
    }
}
