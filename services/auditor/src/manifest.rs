//! Manifests of a lineage: source records under one root, signed and logged before anything is trained on the sources.
//!
//! A record never changes once it is signed. Sources that come later make a new manifest, which has the old records too.
//! There may be millions: they come one after another, are written in many transactions, and count all at once when the
//! manifest is logged. Not here: proofs (`manifest_tree.rs`).

use std::borrow::Cow;

use anyhow::{Context as _, Result, bail};
use obelus_core::Digest;
use obelus_corpus::SourceInfo;
use obelus_ledger::{
    canonical,
    manifest::{self, Entry, SourceRecord, merged},
    merkle::Frontier,
    statement::{SourceManifest, Statement, Subject},
};
use obelus_mask::derive_seed;
use obelus_store::{
    Bytes32, Micros, Sha256, Write, audit, campaigns::Campaign, manifests, registrations, registrations::Registration,
    sources::Source,
};

use crate::pool;
use obelus_casework::{
    Deps,
    fault::point,
    manifest_tree,
    transparency::{publish, sign},
};

/// Rows written at once.
const PIECE: usize = 2000;
/// Rows of a transaction. The fewer transactions, the less often the index over the keys is written all over; meanwhile
/// SQLite lets nobody else write.
const TRANSACTION: usize = 200_000;

/// A source to be registered.
pub(crate) struct NewSource<'a> {
    /// What is known of it.
    pub(crate) info: Cow<'a, SourceInfo>,
    /// The pool segment that its sinks lie in.
    pub(crate) segment: u64,
    /// The corpus with its text, where that is not the model's: the source came later, and no generation holds it yet.
    pub(crate) corpus: Option<&'a str>,
}

/// Signs and logs a manifest of the lineage's sources and `new` ones, and registers those. Ascending names are written
/// fastest. One that was cut off is begun again.
///
/// # Errors
/// When a source is registered already or comes twice, or the records from before do not give the root that was signed;
/// then nothing new counts as registered.
pub(crate) async fn extend<'a>(
    deps: &Deps,
    campaign: &Campaign,
    tokenizer: Digest,
    new: impl Iterator<Item = NewSource<'a>>,
) -> Result<()> {
    let lineage = &campaign.lineage;
    let write = deps.db.write().await?;
    let (registration, cut_off) = registrations::begin(&write, lineage, deps.salt()?, deps.now()).await?;
    write.commit().await?;
    let extended = async {
        if cut_off {
            registrations::remove_staged(&deps.db, &registration).await?;
        }
        register(deps, campaign, tokenizer, &registration, new).await
    };
    let extended = extended.await;
    if extended.is_err() {
        // The next registration does it otherwise; nobody sees them.
        let _ = registrations::remove_staged(&deps.db, &registration).await;
    }
    extended
}

async fn register<'a>(
    deps: &Deps,
    campaign: &Campaign,
    tokenizer: Digest,
    registration: &Registration,
    new: impl Iterator<Item = NewSource<'a>>,
) -> Result<()> {
    let (lineage, generation) = (&campaign.lineage, registration.generation);
    let mut sorter = manifest_tree::sorter(deps, lineage)?;
    let mut stage = Stage { deps, registration, write: None, staged: 0 };
    let mut rows = Vec::with_capacity(PIECE);
    for source in new {
        let row = row(deps, campaign, generation, &source)?;
        sorter.push(Entry::new(Digest::new(row.record_key.0), &row.record))?;
        rows.push(row);
        if rows.len() == PIECE {
            stage.write(std::mem::take(&mut rows)).await?;
        }
    }
    stage.write(rows).await?;
    stage.commit().await?;
    point("sources-staged");

    let mut before = manifest_tree::sorter(deps, lineage)?;
    manifest_tree::sort_registered(deps, lineage, generation, &mut before).await?;
    let (old, new) = (before.count(), sorter.count());
    let mut frontier = Frontier::default();
    let before = before.finish()?.inspect(|entry| {
        if let Ok(entry) = entry {
            frontier.push(entry.leaf);
        }
    });
    let draft = manifest_tree::write(deps, lineage, generation, old + new, merged(before, sorter.finish()?))?;
    let latest = manifests::latest(&deps.db, lineage).await?;
    if latest.is_some_and(|row| row.root.0 != frontier.root() || row.sources as u64 != old) {
        draft.discard();
        bail!(
            "the records of {lineage} do not give the root that was signed, so no further manifest is; restore the database"
        );
    }
    let root = draft.root;
    draft.keep()?;
    point("manifest-tree-written");
    let statement = Statement::new(
        Subject::sha256(lineage, root),
        SourceManifest {
            lineage: lineage.clone(),
            campaign: campaign.statement.0,
            extension: pool::last_extension(deps, lineage).await?,
            count: old + new,
            tokenizer,
            created_at: deps.now(),
            salt: deps.salt()?,
        },
    );
    let now = deps.now();
    publish(deps, sign(deps, &statement)?, async |write, digest| {
        registrations::finish(write, registration, new).await?;
        let row = manifests::Manifest {
            lineage: lineage.clone(),
            generation,
            root: Sha256(root),
            sources: (old + new) as i64,
            statement: Sha256(*digest),
            created_at: Micros(now),
        };
        manifests::create(write, row).await?;
        Ok(audit::append(write, now, &deps.settings.operator, "sign_manifest", lineage, "{}").await?)
    })
    .await?;
    point("manifest-signed");
    manifest_tree::forget(deps, lineage, generation - 1);
    Ok(())
}

/// The row of a source: its seed derived, its record made.
fn row(deps: &Deps, campaign: &Campaign, generation: i64, new: &NewSource<'_>) -> Result<Source> {
    let (lineage, info) = (&campaign.lineage, &new.info);
    let seed = derive_seed(&campaign.salt.0, lineage, &info.id);
    let record = SourceRecord {
        source: info.id.clone(),
        publisher: info.publisher.clone().unwrap_or_default(),
        license: info.license.clone().unwrap_or_default(),
        documents: info.documents as u64,
        content_digest: info.content_digest,
        seed: Digest::new(seed),
        segment: new.segment,
        salt: deps.salt()?,
    };
    Ok(Source {
        lineage: lineage.clone(),
        source_id: info.id.clone(),
        record: canonical::to_bytes(&record).with_context(|| format!("source {} cannot be registered", info.id))?,
        record_key: Bytes32(*manifest::key(&campaign.manifest_key.0, &info.id).as_bytes()),
        seed: Bytes32(seed),
        suppressed_at: None,
        revoked_at: None,
        manifest: generation,
        segment: new.segment as i64,
        since: if new.corpus.is_some() { 0 } else { 1 },
        corpus: new.corpus.map(str::to_owned),
    })
}

/// Writes rows in transactions of bounded size.
struct Stage<'d> {
    deps: &'d Deps,
    registration: &'d Registration,
    write: Option<Write>,
    /// Rows of the open transaction.
    staged: usize,
}

impl Stage<'_> {
    async fn write(&mut self, rows: Vec<Source>) -> Result<()> {
        let db = &self.deps.db;
        let write = match self.write.take() {
            Some(write) => write,
            None => {
                let write = db.write().await?;
                registrations::generous(&write, db.backend(), true).await?;
                write
            }
        };
        self.staged += rows.len();
        registrations::stage(&write, self.registration, rows).await?;
        self.write = Some(write);
        if self.staged >= TRANSACTION { self.commit().await } else { Ok(()) }
    }

    async fn commit(&mut self) -> Result<()> {
        self.staged = 0;
        let Some(write) = self.write.take() else { return Ok(()) };
        registrations::generous(&write, self.deps.db.backend(), false).await?;
        Ok(write.commit().await?)
    }
}
