//! Changing a trained model without retraining it: sources are added, or struck neurons are repaired. Only sinks change,
//! and the weight tree proves it.
//!
//! Here: what both kinds share, from holding the model to putting the new generation in its place. An adaptation that is
//! cut off before its statement is signed leaves the model as it was; after that it is put in place by whoever next adapts
//! or strikes the model. Not here: the training itself (`obelus-trainer`).

mod addition;
mod document;
mod proofs;
mod repair;

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use obelus_core::{Digest, Timestamp};
use obelus_model::{ModelConfig, ModelRecord, SourceMask, WeightTree};
use obelus_policy::Action;
use obelus_store::{
    Micros, adaptations,
    adaptations::{Adaptation, AdaptationKind, AdaptationState, NewAdaptation},
    audit, certificates, copies,
    copies::{CopyKind, NewCopy},
    models,
    requests::RequestState,
};
use serde::Serialize;
use serde_json::json;

pub(crate) use self::repair::zeroed_of;
pub use self::{
    addition::{Rows, add_sources},
    proofs::finish,
    repair::{Figures, measure, repair},
};
use crate::{certificate_files, export, model_signature, model_statement, subject::Opened};
use obelus_casework::{Deps, NotThere, case, fault::point};

/// The record of the generation that is being put in place.
const NEXT_RECORD: &str = "model.next.json";

/// An adaptation that is registered and can be trained. While it exists no takedown zeroes the model and no export is
/// made.
pub struct Begun {
    /// The model as it is.
    pub opened: Opened,
    /// Its shape afterwards.
    pub config: ModelConfig,
    /// The sources that are trained on, ascending, and their masks.
    pub sources: Vec<(String, SourceMask)>,
    /// Neurons that begin anew.
    pub renewed: SourceMask,
    /// The adaptation's row.
    pub row: Adaptation,
    /// Neurons that may differ afterwards.
    changed: SourceMask,
    /// The weight tree of the model as it is, read from end to end.
    before: WeightTree,
    _alone: File,
}

impl Begun {
    /// The new generation's checkpoint and moments are files of these names in the model's folder.
    pub fn files(&self) -> (&str, &str) {
        (&self.row.checkpoint, &self.row.moments)
    }
}

/// An adaptation that has ended.
#[derive(Clone, Debug, Serialize)]
pub struct Ended {
    /// The model.
    pub model: String,
    /// Its generation, as in `model.json`.
    pub generation: u64,
    /// The sources that were trained on.
    pub sources: u64,
    /// Neurons that were allowed to change, over all layers.
    pub neurons: u64,
    /// Weight root before.
    pub root_before: Digest,
    /// Weight root after.
    pub root_after: Digest,
    /// The document that `obelus verify` checks offline, with its proofs beside it.
    pub document: PathBuf,
}

/// A model that is held for an adaptation.
struct Held {
    opened: Opened,
    before: WeightTree,
    alone: File,
}

/// Waits for exports and takedowns of the model, ends what was cut off, and makes sure that the weights are those that
/// were signed.
async fn hold(deps: &Deps, by: &str, model: &str) -> Result<Held> {
    case::permitted(deps, by, Action::Register, None).await?;
    let row = models::get(&deps.db, model).await?.ok_or_else(|| NotThere::model(model))?;
    case::trained(&row)?;
    ensure!(row.control.is_none(), "model {model} is a control without sinks: there is nothing to adapt");
    ensure!(
        row.baseline_of.is_none(),
        "model {model} is a retrain to compare with; adapt {}",
        row.baseline_of.as_deref().unwrap_or_default()
    );
    let alone = export::lock(deps, model, true)?;
    settle(deps, model).await?;
    for request in case::of_model(deps, model).await? {
        ensure!(
            !matches!(request.state, RequestState::Zeroing | RequestState::Verifying),
            "the takedown {0} of {model} is {1} and is judged by the weights that it left: first obelus takedown execute \
             {0} and obelus audit run {0}",
            request.reference,
            request.state
        );
        // A certificate's file holds the layout that the model still has.
        for certificate in certificates::of_request(&deps.db, &request.reference).await? {
            certificate_files::write(deps, &certificate).await?;
        }
    }
    let opened = Opened::open(deps, model).await?;
    let checkpoint = opened.record.checkpoint_path(&deps.data.model(model));
    let before = WeightTree::read(&checkpoint, deps.hashing_threads(), |_| ())?;
    let signed = opened.row.weight_root.context("a finished model has a weight root")?.0;
    ensure!(
        before.root() == signed,
        "{} has the weight root {}, and {signed} was signed: the file was changed outside of Obelus; restore it",
        checkpoint.display(),
        before.root()
    );
    Ok(Held { opened, before, alone })
}

/// Registers an adaptation and the files that it will write.
async fn begin(deps: &Deps, by: &str, held: &Held, kind: AdaptationKind, added: Vec<String>) -> Result<Adaptation> {
    let (row, now) = (&held.opened.row, deps.now());
    let generation = row.generation + 1;
    let name = |file: &str| file.replace(".safetensors", &format!(".g{generation}.safetensors"));
    let new = NewAdaptation {
        model: row.name.clone(),
        kind,
        sources: added,
        checkpoint: name(ModelRecord::CHECKPOINT),
        moments: name(ModelRecord::MOMENTS),
    };
    let folder = deps.data.relative(&deps.data.model(&row.name)).context("models lie in the data directory")?;
    let write = deps.db.write().await?;
    models::hold_whole(&write, &row.name).await?;
    for (kind, file) in [(CopyKind::Checkpoint, &new.checkpoint), (CopyKind::Optimizer, &new.moments)] {
        let path = format!("{folder}/{file}");
        let copy = NewCopy { model: row.name.clone(), kind, path, generation, root: None, source_id: None };
        copies::register(&write, &copy, now).await?;
    }
    let begun = adaptations::begin(&write, new, now).await?;
    let detail = json!({ "kind": kind.to_string(), "sources": begun.sources.0.len() }).to_string();
    audit::append(&write, now, by, "adapt", &row.name, &detail).await?;
    write.commit().await?;
    point("adaptation-begun");
    Ok(begun)
}

/// Ends what an adaptation that was cut off has left: what was signed is put in place, everything else removed. The
/// caller has locked the model.
///
/// # Errors
/// When a file cannot be moved or removed.
pub(crate) async fn settle(deps: &Deps, model: &str) -> Result<()> {
    let Some(open) = adaptations::unfinished(&deps.db, model).await? else { return Ok(()) };
    match open.state {
        AdaptationState::Signed => put_in_place(deps, &open).await,
        _ => discard(deps, &open).await,
    }
}

/// Gives an adaptation up that was not signed. The sources that it registered stay registered, and held by no generation.
///
/// # Errors
/// When a file cannot be removed.
pub async fn give_up(deps: &Deps, begun: Begun) -> Result<()> {
    discard(deps, &begun.row).await
}

async fn discard(deps: &Deps, open: &Adaptation) -> Result<()> {
    let folder = deps.data.model(&open.model);
    tracing::info!("removing what an adaptation of {} that was cut off has left", open.model);
    let gone =
        [open.checkpoint.as_str(), &open.moments, NEXT_RECORD, model_signature::NEXT].map(|file| folder.join(file));
    for path in &gone {
        remove(path)?;
    }
    let write = deps.db.write().await?;
    for copy in copies::of_model(&write, &open.model).await? {
        if gone.contains(&deps.data.place(&copy.path)?) {
            copies::record_destruction(&write, copy.id, deps.now()).await?;
        }
    }
    adaptations::abandon(&write, open.id, deps.now()).await?;
    Ok(write.commit().await?)
}

/// Makes the signed generation the model, and removes the one before.
async fn put_in_place(deps: &Deps, open: &Adaptation) -> Result<()> {
    let folder = deps.data.model(&open.model);
    document::complete(deps, open, &folder).await?;
    let (next, record) = (folder.join(NEXT_RECORD), folder.join(ModelRecord::FILE));
    if next.try_exists().with_context(|| format!("cannot examine {}", next.display()))? {
        fs::rename(&next, &record).with_context(|| format!("cannot put {} in place", record.display()))?;
        let flushed = File::open(&folder).and_then(|f| f.sync_all());
        flushed.with_context(|| format!("cannot flush {}", folder.display()))?;
    }
    let placed = ModelRecord::open(&folder)?;
    ensure!(
        placed.checkpoint == open.checkpoint,
        "{} names the checkpoint {}, and {} was signed; restore the folder from a copy",
        record.display(),
        placed.checkpoint,
        open.checkpoint
    );
    point("adaptation-placed");
    model_signature::put_next(&folder)?;
    let mut gone = Vec::new();
    for copy in copies::of_model(&deps.db, &open.model).await? {
        let path = deps.data.place(&copy.path)?;
        let weights = matches!(copy.kind, CopyKind::Checkpoint | CopyKind::Optimizer);
        let kept = [&open.checkpoint, &open.moments].iter().any(|file| folder.join(file) == path);
        if weights && !kept && path.parent() == Some(&folder) {
            remove(&path)?;
            gone.push(copy.id);
        }
    }
    let write = deps.db.write().await?;
    for id in gone {
        copies::record_destruction(&write, id, deps.now()).await?;
    }
    models::finish_adaptation(&write, &open.model).await?;
    adaptations::finish(&write, open.id, deps.now()).await?;
    write.commit().await?;
    model_statement::complete(deps, &open.model).await
}

/// Removes a checkpoint or moments, and its node cache. What is not there is removed.
fn remove(path: &Path) -> Result<()> {
    for path in [path, &WeightTree::cache_path(path)] {
        match fs::remove_file(path) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                return Err(e).with_context(|| format!("cannot remove {}", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// When an adaptation began.
fn started(row: &Adaptation) -> Timestamp {
    let Micros(at) = row.started_at;
    at
}
