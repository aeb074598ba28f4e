//! Finding by a passage: documents with the same words in a row, near-duplicates, and documents with its rare words. What
//! proposes candidates is never shown; what is shown was compared word by word.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
    ops::Range,
};

use tantivy::DocId;

use crate::{
    answer::{Basis, Coverage, DocumentCoverage, Found, MAX_BASES, MAX_NAMED, Match},
    boundary::{self, Covering},
    candidates::{Budget, phrase},
    error::SearchError,
    index::Index,
    runs::{Marks, Passage, Run, Vocabulary, joined, words_in},
    shingles::{RUN_WORDS, SHINGLE_WORDS, hashes, winnow},
    signature::Signature,
    words::Words,
};

/// Documents that are so alike are near-duplicates.
pub(crate) const NEAR: f64 = 0.5;
/// Rare words of a passage that are looked for one by one.
const RARE_WORDS: usize = 24;
/// Documents with rare words that are looked at.
const RARE_DOCUMENTS: usize = 20;
/// Longest excerpt, in words, that shows where rare words stand.
const EXCERPT_WORDS: usize = 40;

/// A passage, ready to be compared.
struct Sought<'a> {
    words: &'a Words,
    vocabulary: Vocabulary,
    passage: Passage,
    shingles: HashSet<Vec<u32>>,
    rare: HashSet<u32>,
    /// How many rare words were looked for, those that no text has counted too.
    asked: usize,
}

/// A source as it was compared.
struct Compared {
    place: usize,
    bases: Vec<Basis>,
    coverage: Coverage,
    /// Words of the passage that it has.
    covered: Vec<Range<usize>>,
    similarity: f64,
    found: usize,
}

pub(crate) fn find(index: &Index, words: &Words) -> Result<Found, SearchError> {
    let mut budget = Budget::new(&index.limits);
    let rare = rare_words(index, words)?;
    let mut sources: BTreeMap<usize, Vec<DocId>> = BTreeMap::new();
    for doc in candidates(index, words, &rare, &mut budget)? {
        sources.entry(index.source_place(doc)).or_default().push(doc);
    }
    let mut sought = Sought::new(words, &rare);
    let mut compared = Vec::new();
    for (place, docs) in sources {
        let source = sought.compare(index, place, &docs, &mut budget)?;
        if !source.bases.is_empty() {
            compared.push(source);
        }
    }
    compared.sort_by(|a, b| {
        let by_words = b.coverage.passage_covered.cmp(&a.coverage.passage_covered);
        let by_likeness = b.similarity.total_cmp(&a.similarity).then(b.found.cmp(&a.found));
        by_words.then(by_likeness).then(a.place.cmp(&b.place))
    });
    budget.cut(&mut compared, index.limits.sources);
    let sizes = &index.stamp.sources;
    let covering = compared.iter().map(|source| Covering {
        source: &sizes[source.place].id,
        documents: sizes[source.place].documents,
        coverage: &source.coverage,
        words: &source.covered,
    });
    let boundary = boundary::of_passage(words.len(), &covering.collect::<Vec<_>>());
    let matches = compared.iter().map(|source| Match {
        source: sizes[source.place].id.clone(),
        documents: sizes[source.place].documents,
        bases: source.bases.clone(),
        coverage: Some(source.coverage.clone()),
    });
    Ok(Found { matches: matches.collect(), boundary, complete: budget.complete() })
}

/// The words of the passage that fewest texts have, of those that any has.
fn rare_words<'a>(index: &Index, words: &'a Words) -> Result<Vec<&'a str>, SearchError> {
    let mut known = Vec::new();
    for word in words.iter().collect::<HashSet<_>>() {
        let frequency = index.text_frequency(word)?;
        if frequency > 0 {
            known.push((frequency, word));
        }
    }
    known.sort_unstable();
    Ok(known.into_iter().take(RARE_WORDS).map(|(_, word)| word).collect())
}

/// Documents to compare, ascending by source and id. Every document with [`RUN_WORDS`] words in a row of the passage is
/// among them, unless a limit was met; then those that share most.
fn candidates(index: &Index, words: &Words, rare: &[&str], budget: &mut Budget) -> Result<Vec<DocId>, SearchError> {
    let mut counts: HashMap<DocId, u32> = HashMap::new();
    if words.len() < RUN_WORDS {
        if let Some(query) = phrase(index.fields.text, words) {
            counts.extend(index.matching(query.as_ref(), budget)?.into_iter().map(|doc| (doc, 1)));
        }
    } else {
        let hashes = hashes(words);
        let bands: Vec<u64> = Signature::of(&hashes).iter().flat_map(Signature::bands).collect();
        index.count_shared(index.fields.bands, &bands, &mut counts, budget)?;
        index.count_shared(index.fields.shingles, &winnow(&hashes), &mut counts, budget)?;
    }
    for doc in index.best(rare, RARE_DOCUMENTS)? {
        counts.entry(doc).or_default();
    }
    Ok(most_shared(counts, index.limits.documents, budget))
}

/// Those that share most, at most `limit`, ascending.
pub(crate) fn most_shared(counts: HashMap<DocId, u32>, limit: usize, budget: &mut Budget) -> Vec<DocId> {
    let mut ranked: Vec<(Reverse<u32>, DocId)> = counts.into_iter().map(|(doc, n)| (Reverse(n), doc)).collect();
    ranked.sort_unstable();
    budget.cut(&mut ranked, limit);
    let mut docs: Vec<DocId> = ranked.into_iter().map(|(_, doc)| doc).collect();
    docs.sort_unstable();
    docs
}

fn shingles(numbers: &[u32]) -> HashSet<Vec<u32>> {
    numbers.windows(SHINGLE_WORDS.min(numbers.len()).max(1)).map(<[u32]>::to_vec).collect()
}

impl<'a> Sought<'a> {
    fn new(words: &'a Words, rare: &[&str]) -> Self {
        let mut vocabulary = Vocabulary::default();
        let numbers = vocabulary.numbers(words);
        let asked = RARE_WORDS.min(numbers.iter().collect::<HashSet<_>>().len());
        let rare = rare.iter().map(|word| vocabulary.number(word)).collect();
        let passage = Passage::new(&numbers, RUN_WORDS.min(words.len()));
        Self { words, vocabulary, passage, shingles: shingles(&numbers), rare, asked }
    }

    fn compare(
        &mut self,
        index: &Index,
        place: usize,
        docs: &[DocId],
        budget: &mut Budget,
    ) -> Result<Compared, SearchError> {
        let mut marks = self.passage.marks();
        let mut strong = Vec::new();
        let mut weak = Vec::new();
        let (mut similarity, mut found) = (0.0, 0);
        let mut documents = Vec::new();
        for doc in docs {
            let document = index.entry(*doc)?;
            if !budget.text(document.text.len()) {
                break;
            }
            let words = Words::of(&document.text);
            let numbers = self.vocabulary.numbers(&words);
            let (bases, covered) = self.runs(&document.id, &words, &numbers, &mut marks);
            if covered > 0 {
                documents.push(DocumentCoverage { document: document.id.clone(), words: words.len() as u64, covered });
            }
            let alike = self.similarity(&numbers);
            similarity = alike.max(similarity);
            let near = alike >= NEAR;
            if near {
                strong.push(Basis::NearDuplicate { document: document.id.clone(), similarity: alike });
            }
            if let Some((basis, count)) = self.rare(&document.id, &words, &numbers)
                && bases.is_empty()
                && !near
            {
                weak.push((Reverse(count), basis));
                found = found.max(count);
            }
            strong.extend(bases);
        }
        strong.sort_by(|a, b| strength(b).total_cmp(&strength(a)));
        weak.sort_by_key(|(count, _)| *count);
        let bases = strong.into_iter().chain(weak.into_iter().map(|(_, basis)| basis)).take(MAX_BASES).collect();
        let covered = self.passage.covered(&marks);
        documents.sort_by(|a, b| b.covered.cmp(&a.covered).then_with(|| a.document.cmp(&b.document)));
        let coverage = Coverage {
            passage_words: self.words.len() as u64,
            passage_covered: words_in(&covered) as u64,
            source_words: index.stamp.sources[place].words,
            source_covered: documents.iter().map(|d| d.covered).sum(),
            documents_covered: documents.len() as u64,
            documents: documents.into_iter().take(MAX_NAMED).collect(),
        };
        Ok(Compared { place, bases, coverage, covered, similarity, found })
    }

    /// The longest runs of a document, and how many of its words are in runs.
    fn runs(&self, document: &str, words: &Words, numbers: &[u32], marks: &mut Marks) -> (Vec<Basis>, u64) {
        let mut runs = self.passage.compare(numbers, marks);
        let covered = words_in(&joined(runs.iter().map(|run| run.in_other.clone())));
        runs.sort_by_key(|run| Reverse(run.in_other.len()));
        let basis = |Run { in_passage, in_other }| Basis::CommonRun {
            document: document.to_owned(),
            words: in_other.len(),
            in_passage: self.words.span(in_passage),
            in_document: words.span(in_other),
        };
        (runs.into_iter().take(MAX_BASES).map(basis).collect(), covered as u64)
    }

    /// Jaccard similarity of the shingles, exact.
    fn similarity(&self, numbers: &[u32]) -> f64 {
        let own = shingles(numbers);
        let common = own.intersection(&self.shingles).count();
        let all = own.len() + self.shingles.len() - common;
        if all == 0 { 0.0 } else { common as f64 / all as f64 }
    }

    /// Where most rare words stand together, if the document has more than half of them.
    fn rare(&self, document: &str, words: &Words, numbers: &[u32]) -> Option<(Basis, usize)> {
        let places: Vec<usize> = (0..numbers.len()).filter(|i| self.rare.contains(&numbers[*i])).collect();
        let found = places.iter().map(|i| numbers[*i]).collect::<HashSet<_>>().len();
        if found * 2 <= self.asked {
            return None;
        }
        let mut best = 0..0;
        let mut start = 0;
        for end in 0..places.len() {
            while places[end] - places[start] >= EXCERPT_WORDS {
                start += 1;
            }
            if end + 1 - start > best.len() {
                best = start..end + 1;
            }
        }
        let in_document = words.span(places[best.start]..places[best.end - 1] + 1);
        let document = document.to_owned();
        Some((Basis::FullText { document, asked: self.asked, found, in_document }, found))
    }
}

/// Near-duplicates first, the more alike the earlier; then runs, the longer the earlier.
fn strength(basis: &Basis) -> f64 {
    match basis {
        Basis::NearDuplicate { similarity, .. } => f64::from(u32::MAX) + similarity,
        Basis::CommonRun { words, .. } => *words as f64,
        _ => 0.0,
    }
}
