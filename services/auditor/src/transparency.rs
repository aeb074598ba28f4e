//! The sequencer: signs statements into the log, moves its head by compare-and-swap, publishes the checkpoint.
//!
//! The published checkpoint lies outside the database. When it is ahead of the database, the database is older than
//! what the world has seen, and nothing is signed until somebody has looked.

use std::{fs, io::ErrorKind, path::Path};

use anyhow::{Context as _, Result, bail, ensure};
use obelus_core::Digest;
use obelus_ledger::{
    checkpoint::Checkpoint,
    dsse::Envelope,
    keys::Role,
    log_entry, merkle,
    statement::{Predicate, Statement},
};
use obelus_store::{Error, Write, log, statements};

use crate::Deps;

/// Appenders that lost a race try again this often.
const ATTEMPTS: u32 = 50;

/// A signed statement on its way into the log.
pub struct Signed {
    kind: &'static str,
    role: Role,
    envelope: Envelope,
}

/// Where a statement is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// SHA-256 of the envelope.
    pub digest: Digest,
    /// Index of the leaf.
    pub index: u64,
}

/// Signs a statement with the key of its role.
///
/// # Errors
/// When it is too large or the signer refuses.
pub fn sign<P: Predicate>(deps: &Deps, statement: &Statement<P>) -> Result<Signed> {
    let envelope = statement.sign(deps.keys.signer(P::ROLE)).with_context(|| format!("cannot sign {}", P::NAME))?;
    Ok(Signed { kind: P::NAME, role: P::ROLE, envelope })
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

/// Stores one statement, appends it to the log, and makes `change` in the same transaction; then publishes the
/// checkpoint. The position is given only once a published checkpoint covers it.
///
/// # Errors
/// When the database fails, the log was rolled back, or `change` refuses; then nothing has happened.
pub async fn publish(
    deps: &Deps,
    signed: Signed,
    change: impl AsyncFn(&Write, &Digest) -> Result<()>,
) -> Result<Position> {
    let bytes = signed.envelope.to_bytes()?;
    let digest = Digest::sha256(&bytes);
    let body = log_entry::body(&signed.envelope, &deps.keys.public(signed.role))?;
    let leaf_hash = merkle::leaf_hash(&body);
    for _ in 0..ATTEMPTS {
        let old = log::head(&deps.db).await?;
        let mut leaves = log::leaf_hashes(&deps.db, 0..old.size).await?;
        refuse_rollback(deps, &leaves)?;
        ensure!(
            merkle::root(&leaves) == old.root,
            "the log's leaves do not give its stored root; restore the database"
        );
        leaves.push(leaf_hash);
        let size = old.size + 1;
        let root = merkle::root(&leaves);
        // Checked by the proof's own code, not by the code that computed the root.
        let path = merkle::consistency_proof(&leaves, old.size as usize).unwrap_or_default();
        ensure!(
            old.size == 0 || merkle::verify_consistency(old.size, &old.root, size, &root, &path),
            "the new log root does not extend the old one; nothing was signed"
        );
        let checkpoint = Checkpoint { origin: deps.settings.log_origin.clone(), size, root };
        let note = checkpoint.sign(deps.keys.signer(Role::Log))?;
        let write = deps.db.write().await?;
        statements::put(&write, signed.kind, bytes.clone(), deps.now()).await?;
        let new = log::Head { size, root, note: note.clone().into_bytes() };
        let leaf = log::NewLeaf { body: body.clone(), leaf_hash, statement: digest };
        match log::append(&write, &[leaf], &old, &new).await {
            Err(Error::LogMoved { .. }) => continue,
            other => other?,
        };
        change(&write, &digest).await?;
        write.commit().await?;
        publish_checkpoint(deps).await?;
        return Ok(Position { digest, index: old.size });
    }
    bail!("{ATTEMPTS} others were faster at appending to the log; try again")
}

/// Writes the database's checkpoint to the public folder when it is ahead of the one there.
///
/// # Errors
/// When the folder cannot be written.
pub async fn publish_checkpoint(deps: &Deps) -> Result<()> {
    let head = log::head(&deps.db).await?;
    if head.size == 0 {
        return Ok(());
    }
    let folder = deps.data.log();
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let lock_path = folder.join(".lock");
    let lock = fs::File::create(&lock_path).with_context(|| format!("cannot create {}", lock_path.display()))?;
    lock.lock().with_context(|| format!("cannot lock {}", lock_path.display()))?;
    let path = folder.join("checkpoint");
    if published(deps, &path)?.is_some_and(|published| published.size >= head.size) {
        return Ok(());
    }
    let partial = folder.join("checkpoint.partial");
    fs::write(&partial, &head.note).with_context(|| format!("cannot write {}", partial.display()))?;
    fs::File::open(&partial).and_then(|f| f.sync_all()).context("cannot flush the checkpoint")?;
    fs::rename(&partial, &path).with_context(|| format!("cannot publish {}", path.display()))
}

/// The checkpoint that was last published; none when there never was one.
///
/// # Errors
/// When there is one that cannot be read or verified: that is never taken for none.
fn published(deps: &Deps, path: &Path) -> Result<Option<Checkpoint>> {
    let note = match fs::read_to_string(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let checkpoint = Checkpoint::verify(&note, &deps.settings.log_origin, &deps.keys.public(Role::Log));
    checkpoint.map(Some).with_context(|| format!("{} is damaged; restore it from a copy", path.display()))
}

/// Refuses when the published checkpoint is not the root over the database's first leaves.
fn refuse_rollback(deps: &Deps, leaves: &[Digest]) -> Result<()> {
    let path = deps.data.log().join("checkpoint");
    let Some(published) = published(deps, &path)? else { return Ok(()) };
    let same = leaves.get(..published.size as usize).is_some_and(|first| merkle::root(first) == published.root);
    ensure!(
        same,
        "the published checkpoint {} has {} leaves and root {}, the database has {} leaves that do not give it: the \
         database is older than what was published (restored from a backup?); the log refuses to sign",
        path.display(),
        published.size,
        published.root,
        leaves.len()
    );
    Ok(())
}

/// Recomputes the whole log from its entries and compares it with the database's head and the published checkpoint.
///
/// # Errors
/// Says what does not agree.
pub async fn check(deps: &Deps) -> Result<Checkpoint> {
    let head = log::head(&deps.db).await?;
    let mut leaves = Vec::new();
    for index in 0..head.size {
        let leaf = log::leaf(&deps.db, index).await?.with_context(|| format!("leaf {index} is missing"))?;
        let hash = merkle::leaf_hash(&leaf.body);
        ensure!(hash == leaf.leaf_hash, "leaf {index} does not have its stored hash");
        let stored = statements::get(&deps.db, &leaf.statement).await?;
        let stored = stored.with_context(|| format!("the statement of leaf {index} is missing"))?;
        ensure!(Digest::sha256(&stored.envelope) == leaf.statement, "the statement of leaf {index} was changed");
        leaves.push(hash);
    }
    ensure!(merkle::root(&leaves) == head.root, "the leaves do not give the stored root");
    refuse_rollback(deps, &leaves)?;
    if head.size == 0 {
        return Ok(Checkpoint { origin: deps.settings.log_origin.clone(), size: 0, root: head.root });
    }
    let note = String::from_utf8(head.note).context("the stored checkpoint is not text")?;
    let checkpoint = Checkpoint::verify(&note, &deps.settings.log_origin, &deps.keys.public(Role::Log))?;
    ensure!((checkpoint.size, checkpoint.root) == (head.size, head.root), "the stored checkpoint is of another tree");
    Ok(checkpoint)
}

/// Inclusion proof of a leaf in the current checkpoint: its path and the note.
///
/// # Errors
/// When there is no such leaf.
pub async fn prove(deps: &Deps, index: u64) -> Result<(Vec<Digest>, String)> {
    let head = log::head(&deps.db).await?;
    let leaves = log::leaf_hashes(&deps.db, 0..head.size).await?;
    let path = merkle::inclusion_proof(&leaves, index as usize);
    let path = path.with_context(|| format!("the log has {} entries, there is no entry {index}", head.size))?;
    Ok((path, String::from_utf8(head.note).context("the stored checkpoint is not text")?))
}
