//! Manifests of a lineage: source records under one root, signed and logged before anything is trained on the sources.
//!
//! A record never changes once it is signed. Sources that come later make a new manifest, which has the old records too.

use anyhow::Result;
use obelus_core::Digest;
use obelus_corpus::SourceInfo;
use obelus_ledger::{
    canonical,
    manifest::{self, Manifest, SourceRecord},
    statement::{SourceManifest, Statement, Subject},
};
use obelus_mask::derive_seed;
use obelus_store::{Bytes32, Micros, Sha256, audit, campaigns::Campaign, manifests, sources};

use crate::{
    Deps, pool,
    registration::all_sources,
    transparency::{publish, sign},
};

/// A source to be registered.
pub(crate) struct NewSource<'a> {
    /// What is known of it.
    pub(crate) info: &'a SourceInfo,
    /// The pool segment that its sinks lie in.
    pub(crate) segment: u64,
    /// The corpus with its text, where that is not the model's: the source came later, and no generation holds it yet.
    pub(crate) corpus: Option<&'a str>,
}

/// Signs and logs a manifest of the lineage's sources and `new` ones, and registers those.
///
/// # Errors
/// When a source is registered already.
pub(crate) async fn extend(deps: &Deps, campaign: &Campaign, tokenizer: Digest, new: &[NewSource<'_>]) -> Result<()> {
    let lineage = &campaign.lineage;
    let generation = manifests::latest(&deps.db, lineage).await?.map_or(1, |latest| latest.generation + 1);
    let mut rows = Vec::with_capacity(new.len());
    for NewSource { info, segment, corpus } in new {
        let seed = derive_seed(&campaign.salt.0, lineage, &info.id);
        let record = SourceRecord {
            source: info.id.clone(),
            publisher: info.publisher.clone().unwrap_or_default(),
            license: info.license.clone().unwrap_or_default(),
            documents: info.documents as u64,
            content_digest: info.content_digest,
            seed: Digest::new(seed),
            segment: *segment,
            salt: deps.salt()?,
        };
        rows.push(sources::Source {
            lineage: lineage.clone(),
            source_id: info.id.clone(),
            record: canonical::to_bytes(&record)?,
            record_key: Bytes32(*manifest::key(&campaign.manifest_key.0, &info.id).as_bytes()),
            seed: Bytes32(seed),
            suppressed_at: None,
            revoked_at: None,
            manifest: generation,
            segment: *segment as i64,
            since: if corpus.is_some() { 0 } else { 1 },
            corpus: corpus.map(str::to_owned),
        });
    }
    let old = all_sources(deps, lineage).await?;
    let all = old.iter().chain(&rows).map(|row| (Digest::new(row.record_key.0), row.record.clone()));
    let manifest = Manifest::new(all);
    let root = manifest.root();
    let statement = Statement::new(
        Subject::sha256(lineage, root),
        SourceManifest {
            lineage: lineage.clone(),
            campaign: campaign.statement.0,
            extension: pool::last_extension(deps, lineage).await?,
            count: manifest.len() as u64,
            tokenizer,
            created_at: deps.now(),
            salt: deps.salt()?,
        },
    );
    let now = deps.now();
    publish(deps, sign(deps, &statement)?, async |write, digest| {
        sources::register(write, rows.iter().cloned()).await?;
        let row = manifests::Manifest {
            lineage: lineage.clone(),
            generation,
            root: Sha256(root),
            sources: manifest.len() as i64,
            statement: Sha256(*digest),
            created_at: Micros(now),
        };
        manifests::create(write, row).await?;
        Ok(audit::append(write, now, &deps.settings.operator, "sign_manifest", lineage, "{}").await?)
    })
    .await?;
    Ok(())
}
