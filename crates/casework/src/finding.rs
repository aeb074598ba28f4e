//! Which sources of a model a question means: looked for in the texts of its corpus. Not here: how (`obelus-search`), and saying
//! that they are meant, which people do (`triage.rs`).

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use obelus_corpus::Library;
use obelus_search::{Basis, BoundaryMismatch, Coverage, Fit, Found, Index, Match, Query, RUN_WORDS, Remains};
use obelus_store::{models, sources};
use serde::Serialize;

use crate::{Deps, NotThere};

/// A source is meant by a passage that it holds at least half of, or that holds at least half of it.
const MOST_OF_IT: f64 = 0.5;

/// What was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Finding {
    /// The sources that are meant.
    pub sources: Vec<String>,
    /// All that may be meant, and what each match rests on.
    pub matches: Vec<Match>,
    /// Where what is asked for does not end where sources end.
    pub boundary: Vec<BoundaryMismatch>,
    /// What striking them would leave.
    pub remains: Option<Remains>,
}

/// Finds what is meant in the corpus of a model. The index is made for the question and removed again, so that no text of what
/// will be struck stays behind in one. It takes as long as reading the corpus does.
///
/// # Errors
/// When there is no such model, its corpus cannot be read, or the question has no words.
pub async fn find(deps: &Deps, model: &str, query: Query) -> Result<Finding> {
    let row = models::get(&deps.db, model).await?.ok_or_else(|| NotThere::model(model))?;
    let (corpora, corpus, root) = (deps.data.corpora(), row.corpus.clone(), deps.data.root().to_owned());
    let looked = move || -> Result<_> {
        let corpus = Library::new(corpora).open(&corpus)?;
        let folder = tempfile::tempdir_in(root).context("cannot make a folder for the index")?;
        let index = Index::build(folder.path(), corpus.documents())?;
        let found = index.find(&query)?;
        Ok((corpus, folder, index, found))
    };
    let broke_off = "the search broke off";
    let (corpus, folder, index, found) = tokio::task::spawn_blocking(looked).await.context(broke_off)??;
    let mut sources = Vec::new();
    for id in chosen(&found) {
        // What was struck is there no more to be asked for.
        if sources::get(&deps.db, &row.lineage, &id).await?.is_some_and(|source| source.revoked_at.is_none()) {
            sources.push(id);
        }
    }
    let chosen: BTreeSet<String> = sources.iter().cloned().collect();
    let left = move || -> Result<_> {
        let remains = (!chosen.is_empty()).then(|| index.remains(&chosen, corpus.probes(), RUN_WORDS)).transpose()?;
        drop(folder);
        Ok(remains)
    };
    let remains = tokio::task::spawn_blocking(left).await.context(broke_off)??;
    Ok(Finding { sources, matches: found.matches, boundary: found.boundary, remains })
}

fn chosen(found: &Found) -> Vec<String> {
    let meant = |found: &&Match| {
        let most = |c: &Coverage| c.of_passage() >= MOST_OF_IT || c.of_source() >= MOST_OF_IT;
        let published = found.bases.iter().any(|basis| matches!(basis, Basis::Publisher { fit: Fit::Whole, .. }));
        published || found.coverage.as_ref().is_some_and(most)
    };
    let mut sources: Vec<String> = found.matches.iter().filter(meant).map(|found| found.source.clone()).collect();
    sources.sort_unstable();
    sources
}

impl Finding {
    /// What was found, in lines.
    pub fn in_words(&self) -> String {
        let mut lines = Vec::new();
        for found in &self.matches {
            let mark = if self.sources.contains(&found.source) { "meant" } else { "found, not meant" };
            lines.push(format!("{}: {mark}: {}", found.source, reasons(found)));
        }
        lines.extend(self.caveats());
        lines.join("\n")
    }

    /// Where what is asked for does not end where sources end, and what striking them would leave, in lines.
    pub fn caveats(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for mismatch in &self.boundary {
            lines.push(match mismatch {
                BoundaryMismatch::PartOfSource { source, share_left, .. } => format!(
                    "boundary: {:.0} % of {source} is not meant; it is struck whole, and the rest can be taken in as a new \
                     source",
                    100.0 * share_left
                ),
                BoundaryMismatch::AcrossSources { parts, .. } => {
                    let named: Vec<&str> = parts.iter().map(|part| part.source.as_str()).collect();
                    format!("boundary: the text lies across the sources {}", named.join(", "))
                }
            });
        }
        if let Some(remains) = &self.remains {
            lines.push(format!(
                "striking them leaves {} facts that others tell too, and {} passages that stand in others",
                remains.facts.len(),
                remains.runs.len()
            ));
        }
        lines
    }
}

/// What a match rests on, the two strongest reasons.
pub fn reasons(found: &Match) -> String {
    let why: Vec<String> = found.bases.iter().take(2).map(reason).collect();
    why.join("; ")
}

fn reason(basis: &Basis) -> String {
    match basis {
        Basis::Id { exact, .. } => format!("the id{}", if *exact { "" } else { ", nearly" }),
        Basis::Publisher { publisher, .. } => format!("published by {publisher}"),
        Basis::Title { title, .. } => format!("titled {title}"),
        Basis::Name { times, .. } => format!("named {times} times"),
        Basis::FullText { asked, found, .. } => format!("{found} of {asked} rare words"),
        Basis::NearDuplicate { similarity, .. } => format!("nearly the same text ({:.0} %)", 100.0 * similarity),
        Basis::CommonRun { words, .. } => format!("{words} words in a row"),
    }
}
