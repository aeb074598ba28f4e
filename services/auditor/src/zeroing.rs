//! The steps of a takedown that touch weights: the row proof first, then zeros, then the root after. Not here: who may,
//! and what is signed (`strike.rs`).
//!
//! The row proof is on disk before the first row is touched: it holds the hashes of rows that will be gone.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use obelus_core::Digest;
use obelus_ledger::row_proof::RowProof;
use obelus_model::{CacheMismatch, ModelRecord, SourceMask, WeightFile, WeightTree, checkpoint_layout};
use obelus_store::{
    copies,
    erasures::{self, NewErasure, TargetState},
    models,
    requests::{self, RequestState},
    sources,
};

use crate::{
    adaptation, export, hosts, model_signature,
    plan::{self, Plan},
    progress::Progress,
    registration::Assigned,
    targets::{self, Strike, Trees},
    training::keep,
};
use obelus_casework::{
    Deps,
    durable::write_durably,
    fault::point,
    step::{Act, take},
};

/// Puts the row proof on disk, then takes the step from which there is no way back. Gives the tree before.
pub(crate) async fn begin(deps: &Deps, executor: &str, plan: &Plan) -> Result<WeightTree> {
    let folder = deps.data.model(&plan.model);
    let checkpoint = ModelRecord::open(&folder)?.checkpoint_path(&folder);
    let union = struck(deps, &plan.model, &plan.sources).await?;
    ensure!(plan::neurons_digest(&union)? == plan.neurons, "the neurons are not those of the approved plan");
    let (tree, _) = open(deps, &checkpoint, &plan.root_before, &union)?;
    ensure!(
        tree.root() == plan.root_before,
        "{} has the weight root {}, and {} was signed: the file was changed outside of Obelus; restore it",
        checkpoint.display(),
        tree.root(),
        plan.root_before
    );
    let proof = RowProof::new(tree.nodes(), &tree.leaves_of(&union)?)?;
    let path = proof_path(deps, &plan.reference);
    write_durably(&path, &proof.to_bytes()?)?;
    point("row-proof-written");
    let act = Act::new("execute", executor, RequestState::WindowOpen, RequestState::Zeroing);
    take(deps, &plan.reference, &[act], vec![], async |write, _| {
        requests::begin_zeroing(write, &plan.reference, deps.now()).await?;
        models::begin_strike(write, &plan.model).await?;
        // Read here and no earlier: from the line above on, no copy of this model is registered, and no host begins.
        let copies = copies::of_model(write, &plan.model).await?;
        let hosts = obelus_store::hosts::of_model(write, &plan.model).await?;
        // What answers forgets first.
        let targets = hosts.iter().map(hosts::target);
        let erasure = NewErasure {
            request: plan.reference.clone(),
            model: plan.model.clone(),
            root_before: plan.root_before,
            targets: targets.chain(copies.into_iter().map(|copy| (copy.kind.to_string(), copy.path))).collect(),
        };
        erasures::begin(write, &erasure, deps.now()).await?;
        Ok(())
    })
    .await?;
    point("strike-begun");
    Ok(tree)
}

/// The weight tree from the node cache, where that is about this very file and the root that was signed, else from the
/// file; and whether it came from the cache.
pub(crate) fn open(deps: &Deps, checkpoint: &Path, signed: &Digest, mask: &SourceMask) -> Result<(WeightTree, bool)> {
    let (tree, mismatch) = WeightTree::open(checkpoint, signed, mask, deps.hashing_threads(), |_| ())?;
    let cache = WeightTree::cache_path(checkpoint);
    match &mismatch {
        None => tracing::info!("took the weight tree from its node cache {}", cache.display()),
        Some(CacheMismatch::Missing) => tracing::info!("hashed the checkpoint {}", checkpoint.display()),
        Some(other) => tracing::warn!("node cache {}: {other}; hashed the whole checkpoint", cache.display()),
    }
    Ok((tree, mismatch.is_none()))
}

/// Where the row proof of a request lies.
pub fn proof_path(deps: &Deps, reference: &str) -> PathBuf {
    deps.data.certificates().join(format!("{reference}.rowproof.json"))
}

/// The neurons of the sources of a takedown, from their seeds.
pub(crate) async fn struck(deps: &Deps, model: &str, ids: &[String]) -> Result<SourceMask> {
    let row = models::get(&deps.db, model).await?.with_context(|| format!("there is no model {model}"))?;
    let config = ModelRecord::open(&deps.data.model(model))?.config;
    let mut masks = Vec::new();
    for id in ids {
        let source = sources::get(&deps.db, &row.lineage, id).await?;
        let source = source.with_context(|| format!("source {id} is not registered"))?;
        masks.push(Assigned::from(&source).key.mask(&config)?);
    }
    Ok(SourceMask::union(&masks))
}

/// Erases every target that is not done. What is done twice is done once: zeros stay zeros. Takes the tree before and
/// gives the tree after, where there is one that still describes the checkpoint.
pub(crate) async fn zero(
    deps: &Deps,
    reference: &str,
    before: Option<WeightTree>,
    progress: &Progress,
) -> Result<Option<WeightTree>> {
    let erasure = erasures::get(&deps.db, reference).await?.context("the takedown was not begun")?;
    let ids = requests::sources(&deps.db, reference).await?;
    let union = struck(deps, &erasure.model, &ids).await?;
    let width = ModelRecord::open(&deps.data.model(&erasure.model))?.config.d_model;
    let strike = Strike { reference, model: &erasure.model, sources: &ids, union: &union, width };
    let mut trees = Trees { before, after: None };
    // An export under way was registered before the strike began: what it writes must be there to be found.
    let _alone = export::lock(deps, &erasure.model, true)?;
    // An adaptation that began before the strike and found it begun has given way: what it was writing is removed.
    adaptation::settle(deps, &erasure.model).await?;
    // From here until the new weights are signed the folder has no signature; a stale one would vouch for a half-struck file.
    model_signature::remove(&deps.data.model(&erasure.model))?;
    point("signature-removed");
    let targets = erasures::targets(&deps.db, reference).await?;
    for (number, target) in targets.iter().enumerate() {
        if target.state == TargetState::Done {
            continue;
        }
        progress.stage(&format!("erasing {} of {}: the {} {}", number + 1, targets.len(), target.kind, target.path));
        let done = targets::erase(deps, &strike, target, &mut trees).await;
        let (state, evidence) = match &done {
            Ok(evidence) => (TargetState::Done, serde_json::to_string(evidence)?),
            Err(e) => (TargetState::Failed, serde_json::to_string(&format!("{e:#}"))?),
        };
        let write = deps.db.write().await?;
        erasures::record_target(&write, target.id, state, &evidence, deps.now()).await?;
        write.commit().await?;
        let evidence =
            done.with_context(|| format!("cannot erase {}; the takedown goes on when run again", target.path))?;
        tracing::info!("{}: {evidence}", target.path);
        point("first-target-zeroed");
    }
    point("all-targets-zeroed");
    Ok(trees.after)
}

/// Checks with the row proof that these neurons of the struck checkpoint, and nothing else, became zero. Without the tree
/// after (a takedown that was cut off) the node cache is asked, which matches only if it was kept after the zeroing.
pub(crate) async fn finish(deps: &Deps, reference: &str, after: Option<WeightTree>) -> Result<()> {
    let erasure = erasures::get(&deps.db, reference).await?.context("the takedown was not begun")?;
    if erasure.root_after.is_some() {
        return Ok(());
    }
    let folder = deps.data.model(&erasure.model);
    let checkpoint = ModelRecord::open(&folder)?.checkpoint_path(&folder);
    let ids = requests::sources(&deps.db, reference).await?;
    let union = struck(deps, &erasure.model, &ids).await?;
    let path = proof_path(deps, reference);
    let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let proof = RowProof::from_bytes(&bytes)?;
    let (tree, kept) = match after {
        Some(tree) => (tree, false),
        None => {
            let (_, implied) = proof.roots(&checkpoint_layout(&WeightFile::open(&checkpoint)?)?)?;
            open(deps, &checkpoint, &implied, &union)?
        }
    };
    proof
        .verify(tree.layout(), &tree.leaves_of(&union)?, &erasure.root_before.0, &tree.root())
        .context("the struck checkpoint is not what the row proof says; nothing is signed")?;
    if !kept {
        keep(&tree);
    }
    point("weight-tree-kept");
    let write = deps.db.write().await?;
    let stored = deps.data.relative(&path).context("row proofs lie in the data directory")?;
    erasures::finish(&write, reference, &tree.root(), &stored, deps.now()).await?;
    write.commit().await?;
    point("erasure-finished");
    Ok(())
}
