//! Trainings that must not go on: one that reads a revoked source would put back what a takedown has taken out. Asked
//! before a training, and again in the transaction that would make it a model. What it has written is then removed.
//!
//! A retrain that was asked for as a job must not read a suppressed source either: it is about to be struck, and the
//! retrain would be trained for nothing.

use std::{fs, io::ErrorKind};

use anyhow::{Context as _, Result};
use obelus_store::{
    Read, audit, baselines,
    baselines::BaselineEnd,
    copies, models,
    models::{Model, ModelStatus},
    sources,
};
use serde_json::json;

use crate::export::LOCK;
use obelus_casework::{Deps, case::SERVICE, fault::point};

/// What a training reads.
pub(crate) struct Reads<'a> {
    /// The lineage.
    pub(crate) lineage: &'a str,
    /// Sources that it leaves out.
    pub(crate) excluded: &'a [String],
    /// Unlearning after the fact trains on what it is to forget.
    pub(crate) unlearns: bool,
    /// Whether suppressed sources are refused as revoked ones are.
    pub(crate) suppressed_too: bool,
}

/// A training reads what must not be trained on.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(pub(crate) String);

/// Why a training must not go on; none when it may.
///
/// # Errors
/// When the database fails.
pub(crate) async fn of(db: &impl Read, reads: &Reads<'_>) -> Result<Option<String>> {
    for source in sources::refused(db, reads.lineage).await? {
        // What came after the training is in another corpus, and no training of this lineage's reads it.
        let left_out = reads.excluded.contains(&source.source_id) && !reads.unlearns;
        if left_out || source.corpus.is_some() {
            continue;
        }
        let (id, lineage) = (&source.source_id, reads.lineage);
        if source.revoked_at.is_some() {
            return Ok(Some(format!(
                "source {id} is revoked in the lineage {lineage}; nothing is trained on it again: leave it out with \
                 --exclude"
            )));
        }
        if reads.suppressed_too {
            return Ok(Some(format!(
                "source {id} is suppressed in the lineage {lineage}, and may be struck; plan the retrain again, without \
                 it"
            )));
        }
    }
    Ok(None)
}

/// As [`of`], as an error.
///
/// # Errors
/// When the training must not go on.
pub(crate) async fn check(db: &impl Read, reads: &Reads<'_>) -> Result<()> {
    match of(db, reads).await? {
        Some(why) => Err(Refused(why).into()),
        None => Ok(()),
    }
}

/// As [`of`], of a model that is being trained.
///
/// # Errors
/// When the database fails.
pub(crate) async fn of_model(db: &impl Read, row: &Model) -> Result<Option<String>> {
    let reads = Reads {
        lineage: &row.lineage,
        excluded: &row.excluded.0,
        unlearns: row.control.as_deref().is_some_and(|control| ["gradient_ascent", "npo"].contains(&control)),
        suppressed_too: baselines::get(db, &row.name).await?.is_some(),
    };
    of(db, &reads).await
}

/// Gives a training up for good: the model is none, and everything that was written of it is removed. Nobody else may
/// write to it meanwhile. Cut off and called again it ends the same.
///
/// # Errors
/// When a file cannot be removed.
pub(crate) async fn give_up(deps: &Deps, name: &str, why: &str) -> Result<()> {
    let now = deps.now();
    let write = deps.db.write().await?;
    let status = models::get(&write, name).await?.map(|row| row.status);
    if status == Some(ModelStatus::Training) {
        models::refuse_training(&write, name).await?;
    }
    let managed = baselines::get(&write, name).await?.is_some();
    let ended = managed && baselines::end(&write, name, BaselineEnd::Refused, why, now).await?;
    if ended || status == Some(ModelStatus::Training) {
        audit::append(&write, now, SERVICE, "refuse_training", name, &json!({ "why": why }).to_string()).await?;
    }
    write.commit().await?;
    point("training-refused");
    if status.is_some() {
        remove_files(deps, name).await?;
    }
    Ok(())
}

/// Removes everything in the folder of a model that is none, but its lock.
async fn remove_files(deps: &Deps, name: &str) -> Result<()> {
    let folder = deps.data.model(name);
    let entries = match fs::read_dir(&folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        other => other.with_context(|| format!("cannot read {}", folder.display()))?,
    };
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
        if entry.file_name() == LOCK {
            continue;
        }
        let (path, is_folder) = (entry.path(), entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.with_context(|| format!("cannot remove {}", path.display()))?;
    }
    let write = deps.db.write().await?;
    for copy in copies::of_model(&write, name).await? {
        copies::record_destruction(&write, copy.id, deps.now()).await?;
    }
    Ok(write.commit().await?)
}
