//! Where a request does not end where sources end: it means a part of a source, which can only be struck whole, or it cuts
//! across several. Found from what was matched; what to do about it is for persons to decide.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{
    answer::{Coverage, MAX_NAMED, share},
    runs::{joined, words_in},
    shingles::RUN_WORDS,
};

/// A source that is covered so far is meant whole: the rest is headings and the like.
const WHOLE: f64 = 0.95;
/// A further source counts if it has so much of a passage that the ones before lack.
const FURTHER: f64 = 0.05;

/// What the request would strike beyond what it means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BoundaryMismatch {
    /// The request means a part of a source. To strike only that, the source is struck whole and the rest taken in anew.
    PartOfSource {
        /// The source.
        source: String,
        /// Documents that are meant, whole or in part; at most a hundred.
        documents_meant: Vec<String>,
        /// How many documents are not meant at all.
        documents_left: u64,
        /// The share of the source's words that is not meant, from 0 to 1.
        share_left: f64,
    },
    /// A passage has words from several sources, and no one of them has it all.
    AcrossSources {
        /// The sources, and how many words of the passage each has that the ones before it lack.
        parts: Vec<Part>,
        /// Words of the passage that none of them has.
        words_elsewhere: u64,
    },
}

/// What a source has of a passage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The source.
    pub source: String,
    /// Words.
    pub words: u64,
}

/// A source with its coverage, and the words of the passage that it has.
pub(crate) struct Covering<'a> {
    pub(crate) source: &'a str,
    pub(crate) documents: u64,
    pub(crate) coverage: &'a Coverage,
    pub(crate) words: &'a [Range<usize>],
}

/// The mismatches of a passage. Sources are taken by how much each adds to those before it, so that one which only shares
/// phrases with the others is not said to be meant.
pub(crate) fn of_passage(passage_words: usize, found: &[Covering<'_>]) -> Vec<BoundaryMismatch> {
    let least = RUN_WORDS.min(passage_words).max((passage_words as f64 * FURTHER) as usize);
    let mut covered: Vec<Range<usize>> = Vec::new();
    let mut parts: Vec<Part> = Vec::new();
    let mut meant = Vec::new();
    // One that was taken adds nothing any more.
    for _ in 0..found.len() {
        let before = words_in(&covered);
        let added = |c: &Covering<'_>| words_in(&union(&covered, c.words)) - before;
        // Of equals the first, which is the likelier one.
        let best = found.iter().map(|c| (added(c), c)).rev().max_by_key(|(added, _)| *added);
        let Some((words, best)) = best.filter(|(added, _)| *added >= least) else { break };
        covered = union(&covered, best.words);
        parts.push(Part { source: best.source.to_owned(), words: words as u64 });
        meant.push(best);
    }
    let mut mismatches = Vec::new();
    if parts.len() > 1 {
        let words_elsewhere = (passage_words - words_in(&covered)) as u64;
        mismatches.push(BoundaryMismatch::AcrossSources { parts, words_elsewhere });
    }
    mismatches.extend(meant.into_iter().filter_map(part_covered));
    mismatches
}

fn part_covered(covering: &Covering<'_>) -> Option<BoundaryMismatch> {
    let Covering { source, documents, coverage, .. } = covering;
    (coverage.of_source() < WHOLE).then(|| BoundaryMismatch::PartOfSource {
        source: (*source).to_owned(),
        documents_meant: coverage.documents.iter().map(|d| d.document.clone()).collect(),
        documents_left: documents - coverage.documents_covered,
        share_left: 1.0 - coverage.of_source(),
    })
}

/// The mismatch of a source of which only some documents are meant, by their ids and the sum of their words.
pub(crate) fn of_documents(
    source: &str,
    (documents, words): (u64, u64),
    meant: Vec<String>,
    (documents_meant, words_meant): (u64, u64),
) -> Option<BoundaryMismatch> {
    (documents_meant < documents).then(|| BoundaryMismatch::PartOfSource {
        source: source.to_owned(),
        documents_meant: meant.into_iter().take(MAX_NAMED).collect(),
        documents_left: documents - documents_meant,
        share_left: 1.0 - share(words_meant, words),
    })
}

fn union(a: &[Range<usize>], b: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut all: Vec<Range<usize>> = a.iter().chain(b).cloned().collect();
    all.sort_unstable_by_key(|r| (r.start, r.end));
    joined(all.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coverage(source_words: u64, source_covered: u64) -> Coverage {
        Coverage {
            passage_words: 100,
            passage_covered: 0,
            source_words,
            source_covered,
            documents: Vec::new(),
            documents_covered: 1,
        }
    }

    // One range, as one passage of a source.
    #[allow(clippy::single_range_in_vec_init)]
    #[test]
    fn a_source_that_only_shares_phrases_is_not_cut() {
        let whole = coverage(100, 100);
        let found = [
            Covering { source: "a", documents: 1, coverage: &whole, words: &[0..100] },
            Covering { source: "b", documents: 1, coverage: &coverage(100, 10), words: &[20..30] },
        ];
        assert_eq!(of_passage(100, &found), []);
    }

    // One range, as one passage of a source.
    #[allow(clippy::single_range_in_vec_init)]
    #[test]
    fn a_passage_of_two_sources_cuts_across_both() {
        let (a, b) = (coverage(60, 60), coverage(300, 30));
        let found = [
            Covering { source: "a", documents: 1, coverage: &a, words: &[0..60] },
            Covering { source: "b", documents: 3, coverage: &b, words: &[50..80] },
        ];
        let part = |source: &str, words| Part { source: source.into(), words };
        let expected = [
            BoundaryMismatch::AcrossSources { parts: vec![part("a", 60), part("b", 20)], words_elsewhere: 20 },
            BoundaryMismatch::PartOfSource {
                source: "b".into(),
                documents_meant: Vec::new(),
                documents_left: 2,
                share_left: 0.9,
            },
        ];
        assert_eq!(of_passage(100, &found), expected);
    }
}
