//! A monitor: follows a copy of the log's public folder from the first entry to its checkpoint, and compares it with a
//! checkpoint seen before. Not here: reading files, which the caller does, and remembering checkpoints.

use std::io;

use super::{Checks, Report};
use crate::{
    checkpoint::Checkpoint,
    log_entry, merkle,
    tile::{self, TileId, TileKind, WIDTH},
    tile_edge::TileEdge,
    trust::TrustedRoot,
};

/// Follows a log from zero. `read` gives the file at a path under the folder, such as `tile/0/000`; `seen` is the note of
/// an earlier visit.
pub fn follow(read: &mut dyn FnMut(&str) -> io::Result<Vec<u8>>, seen: Option<&str>, trust: &TrustedRoot) -> Report {
    let mut checks = Checks(vec![]);
    if let Err(reason) = check(read, seen, trust, &mut checks) {
        checks.add("log", Err(reason));
    }
    checks.report("log")
}

fn check(
    read: &mut dyn FnMut(&str) -> io::Result<Vec<u8>>,
    seen: Option<&str>,
    trust: &TrustedRoot,
    checks: &mut Checks,
) -> Result<(), String> {
    let note = read("checkpoint").map_err(|e| format!("cannot read checkpoint: {e}"))?;
    let note = String::from_utf8(note).map_err(|_| "checkpoint is not text".to_owned())?;
    let (checkpoint, _) = trust.open_checkpoint(&note).map_err(|e| e.to_string())?;
    checks.add("checkpoint", Ok(format!("signed by {}, {} entries", checkpoint.origin, checkpoint.size)));
    let earlier = match seen {
        None => None,
        Some(seen) => Some(trust.open_checkpoint(seen).map_err(|e| format!("the checkpoint seen before: {e}"))?.0),
    };
    if let Some(earlier) = earlier.as_ref().filter(|earlier| earlier.size > checkpoint.size) {
        return Err(contradiction("the log has become shorter", seen.unwrap_or_default(), &note, earlier));
    }
    let mut root_then = earlier.as_ref().filter(|earlier| earlier.size == 0).map(|_| merkle::root(&[]));
    let mut edge = TileEdge::default();
    let mut tiles = 0;
    while edge.size() < checkpoint.size {
        let index = edge.size() / WIDTH;
        let entries = at(TileKind::Entries, index, checkpoint.size)?;
        let bytes = file(read, entries)?;
        let bodies = tile::read_entries(entries, &bytes).map_err(|e| e.to_string())?;
        let mut leaves = Vec::with_capacity(bodies.len());
        for (number, body) in (edge.size()..).zip(&bodies) {
            log_entry::check_form(body).map_err(|e| format!("entry {number} is not a dsse entry: {e}"))?;
            leaves.push(merkle::leaf_hash(body));
        }
        if let Some(earlier) = earlier.as_ref().filter(|e| e.size > edge.size() && e.size - edge.size() <= WIDTH) {
            let mut then = edge.clone();
            then.grow(leaves.iter().take((earlier.size - edge.size()) as usize).copied());
            root_then = Some(then.root());
        }
        tiles += 1;
        for (grown, hashes) in edge.grow(leaves).tiles() {
            // A level's last tile is published at its width under the checkpoint, and at no width in between.
            let TileKind::Hashes { level } = grown.kind else { continue };
            if at(TileKind::Hashes { level }, grown.index, checkpoint.size)?.width != grown.width {
                continue;
            }
            let found = tile::read_hashes(grown, &file(read, grown)?).map_err(|e| e.to_string())?;
            if found != hashes {
                return Err(format!("{grown} does not hold the hashes of the entries below it"));
            }
            tiles += 1;
        }
    }
    if edge.root() != checkpoint.root {
        return Err("the entries do not give the root in the checkpoint".to_owned());
    }
    checks.add("tiles", Ok(format!("{tiles} tiles; all {} entries give the signed root", checkpoint.size)));
    let Some(earlier) = earlier else { return Ok(()) };
    if root_then != Some(earlier.root) {
        return Err(contradiction("the log was rewritten", seen.unwrap_or_default(), &note, &earlier));
    }
    checks.add("consistency", Ok(format!("the {} entries seen before are its first ones", earlier.size)));
    Ok(())
}

/// Two notes signed by one log that cannot both be true are evidence by themselves: whoever has the log's key can check.
fn contradiction(what: &str, seen: &str, now: &str, earlier: &Checkpoint) -> String {
    format!(
        "{what}: its {} entries seen before are not its first ones now. Keep both signed notes, they are the evidence:\n\n\
         seen before:\n{seen}\nnow:\n{now}",
        earlier.size
    )
}

fn at(kind: TileKind, index: u64, size: u64) -> Result<TileId, String> {
    TileId::at(kind, index, size).ok_or_else(|| "the checkpoint's size has no such tile".to_owned())
}

fn file(read: &mut dyn FnMut(&str) -> io::Result<Vec<u8>>, tile: TileId) -> Result<Vec<u8>, String> {
    let path = tile.to_string();
    read(&path).map_err(|e| format!("cannot read {path}: {e}"))
}
