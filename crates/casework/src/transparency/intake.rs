//! Statements that change nothing beside the log. Those that wait at the same time are stored in one transaction and get
//! their places in one batch: what an entry costs is mostly waiting for the disk, and one wait serves them all.
//!
//! Not here: statements that are stored with what they change, each in a transaction of its own (`publish`).

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, PoisonError},
};

use anyhow::{Context as _, Error, Result, anyhow, bail};
use obelus_core::Digest;
use obelus_ledger::tile_edge::TileEdge;
use obelus_store::log as queue;
use tokio::sync::oneshot;

use super::{ATTEMPTS, Entry, Position, Signed, sequencer, store};
use crate::{Deps, fault};

/// A statement and who waits for its place.
#[derive(Debug)]
pub(super) struct Waiting {
    entry: Arc<Entry>,
    answer: oneshot::Sender<Result<Position, Arc<Error>>>,
}

/// Stores a statement, puts it into the log and waits for its place, which is given only once a published checkpoint covers
/// it.
///
/// # Errors
/// When the key that signed it was replaced, the database fails, or the log was rolled back.
pub async fn append(deps: &Deps, signed: Signed) -> Result<Position> {
    let entry = Arc::new(Entry::new(signed)?);
    for _ in 0..ATTEMPTS {
        let (answer, mut answered) = oneshot::channel();
        let waiting = Waiting { entry: entry.clone(), answer };
        deps.log.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(waiting);
        let answer = tokio::select! {
            biased;
            answer = &mut answered => answer,
            mut edge = deps.log.edge.lock() => {
                // Whoever has the lock serves everybody who waits, and so itself.
                serve(deps, &mut edge).await;
                answered.await
            }
        };
        match answer {
            Ok(answer) => return answer.map_err(|e| anyhow!("{e:#}")),
            // Who served was cut off before it had answered. The statement may be stored: storing it again changes nothing.
            Err(_) => continue,
        }
    }
    bail!("{ATTEMPTS} others were cut off while they appended to the log; try again")
}

/// Gives everybody who waits now an answer.
async fn serve(deps: &Deps, edge: &mut Option<TileEdge>) {
    let waiting = mem::take(&mut *deps.log.waiting.lock().unwrap_or_else(PoisonError::into_inner));
    let entries: Vec<Arc<Entry>> = waiting.iter().map(|waiting| waiting.entry.clone()).collect();
    let answers = match place(deps, edge, &entries).await {
        Ok(answers) => answers,
        Err(e) => {
            let e = Arc::new(e);
            entries.iter().map(|_| Err(e.clone())).collect()
        }
    };
    for (waiting, answer) in waiting.into_iter().zip(answers) {
        // Who no longer waits has no use for it.
        drop(waiting.answer.send(answer));
    }
}

/// Stores the entries together and gives each its place. Those whose key was replaced meanwhile are refused alone.
async fn place(
    deps: &Deps,
    edge: &mut Option<TileEdge>,
    entries: &[Arc<Entry>],
) -> Result<Vec<Result<Position, Arc<Error>>>> {
    // An entry's number decides whether its signature counts, so no key is replaced until all have one.
    let _held = deps.keys.share()?;
    // Once for each key, not for each entry: it is read from the register on the disk, which other processes change.
    let mut keys = BTreeMap::new();
    let in_use: Vec<Result<(), Arc<Error>>> = entries
        .iter()
        .map(|entry| {
            let key = (entry.role, entry.keyid);
            keys.entry(key).or_insert_with(|| deps.keys.in_use(key.0, &key.1).map_err(Arc::new)).clone()
        })
        .collect();
    // Before anything is stored: a log that refuses to sign must not leave statements behind that nobody logs.
    sequencer::in_step(deps).await?;
    let write = deps.db.write().await?;
    let stored: Vec<&Entry> =
        entries.iter().zip(&in_use).filter(|(_, in_use)| in_use.is_ok()).map(|(entry, _)| &**entry).collect();
    store(deps, &write, &stored).await?;
    fault::fallible("log-leaf-insert")?;
    write.commit().await?;
    fault::fallible("log-leaf-inserted")?;

    let mut wanted: Vec<Digest> = stored.iter().map(|entry| entry.digest()).collect();
    let mut places = BTreeMap::new();
    for _ in 0..ATTEMPTS {
        if wanted.is_empty() {
            break;
        }
        let placed = sequencer::round(deps, edge).await?;
        places.extend(placed.iter().map(|position| (position.digest, *position)));
        wanted.retain(|digest| !places.contains_key(digest));
        if placed.is_empty() {
            // Another process was faster, or they were in the log before.
            find(deps, &wanted, &mut places).await?;
            wanted.retain(|digest| !places.contains_key(digest));
        }
    }
    let answer = |entry: &Entry| {
        let place = places.get(&entry.digest()).copied();
        place.context("others were faster at appending to the log every time; try again").map_err(Arc::new)
    };
    Ok(entries.iter().zip(in_use).map(|(entry, in_use)| in_use.and_then(|()| answer(entry))).collect())
}

/// Looks for statements that somebody else put into the log; a published checkpoint covers them.
async fn find(deps: &Deps, wanted: &[Digest], places: &mut BTreeMap<Digest, Position>) -> Result<()> {
    for digest in wanted {
        if let Some(index) = queue::index_of(&deps.db, digest).await? {
            places.insert(*digest, Position { digest: *digest, index });
        }
    }
    sequencer::in_step(deps).await.map(drop)
}
