//! The public files of the log, exactly as they lie: C2SP tlog-tiles under `/log-files/`. A name is read into a tile's place
//! and written again from that, so that no request reaches another file. Not here: what is in them.

use std::path::PathBuf;

use anyhow::Context as _;
use obelus_core::{DataDirectory, Digest};
use obelus_ledger::{
    tile::{self, TileId, TileKind, WIDTH},
    tree_reader::{self, NoNode, node_of_tiles},
};

use crate::{
    dispatch::Call,
    problem::Problem,
    route::Answer,
    served_file::{self, Manner},
};

/// `/log-files/checkpoint`.
pub(crate) async fn checkpoint(call: Call) -> Answer {
    let manner = Manner { kind: "text/plain; charset=utf-8", keep: "public, max-age=1", save_as: None };
    served_file::serve(&checkpoint_path(&call.portal.deps.work.data), manner).await?.ok_or_else(no_checkpoint)
}

/// `/log-files/tile/…`.
pub(crate) async fn tile(call: Call) -> Answer {
    let missing = || {
        Problem::not_found("The log has no such tile. A partial tile goes when the full one is there: ask for that.")
    };
    let tile = read_path(call.part("path")).ok_or_else(missing)?;
    let keep = if tile.is_full() { "public, max-age=31536000, immutable" } else { "public, max-age=3600" };
    let manner = Manner { kind: "application/octet-stream", keep, save_as: None };
    let path = call.portal.deps.work.data.log().join(tile.to_string());
    served_file::serve(&path, manner).await?.ok_or_else(missing)
}

/// Where the signed note lies that was published last.
pub(crate) fn checkpoint_path(data: &DataDirectory) -> PathBuf {
    data.log().join("checkpoint")
}

pub(crate) fn no_checkpoint() -> Problem {
    Problem::not_found("The log has no checkpoint yet: nothing was logged here. The first signed statement makes one.")
}

/// The audit path of an entry in a log of `size` leaves, from the published tiles; none when there is no such entry.
///
/// # Errors
/// When a tile is missing or damaged.
pub(crate) fn inclusion_proof(data: &DataDirectory, index: u64, size: u64) -> anyhow::Result<Option<Vec<Digest>>> {
    let hashes = |id: TileId| -> Result<Vec<Digest>, NodeError> {
        let read = |id: TileId| std::fs::read(data.log().join(id.to_string()));
        let (found, bytes) = match read(id) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !id.is_full() => {
                (id.full(), read(id.full()).with_context(|| format!("cannot read {id} of the log"))?)
            }
            other => (id, other.with_context(|| format!("cannot read {id} of the log"))?),
        };
        let mut hashes = tile::read_hashes(found, &bytes).context("a tile of the log is damaged")?;
        hashes.truncate(usize::try_from(id.width).context("a tile is no wider than 256")?);
        Ok(hashes)
    };
    let mut node = |node| node_of_tiles(size, node, hashes);
    Ok(tree_reader::inclusion_proof(index, size, &mut node)?)
}

#[derive(Debug, thiserror::Error)]
enum NodeError {
    #[error(transparent)]
    NoNode(#[from] NoNode),
    #[error("{0:#}")]
    Unread(#[from] anyhow::Error),
}

/// The tile that `<level or entries>/<number>[.p/<width>]` names, in the one spelling that it has.
fn read_path(path: &str) -> Option<TileId> {
    let (kind, rest) = path.split_once('/')?;
    let kind = match kind {
        "entries" => TileKind::Entries,
        level => TileKind::Hashes { level: level.parse().ok()? },
    };
    let (number, width) = match rest.split_once(".p/") {
        Some((number, width)) => (number, width.parse().ok().filter(|width| (1..WIDTH).contains(width))?),
        None => (rest, WIDTH),
    };
    let mut index: u64 = 0;
    for group in number.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    let tile = TileId { kind, index, width };
    // Whatever else was accepted on the way is another spelling, or no tile at all.
    (tile.to_string().strip_prefix("tile/") == Some(path)).then_some(tile)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_named_in_one_way_and_nothing_else_is() {
        for path in ["0/000", "0/000.p/7", "63/255", "entries/x001/x234/067", "entries/x001/000.p/255", "1/x001/000"] {
            assert_eq!(format!("tile/{}", read_path(path).unwrap()), format!("tile/tile/{path}"));
        }
        for path in [
            "",
            "0",
            "0/",
            "0/1",
            "0/0001",
            "+0/000",
            "00/000",
            "0/000.p/256",
            "0/000.p/0",
            "0/000.p/01",
            "256/000",
            "0/../../keys/log",
            "entries/../checkpoint",
            "0/x000/001",
            "0/001/000",
            "0/000.p/1/../2",
            "-1/000",
            "0/é",
            "0/000/",
            "/0/000",
            "0/000\0",
            "0/x999/x999/x999/x999/x999/x999/x999/999",
            ".lock",
        ] {
            assert!(read_path(path).is_none(), "{path}");
        }
    }
}
