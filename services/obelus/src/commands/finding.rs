//! Which sources a request means that names none by id: looked for in the texts of the model's corpus. Not here: how
//! (`obelus-search`), and filing.

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, Result};
use obelus_casework::{Deps, NotThere};
use obelus_corpus::Library;
use obelus_search::{Basis, BoundaryMismatch, Fit, Found, Index, MAX_TEXT_BYTES, Match, Query, RUN_WORDS, Remains};
use obelus_store::{models, sources};
use serde::Serialize;

use crate::{arguments::Meant, failure::WrongUse};

/// A source is meant by a passage that it holds at least half of, or that holds at least half of it.
const MOST_OF_IT: f64 = 0.5;

/// What was found.
#[derive(Debug, Serialize)]
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
/// will be struck stays behind in one.
///
/// # Errors
/// When the file cannot be read as text, or there is no such model.
pub async fn find(deps: &Deps, model: &str, meant: &Meant) -> Result<Finding> {
    if !meant.source.is_empty() {
        let sources = meant.source.clone();
        return Ok(Finding { sources, matches: vec![], boundary: vec![], remains: None });
    }
    let row = models::get(&deps.db, model).await?.ok_or_else(|| NotThere::model(model))?;
    let query = query(meant)?;
    let corpus = Library::new(deps.data.corpora()).open(&row.corpus)?;
    let folder = tempfile::tempdir_in(deps.data.root()).context("cannot make a folder for the index")?;
    let index = Index::build(folder.path(), corpus.documents())?;
    let found = index.find(&query)?;
    let mut sources = Vec::new();
    for id in chosen(&found) {
        // What was struck is there no more to be asked for.
        if sources::get(&deps.db, &row.lineage, &id).await?.is_some_and(|source| source.revoked_at.is_none()) {
            sources.push(id);
        }
    }
    let remains = if sources.is_empty() {
        None
    } else {
        let chosen: BTreeSet<String> = sources.iter().cloned().collect();
        Some(index.remains(&chosen, corpus.probes(), RUN_WORDS)?)
    };
    Ok(Finding { sources, matches: found.matches, boundary: found.boundary, remains })
}

fn query(meant: &Meant) -> Result<Query> {
    let Some(file) = &meant.text else { return Ok(Query::Publisher(meant.publisher.clone().unwrap_or_default())) };
    let shown = file.display();
    let length = fs::metadata(file).map_err(|e| WrongUse(format!("cannot read {shown}: {e}")))?.len();
    if length > MAX_TEXT_BYTES as u64 {
        return Err(WrongUse(format!("{shown} has {length} bytes, at most {MAX_TEXT_BYTES}; give a part of it")).into());
    }
    let text = fs::read_to_string(file).map_err(|e| WrongUse(format!("cannot read {shown} as UTF-8: {e}")))?;
    Ok(Query::Text(text))
}

fn chosen(found: &Found) -> Vec<String> {
    let meant = |found: &&Match| {
        let most = |c: &obelus_search::Coverage| c.of_passage() >= MOST_OF_IT || c.of_source() >= MOST_OF_IT;
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
            let why: Vec<String> = found.bases.iter().take(2).map(reason).collect();
            lines.push(format!("{}: {mark}: {}", found.source, why.join("; ")));
        }
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
        lines.join("\n")
    }
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
