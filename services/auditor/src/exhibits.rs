//! What documents for outsiders carry: statements as they are stored, with their places in the log, and the records of
//! sources with their places in a manifest. Nothing is signed or made again here.

use anyhow::{Context as _, Result, ensure};
use obelus_core::Digest;
use obelus_ledger::{
    certificate::{Exhibit, Logged},
    checkpoint::Checkpoint,
    dsse::Envelope,
    keys::Role,
    manifest::{Manifest, Presence},
    merkle,
    statement::{Predicate, SourceManifest, Statement},
};
use obelus_store::{log, pool_extensions, statements};

use crate::{Deps, registration::all_sources};

/// Statements in the log, and the signed checkpoint that covers them.
pub(crate) struct Exhibits {
    pub(crate) logged: Vec<Logged>,
    pub(crate) extensions: Vec<Logged>,
    pub(crate) checkpoint: String,
}

/// Collects statements by their envelope digests, and the pool extensions that the manifest among them rests on.
///
/// # Errors
/// When one is not stored or not in the log.
pub(crate) async fn collect(deps: &Deps, lineage: &str, exhibits: &[(Exhibit, Digest)]) -> Result<Exhibits> {
    let manifest = exhibits.iter().find(|(exhibit, _)| *exhibit == Exhibit::Manifest);
    let (_, manifest) = manifest.context("a document has a manifest")?;
    let extensions = extensions(deps, lineage, manifest).await?;
    let head = log::head(&deps.db).await?;
    let leaves = log::leaf_hashes(&deps.db, 0..head.size).await?;
    let checkpoint = String::from_utf8(head.note).context("the stored checkpoint is not text")?;
    Checkpoint::verify(&checkpoint, &deps.settings.log_origin, &deps.keys.public(Role::Log))?;
    let mut logged = Vec::new();
    for (exhibit, digest) in exhibits.iter().chain(&extensions) {
        let index = log::index_of(&deps.db, digest).await?;
        let index = index.with_context(|| format!("the statement {digest} is not in the log"))?;
        let path = merkle::inclusion_proof(&leaves, index as usize).context("the log lacks a leaf")?;
        logged.push(Logged { exhibit: *exhibit, envelope: envelope(deps, digest).await?, index, path });
    }
    let extensions = logged.split_off(exhibits.len());
    Ok(Exhibits { logged, extensions, checkpoint })
}

/// The pool extensions up to the one that a manifest cites, oldest first.
async fn extensions(deps: &Deps, lineage: &str, manifest: &Digest) -> Result<Vec<(Exhibit, Digest)>> {
    let manifest: Statement<SourceManifest> = statement(deps, manifest).await?;
    let Some(last) = manifest.predicate.extension else { return Ok(vec![]) };
    let all = pool_extensions::of_lineage(&deps.db, lineage).await?;
    let cited = all.iter().position(|run| run.statement.0 == last).context("a manifest cites an extension")?;
    Ok(all[..=cited].iter().map(|run| (Exhibit::PoolExtension, run.statement.0)).collect())
}

/// The records of sources with their places in the lineage's newest manifest, ascending by key.
///
/// # Errors
/// When `manifest`, which the document carries, is another one: its records cannot be told from the others any more.
pub(crate) async fn presences(deps: &Deps, lineage: &str, ids: &[String], manifest: &Digest) -> Result<Vec<Presence>> {
    let cited: Statement<SourceManifest> = statement(deps, manifest).await?;
    let all = all_sources(deps, lineage).await?;
    let newest = Manifest::new(all.iter().map(|s| (Digest::new(s.record_key.0), s.record.clone())));
    ensure!(
        cited.subject().digest.sha256 == Some(newest.root()),
        "sources were added to {lineage} since, so the document cannot be written again; restore it from a copy"
    );
    let mut found = Vec::new();
    for source in all.iter().filter(|s| ids.contains(&s.source_id)) {
        let presence = newest.presence(&Digest::new(source.record_key.0), &source.record);
        found.push(presence.context("a registered source is in its manifest")?);
    }
    found.sort_by_key(|presence| presence.key);
    Ok(found)
}

/// A stored statement, its signature verified.
///
/// # Errors
/// When it is missing or damaged.
pub(crate) async fn statement<P: Predicate>(deps: &Deps, digest: &Digest) -> Result<Statement<P>> {
    Ok(Statement::verify(&envelope(deps, digest).await?, &deps.keys.public(P::ROLE))?)
}

async fn envelope(deps: &Deps, digest: &Digest) -> Result<Envelope> {
    let stored = statements::get(&deps.db, digest).await?;
    let stored = stored.with_context(|| format!("the statement {digest} is missing from the database"))?;
    Ok(Envelope::from_bytes(&stored.envelope)?)
}
