//! The transparency log: signs statements, puts them into the log, proves their places. Who gives them those places is in
//! `sequencer.rs`, what waits together goes together in `intake.rs`, the files that the world sees are in `folder.rs`, the
//! check of the whole in `check.rs`.
//!
//! The published checkpoint lies outside the database. When it is ahead of the database, the database is older than
//! what the world has seen, and nothing is signed until somebody has looked.

mod check;
mod folder;
mod intake;
mod sequencer;

use std::sync;

use anyhow::{Context as _, Result, bail, ensure};
use obelus_core::Digest;
use obelus_ledger::{
    checkpoint::Checkpoint,
    dsse::Envelope,
    keys::{PublicKey, Role, Signer as _},
    log_entry, merkle,
    statement::{Predicate, Statement},
    tile_edge::TileEdge,
    tree_reader,
};
use obelus_store::{Write, log as queue, statements};
use tokio::sync::Mutex;

pub use check::check;
pub use intake::append;

use crate::{Deps, fault, keyring::Held};
use folder::LogFolder;

/// Appenders that lost a race try again this often.
const ATTEMPTS: u32 = 50;

/// What a process remembers of the log: one at a time gives places, and knows the log's edge from its last round.
#[derive(Debug, Default)]
pub struct Sequencer {
    edge: Mutex<Option<TileEdge>>,
    /// Held for a push or a swap only.
    waiting: sync::Mutex<Vec<intake::Waiting>>,
}

/// A signed statement on its way into the log.
#[derive(Clone)]
pub struct Signed {
    kind: &'static str,
    role: Role,
    key: PublicKey,
    envelope: Envelope,
}

/// A signed statement with the leaf that the log gets of it.
#[derive(Debug)]
struct Entry {
    kind: &'static str,
    role: Role,
    /// Id of the key that signed it.
    keyid: Digest,
    envelope: Envelope,
    leaf: queue::NewLeaf,
}

/// Where a statement is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// SHA-256 of the envelope.
    pub digest: Digest,
    /// Index of the leaf.
    pub index: u64,
}

/// Leaves with their places under one published checkpoint.
pub struct Proofs {
    /// The signed note.
    pub note: String,
    /// Audit path of each leaf, in the order asked for.
    pub paths: Vec<Vec<Digest>>,
}

/// Signs a statement with the key of its role.
///
/// # Errors
/// When it is too large or the signer refuses.
pub fn sign<P: Predicate>(deps: &Deps, statement: &Statement<P>) -> Result<Signed> {
    let signer = deps.keys.signer(P::ROLE)?;
    let envelope = statement.sign(&*signer).with_context(|| format!("cannot sign {}", P::NAME))?;
    Ok(Signed { kind: P::NAME, role: P::ROLE, key: signer.public_key(), envelope })
}

impl Signed {
    /// SHA-256 of the envelope's bytes.
    ///
    /// # Errors
    /// Never for an envelope that was signed here.
    pub fn digest(&self) -> Result<Digest> {
        Ok(self.envelope.digest()?)
    }
}

impl Entry {
    fn new(signed: Signed) -> Result<Self> {
        let Signed { kind, role, key, envelope } = signed;
        let body = log_entry::body(&envelope, &key)?;
        let leaf = queue::NewLeaf { leaf_hash: merkle::leaf_hash(&body), body, statement: envelope.digest()? };
        Ok(Self { kind, role, keyid: key.id(), envelope, leaf })
    }

    /// SHA-256 of the envelope's bytes.
    fn digest(&self) -> Digest {
        self.leaf.statement
    }
}

/// Stores statements and puts their leaves into the queue.
async fn store(deps: &Deps, write: &Write, entries: &[&Entry]) -> Result<()> {
    let envelopes: Result<Vec<_>> = entries.iter().map(|entry| Ok((entry.kind, entry.envelope.to_bytes()?))).collect();
    statements::put_all(write, envelopes?, deps.now()).await?;
    let leaves: Vec<queue::NewLeaf> = entries.iter().map(|entry| entry.leaf.clone()).collect();
    Ok(queue::submit(write, &leaves).await?)
}

/// Stores one statement, puts it into the queue of the log, and makes `change` in the same transaction; then waits for its
/// place, which is given only once a published checkpoint covers it. Cut off in between, the statement finds its place
/// with the next one that is published, or by [`settle`].
///
/// # Errors
/// When the database fails, the log was rolled back, or `change` refuses; then nothing has happened.
pub async fn publish(
    deps: &Deps,
    signed: Signed,
    change: impl AsyncFn(&Write, &Digest) -> Result<()>,
) -> Result<Position> {
    let batch = Batch::begin(deps, vec![signed]).await?;
    let write = batch.store(deps).await?;
    for digest in &batch.digests {
        change(&write, digest).await?;
    }
    batch.commit(deps, write).await?.pop().context("one statement has one place")
}

/// Statements that are stored together with a change, and get their places in the log in their order. While there is one, no
/// key is replaced.
pub(crate) struct Batch {
    entries: Vec<Entry>,
    /// SHA-256 of each envelope.
    pub(crate) digests: Vec<Digest>,
    /// The entries' numbers decide whether the signatures count, so no key is replaced until they have them.
    _held: Held,
}

impl Batch {
    /// Makes sure that the keys are in use and the log can be appended to: a log that refuses to sign must not leave a change
    /// behind that nobody logs.
    pub(crate) async fn begin(deps: &Deps, signed: Vec<Signed>) -> Result<Self> {
        let entries = signed.into_iter().map(Entry::new).collect::<Result<Vec<_>>>()?;
        let held = deps.keys.share()?;
        for entry in &entries {
            deps.keys.in_use(entry.role, &entry.keyid)?;
        }
        sequencer::in_step(deps).await?;
        let digests = entries.iter().map(Entry::digest).collect();
        Ok(Self { entries, digests, _held: held })
    }

    /// Stores the statements; the change goes into the same transaction.
    pub(crate) async fn store(&self, deps: &Deps) -> Result<Write> {
        let write = deps.db.write().await?;
        store(deps, &write, &self.entries.iter().collect::<Vec<_>>()).await?;
        fault::fallible("log-leaf-insert")?;
        Ok(write)
    }

    /// Commits, and waits for the places.
    pub(crate) async fn commit(self, deps: &Deps, write: Write) -> Result<Vec<Position>> {
        write.commit().await?;
        fault::fallible("log-leaf-inserted")?;
        let mut places = Vec::with_capacity(self.digests.len());
        for _ in 0..ATTEMPTS {
            let mut edge = deps.log.edge.lock().await;
            // Whoever held the lock before may have taken them along.
            while let Some(digest) = self.digests.get(places.len()) {
                let Some(index) = queue::index_of(&deps.db, digest).await? else { break };
                places.push(Position { digest: *digest, index });
            }
            if places.len() == self.digests.len() {
                sequencer::in_step(deps).await?;
                return Ok(places);
            }
            sequencer::round(deps, &mut edge).await?;
        }
        bail!("{ATTEMPTS} others were faster at appending to the log; try again")
    }
}

/// Gives places to statements that were stored and not logged, because the process that stored them was cut off.
///
/// # Errors
/// When the log refuses to sign.
pub async fn settle(deps: &Deps) -> Result<()> {
    if queue::pending(&deps.db, 1).await?.is_empty() {
        return Ok(());
    }
    let _held = deps.keys.share()?;
    drain(deps).await
}

/// As [`settle`], for a caller who keeps the keys from being replaced, or is about to replace them: what waits was signed
/// by the keys of now, and must have its place before they end.
pub(crate) async fn drain(deps: &Deps) -> Result<()> {
    for _ in 0..ATTEMPTS {
        if queue::pending(&deps.db, 1).await?.is_empty() {
            return Ok(());
        }
        let mut edge = deps.log.edge.lock().await;
        sequencer::round(deps, &mut edge).await?;
    }
    bail!("others append to the log faster than it can be settled; try again")
}

/// Reads a note that the log's key signed.
fn verified(deps: &Deps, note: &str) -> Result<Checkpoint> {
    deps.keys.checkpoint(note, &deps.settings.log_origin)
}

/// The published checkpoint; none while the log is empty. What was committed and not published is published first.
///
/// # Errors
/// When the database's log does not extend the published checkpoint.
pub async fn checkpoint(deps: &Deps) -> Result<Option<(Checkpoint, String)>> {
    let head = sequencer::in_step(deps).await?;
    if head.size == 0 {
        return Ok(None);
    }
    let note = String::from_utf8(head.note).context("the stored checkpoint is not text")?;
    Ok(Some((verified(deps, &note)?, note)))
}

/// Inclusion proofs of leaves under the published checkpoint, from its tiles; each verified before it is given.
///
/// # Errors
/// When there is no such leaf.
pub async fn prove(deps: &Deps, indices: &[u64]) -> Result<Proofs> {
    let (checkpoint, note) = checkpoint(deps).await?.context("the log is empty")?;
    let mut leaves = Vec::with_capacity(indices.len());
    for index in indices {
        let leaf = queue::leaf(&deps.db, *index).await?.filter(|leaf| leaf.index < checkpoint.size);
        let leaf =
            leaf.with_context(|| format!("the log has {} entries, there is no entry {index}", checkpoint.size))?;
        leaves.push((leaf.index, leaf.leaf_hash));
    }
    let paths = match paths(deps, &checkpoint, &leaves) {
        Ok(paths) => paths,
        Err(damage) => {
            tracing::warn!("the tiles of the log are damaged and are made again from the database: {damage:#}");
            sequencer::rewrite(deps).await?;
            paths(deps, &checkpoint, &leaves)?
        }
    };
    Ok(Proofs { note, paths })
}

fn paths(deps: &Deps, checkpoint: &Checkpoint, leaves: &[(u64, Digest)]) -> Result<Vec<Vec<Digest>>> {
    let folder = LogFolder::new(deps.data.log());
    let mut all = Vec::with_capacity(leaves.len());
    for (index, leaf) in leaves {
        let path =
            tree_reader::inclusion_proof(*index, checkpoint.size, &mut |node| folder.node(checkpoint.size, node))?;
        let path = path.with_context(|| format!("there is no entry {index}"))?;
        ensure!(
            merkle::verify_inclusion(leaf, *index, checkpoint.size, &path, &checkpoint.root),
            "the tiles do not lead from entry {index} to the published root"
        );
        all.push(path);
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
