//! Which retrains a verification should have: those that there are and serve, and those that are missing. Nothing is
//! changed here.
//!
//! A retrain serves when it leaves out all that is asked for, and everything that must not be trained on: of those that do
//! the verification takes the ones that leave most out, so these are completed by further seeds.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use obelus_core::Digest;
use obelus_ledger::canonical;
use obelus_model::ModelRecord;
use obelus_store::{
    baselines::{self, BaselineKind},
    jobs::{self, JobKind, JobState},
    models::{self, ModelStatus},
    requests,
};
use serde::Serialize;

use super::panel;
use crate::{registration, subject::Opened};
use obelus_casework::{Deps, NotThere, case};

/// Retrains that make no sense were asked for; the text says why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadBaseline(String);

/// A model's name has at most this many bytes.
const MOST_NAME_BYTES: usize = 64;
/// Hex digits of the digest in a retrain's name.
const SHORT: usize = 8;

/// What the retrains are to leave out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// The sources of a request.
    Case(String),
    /// These sources.
    Sources(Vec<String>),
    /// A panel drawn at random.
    Panel {
        /// How many sources.
        sources: usize,
        /// What it is drawn with.
        seed: u64,
    },
}

/// Retrains that somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The model.
    pub model: String,
    /// What they leave out.
    pub leaves: Leaves,
    /// How many, each with another seed.
    pub seeds: u32,
    /// No retrain serves that leaves out more than is asked for.
    pub exact: bool,
}

/// A retrain that serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Serving {
    /// Its name.
    pub name: String,
    /// Its seed.
    pub seed: u64,
    /// How many sources it leaves out.
    pub excluded: usize,
}

/// A retrain that is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The name that it has or will have.
    pub name: String,
    /// Its seed.
    pub seed: u64,
    /// `new`, `queued`, `running`, `dead`, `refused` or `cancelled`.
    pub state: &'static str,
}

/// Which retrains there should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proposal {
    /// The model.
    pub model: String,
    /// `matched` or `panel`.
    pub kind: &'static str,
    /// What the missing ones leave out, ascending.
    pub excluded: Vec<String>,
    /// Those of them that nobody asked to leave out and that must not be trained on: revoked or suppressed.
    pub refused: Vec<String>,
    /// Sources asked for that came after the training: no retrain has seen them.
    pub later: Vec<String>,
    /// The seed that the panel was drawn with.
    pub panel_seed: Option<u64>,
    /// Retrains that serve already, one for each seed.
    pub serving: Vec<Serving>,
    /// Retrains that are missing.
    pub missing: Vec<Missing>,
}

impl Proposal {
    pub(super) fn kind(&self) -> BaselineKind {
        if self.panel_seed.is_some() { BaselineKind::Panel } else { BaselineKind::Matched }
    }
}

/// Works out which retrains there should be.
///
/// # Errors
/// When the model is not whole, is itself a retrain or has no sinks, or a source is not in it.
pub async fn propose(deps: &Deps, wanted: &Wanted) -> Result<Proposal> {
    let opened = Opened::open(deps, &wanted.model).await?;
    let (model, lineage) = (&opened.row.name, &opened.row.lineage);
    ensure!(
        opened.row.baseline_of.is_none() && opened.row.control.is_none(),
        "{model} is {}, and there are no retrains of those; name the model that requests are about",
        if opened.row.control.is_some() { "a control" } else { "a retrain" }
    );
    ensure!(wanted.seeds > 0, BadBaseline("--seeds takes a number from 1".to_owned()));
    let in_training = |id: &str| opened.sources.get(id).is_some_and(|source| source.corpus.is_none());
    let (asked, panel_seed) = asked(deps, &opened, &wanted.leaves).await?;
    let (asked, later): (BTreeSet<String>, BTreeSet<String>) = asked.into_iter().partition(|id| in_training(id));
    let refused: BTreeSet<String> = opened.refused.iter().filter(|id| in_training(id)).cloned().collect();
    let all: BTreeSet<String> = asked.union(&refused).cloned().collect();
    ensure!(
        !all.is_empty(),
        "every source that was asked for came into {model} after its training: no retrain has seen them, and any one \
         serves"
    );
    let in_corpus = opened.sources.values().filter(|source| source.corpus.is_none()).count();
    let nothing =
        || BadBaseline(format!("that leaves out all {in_corpus} sources of {model}: nothing is left to train on"));
    ensure!(all.len() < in_corpus, nothing());
    let (excluded, serving) = serving(deps, model, all, wanted.exact || panel_seed.is_some()).await?;
    let mut proposal = Proposal {
        model: model.clone(),
        kind: if panel_seed.is_some() { "panel" } else { "matched" },
        refused: refused.difference(&asked).cloned().collect(),
        later: later.into_iter().collect(),
        excluded: excluded.into_iter().collect(),
        panel_seed,
        serving: serving.into_iter().take(wanted.seeds as usize).collect(),
        missing: vec![],
    };
    let have: BTreeSet<u64> = proposal.serving.iter().map(|serving| serving.seed).collect();
    let seeds = (opened.record.seed..).filter(|seed| !have.contains(seed));
    for seed in seeds.take(wanted.seeds as usize - proposal.serving.len()) {
        let name = name(&proposal, lineage, seed)?;
        let state = state(deps, &name).await?;
        proposal.missing.push(Missing { name, seed, state });
    }
    Ok(proposal)
}

/// The sources that are asked for, and the seed of a panel.
async fn asked(deps: &Deps, opened: &Opened, leaves: &Leaves) -> Result<(Vec<String>, Option<u64>)> {
    let model = &opened.row.name;
    match leaves {
        Leaves::Case(reference) => {
            let request = case::existing(deps, reference).await?;
            ensure!(request.model == *model, "{reference} is about {}; name that with --model", request.model);
            Ok((requests::sources(&deps.db, reference).await?, None))
        }
        Leaves::Sources(ids) => {
            for id in ids {
                opened.sources.get(id).ok_or_else(|| NotThere::source(id))?;
            }
            Ok((ids.clone(), None))
        }
        Leaves::Panel { sources, seed } => {
            let trained = |id: &&str| opened.sources.get(*id).is_some_and(|source| source.corpus.is_none());
            let lightable: BTreeSet<&str> = opened.lightable().into_iter().filter(trained).collect();
            let all = opened.corpus.sources().iter().map(|source| source.id.as_str());
            let held: Vec<&str> = all.filter(|id| lightable.contains(id)).collect();
            if *sources == 0 || *sources >= held.len() {
                return Err(BadBaseline(format!(
                    "--panel takes a number from 1 to {}: {model} holds {} sources that may be drawn, and one must stay",
                    held.len().saturating_sub(1),
                    held.len()
                ))
                .into());
            }
            let salt = registration::registered(deps, &opened.row.lineage).await?.campaign_salt;
            Ok((panel::draw(&held, *sources, &salt, *seed), Some(*seed)))
        }
    }
}

/// What the retrains leave out that serve, or else what is asked for; and those retrains, one for each seed.
async fn serving(
    deps: &Deps,
    model: &str,
    asked: BTreeSet<String>,
    exact: bool,
) -> Result<(BTreeSet<String>, Vec<Serving>)> {
    let mut groups: BTreeMap<BTreeSet<String>, BTreeMap<u64, Serving>> = BTreeMap::new();
    for row in models::baselines_of(&deps.db, model).await? {
        let left_out: BTreeSet<String> = row.excluded.0.iter().cloned().collect();
        let serves = if exact { left_out == asked } else { left_out.is_superset(&asked) };
        if row.status != ModelStatus::Ready || row.control.is_some() || !serves {
            continue;
        }
        let seed = ModelRecord::open(&deps.data.model(&row.name))?.seed;
        let serving = Serving { name: row.name, seed, excluded: left_out.len() };
        groups.entry(left_out).or_default().entry(seed).or_insert(serving);
    }
    // Of equals the first by name, as a verification chooses.
    let first = |group: &BTreeMap<u64, Serving>| group.values().map(|serving| serving.name.clone()).min();
    let largest = groups
        .into_iter()
        .max_by(|(a, of_a), (b, of_b)| a.len().cmp(&b.len()).then_with(|| first(of_b).cmp(&first(of_a))));
    Ok(match largest {
        Some((left_out, group)) => (left_out, group.into_values().collect()),
        None => (asked, vec![]),
    })
}

/// The name of a retrain: it follows from what the retrain is, so that one that is asked for twice is trained once.
fn name(proposal: &Proposal, lineage: &str, seed: u64) -> Result<String> {
    let identity = serde_json::json!([lineage, proposal.model, proposal.excluded]);
    let digest = Digest::sha256(canonical::to_bytes(&identity)?).to_string();
    let tail = format!("-{}-{}-s{seed}", proposal.kind, &digest[..SHORT]);
    let head = &proposal.model[..proposal.model.len().min(MOST_NAME_BYTES - tail.len())];
    let name = format!("{head}{tail}");
    registration::check_name(&name)?;
    Ok(name)
}

async fn state(deps: &Deps, name: &str) -> Result<&'static str> {
    let Some(row) = baselines::get(&deps.db, name).await? else {
        let taken = models::get(&deps.db, name).await?.is_some();
        ensure!(!taken, "there already is a model {name}, which was not trained as a job; remove or finish it first");
        return Ok("new");
    };
    if let Some(end) = row.ended {
        return Ok(match end {
            baselines::BaselineEnd::Refused => "refused",
            baselines::BaselineEnd::Cancelled => "cancelled",
        });
    }
    let job = jobs::of_subject(&deps.db, JobKind::TrainBaseline, name).await?;
    Ok(match job.context("a retrain that goes on has a job")?.state {
        JobState::Queued | JobState::Done => "queued",
        JobState::Running => "running",
        JobState::Dead => "dead",
    })
}
