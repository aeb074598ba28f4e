//! Finding by what is written on a source: ids, publishers, titles, and names of persons and works. Not here: finding by a
//! passage (`passage.rs`).

use std::{collections::BTreeMap, ops::Range};

use obelus_corpus::Document;
use tantivy::{DocId, Term, query::BooleanQuery, schema::Field};

use crate::{
    answer::{Basis, Fit, Found, MAX_BASES, MAX_NAMED, Match, Place},
    boundary::{self, BoundaryMismatch},
    candidates::{Budget, all, phrase},
    error::SearchError,
    index::Index,
    words::Words,
};

/// What is written on a document.
#[derive(Clone, Copy)]
pub(crate) enum Label {
    Publisher,
    Title,
}

/// Sources with the documents that were found of each.
type BySource = BTreeMap<usize, Vec<DocId>>;

pub(crate) fn by_id(index: &Index, id: &str, words: &Words) -> Result<Found, SearchError> {
    let mut budget = Budget::new(&index.limits);
    let folded = words.joined(0..words.len());
    let fields = index.fields;
    let with = |field: Field, value: &str| index.postings(&Term::from_field_text(field, value));
    let found = |docs: Vec<DocId>| by_source(index, docs);
    let mut sources = found(with(fields.source, id)?);
    let mut documents = found(with(fields.id, id)?);
    // An id of signs alone has no words to be alike in.
    if !folded.is_empty() {
        sources.append(&mut found(with(fields.source_words, &folded)?));
        for (source, docs) in found(with(fields.id_words, &folded)?) {
            documents.entry(source).or_default().extend(docs);
        }
    }
    let mut ranked = Vec::new();
    for place in sources.keys() {
        let source = &index.stamp.sources[*place].id;
        let exact = source == id;
        ranked.push((0, !exact, *place, vec![Basis::Id { document: None, exact }]));
    }
    let mut mismatches = Vec::new();
    for (place, mut docs) in documents {
        docs.sort_unstable();
        docs.dedup();
        budget.cut(&mut docs, MAX_BASES);
        let mut ids = Vec::new();
        for doc in &docs {
            ids.push(index.entry(*doc)?.id);
        }
        ids.sort_unstable_by_key(|found| found != id);
        let inexact = ids.first().is_none_or(|found| found != id);
        if let Some((.., bases)) = ranked.iter_mut().find(|(_, _, source, _)| *source == place) {
            // A document that is its own source has its id: that says nothing more.
            let more = ids.iter().filter(|document| **document != index.stamp.sources[place].id);
            bases.extend(more.map(|d| Basis::Id { document: Some(d.clone()), exact: d == id }));
            continue;
        }
        mismatches.extend(mismatch(index, place, &docs, ids.clone()));
        let bases = ids.into_iter().map(|d| Basis::Id { exact: d == id, document: Some(d) }).collect();
        ranked.push((1, inexact, place, bases));
    }
    ranked.sort_by_key(|(kind, inexact, place, _)| (*inexact, *kind, *place));
    Ok(answer(index, ranked.into_iter().map(|(_, _, place, bases)| (place, bases)).collect(), mismatches, budget))
}

pub(crate) fn by_label(index: &Index, label: Label, words: &Words) -> Result<Found, SearchError> {
    let mut budget = Budget::new(&index.limits);
    let field = match label {
        Label::Publisher => index.fields.publisher,
        Label::Title => index.fields.title,
    };
    let docs = index.matching(all(field, words).as_ref(), &mut budget)?;
    let mut ranked = Vec::new();
    let mut mismatches = Vec::new();
    for (place, docs) in by_source(index, docs) {
        if !budget.allow(true) {
            break;
        }
        let mut fits: BTreeMap<(Fit, String), String> = BTreeMap::new();
        let mut ids = Vec::new();
        for doc in docs.iter().take(MAX_NAMED) {
            let document = index.entry(*doc)?;
            let value = match label {
                Label::Publisher => document.publisher,
                Label::Title => document.title,
            };
            ids.push(document.id.clone());
            if let Some((fit, value)) = value.and_then(|value| Some((fit(&value, words)?, value))) {
                fits.entry((fit, value)).or_insert(document.id);
            }
        }
        let Some(best) = fits.keys().next().map(|(fit, _)| *fit) else { continue };
        mismatches.extend(mismatch(index, place, &docs, ids));
        let basis = |((fit, value), document)| match label {
            Label::Publisher => Basis::Publisher { document, publisher: value, fit },
            Label::Title => Basis::Title { document, title: value, fit },
        };
        ranked.push((best, place, fits.into_iter().take(MAX_BASES).map(basis).collect::<Vec<_>>()));
    }
    ranked.sort_by_key(|(fit, place, _)| (*fit, *place));
    Ok(answer(index, ranked.into_iter().map(|(_, place, bases)| (place, bases)).collect(), mismatches, budget))
}

/// A person or work: in titles and publishers before texts, then where it is named in most documents. The last of several
/// words may also stand first, as in lists of persons.
pub(crate) fn by_name(index: &Index, words: &Words) -> Result<Found, SearchError> {
    let mut budget = Budget::new(&index.limits);
    let orders = orders(words);
    let fields = index.fields;
    let mut places: BTreeMap<usize, [Vec<DocId>; 3]> = BTreeMap::new();
    for (kind, field) in [fields.title, fields.publisher, fields.text].into_iter().enumerate() {
        let query = BooleanQuery::union(orders.iter().filter_map(|order| phrase(field, order)).collect());
        for (place, docs) in by_source(index, index.matching(&query, &mut budget)?) {
            places.entry(place).or_default()[kind] = docs;
        }
    }
    let mut ranked: Vec<(usize, [Vec<DocId>; 3])> = places.into_iter().collect();
    ranked.sort_by_key(|(place, kinds)| {
        let first = kinds.iter().position(|docs| !docs.is_empty());
        (first, std::cmp::Reverse(kinds.iter().map(Vec::len).sum::<usize>()), *place)
    });
    budget.cut(&mut ranked, index.limits.sources);
    let mut matches = Vec::new();
    for (place, kinds) in ranked {
        let mut bases = Vec::new();
        for (kind, docs) in [Place::Title, Place::Publisher, Place::Text].into_iter().zip(kinds) {
            for doc in docs.into_iter().take(MAX_BASES.saturating_sub(bases.len())) {
                let document = index.entry(doc)?;
                if !budget.text(document.text.len()) {
                    break;
                }
                bases.extend(named(&document, kind, &orders));
            }
        }
        if !bases.is_empty() {
            matches.push((place, bases));
        }
    }
    Ok(answer(index, matches, Vec::new(), budget))
}

/// The words in the orders in which a name may be written.
fn orders(words: &Words) -> Vec<Words> {
    let all: Vec<&str> = words.iter().collect();
    let mut orders = vec![words.clone()];
    if all.len() > 1 {
        for turns in [1, all.len() - 1] {
            let mut turned = all.clone();
            turned.rotate_left(turns);
            orders.push(Words::of(&turned.join(" ")));
        }
    }
    orders.dedup();
    orders
}

/// Where a document names something, looked up in the document itself.
fn named(document: &Document, place: Place, orders: &[Words]) -> Option<Basis> {
    let value = match place {
        Place::Title => document.title.as_deref()?,
        Place::Publisher => document.publisher.as_deref()?,
        Place::Text => &document.text,
    };
    let words = Words::of(value);
    let mut at: Vec<Range<usize>> = orders.iter().flat_map(|order| stands(&words, order)).collect();
    at.sort_unstable_by_key(|range| (range.start, range.end));
    at.dedup();
    let range = words.span(at.first()?.clone());
    Some(Basis::Name { document: document.id.clone(), place, range, times: at.len() })
}

/// Where some words stand together among others.
fn stands(words: &Words, sought: &Words) -> Vec<Range<usize>> {
    let ends = sought.len()..=words.len();
    let here = |end: &usize| (0..sought.len()).all(|i| words.word(end - sought.len() + i) == sought.word(i));
    ends.filter(here).map(|end| end - sought.len()..end).collect()
}

fn fit(value: &str, sought: &Words) -> Option<Fit> {
    let words = Words::of(value);
    let has = |word: &str| words.iter().any(|own| own == word);
    if words.len() == sought.len() && words.iter().eq(sought.iter()) {
        Some(Fit::Whole)
    } else if !stands(&words, sought).is_empty() {
        Some(Fit::Phrase)
    } else {
        sought.iter().all(has).then_some(Fit::Words)
    }
}

fn by_source(index: &Index, docs: Vec<DocId>) -> BySource {
    let mut sources = BySource::new();
    for doc in docs {
        sources.entry(index.source_place(doc)).or_default().push(doc);
    }
    sources
}

/// What a request for these documents of a source would strike beside them.
fn mismatch(index: &Index, place: usize, docs: &[DocId], ids: Vec<String>) -> Option<BoundaryMismatch> {
    let source = &index.stamp.sources[place];
    let words = docs.iter().map(|doc| index.word_count(*doc)).sum();
    boundary::of_documents(&source.id, (source.documents, source.words), ids, (docs.len() as u64, words))
}

fn answer(
    index: &Index,
    mut found: Vec<(usize, Vec<Basis>)>,
    mut boundary: Vec<BoundaryMismatch>,
    mut budget: Budget,
) -> Found {
    budget.cut(&mut found, index.limits.sources);
    budget.cut(&mut boundary, index.limits.sources);
    let matches = found
        .into_iter()
        .map(|(place, bases)| {
            let source = &index.stamp.sources[place];
            Match { source: source.id.clone(), documents: source.documents, bases, coverage: None }
        })
        .collect();
    Found { matches, boundary, complete: budget.complete() }
}
