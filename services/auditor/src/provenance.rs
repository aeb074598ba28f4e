//! Signed provenance of a source, on demand, always against the logged manifest.

use anyhow::{Context as _, Result};
use obelus_core::Digest;
use obelus_ledger::{
    canonical,
    manifest::{Manifest, SourceRecord},
    statement::{SourceProvenance, Statement, Subject},
};
use obelus_store::{manifests, models, sources, statements};

use crate::{
    Deps, NotThere,
    registration::all_sources,
    transparency::{publish, sign},
};

/// Makes, logs and gives the signed provenance of a source in a model's lineage: the envelope's bytes.
///
/// # Errors
/// When the source is not registered for the model.
pub async fn of_source(deps: &Deps, model: &str, source: &str) -> Result<Vec<u8>> {
    let row = models::get(&deps.db, model).await?;
    let row = row.ok_or_else(|| NotThere::model(model))?;
    let registered = sources::get(&deps.db, &row.lineage, source).await?;
    let registered = registered.ok_or_else(|| NotThere::source(source))?;
    let manifest_row = manifests::latest(&deps.db, &row.lineage).await?.context("the model has no manifest")?;
    let all = all_sources(deps, &row.lineage).await?;
    let manifest = Manifest::new(all.iter().map(|s| (Digest::new(s.record_key.0), s.record.clone())));
    let presence = manifest.presence(&Digest::new(registered.record_key.0), &registered.record);
    let presence = presence.context("a registered source is in its manifest")?;
    let record: SourceRecord = canonical::from_bytes(&registered.record)?;
    let statement = Statement::new(
        Subject::sha256(source, record.content_digest),
        SourceProvenance {
            source: record.source,
            publisher: record.publisher,
            license: record.license,
            documents: record.documents,
            mask_seed: record.seed,
            manifest: manifest_row.statement.0,
            manifest_root: manifest_row.root.0,
            manifest_index: presence.index,
            manifest_path: presence.path,
            record: Digest::sha256(&registered.record),
            issued_at: deps.now(),
            salt: deps.salt()?,
        },
    );
    let signed = sign(deps, &statement)?;
    let position = publish(deps, signed, async |_, _| Ok(())).await?;
    let stored = statements::get(&deps.db, &position.digest).await?.context("the statement was just stored")?;
    Ok(stored.envelope)
}
