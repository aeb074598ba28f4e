//! The end of an adaptation: the weight tree shows that nothing but its neurons changed, the run is signed, and the new
//! generation is put in place. Where anything else changed nothing is signed and the model stays what it was.

use anyhow::{Context as _, Result};
use obelus_core::Digest;
use obelus_ledger::{
    canonical,
    change_proof::ChangeProof,
    growth_proof::GrowthProof,
    manifest::list_digest,
    node_tree::NodeTree,
    statement::{self as statements, Statement, Subject, TrainingRun},
};
use obelus_model::{ModelRecord, WeightTree};
use obelus_store::{adaptations, audit, copies, manifests, models, models::Trained, sources};
use serde_json::json;

use super::{
    Begun, Ended, NEXT_RECORD,
    document::{self, Files},
    settle, started,
};
use crate::{
    model_signature,
    plan::neurons_digest,
    training::{code, configuration, keep, recipe},
};
use obelus_casework::{
    Deps,
    durable::write_durably,
    fault::point,
    transparency::{publish, sign},
    triggers,
};

/// Digests of what else the statement names.
struct Cited {
    /// Of the file of figures.
    measurement: Option<Digest>,
    /// Of the folder with the new generation in place.
    model_sig: Digest,
}

/// Digests of the proofs' files.
struct Proofs {
    grown: Option<Digest>,
    changed: Digest,
}

/// Proves, signs and puts in place what was trained. `record` is the new generation's; `measurement` a file of figures
/// about it.
///
/// # Errors
/// When something changed that was not to change, or a file cannot be read or written. Before the signature the model
/// stays what it was; after it, the next adaptation or takedown ends what is left to do.
pub async fn finish(deps: &Deps, begun: Begun, record: &ModelRecord, measurement: Option<&[u8]>) -> Result<Ended> {
    point("adaptation-trained");
    let folder = deps.data.model(&record.name);
    let after = WeightTree::read(&folder.join(&begun.row.checkpoint), deps.hashing_threads(), |_| ())?;
    let files = Files::of(&deps.data, record);
    let proofs = prove(&begun, &files, &after)?;
    let measured = match measurement {
        None => None,
        Some(bytes) => {
            write_durably(&files.measurement(), bytes)?;
            Some(Digest::sha256(bytes))
        }
    };
    document::draft(&files, &begun, &after, proofs.grown.is_some())?;
    // The record takes the place of the model's with one rename, once the statement is signed.
    write_durably(&folder.join(NEXT_RECORD), record.to_text()?.as_bytes())?;
    let model_sig = model_signature::sign_next(deps, record, &folder, NEXT_RECORD, &replaced(deps, &begun).await?)?;
    point("adaptation-proved");
    state(deps, &begun, record, &after, &proofs, Cited { measurement: measured, model_sig }).await?;
    point("adaptation-signed");
    settle(deps, &record.name).await?;
    keep(&after);
    Ok(Ended {
        model: record.name.clone(),
        generation: record.generation,
        sources: begun.sources.len() as u64,
        neurons: count(&begun),
        root_before: begun.before.root(),
        root_after: after.root(),
        document: files.document(),
    })
}

/// Names of the checkpoints and moments in the model's folder that the new generation replaces.
async fn replaced(deps: &Deps, begun: &Begun) -> Result<Vec<String>> {
    let folder = deps.data.model(&begun.row.model);
    let mut names = Vec::new();
    for copy in copies::of_model(&deps.db, &begun.row.model).await? {
        let path = deps.data.place(&copy.path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kept = [&begun.row.checkpoint, &begun.row.moments].contains(&&name);
        if !copy.kind.is_export() && path.parent() == Some(&folder) && !kept {
            names.push(name);
        }
    }
    Ok(names)
}

/// Neurons that were allowed to change, over all layers.
fn count(begun: &Begun) -> u64 {
    begun.changed.per_layer.iter().map(|l| l.len() as u64).sum()
}

/// Writes both proofs, or says what else changed.
fn prove(begun: &Begun, files: &Files, after: &WeightTree) -> Result<Proofs> {
    let grew = (begun.before.layout() != after.layout()).then(|| GrowthProof::new(begun.before.nodes()));
    let grown = match &grew {
        None => begun.before.nodes().clone(),
        Some(proof) => NodeTree::new(proof.grown(begun.before.layout(), after.layout())?),
    };
    let change = ChangeProof::new(&grown, after.nodes(), &after.leaves_of(&begun.changed)?)
        .context("the adaptation changed more than its neurons; nothing is signed, and the model stays as it was")?;
    let bytes = change.to_gzip()?;
    write_durably(&files.change_proof(), &bytes)?;
    let changed = Digest::sha256(&bytes);
    let Some(proof) = grew else { return Ok(Proofs { grown: None, changed }) };
    let bytes = proof.to_gzip()?;
    write_durably(&files.growth_proof(), &bytes)?;
    Ok(Proofs { grown: Some(Digest::sha256(&bytes)), changed })
}

/// Signs the run; in the same transaction the model is of the new generation.
async fn state(
    deps: &Deps,
    begun: &Begun,
    record: &ModelRecord,
    after: &WeightTree,
    proofs: &Proofs,
    cited: Cited,
) -> Result<()> {
    let row = &begun.opened.row;
    let layout = after.layout().digest()?;
    let manifest = manifests::latest(&deps.db, &row.lineage).await?.context("the model has a manifest")?;
    let outcome = record.adaptations.last().context("the record names the adaptation")?;
    let mut trained = Vec::with_capacity(begun.sources.len());
    for (id, _) in &begun.sources {
        let source = sources::get(&deps.db, &row.lineage, id).await?.context("a source is registered")?;
        trained.push((Digest::new(source.record_key.0), Digest::sha256(&source.record)));
    }
    let statement = Statement::new(
        Subject::signed_weights(&record.name, after.root(), Some(cited.model_sig)),
        TrainingRun {
            model: record.name.clone(),
            manifest: manifest.statement.0,
            configuration: configuration(record)?,
            recipe: recipe(record),
            excluded: Digest::sha256(canonical::to_bytes(&record.excluded)?),
            excluded_count: record.excluded.len() as u64,
            baseline_of: None,
            adaptation: Some(statements::Adaptation {
                kind: begun.row.kind.to_string(),
                generation: record.generation,
                continues: row.training_statement.context("a finished model has a training statement")?.0,
                root_before: begun.before.root(),
                layout_before: begun.before.layout().digest()?,
                grown: proofs.grown,
                changed: proofs.changed,
                neurons: neurons_digest(&begun.changed)?,
                neuron_count: count(begun),
                sources: list_digest(trained)?,
                source_count: begun.sources.len() as u64,
                measurement: cited.measurement,
            }),
            seed: outcome.seed,
            layout,
            code: code()?,
            device: format!("{} threads, {}", outcome.threads, record.compute.name()),
            steps: outcome.outcome.steps,
            final_loss: format!("{:.4}", outcome.outcome.final_loss),
            started_at: started(&begun.row),
            ended_at: deps.now(),
            salt: deps.salt()?,
        },
    );
    let now = deps.now();
    publish(deps, sign(deps, &statement)?, async |write, digest| {
        let adapted = Trained {
            weight_root: after.root(),
            layout_digest: layout,
            checkpoint: row.checkpoint.clone(),
            statement: *digest,
        };
        models::adapt(write, &record.name, row.generation, &adapted).await?;
        adaptations::record_statement(write, begun.row.id, digest).await?;
        for id in &begun.row.sources.0 {
            sources::hold_since(write, &row.lineage, id, row.generation + 1).await?;
        }
        for copy in copies::of_model(write, &record.name).await? {
            if copy.path.ends_with(&format!("/{}", begun.row.checkpoint)) {
                copies::record_root(write, copy.id, &after.root()).await?;
            }
        }
        let what = format!("weights changed: {} of generation {}", begun.row.kind, record.generation);
        triggers::changed(write, &record.name, &what, now).await?;
        let detail = json!({ "root": after.root(), "kind": begun.row.kind.to_string() }).to_string();
        Ok(audit::append(write, now, &deps.settings.operator, "sign_adaptation", &record.name, &detail).await?)
    })
    .await?;
    Ok(())
}
