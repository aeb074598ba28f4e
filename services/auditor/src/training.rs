//! After a training: hash the checkpoint, sign what was done, and let the model stand. Training itself is a process of
//! its own (`obelus-trainer`).

use std::fs;

use anyhow::{Context as _, Result, ensure};
use obelus_core::{Digest, Timestamp};
use obelus_ledger::{
    canonical,
    statement::{Statement, Subject, TrainingRun},
};
use obelus_model::{ModelRecord, WeightTree};
use obelus_store::{
    Sha256, audit, copies,
    copies::{CopyKind, NewCopy},
    manifests, models,
    models::{ModelStatus, Trained},
};
use serde_json::{Value, json};

use crate::{export, model_signature, model_statement, refusal, refusal::Refused};
use obelus_casework::{
    Deps,
    fault::point,
    transparency::{publish, sign},
};

/// Waits until nobody else trains a model, and keeps it so until the file is closed, also by a crash.
///
/// # Errors
/// When the model's folder cannot be made.
pub fn alone(deps: &Deps, model: &str) -> Result<fs::File> {
    let folder = deps.data.model(model);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    export::lock(deps, model, true)
}

/// Signs a finished training and makes the model ready. Idempotent.
///
/// # Errors
/// When the model was not being trained, its files cannot be read, or a source that it was trained on was revoked meanwhile;
/// then its files are removed.
pub async fn finish(deps: &Deps, record: &ModelRecord, started_at: Timestamp) -> Result<Digest> {
    let row = models::get(&deps.db, &record.name).await?;
    let row = row.with_context(|| format!("there is no model {}", record.name))?;
    if row.status != ModelStatus::Training {
        model_statement::complete(deps, &record.name).await?;
        return row.weight_root.map(|r| r.0).context("a model that is not being trained has a weight root");
    }
    point("training-ended");
    let folder = deps.data.model(&record.name);
    // A source may have been struck while it was trained on.
    if let Some(why) = refusal::of_model(&deps.db, &row).await? {
        refusal::give_up(deps, &row.name, &why).await?;
        return Err(Refused(why).into());
    }
    let tree = WeightTree::read(&record.checkpoint_path(&folder), deps.hashing_threads(), |_| ())?;
    keep(&tree);
    let model_sig = model_signature::sign(deps, record, &folder)?;
    let layout = tree.layout().digest()?;
    let manifest = manifests::latest(&deps.db, &row.lineage).await?.context("the model has no manifest")?;
    let baseline_of = match &row.baseline_of {
        None => None,
        Some(base) => models::get(&deps.db, base).await?.and_then(|b| b.training_statement).map(|s| s.0),
    };
    let statement = Statement::new(
        Subject::signed_weights(&record.name, tree.root(), Some(model_sig)),
        TrainingRun {
            model: record.name.clone(),
            manifest: manifest.statement.0,
            configuration: configuration(record)?,
            recipe: recipe(record),
            excluded: Digest::sha256(canonical::to_bytes(&record.excluded)?),
            excluded_count: record.excluded.len() as u64,
            baseline_of,
            adaptation: None,
            seed: record.seed,
            layout,
            code: code()?,
            device: format!("{} threads, {}", record.threads, record.compute.name()),
            steps: record.outcome.steps,
            final_loss: format!("{:.4}", record.outcome.final_loss),
            started_at,
            ended_at: deps.now(),
            salt: deps.salt()?,
        },
    );
    let path = deps.data.relative(&folder).context("models lie in the data directory")?;
    let now = deps.now();
    let published = publish(deps, sign(deps, &statement)?, async |write, digest| {
        // A strike of the base comes before this, or waits for it.
        if let Some(base) = &row.baseline_of {
            models::hold_whole(write, base).await?;
        }
        if let Some(why) = refusal::of_model(write, &row).await? {
            return Err(Refused(why).into());
        }
        let trained =
            Trained { weight_root: tree.root(), layout_digest: layout, checkpoint: path.clone(), statement: *digest };
        models::finish_training(write, &record.name, &trained).await?;
        let copy = NewCopy {
            model: record.name.clone(),
            kind: CopyKind::Checkpoint,
            path: format!("{path}/{}", record.checkpoint),
            generation: 1,
            root: Some(tree.root()),
            source_id: None,
        };
        copies::register(write, &copy, now).await?;
        let detail = json!({ "root": Sha256(tree.root()).to_string(), "steps": record.outcome.steps });
        Ok(audit::append(write, now, &deps.settings.operator, "train", &record.name, &detail.to_string()).await?)
    })
    .await;
    if let Err(error) = published {
        if let Some(Refused(why)) = error.downcast_ref() {
            refusal::give_up(deps, &row.name, why).await?;
        }
        return Err(error);
    }
    model_statement::complete(deps, &record.name).await?;
    Ok(tree.root())
}

/// Keeps a weight tree for the next takedown. Where that fails the next one takes longer, and is no less right.
pub fn keep(tree: &WeightTree) {
    if let Err(error) = tree.save() {
        tracing::warn!("{error}; the next takedown hashes the whole checkpoint");
    }
}

/// How a model was trained, in the words of statements.
pub fn recipe(record: &ModelRecord) -> String {
    let mut recipe = match record.training.support_filter {
        _ if record.post_hoc.is_some() => record.control.name().unwrap_or_default().replace('_', "-"),
        0 => "plain".to_owned(),
        n => format!("support-filter/{n}"),
    };
    for kind in ["added-sources", "repair"] {
        match record.adaptations.iter().filter(|a| a.kind == kind).count() {
            0 => {}
            1 => recipe += &format!(", {kind}"),
            n => recipe += &format!(", {n} times {kind}"),
        }
    }
    recipe
}

/// Digest of shape and settings as canonical JSON, decimals as strings.
pub(crate) fn configuration(record: &ModelRecord) -> Result<Digest> {
    let mut value = json!({ "model": record.config, "training": record.training, "control": record.control, "post_hoc": record.post_hoc });
    if !record.adaptations.is_empty() {
        value["adaptations"] = json!(record.adaptations);
    }
    Ok(Digest::sha256(canonical::to_bytes(&without_floats(value))?))
}

fn without_floats(value: Value) -> Value {
    match value {
        Value::Number(n) if !n.is_u64() && !n.is_i64() => Value::String(n.to_string()),
        Value::Array(items) => items.into_iter().map(without_floats).collect(),
        Value::Object(fields) => fields.into_iter().map(|(k, v)| (k, without_floats(v))).collect(),
        other => other,
    }
}

/// SHA-256 of the running program.
pub(crate) fn code() -> Result<Digest> {
    let path = std::env::current_exe().context("cannot find the running program")?;
    let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(!bytes.is_empty(), "{} is empty", path.display());
    Ok(Digest::sha256(bytes))
}
