//! Answers: the sources that a question may mean, and what each match rests on. Every basis was checked against the
//! document it names. Byte ranges are of the text as it was given, so that a page can show the place.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::boundary::BoundaryMismatch;

/// Most bases that are told of a source.
pub(crate) const MAX_BASES: usize = 20;
/// Most documents that are named at a place.
pub(crate) const MAX_NAMED: usize = 100;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Likeliest first.
    pub matches: Vec<Match>,
    /// Where what is asked for does not end where sources end.
    pub boundary: Vec<BoundaryMismatch>,
    /// Whether no limit cut the answer short.
    pub complete: bool,
}

/// A source that may be meant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Match {
    /// Its id.
    pub source: String,
    /// How many documents it has.
    pub documents: u64,
    /// What the match rests on, strongest first, at most twenty.
    pub bases: Vec<Basis>,
    /// How far passage and source cover each other; for passages only.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub coverage: Option<Coverage>,
}

/// One reason to think that a source is meant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Basis {
    /// The id is the one asked for.
    Id {
        /// The document of this id; none if it is the source's.
        document: Option<String>,
        /// Whether it is the same to the byte, or but for case, accents and punctuation.
        exact: bool,
    },
    /// The publisher is called so.
    Publisher {
        /// A document that says it.
        document: String,
        /// The publisher, whole.
        publisher: String,
        /// How it fits.
        fit: Fit,
    },
    /// The title is like this.
    Title {
        /// A document that says it.
        document: String,
        /// The title, whole.
        title: String,
        /// How it fits.
        fit: Fit,
    },
    /// The person or work is named.
    Name {
        /// Where.
        document: String,
        /// In what of the document.
        place: Place,
        /// The first time, in bytes of title, publisher or text.
        range: Range<usize>,
        /// How often there.
        times: usize,
    },
    /// The text has more than half of those words of the passage that fewest texts have.
    FullText {
        /// Where.
        document: String,
        /// How many different words of the passage were looked for.
        asked: usize,
        /// How many of them the text has.
        found: usize,
        /// Where most of them stand close together, in bytes of the document.
        in_document: Range<usize>,
    },
    /// Passage and document are nearly the same.
    NearDuplicate {
        /// Which document.
        document: String,
        /// Jaccard similarity of their runs of five words, from 0 to 1, exact.
        similarity: f64,
    },
    /// The same words in a row, as many as there are.
    CommonRun {
        /// Which document.
        document: String,
        /// How many words.
        words: usize,
        /// Their first place in the passage, in bytes.
        in_passage: Range<usize>,
        /// Their place in the document, in bytes.
        in_document: Range<usize>,
    },
}

/// How a title or publisher fits the one asked for. Case, accents and punctuation never count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// The same words.
    Whole,
    /// The words asked for stand in it together.
    Phrase,
    /// It has all of the words asked for.
    Words,
}

/// Where a name stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the title.
    Title,
    /// In the publisher.
    Publisher,
    /// In the text.
    Text,
}

/// How far a passage and a source cover each other, in words that stand in common runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Words of the passage.
    pub passage_words: u64,
    /// How many of them are in runs that the source has too.
    pub passage_covered: u64,
    /// Words of the source, all its documents together.
    pub source_words: u64,
    /// How many of them are in runs that the passage has too.
    pub source_covered: u64,
    /// Documents with such runs, those covered most first, at most a hundred.
    pub documents: Vec<DocumentCoverage>,
    /// How many there are.
    pub documents_covered: u64,
}

/// How far a passage covers a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentCoverage {
    /// Its id.
    pub document: String,
    /// Its words.
    pub words: u64,
    /// How many of them are in runs that the passage has too.
    pub covered: u64,
}

impl Coverage {
    /// The share of the passage that is in the source, from 0 to 1.
    pub fn of_passage(&self) -> f64 {
        share(self.passage_covered, self.passage_words)
    }

    /// The share of the source that is in the passage, from 0 to 1.
    pub fn of_source(&self) -> f64 {
        share(self.source_covered, self.source_words)
    }
}

/// A part of a whole; all of nothing.
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}
