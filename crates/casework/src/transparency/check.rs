//! The whole log recomputed from the database: leaves, statements, head, published checkpoint and tiles. Not here: what an
//! outsider can check from the public folder alone, which `obelus-verify` does without any of this code.

use anyhow::{Context as _, Result, ensure};
use obelus_core::Digest;
use obelus_ledger::{checkpoint::Checkpoint, merkle, tile_edge::TileEdge};
use obelus_store::{log, statements};

use super::{folder::LogFolder, sequencer, verified};
use crate::Deps;

/// Leaves read at once.
const PAGE: u64 = 4096;

/// Recomputes the whole log from its entries and compares it with the database's head, the published checkpoint and every
/// tile.
///
/// # Errors
/// Says what does not agree.
pub async fn check(deps: &Deps) -> Result<Checkpoint> {
    let head = sequencer::in_step(deps).await?;
    let folder = LogFolder::new(deps.data.log());
    let mut edge = TileEdge::default();
    while edge.size() < head.size {
        let from = edge.size();
        let leaves = log::leaves(&deps.db, from..head.size.min(from + PAGE)).await?;
        for leaf in &leaves {
            let index = leaf.index;
            ensure!(merkle::leaf_hash(&leaf.body) == leaf.leaf_hash, "leaf {index} does not have its stored hash");
            let stored = statements::get(&deps.db, &leaf.statement).await?;
            let stored = stored.with_context(|| format!("the statement of leaf {index} is missing"))?;
            ensure!(Digest::sha256(&stored.envelope) == leaf.statement, "the statement of leaf {index} was changed");
        }
        // Tiles that are full, or the last of their level; those between two pages are partial and not published.
        for (tile, hashes) in edge.grow(leaves.iter().map(|leaf| leaf.leaf_hash)).tiles() {
            if tile.is_full() || edge.size() == head.size {
                ensure!(
                    folder.hashes(tile)? == hashes,
                    "{tile} in the log's folder has other hashes than the database"
                );
            }
        }
    }
    ensure!(edge.root() == head.root, "the leaves do not give the stored root");
    if head.size == 0 {
        return Ok(Checkpoint { origin: deps.settings.log_origin.clone(), size: 0, root: head.root });
    }
    let note = String::from_utf8(head.note).context("the stored checkpoint is not text")?;
    let checkpoint = verified(deps, &note)?;
    ensure!((checkpoint.size, checkpoint.root) == (head.size, head.root), "the stored checkpoint is of another tree");
    Ok(checkpoint)
}
