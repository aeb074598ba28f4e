//! What documents for outsiders carry: statements as they are stored, with their places in the log, and the records of
//! sources with their places in a manifest. Nothing is signed or made again here.

use anyhow::{Context as _, Result};
use obelus_core::Digest;
use obelus_ledger::{
    bundle::{Bundle, Place},
    canonical,
    certificate::{Exhibit, Logged},
    dsse::Envelope,
    keys::Role,
    manifest::Presence,
    statement::{Predicate, SourceManifest, Statement},
};
use obelus_store::{log, pool_extensions, sources, statements};

use crate::{Deps, manifest_tree::SignedManifest, transparency};

/// Statements in the log, and the signed checkpoint that covers them.
pub struct Exhibits {
    /// Those asked for, in that order.
    pub logged: Vec<Logged>,
    /// The pool extensions of the lineage.
    pub extensions: Vec<Logged>,
    /// The signed note that covers them.
    pub checkpoint: String,
}

/// Collects statements by their envelope digests, and the pool extensions that the manifest among them rests on.
///
/// # Errors
/// When one is not stored or not in the log.
pub async fn collect(deps: &Deps, lineage: &str, exhibits: &[(Exhibit, Digest)]) -> Result<Exhibits> {
    let manifest = exhibits.iter().find(|(exhibit, _)| *exhibit == Exhibit::Manifest);
    let (_, manifest) = manifest.context("a document has a manifest")?;
    let extensions = extensions(deps, lineage, manifest).await?;
    let mut indices = Vec::new();
    for (_, digest) in exhibits.iter().chain(&extensions) {
        let index = log::index_of(&deps.db, digest).await?;
        indices.push(index.with_context(|| format!("the statement {digest} is not in the log"))?);
    }
    let proofs = transparency::prove(deps, &indices).await?;
    let mut logged = Vec::new();
    let places = indices.into_iter().zip(proofs.paths);
    for ((exhibit, digest), (index, path)) in exhibits.iter().chain(&extensions).zip(places) {
        logged.push(Logged { exhibit: *exhibit, envelope: envelope(deps, digest).await?, index, path });
    }
    let extensions = logged.split_off(exhibits.len());
    Ok(Exhibits { logged, extensions, checkpoint: proofs.note })
}

/// The pool extensions up to the one that a manifest cites, oldest first.
async fn extensions(deps: &Deps, lineage: &str, manifest: &Digest) -> Result<Vec<(Exhibit, Digest)>> {
    let manifest: Statement<SourceManifest> = statement(deps, manifest).await?;
    let Some(last) = manifest.predicate.extension else { return Ok(vec![]) };
    let all = pool_extensions::of_lineage(&deps.db, lineage).await?;
    let cited = all.iter().position(|run| run.statement.0 == last).context("a manifest cites an extension")?;
    Ok(all[..=cited].iter().map(|run| (Exhibit::PoolExtension, run.statement.0)).collect())
}

/// The records of sources with their places in the manifest that a statement is about, ascending by key.
///
/// # Errors
/// When there is no such manifest, or a source is not in it.
pub async fn presences(deps: &Deps, lineage: &str, ids: &[String], stated: &Digest) -> Result<Vec<Presence>> {
    let mut manifest = SignedManifest::open(deps, stated).await?;
    let mut found = Vec::new();
    for id in ids {
        let source = sources::get(&deps.db, lineage, id).await?;
        let source = source.with_context(|| format!("{id} is not in the manifest"))?;
        found.push(manifest.presence(&source).await?.0);
    }
    found.sort_by_key(|presence| presence.key);
    Ok(found)
}

/// A stored statement, its signature verified.
///
/// # Errors
/// When it is missing or damaged.
pub async fn statement<P: Predicate>(deps: &Deps, digest: &Digest) -> Result<Statement<P>> {
    let envelope = envelope(deps, digest).await?;
    Ok(Statement::verify(&envelope, &deps.keys.verifier(P::ROLE, &envelope)?)?)
}

/// The envelope of a stored statement.
///
/// # Errors
/// When it is missing or damaged.
pub async fn envelope(deps: &Deps, digest: &Digest) -> Result<Envelope> {
    let stored = statements::get(&deps.db, digest).await?;
    let stored = stored.with_context(|| format!("the statement {digest} is missing from the database"))?;
    Ok(Envelope::from_bytes(&stored.envelope)?)
}

/// The file of a stored statement: its bundle with its place under the published checkpoint.
///
/// # Errors
/// When it is missing, damaged or not in the log.
pub async fn bundled<P: Predicate>(deps: &Deps, digest: &Digest) -> Result<Vec<u8>> {
    let index = log::index_of(&deps.db, digest).await?;
    let index = index.with_context(|| format!("the statement {digest} is not in the log"))?;
    let mut proofs = transparency::prove(deps, &[index]).await?;
    let place = Place { index, path: proofs.paths.pop().context("one leaf has one path")? };
    Ok(canonical::to_bytes(&bundle(deps, P::ROLE, envelope(deps, digest).await?, &place, &proofs.note)?)?)
}

/// A stored statement as a bundle with its place under a checkpoint of this log.
///
/// # Errors
/// When no key of ours signed them.
pub fn bundle(deps: &Deps, role: Role, envelope: Envelope, place: &Place, note: &str) -> Result<Bundle> {
    let origin = &deps.settings.log_origin;
    let signer = deps.keys.verifier(role, &envelope)?;
    Ok(Bundle::new(envelope, &signer, place, note, origin, &deps.keys.log_key(note, origin)?)?)
}
