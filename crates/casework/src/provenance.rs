//! What is handed out about one source of a model: signed provenance, on demand and always against a logged manifest, its
//! record's presence in that manifest, and the absence of a source that is not there. Not here: their checks
//! (`obelus-ledger`).

use anyhow::{Context as _, Result};
use obelus_core::Digest;
use obelus_ledger::{
    bundle::{Bundle, Place},
    canonical,
    keys::Role,
    manifest::{Presence, SourceRecord},
    manifest_proof::{ABSENCE_FORMAT, AbsenceDocument, PRESENCE_FORMAT, PresenceDocument},
    statement::{SourceProvenance, Statement, Subject},
};
use obelus_store::{log, manifests, models, sources, statements};

use crate::{
    Deps, NotThere, exhibits,
    manifest_tree::SignedManifest,
    transparency::{append, prove, sign},
};

/// Signed provenance of a source.
#[derive(Clone, Debug)]
pub struct Provenance {
    /// The bytes of the signed statement's envelope.
    pub statement: Vec<u8>,
    /// The bytes of the presence document that goes beside it.
    pub presence: Vec<u8>,
}

/// Makes, logs and gives the signed provenance of a source in a model's lineage.
///
/// # Errors
/// When the source is not registered for the model.
pub async fn of_source(deps: &Deps, model: &str, source: &str) -> Result<Provenance> {
    let lineage = lineage(deps, model).await?;
    let (manifest, presence, record) = present(deps, &lineage, source).await?;
    let document = document(deps, &manifest, &presence, &record).await?;
    let statement = Statement::new(
        Subject::sha256(source, record.content_digest),
        SourceProvenance {
            source: record.source,
            publisher: record.publisher,
            license: record.license,
            documents: record.documents,
            mask_seed: record.seed,
            manifest: manifest.statement.0,
            manifest_root: manifest.root.0,
            manifest_index: presence.index,
            manifest_path: presence.path,
            record: Digest::sha256(&presence.record),
            issued_at: deps.now(),
            salt: deps.salt()?,
        },
    );
    let signed = sign(deps, &statement)?;
    let position = append(deps, signed).await?;
    let stored = statements::get(&deps.db, &position.digest).await?.context("the statement was just stored")?;
    Ok(Provenance { statement: stored.envelope, presence: document })
}

/// The presence document of a source in its lineage's newest manifest.
///
/// # Errors
/// When the source is not registered.
pub async fn presence(deps: &Deps, lineage: &str, source: &str) -> Result<Vec<u8>> {
    let (manifest, presence, record) = present(deps, lineage, source).await?;
    document(deps, &manifest, &presence, &record).await
}

/// The document that shows that a model's newest manifest has no source of this name. None when it has one.
///
/// # Errors
/// When there is no such model, or the database is damaged.
pub async fn absence(deps: &Deps, model: &str, source: &str) -> Result<Option<Vec<u8>>> {
    absence_in(deps, &lineage(deps, model).await?, source).await
}

/// As [`absence`], for a lineage.
///
/// # Errors
/// When there is no such lineage, or the database is damaged.
pub async fn absence_in(deps: &Deps, lineage: &str, source: &str) -> Result<Option<Vec<u8>>> {
    let manifest = newest(deps, lineage).await?;
    let Some((absence, key)) = SignedManifest::open(deps, &manifest.statement.0).await?.absence(source).await? else {
        return Ok(None);
    };
    let document = AbsenceDocument {
        absence,
        format: ABSENCE_FORMAT.to_owned(),
        manifest: bundle(deps, &manifest).await?,
        manifest_key: Digest::new(key),
        source: source.to_owned(),
    };
    Ok(Some(canonical::to_bytes(&document)?))
}

async fn lineage(deps: &Deps, model: &str) -> Result<String> {
    let row = models::get(&deps.db, model).await?;
    Ok(row.ok_or_else(|| NotThere::model(model))?.lineage)
}

async fn newest(deps: &Deps, lineage: &str) -> Result<manifests::Manifest> {
    manifests::latest(&deps.db, lineage).await?.with_context(|| format!("the lineage {lineage} has no manifest"))
}

async fn present(deps: &Deps, lineage: &str, source: &str) -> Result<(manifests::Manifest, Presence, SourceRecord)> {
    let manifest = newest(deps, lineage).await?;
    let registered = sources::get(&deps.db, lineage, source).await?;
    let registered = registered.ok_or_else(|| NotThere::source(source))?;
    let (presence, record) = SignedManifest::open(deps, &manifest.statement.0).await?.presence(&registered).await?;
    Ok((manifest, presence, record))
}

async fn document(
    deps: &Deps,
    manifest: &manifests::Manifest,
    presence: &Presence,
    record: &SourceRecord,
) -> Result<Vec<u8>> {
    let document = PresenceDocument {
        format: PRESENCE_FORMAT.to_owned(),
        manifest: bundle(deps, manifest).await?,
        presence: presence.clone(),
        source: record.source.clone(),
    };
    Ok(canonical::to_bytes(&document)?)
}

/// A manifest's statement with its place in the log.
async fn bundle(deps: &Deps, manifest: &manifests::Manifest) -> Result<Bundle> {
    let digest = manifest.statement.0;
    let envelope = exhibits::envelope(deps, &digest).await?;
    let index = log::index_of(&deps.db, &digest).await?;
    let index = index.with_context(|| format!("the statement {digest} is not in the log"))?;
    let proofs = prove(deps, &[index]).await?;
    let path = proofs.paths.into_iter().next().context("a proof was asked for")?;
    exhibits::bundle(deps, Role::Registrar, envelope, &Place { index, path }, &proofs.note)
}
