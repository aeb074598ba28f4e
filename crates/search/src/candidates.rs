//! Which documents a question may mean: the only place that asks tantivy. Questions are made of terms; no text from outside
//! is read as a query. Not here: whether they are meant (`names.rs`, `passage.rs`), which rests on the documents.

use std::{collections::HashMap, time::Instant};

use tantivy::{
    DocId, DocSet, TERMINATED, Term,
    collector::TopDocs,
    query::{BooleanQuery, EnableScoring, PhraseQuery, Query, TermQuery},
    schema::{Field, IndexRecordOption},
};

use crate::{error::SearchError, fields::terms, index::Index, query::Limits, words::Words};

/// What is left of the work that a question may cause.
pub(crate) struct Budget {
    until: Instant,
    postings: usize,
    text_bytes: usize,
    complete: bool,
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Self {
        let until = Instant::now() + limits.time;
        Self { until, postings: limits.postings, text_bytes: limits.text_bytes, complete: true }
    }

    /// Whether so many more entries of the index may be read.
    fn postings(&mut self, count: usize) -> bool {
        let left = self.postings.checked_sub(count);
        self.postings = left.unwrap_or(0);
        self.allow(left.is_some())
    }

    /// Whether so many more bytes of documents may be compared.
    pub(crate) fn text(&mut self, bytes: usize) -> bool {
        let left = self.text_bytes.checked_sub(bytes);
        self.text_bytes = left.unwrap_or(0);
        self.allow(left.is_some())
    }

    /// Whether something may be done; otherwise the answer is not complete.
    pub(crate) fn allow(&mut self, allowed: bool) -> bool {
        let goes_on = allowed && Instant::now() < self.until;
        self.complete &= goes_on;
        goes_on
    }

    /// The first `limit`, where there may not be more.
    pub(crate) fn cut<T>(&mut self, list: &mut Vec<T>, limit: usize) {
        self.complete &= list.len() <= limit;
        list.truncate(limit);
    }

    /// Whether nothing was left out.
    pub(crate) const fn complete(&self) -> bool {
        self.complete
    }
}

/// These words of a field, in this order and next to each other; none for no words.
pub(crate) fn phrase(field: Field, words: &Words) -> Option<Box<dyn Query>> {
    let terms = terms(field, words);
    match terms.as_slice() {
        [] => None,
        [term] => Some(Box::new(TermQuery::new(term.clone(), IndexRecordOption::Basic))),
        _ => Some(Box::new(PhraseQuery::new(terms))),
    }
}

/// All of these words of a field, wherever.
pub(crate) fn all(field: Field, words: &Words) -> Box<dyn Query> {
    let mut terms = terms(field, words);
    terms.sort_unstable();
    terms.dedup();
    let one = |term| -> Box<dyn Query> { Box::new(TermQuery::new(term, IndexRecordOption::Basic)) };
    Box::new(BooleanQuery::intersection(terms.into_iter().map(one).collect()))
}

impl Index {
    /// Documents that have a term, ascending by id.
    pub(crate) fn postings(&self, term: &Term) -> Result<Vec<DocId>, SearchError> {
        let Some(segment) = self.segment() else { return Ok(Vec::new()) };
        let inverted = segment.inverted_index(term.field()).map_err(|e| self.failed(e))?;
        let postings = inverted.read_postings(term, IndexRecordOption::Basic).map_err(|e| self.failed(e.into()))?;
        let mut docs = Vec::new();
        if let Some(mut postings) = postings {
            while postings.doc() != TERMINATED {
                docs.push(postings.doc());
                postings.advance();
            }
        }
        Ok(docs)
    }

    /// Documents that a query matches, ascending by id.
    pub(crate) fn matching(&self, query: &dyn Query, budget: &mut Budget) -> Result<Vec<DocId>, SearchError> {
        let Some(segment) = self.segment() else { return Ok(Vec::new()) };
        let weight = query.weight(EnableScoring::disabled_from_searcher(&self.searcher)).map_err(|e| self.failed(e))?;
        let mut scorer = weight.scorer(segment, 1.0).map_err(|e| self.failed(e))?;
        let mut docs = Vec::new();
        while scorer.doc() != TERMINATED && budget.postings(1) {
            docs.push(scorer.doc());
            scorer.advance();
        }
        Ok(docs)
    }

    /// Counts for every document how many of these numbers it has, rare numbers first.
    pub(crate) fn count_shared(
        &self,
        field: Field,
        numbers: &[u64],
        counts: &mut HashMap<DocId, u32>,
        budget: &mut Budget,
    ) -> Result<(), SearchError> {
        let Some(segment) = self.segment() else { return Ok(()) };
        let inverted = segment.inverted_index(field).map_err(|e| self.failed(e))?;
        let mut known = Vec::new();
        for number in numbers {
            let term = Term::from_field_u64(field, *number);
            if let Some(info) = inverted.get_term_info(&term).map_err(|e| self.failed(e.into()))? {
                known.push((info.doc_freq, *number, info));
            }
        }
        known.sort_unstable_by_key(|(frequency, number, _)| (*frequency, *number));
        for (frequency, _, info) in known {
            if !budget.postings(frequency as usize) {
                break;
            }
            let read = inverted.read_postings_from_terminfo(&info, IndexRecordOption::Basic);
            let mut postings = read.map_err(|e| self.failed(e.into()))?;
            while postings.doc() != TERMINATED {
                *counts.entry(postings.doc()).or_default() += 1;
                postings.advance();
            }
        }
        Ok(())
    }

    /// How many documents have this word in their text.
    pub(crate) fn text_frequency(&self, word: &str) -> Result<u32, SearchError> {
        let Some(segment) = self.segment() else { return Ok(0) };
        let inverted = segment.inverted_index(self.fields.text).map_err(|e| self.failed(e))?;
        inverted.doc_freq(&Term::from_field_text(self.fields.text, word)).map_err(|e| self.failed(e.into()))
    }

    /// The documents whose text has most of these words, rare ones counting more (BM25).
    pub(crate) fn best(&self, words: &[&str], limit: usize) -> Result<Vec<DocId>, SearchError> {
        let terms = words.iter().map(|word| Term::from_field_text(self.fields.text, word)).collect();
        let query = BooleanQuery::new_multiterms_query(terms);
        let top = self.searcher.search(&query, &TopDocs::with_limit(limit).order_by_score());
        Ok(top.map_err(|e| self.failed(e))?.into_iter().map(|(_, address)| address.doc_id).collect())
    }

    /// Documents of a source, by its place, ascending by id.
    pub(crate) fn documents_of(&self, source_place: usize) -> Result<Vec<DocId>, SearchError> {
        self.postings(&Term::from_field_text(self.fields.source, &self.stamp.sources[source_place].id))
    }
}
