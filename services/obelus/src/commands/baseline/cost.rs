//! What a retrain costs, measured and not guessed: its steps and tokens are counted, and its pace is that of its model's own
//! training; where that was not kept, a few steps are timed here.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::ErrorKind,
};

use anyhow::{Context as _, Result};
use obelus_auditor::{
    baselines::{How, Proposal},
    registration::registered,
};
use obelus_casework::{Deps, NotThere};
use obelus_corpus::{Corpus, Library};
use obelus_model::{Control, Measured, ModelRecord, WeightTree};
use obelus_store::models;
use obelus_trainer::{Extent, Order, extent, pace};
use serde::Serialize;
use serde_json::json;

use crate::commands::train::preset_of;

/// Steps that are timed where a model's own training left no pace.
const TIMED_STEPS: u64 = 8;
/// Bytes of a number in a checkpoint.
const NUMBER_BYTES: u64 = 4;

/// What the missing retrains of a proposal cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// How many.
    retrains: usize,
    /// What each costs.
    each: Each,
    /// Steps that the model itself was trained for, where its settings would give others.
    #[serde(skip)]
    fixed_steps: Option<u64>,
}

/// What one retrain costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Each {
    /// Optimizer steps.
    steps: u64,
    /// Targets, over all steps.
    tokens: u64,
    /// Seconds at that pace.
    seconds: f64,
    /// Targets a second.
    tokens_per_second: f64,
    /// How the pace is known.
    pace: String,
    /// `cpu` or `cuda:N`.
    device: String,
    /// Threads of one tensor operation.
    threads: u32,
    /// Bytes that stay: the weights, the optimizer's moments and the weight tree.
    kept_bytes: u64,
    /// The most bytes that the training takes, its kept states among them.
    most_bytes: u64,
    /// The most memory that a process took for it; none where nothing says it. A GPU's own is not in it.
    memory_bytes: Option<u64>,
}

impl Cost {
    /// What the missing retrains of a proposal cost.
    ///
    /// # Errors
    /// When the model's files cannot be read, or a few steps cannot be trained.
    pub async fn of(deps: &Deps, proposal: &Proposal) -> Result<Self> {
        let folder = deps.data.model(&proposal.model);
        let record = ModelRecord::open(&folder)?;
        let corpus = Library::new(deps.data.corpora()).open(&record.corpus)?;
        let order = order(deps, &record, proposal).await?;
        let own = Order { excluded: record.excluded.iter().cloned().collect(), ..order.clone() };
        let own_steps = extent(&own, &corpus)?.steps;
        let fixed_steps = (own_steps != record.outcome.steps).then_some(record.outcome.steps);
        let order = Order { steps: fixed_steps, ..order };
        let Extent { steps, tokens, parameters } = extent(&order, &corpus)?;
        let (measured, pace) = measured(&record, &order, &corpus)?;
        // Weights and two moments for each number.
        let state_bytes = parameters * NUMBER_BYTES * 3;
        let each = Each {
            steps,
            tokens,
            seconds: tokens as f64 / measured.tokens_per_second,
            tokens_per_second: measured.tokens_per_second,
            pace,
            device: order.device,
            threads: order.threads,
            kept_bytes: state_bytes + tree_bytes(&record, &folder)?,
            // A state is written beside the one before it, and the model beside the last.
            most_bytes: 2 * state_bytes,
            memory_bytes: measured.peak_memory_bytes,
        };
        Ok(Self { retrains: proposal.missing.len(), each, fixed_steps })
    }

    /// Seconds for all of them, one after the other.
    pub fn seconds(&self) -> f64 {
        self.each.seconds * self.retrains as f64
    }

    /// How they are trained, as the queue keeps it.
    pub fn how(&self) -> How {
        How {
            steps: self.fixed_steps,
            steps_all: self.each.steps,
            device: self.each.device.clone(),
            threads: self.each.threads,
            cost: json!(self.each),
        }
    }

    /// The cost for people.
    pub fn words(&self) -> String {
        let Each { steps, tokens, seconds, tokens_per_second, pace, device, threads, kept_bytes, .. } = &self.each;
        let memory = match self.each.memory_bytes {
            Some(bytes) => format!(", {} of memory", size(bytes)),
            None => String::new(),
        };
        let mut words = format!(
            "Each takes {steps} steps and {tokens} tokens: {} at {tokens_per_second:.0} tokens a second on {device} with \
             {threads} threads ({pace}); {} of disk for good and {} while it is trained{memory}.\n",
            duration(*seconds),
            size(*kept_bytes),
            size(self.each.most_bytes)
        );
        if self.retrains > 1 {
            let all = size(kept_bytes * self.retrains as u64);
            words += &format!(
                "All {} take {} one after the other, and {all} of disk.\n",
                self.retrains,
                duration(self.seconds())
            );
        }
        words
    }
}

/// The training of one of the missing retrains.
async fn order(deps: &Deps, record: &ModelRecord, proposal: &Proposal) -> Result<Order> {
    let row = models::get(&deps.db, &record.name).await?.ok_or_else(|| NotThere::model(&record.name))?;
    let lineage = registered(deps, &row.lineage).await?;
    let (preset, preset_name) = preset_of(deps, &row)?;
    let missing = proposal.missing.first().context("a cost is that of a missing retrain")?;
    Ok(Order {
        name: missing.name.clone(),
        folder: deps.data.model(&missing.name),
        lineage: lineage.lineage,
        campaign_salt: lineage.campaign_salt,
        preset,
        preset_name,
        control: Control::None,
        unlearn_from: None,
        excluded: proposal.excluded.iter().cloned().collect::<BTreeSet<_>>(),
        sources: lineage.sources.into_iter().map(|(id, source)| (id, source.key)).collect::<BTreeMap<_, _>>(),
        baseline_of: Some(record.name.clone()),
        seed: missing.seed,
        steps: None,
        threads: record.threads,
        // A retrain on another device would differ in more than in what it has not seen.
        device: record.measured.as_ref().map_or_else(|| "cpu".to_owned(), |measured| measured.device.clone()),
        compute: record.compute,
    })
}

/// The pace of a training, and how it is known.
fn measured(record: &ModelRecord, order: &Order, corpus: &Corpus) -> Result<(Measured, String)> {
    if let Some(measured) = &record.measured {
        return Ok((measured.clone(), format!("as the training of {} measured", record.name)));
    }
    tracing::info!("the training of {} left no pace: timing a few steps", record.name);
    let timed = pace(order, corpus, TIMED_STEPS)?;
    let measured = Measured {
        device: order.device.clone(),
        tokens_per_second: timed.tokens_per_second,
        peak_memory_bytes: timed.peak_memory_bytes,
    };
    Ok((measured, format!("as {} steps here measured", timed.steps)))
}

/// Bytes of the weight tree that is kept beside a checkpoint of this shape; 0 where the model's own is not there.
fn tree_bytes(record: &ModelRecord, folder: &std::path::Path) -> Result<u64> {
    let path = WeightTree::cache_path(&record.checkpoint_path(folder));
    match fs::metadata(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(0),
        other => Ok(other.with_context(|| format!("cannot examine {}", path.display()))?.len()),
    }
}

/// A time for people.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    if bytes < 1e9 { format!("{:.1} MB", bytes / 1e6) } else { format!("{:.1} GB", bytes / 1e9) }
}
