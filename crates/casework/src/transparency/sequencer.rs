//! The sequencer: gives waiting leaves their places, signs the new root, moves the log's head by compare-and-swap, and
//! then writes tiles and, last, the checkpoint. In the manner of Sunlight: nothing is published that is not committed, and
//! nobody is told a place before a published checkpoint covers it.
//!
//! Several processes may do this at once on one database. What one of them committed and did not publish, because it was
//! killed or was slower, the next one publishes.

use anyhow::{Context as _, Result, ensure};
use obelus_core::Digest;
use obelus_ledger::{
    checkpoint::Checkpoint,
    keys::Role,
    merkle,
    tile::{self, HEIGHT, TileId, TileKind, WIDTH},
    tile_edge::{Growth, TileEdge},
    tree_reader::{self, NoNode, node_of_tiles},
};
use obelus_store::{Error, log, log::Head};

use super::{
    Position,
    folder::{LogFolder, entries_tile},
};
use crate::{Deps, fault};

/// Leaves of one batch: more would make those that come later wait.
const LARGEST_BATCH: u64 = 2048;
/// Leaves read at once when tiles are written: sixteen tiles of entries.
const PAGE: u64 = 16 * WIDTH;

/// One round: publishes what is committed and unpublished, then commits and publishes one batch of what waits. Gives the
/// places that it gave, none when another process was faster or nothing waited.
///
/// `edge` is the log's edge as this process knows it, so that it need not be read again.
pub(super) async fn round(deps: &Deps, edge: &mut Option<TileEdge>) -> Result<Vec<Position>> {
    let old = in_step(deps).await?;
    let pending = log::pending(&deps.db, LARGEST_BATCH).await?;
    if pending.is_empty() {
        return Ok(vec![]);
    }
    let mut grown = match edge.take().filter(|edge| edge.size() == old.size && edge.root() == old.root) {
        Some(edge) => edge,
        None => edge_at(deps, &old).await?,
    };
    let before = grown.clone();
    let leaves: Vec<log::NewLeaf> = pending.iter().map(|pending| pending.leaf.clone()).collect();
    let growth = grown.grow(leaves.iter().map(|leaf| leaf.leaf_hash));
    let new = signed(deps, &before, &grown, &growth)?;
    let write = deps.db.write().await?;
    fault::fallible("log-compare-and-swap")?;
    match log::append(&write, &leaves, &old, &new).await {
        Err(Error::LogMoved { .. }) => return Ok(vec![]),
        Err(Error::Exists { .. }) => {
            drop(write);
            let write = deps.db.write().await?;
            log::settle_logged(&write).await?;
            write.commit().await?;
            return Ok(vec![]);
        }
        other => other?,
    };
    let ids: Vec<i64> = pending.iter().map(|pending| pending.id).collect();
    log::settle(&write, &ids).await?;
    fault::fallible("log-commit")?;
    write.commit().await?;
    fault::fallible("log-committed")?;
    publish(deps).await?;
    *edge = Some(grown);
    Ok((old.size..).zip(leaves).map(|(index, leaf)| Position { digest: leaf.statement, index }).collect())
}

/// The head that the grown tree gives, signed after the proof's own code has shown that it extends the old one.
fn signed(deps: &Deps, before: &TileEdge, after: &TileEdge, growth: &Growth) -> Result<Head> {
    let (old, size, root) = (before.size(), after.size(), after.root());
    let hashes = |tile: TileId| -> Result<Vec<Digest>, NoNode> {
        let TileKind::Hashes { level } = tile.kind else { return Ok(vec![]) };
        let unchanged = || after.row(level).filter(|(index, _)| *index == tile.index).map(|(_, row)| row);
        Ok(growth.hashes(level, tile.index).or_else(unchanged).unwrap_or_default().to_vec())
    };
    let path = tree_reader::consistency_proof(old, size, &mut |node| node_of_tiles(size, node, hashes))?;
    ensure!(
        old == 0 || merkle::verify_consistency(old, &before.root(), size, &root, &path.unwrap_or_default()),
        "the new log root does not extend the old one; nothing was signed"
    );
    let checkpoint = Checkpoint { origin: deps.settings.log_origin.clone(), size, root };
    let note = checkpoint.sign(&*deps.keys.signer(Role::Log)?)?;
    Ok(Head { size, root, note: note.into_bytes() })
}

/// The database's head, after everything that it covers has been published.
///
/// # Errors
/// When the published checkpoint is not one that the database's log extends: then nothing is signed until somebody has
/// looked.
pub(super) async fn in_step(deps: &Deps) -> Result<Head> {
    for _ in 0..2 {
        let head = log::head(&deps.db).await?;
        let published = published(deps)?;
        let size = published.as_ref().map_or(0, |p| p.size);
        if size == head.size {
            ensure!(published.is_none_or(|p| p.root == head.root), fork(deps, &head)?);
            return Ok(head);
        }
        if size > head.size {
            // Another process may have moved on between the two looks.
            let again = log::head(&deps.db).await?;
            ensure!(again.size >= size, fork(deps, &again)?);
            continue;
        }
        publish(deps).await?;
    }
    log::head(&deps.db).await.context("the log moves too fast to be looked at")
}

/// The evidence for whoever has to find out what happened: two notes signed by the log.
fn fork(deps: &Deps, head: &Head) -> Result<String> {
    let folder = LogFolder::new(deps.data.log());
    let path = folder.checkpoint_path();
    Ok(format!(
        "the database's log does not extend the published checkpoint {}: the database is older than what was published \
         (restored from a backup?), or the log was forked; the log refuses to sign. The two notes:\n\npublished:\n{}\n\
         in the database:\n{}",
        path.display(),
        folder.note()?.unwrap_or_default(),
        if head.size == 0 { "(an empty log)" } else { std::str::from_utf8(&head.note).unwrap_or("(not text)") }
    ))
}

/// The checkpoint that was last published, its signature verified.
fn published(deps: &Deps) -> Result<Option<Checkpoint>> {
    let folder = LogFolder::new(deps.data.log());
    let Some(note) = folder.note()? else { return Ok(None) };
    let checkpoint = super::verified(deps, &note);
    let path = folder.checkpoint_path();
    checkpoint.map(Some).with_context(|| format!("{} is damaged; restore it from a copy", path.display()))
}

/// Writes the tiles from the published checkpoint to the database's head, and then the database's checkpoint.
pub(super) async fn publish(deps: &Deps) -> Result<()> {
    let folder = LogFolder::new(deps.data.log());
    let _lock = folder.lock().await?;
    let head = log::head(&deps.db).await?;
    let published = published(deps)?;
    let (size, root) = published.map_or((0, merkle::root(&[])), |p| (p.size, p.root));
    if size >= head.size {
        return Ok(());
    }
    let edge = match folder.edge(size) {
        Ok(edge) if edge.root() == root => edge,
        // Tiles that are damaged or were never written: they are made again from the database's leaves.
        _ => write_tiles(deps, &folder, TileEdge::default(), size).await?,
    };
    ensure!(edge.root() == root, fork(deps, &head)?);
    let edge = write_tiles(deps, &folder, edge, head.size).await?;
    ensure!(edge.root() == head.root, "the log's leaves do not give its stored root; restore the database");
    fault::fallible("log-checkpoint-write")?;
    folder.publish(&head.note)
}

/// Grows the folder's tiles to `size` leaves from the database's.
async fn write_tiles(deps: &Deps, folder: &LogFolder, mut edge: TileEdge, size: u64) -> Result<TileEdge> {
    while edge.size() < size {
        let from = edge.size();
        // To the end of a tile, so that only the last one is written in part.
        let to = size.min((from / WIDTH) * WIDTH + PAGE);
        let leaves = log::leaves(&deps.db, from..to).await?;
        for leaf in &leaves {
            ensure!(
                merkle::leaf_hash(&leaf.body) == leaf.leaf_hash,
                "leaf {} does not have its stored hash",
                leaf.index
            );
        }
        let growth = edge.grow(leaves.iter().map(|leaf| leaf.leaf_hash));
        fault::fallible("log-tile-write")?;
        for index in from / WIDTH..=(to - 1) / WIDTH {
            let tile = entries_tile(index, to).context("a log has tiles up to its end")?;
            let first = index * WIDTH;
            let mut bodies = match entries_tile(index, from) {
                // Those before came with an earlier batch. What the folder has of them is not believed.
                Some(_) => log::leaves(&deps.db, first..from).await?,
                None => vec![],
            };
            let own = leaves.iter().filter(|leaf| leaf.index >= first && leaf.index < first + WIDTH);
            bodies.extend(own.cloned());
            folder.write(tile, &tile::entry_bytes(bodies.iter().map(|leaf| leaf.body.as_slice()))?)?;
            fault::fallible("log-entries-written")?;
        }
        for (tile, hashes) in growth.tiles() {
            folder.write(tile, &tile::hash_bytes(hashes))?;
        }
        remove_partials(folder, from, to)?;
    }
    Ok(edge)
}

/// Partial tiles go once the full one is there; until then, those of older checkpoints are left for their readers.
fn remove_partials(folder: &LogFolder, from: u64, to: u64) -> Result<()> {
    for level in 0..8u8 {
        let held = |size: u64| size >> (HEIGHT * u32::from(level));
        for index in held(from) / WIDTH..held(to) / WIDTH {
            folder.remove_partial(TileId { kind: TileKind::Hashes { level }, index, width: WIDTH })?;
            if level == 0 {
                folder.remove_partial(TileId { kind: TileKind::Entries, index, width: WIDTH })?;
            }
        }
    }
    Ok(())
}

/// The log's edge at its head: from the tiles where they give its root, else from tiles written anew.
async fn edge_at(deps: &Deps, head: &Head) -> Result<TileEdge> {
    match LogFolder::new(deps.data.log()).edge(head.size) {
        Ok(edge) if edge.root() == head.root => Ok(edge),
        _ => rewrite(deps).await,
    }
}

/// Writes every tile up to the database's head again from its leaves; gives the edge.
pub(super) async fn rewrite(deps: &Deps) -> Result<TileEdge> {
    let folder = LogFolder::new(deps.data.log());
    let _lock = folder.lock().await?;
    let head = log::head(&deps.db).await?;
    let edge = write_tiles(deps, &folder, TileEdge::default(), head.size).await?;
    ensure!(edge.root() == head.root, "the log's leaves do not give its stored root; restore the database");
    Ok(edge)
}
