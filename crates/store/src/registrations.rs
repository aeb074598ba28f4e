//! Registering sources that are too many for one transaction: they are staged piece by piece, and all of them count from
//! the moment on at which their manifest is there.
//!
//! A registration that is cut off leaves rows that nobody sees. The next one of the lineage removes them, and whoever
//! began the one before can add no more. Not here: reading sources (`sources.rs`), and what a manifest is.

use obelus_core::Timestamp;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    UpdateMany, sea_query::Expr,
};

use crate::{
    column::Micros,
    database::{Backend, Connected, Db, Write},
    entities::{
        registrations::{Column, Entity},
        sources::{self, Column as Source},
    },
    error::{Error, Result, moved},
    manifests,
    sources::insert,
};

pub use crate::entities::registrations::Model as Registration;

/// Rows removed at once.
const PAGE: u64 = 10_000;
/// What SQLite may keep of the database while sources are written, in KiB. The order of the names and that of the manifest
/// are independent, so that one of the two indexes is written all over.
const CACHE_KIB: u32 = 256 << 10;

/// Begins the registration of a lineage's next sources. One that was begun and not finished ends here; the second value
/// says that there was one, whose rows [`remove_staged`] removes.
///
/// # Errors
/// When there is no such campaign.
pub async fn begin(write: &Write, lineage: &str, token: String, now: Timestamp) -> Result<(Registration, bool)> {
    let latest = manifests::latest(write, lineage).await?;
    let generation = latest.map_or(1, |manifest| manifest.generation + 1);
    let cut_off = Entity::delete_by_id(lineage.to_owned()).exec(write.connection()).await?.rows_affected > 0;
    let registration =
        Registration { lineage: lineage.to_owned(), generation, token, staged: 0, begun_at: Micros(now) };
    Entity::insert(registration.clone().into_active_model()).exec_without_returning(write.connection()).await?;
    Ok((registration, cut_off))
}

/// Removes what registrations of this generation have left, in transactions of bounded size.
///
/// # Errors
/// [`Error::State`] when another registration of the lineage has begun since.
pub async fn remove_staged(db: &Db, registration: &Registration) -> Result<()> {
    let mut after: Option<String> = None;
    loop {
        let write = db.write().await?;
        own(&write, registration, 0).await?;
        let mut page = sources::Entity::find()
            .select_only()
            .column(Source::SourceId)
            .filter(Source::Lineage.eq(&registration.lineage))
            .order_by_asc(Source::SourceId)
            .limit(PAGE);
        let mut range = sources::Entity::delete_many()
            .filter(Source::Lineage.eq(&registration.lineage))
            .filter(Source::Manifest.eq(registration.generation));
        if let Some(after) = &after {
            page = page.filter(Source::SourceId.gt(after));
            range = range.filter(Source::SourceId.gt(after));
        }
        let page: Vec<String> = page.into_tuple().all(write.connection()).await?;
        let Some(last) = page.into_iter().next_back() else { return Ok(()) };
        range.filter(Source::SourceId.lte(&last)).exec(write.connection()).await?;
        write.commit().await?;
        after = Some(last);
    }
}

/// Writes sources of a registration. They are of its lineage and generation.
///
/// # Errors
/// [`Error::Exists`] when one is registered already. [`Error::State`] when another registration of the lineage has begun
/// since.
pub async fn stage(write: &Write, registration: &Registration, rows: Vec<sources::Model>) -> Result<()> {
    let foreign =
        |row: &&sources::Model| row.lineage != registration.lineage || row.manifest != registration.generation;
    if let Some(row) = rows.iter().find(foreign) {
        return Err(Error::State {
            what: "source",
            key: row.source_id.clone(),
            expected: format!("of {}, generation {}", registration.lineage, registration.generation),
            found: format!("of {}, generation {}", row.lineage, row.manifest),
        });
    }
    own(write, registration, rows.len() as i64).await?;
    insert(write, rows).await
}

/// Gives the connection of a transaction in which very many sources are staged more memory, or as much as it had. Only
/// SQLite keeps pages in this process.
///
/// # Errors
/// When the database fails.
pub async fn generous(write: &Write, backend: Backend, on: bool) -> Result<()> {
    if backend == Backend::Sqlite {
        // 2,000 is what SQLite takes by itself.
        let kib = if on { CACHE_KIB } else { 2000 };
        write.connection().execute_unprepared(&format!("PRAGMA cache_size = -{kib}")).await?;
    }
    Ok(())
}

/// Ends a registration in the transaction that adds its manifest, which counts `sources` new ones.
///
/// # Errors
/// [`Error::State`] when another registration of the lineage has begun since, or not exactly so many were staged.
pub async fn finish(write: &Write, registration: &Registration, sources: u64) -> Result<()> {
    let ended = Entity::delete_many()
        .filter(Column::Lineage.eq(&registration.lineage))
        .filter(Column::Token.eq(&registration.token))
        .filter(Column::Staged.eq(i64::try_from(sources).unwrap_or(i64::MAX)))
        .exec(write.connection())
        .await?;
    if ended.rows_affected > 0 { Ok(()) } else { Err(superseded(registration)) }
}

/// Counts rows for a registration that is still the lineage's own.
async fn own(write: &Write, registration: &Registration, rows: i64) -> Result<()> {
    let count: UpdateMany<Entity> = Entity::update_many()
        .col_expr(Column::Staged, Expr::col(Column::Staged).add(rows))
        .filter(Column::Lineage.eq(&registration.lineage))
        .filter(Column::Token.eq(&registration.token));
    if moved(&count.exec(write.connection()).await?) { Ok(()) } else { Err(superseded(registration)) }
}

fn superseded(registration: &Registration) -> Error {
    Error::State {
        what: "registration of sources in",
        key: registration.lineage.clone(),
        expected: "under way, with every source of its manifest".to_owned(),
        found: "ended, or begun again by another process".to_owned(),
    }
}
