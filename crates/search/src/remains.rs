//! What striking some sources would not remove: facts that other sources tell, and words in a row that stand in others.
//! Not here: what a model knows beside its sources.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    ops::Range,
};

use obelus_corpus::{Document, Probe, ProbeKind};
use serde::{Deserialize, Serialize};
use tantivy::DocId;

use crate::{
    candidates::Budget,
    error::SearchError,
    index::Index,
    passage::most_shared,
    runs::{Passage, Vocabulary},
    shingles::{RUN_WORDS, hashes, winnow},
    words::Words,
};

/// Most facts, and most runs, that are told.
pub const MAX_REMAINS: usize = 1_000;
/// Most places that are told of a run.
const MAX_PLACES: usize = 20;

/// What would remain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remains {
    /// Facts that survivors tell, ascending by source, prompt and answer; at most [`MAX_REMAINS`].
    pub facts: Vec<SharedFact>,
    /// Words in a row that survivors have, longest first; at most [`MAX_REMAINS`].
    pub runs: Vec<SharedRun>,
    /// Whether no limit cut this short.
    pub complete: bool,
}

/// A fact that is still told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SharedFact {
    /// The chosen source.
    pub source: String,
    /// The prompt of the probe that asks for it.
    pub prompt: String,
    /// Its answer.
    pub answer: String,
    /// What the probe says of it.
    pub kind: ProbeKind,
    /// The surviving sources that tell it, ascending.
    pub surviving: Vec<String>,
}

/// Words in a row that are still there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedRun {
    /// Where they first stand in a chosen source.
    pub chosen: RunPlace,
    /// How many words.
    pub words: usize,
    /// Where they stand in survivors: for each source the first place, ascending by source; at most twenty.
    pub surviving: Vec<RunPlace>,
    /// How many surviving sources were found to have them.
    pub surviving_sources: usize,
}

/// A place in a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunPlace {
    /// The source.
    pub source: String,
    /// Its document.
    pub document: String,
    /// Bytes of the document's text.
    pub range: Range<usize>,
}

/// Runs by their words, with the first place in each surviving source.
type Runs = BTreeMap<(Reverse<usize>, String), (RunPlace, BTreeMap<String, RunPlace>)>;

impl Index {
    /// What striking these sources would leave: facts of `probes` that survivors tell too, and runs of at least
    /// `least_words` words that survivors have too. Fewer than [`RUN_WORDS`] are taken as so many, which is what the index
    /// can find.
    ///
    /// # Errors
    /// A source is not in the index, or the index cannot be read.
    pub fn remains(
        &self,
        chosen: &BTreeSet<String>,
        probes: &[Probe],
        least_words: usize,
    ) -> Result<Remains, SearchError> {
        let place = |id: &String| self.stamp.place(id).ok_or_else(|| SearchError::UnknownSource(id.clone()));
        let places: BTreeSet<usize> = chosen.iter().map(place).collect::<Result<_, _>>()?;
        let mut budget = Budget::new(&self.limits);
        let mut facts = self.facts(chosen, probes);
        budget.cut(&mut facts, MAX_REMAINS);
        let runs = self.runs(&places, least_words.max(RUN_WORDS), &mut budget)?;
        Ok(Remains { facts, runs, complete: budget.complete() })
    }

    /// A probe of a chosen source says who else tells its fact. A survivor's probe may say it of a chosen source too, and
    /// is heard where the chosen source has no probe with that answer.
    fn facts(&self, chosen: &BTreeSet<String>, probes: &[Probe]) -> Vec<SharedFact> {
        let survives = |source: &String| !chosen.contains(source) && self.stamp.place(source).is_some();
        let known = probes.iter().filter(|p| p.kind != ProbeKind::Specific && !p.also_in.is_empty());
        let (own, others): (Vec<&Probe>, Vec<&Probe>) = known.partition(|probe| chosen.contains(&probe.source));
        let mut facts: BTreeMap<(&str, &str, &str), (ProbeKind, BTreeSet<&String>)> = BTreeMap::new();
        let answered: HashSet<(&str, &str)> = own.iter().map(|p| (p.source.as_str(), p.answer.as_str())).collect();
        for probe in own {
            let key = (probe.source.as_str(), probe.prompt.as_str(), probe.answer.as_str());
            let fact = facts.entry(key).or_insert((probe.kind, BTreeSet::new()));
            fact.1.extend(probe.also_in.iter().filter(|source| survives(source)));
        }
        for probe in others.into_iter().filter(|probe| survives(&probe.source)) {
            let told = probe.also_in.iter().filter(|source| chosen.contains(*source));
            for source in told.filter(|source| !answered.contains(&(source.as_str(), probe.answer.as_str()))) {
                let key = (source.as_str(), probe.prompt.as_str(), probe.answer.as_str());
                let fact = facts.entry(key).or_insert((probe.kind, BTreeSet::new()));
                fact.1.insert(&probe.source);
                fact.1.extend(probe.also_in.iter().filter(|source| survives(source)));
            }
        }
        let told = facts.into_iter().filter(|(_, (_, surviving))| !surviving.is_empty());
        told.map(|((source, prompt, answer), (kind, surviving))| SharedFact {
            source: source.to_owned(),
            prompt: prompt.to_owned(),
            answer: answer.to_owned(),
            kind,
            surviving: surviving.into_iter().cloned().collect(),
        })
        .collect()
    }

    fn runs(&self, chosen: &BTreeSet<usize>, least: usize, budget: &mut Budget) -> Result<Vec<SharedRun>, SearchError> {
        let mut runs = Runs::new();
        'sources: for place in chosen {
            for doc in self.documents_of(*place)? {
                let document = self.entry(doc)?;
                if !budget.text(document.text.len()) {
                    break 'sources;
                }
                self.compare(&document, chosen, least, &mut runs, budget)?;
                while runs.len() > MAX_REMAINS {
                    runs.pop_last();
                    budget.cut(&mut vec![()], 0);
                }
            }
        }
        let told = runs.into_iter().map(|((Reverse(words), _), (chosen, surviving))| SharedRun {
            chosen,
            words,
            surviving_sources: surviving.len(),
            surviving: surviving.into_values().take(MAX_PLACES).collect(),
        });
        Ok(told.collect())
    }

    /// Adds the runs that a document of a chosen source has in common with survivors.
    fn compare(
        &self,
        document: &Document,
        chosen: &BTreeSet<usize>,
        least: usize,
        runs: &mut Runs,
        budget: &mut Budget,
    ) -> Result<(), SearchError> {
        let words = Words::of(&document.text);
        if words.len() < least {
            return Ok(());
        }
        let mut counts: HashMap<DocId, u32> = HashMap::new();
        self.count_shared(self.fields.shingles, &winnow(&hashes(&words)), &mut counts, budget)?;
        counts.retain(|doc, _| !chosen.contains(&self.source_place(*doc)));
        let mut vocabulary = Vocabulary::default();
        let passage = Passage::new(&vocabulary.numbers(&words), least);
        let mut marks = passage.marks();
        for doc in most_shared(counts, self.limits.documents, budget) {
            let other = self.entry(doc)?;
            if !budget.text(other.text.len()) {
                break;
            }
            let other_words = Words::of(&other.text);
            for run in passage.compare(&vocabulary.numbers(&other_words), &mut marks) {
                let key = (Reverse(run.in_other.len()), words.joined(run.in_passage.clone()));
                let first = || {
                    let range = words.span(run.in_passage.clone());
                    let here = RunPlace { source: document.source.clone(), document: document.id.clone(), range };
                    (here, BTreeMap::new())
                };
                let (_, surviving) = runs.entry(key).or_insert_with(first);
                surviving.entry(other.source.clone()).or_insert_with(|| RunPlace {
                    source: other.source.clone(),
                    document: other.id.clone(),
                    range: other_words.span(run.in_other.clone()),
                });
            }
        }
        Ok(())
    }
}
