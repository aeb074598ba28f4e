//! The sink pool of a lineage: the campaign's segments, and those that signed extensions have appended since. Not here:
//! which neurons a seed gives in a segment (`obelus-mask`).

use anyhow::{Context as _, Result};
use obelus_core::Digest;
use obelus_ledger::statement::{self as statements, PoolExtension, Statement, Subject};
use obelus_model::PoolSegment;
use obelus_store::{Micros, Sha256, Write, audit, campaigns::Campaign, pool_extensions};

use obelus_casework::{
    Deps,
    transparency::{publish, sign},
};

/// Why a pool is extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The preset gives every source of the corpus rows of its own.
    DisjointAssignment,
    /// Sources came after the training.
    AddedSources,
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Self::DisjointAssignment => "disjoint-assignment",
            Self::AddedSources => "added-sources",
        }
    }
}

/// The segments of a lineage's pool in order, as a model's shape lists them.
///
/// # Errors
/// When the database fails or its rows are damaged.
pub(crate) async fn segments(deps: &Deps, campaign: &Campaign) -> Result<Vec<PoolSegment>> {
    let first: Vec<statements::PoolSegment> =
        serde_json::from_str(&campaign.segments).context("the campaign's segments are damaged")?;
    let mut all: Vec<PoolSegment> = first.into_iter().map(|s| PoolSegment { base: s.base, n: s.n, k: s.k }).collect();
    for run in pool_extensions::of_lineage(&deps.db, &campaign.lineage).await? {
        let number = |n: i64| u32::try_from(n).context("a pool extension in the database is damaged");
        let (base, n, k) = (number(run.base)?, number(run.n)?, number(run.k)?);
        all.extend((0..number(run.count)?).map(|i| PoolSegment { base: base + i * n, n, k }));
    }
    Ok(all)
}

/// Envelope digest of the last extension, which a manifest must cite; none for a pool that never grew.
///
/// # Errors
/// When the database fails.
pub(crate) async fn last_extension(deps: &Deps, lineage: &str) -> Result<Option<Digest>> {
    Ok(pool_extensions::of_lineage(&deps.db, lineage).await?.last().map(|run| run.statement.0))
}

/// Signs and logs an extension of `count` segments with `own` neurons each, all of them lit by the segment's one source.
/// Gives the number of the first.
///
/// # Errors
/// When the pool becomes too large.
pub(crate) async fn extend(deps: &Deps, campaign: &Campaign, own: u32, count: usize, reason: Reason) -> Result<u64> {
    let lineage = &campaign.lineage;
    let before = segments(deps, campaign).await?;
    let base = before.last().map_or(0, |s| s.base + s.n);
    let too_large = || format!("{count} segments of {own} neurons do not fit behind neuron {base}");
    u32::try_from(count).ok().and_then(|c| c.checked_mul(own)?.checked_add(base)).with_context(too_large)?;
    let first_segment = before.len() as u64;
    let statement = Statement::new(
        Subject::sha256(lineage, Digest::sha256(lineage)),
        PoolExtension {
            lineage: lineage.clone(),
            campaign: campaign.statement.0,
            previous: last_extension(deps, lineage).await?,
            first_segment,
            base,
            n: own,
            k: own,
            count: count as u64,
            reason: reason.name().to_owned(),
            operator: deps.settings.operator.clone(),
            created_at: deps.now(),
            salt: deps.salt()?,
        },
    );
    let now = deps.now();
    publish(deps, sign(deps, &statement)?, async |write: &Write, digest| {
        let row = pool_extensions::PoolExtension {
            lineage: lineage.clone(),
            first_segment: first_segment as i64,
            base: i64::from(base),
            n: i64::from(own),
            k: i64::from(own),
            count: count as i64,
            reason: reason.name().to_owned(),
            statement: Sha256(*digest),
            created_at: Micros(now),
        };
        pool_extensions::create(write, row).await?;
        Ok(audit::append(write, now, &deps.settings.operator, "extend_pool", lineage, "{}").await?)
    })
    .await?;
    Ok(first_segment)
}
