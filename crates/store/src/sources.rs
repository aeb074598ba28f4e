//! Registered sources: their records, seeds, and whether their masks may still be applied. Not here: their text.
//!
//! A source is *suppressed* (its mask is not applied; reversible) and later *revoked* (its neurons are zero; for ever).
//! There may be millions: they are read page by page. A source counts as registered once its manifest is there; rows of a
//! registration that is under way or was cut off (`registrations.rs`) are seen by nothing here.

use obelus_core::{Digest, Timestamp};
use sea_orm::{
    ColumnTrait, EntityTrait, ExprTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select,
    UpdateMany,
    sea_query::{Expr, SimpleExpr},
};

use crate::{
    column::{Bytes32, Micros},
    database::{Connected, Read, Write, at_most},
    entities::{
        manifests,
        sources::{Column, Entity},
    },
    error::{Error, Result, moved},
};

pub use crate::entities::sources::Model as Source;

/// Rows of one INSERT: 11 values each, and SQLite takes 32,766.
const SOURCES_PER_INSERT: usize = 2000;

/// Writes rows of sources, piece by piece.
pub(crate) async fn insert(write: &Write, sources: impl IntoIterator<Item = Source>) -> Result<()> {
    let mut sources = sources.into_iter();
    loop {
        let chunk: Vec<_> = sources.by_ref().take(SOURCES_PER_INSERT).collect();
        let Some(first) = chunk.first() else { return Ok(()) };
        let among = format!("{} or one of the {} after it", first.source_id, chunk.len() - 1);
        Entity::insert_many(chunk.into_iter().map(IntoActiveModel::into_active_model))
            .exec_without_returning(write.connection())
            .await
            .map_err(|error| Error::inserting(error, "source", among))?;
    }
}

/// That a row's manifest is there: what is staged for the next one is not registered yet.
fn is_registered(lineage: &str) -> SimpleExpr {
    let latest = manifests::Entity::find()
        .select_only()
        .column_as(manifests::Column::Generation.max(), "latest")
        .filter(manifests::Column::Lineage.eq(lineage))
        .into_query();
    Column::Manifest.into_expr().lte(SimpleExpr::SubQuery(None, Box::new(latest.into())))
}

/// The registered sources of a lineage.
fn registered(lineage: &str) -> Select<Entity> {
    Entity::find().filter(Column::Lineage.eq(lineage)).filter(is_registered(lineage))
}

/// A source of a lineage.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &impl Read, lineage: &str, source_id: &str) -> Result<Option<Source>> {
    Ok(registered(lineage).filter(Column::SourceId.eq(source_id)).one(db.connection()).await?)
}

/// The source with a key in the manifests of a lineage.
///
/// # Errors
/// When the database fails.
pub async fn with_key(db: &impl Read, lineage: &str, key: &Digest) -> Result<Option<Source>> {
    Ok(registered(lineage).filter(Column::RecordKey.eq(Bytes32(*key.as_bytes()))).one(db.connection()).await?)
}

/// At most `limit` sources ascending by name, from the first that comes after `after`. Of a lineage that was registered in
/// this order the database then reads its pages one after another.
///
/// # Errors
/// When the database fails.
pub async fn page(db: &impl Read, lineage: &str, after: Option<&str>, limit: u64) -> Result<Vec<Source>> {
    let mut query = registered(lineage);
    if let Some(name) = after {
        query = query.filter(Column::SourceId.gt(name));
    }
    Ok(query.order_by_asc(Column::SourceId).limit(at_most(limit)).all(db.connection()).await?)
}

/// The sources whose masks must not be applied now: suppressed or revoked, in the order of their names.
///
/// # Errors
/// When the database fails.
pub async fn refused(db: &impl Read, lineage: &str) -> Result<Vec<Source>> {
    // Two queries, for each of which there is an index over these rows alone; one over both would read every source.
    let mut found = Vec::new();
    for column in [Column::SuppressedAt, Column::RevokedAt] {
        found.extend(registered(lineage).filter(column.is_not_null()).all(db.connection()).await?);
    }
    found.sort_by(|a, b| a.source_id.cmp(&b.source_id));
    found.dedup_by(|a, b| a.source_id == b.source_id);
    Ok(found)
}

/// Stops a source's mask from being applied. False when it already was.
///
/// # Errors
/// [`Error::Missing`] when there is no such source.
pub async fn suppress(write: &Write, lineage: &str, source_id: &str, now: Timestamp) -> Result<bool> {
    let change = update(lineage, source_id)
        .col_expr(Column::SuppressedAt, Expr::value(Micros(now)))
        .filter(Column::SuppressedAt.is_null());
    changed(write, change, lineage, source_id).await
}

/// Lets a suppressed source's mask be applied again. False when it was not suppressed.
///
/// # Errors
/// [`Error::State`] when it is revoked: zeroed neurons do not come back. [`Error::Missing`] when there is no such source.
pub async fn restore(write: &Write, lineage: &str, source_id: &str) -> Result<bool> {
    let change = update(lineage, source_id)
        .col_expr(Column::SuppressedAt, Expr::value(None::<Micros>))
        .filter(Column::SuppressedAt.is_not_null())
        .filter(Column::RevokedAt.is_null());
    if changed(write, change, lineage, source_id).await? {
        return Ok(true);
    }
    match get(write, lineage, source_id).await? {
        Some(Source { revoked_at: Some(_), .. }) => Err(Error::State {
            what: "source",
            key: source_id.to_owned(),
            expected: "suppressed".to_owned(),
            found: "revoked".to_owned(),
        }),
        _ => Ok(false),
    }
}

/// Ends a source's mask for ever. False when it already was; the first time stands.
///
/// # Errors
/// [`Error::Missing`] when there is no such source.
pub async fn revoke(write: &Write, lineage: &str, source_id: &str, now: Timestamp) -> Result<bool> {
    let change = update(lineage, source_id)
        .col_expr(Column::RevokedAt, Expr::value(Micros(now)))
        .filter(Column::RevokedAt.is_null());
    changed(write, change, lineage, source_id).await
}

/// Records the generation of the lineage's model from which on it holds a source.
///
/// # Errors
/// [`Error::State`] when a generation holds it already. [`Error::Missing`] when there is no such source.
pub async fn hold_since(write: &Write, lineage: &str, source_id: &str, generation: i64) -> Result<()> {
    let change =
        update(lineage, source_id).col_expr(Column::Since, Expr::value(generation)).filter(Column::Since.eq(0i64));
    if changed(write, change, lineage, source_id).await? {
        return Ok(());
    }
    Err(Error::State {
        what: "source",
        key: source_id.to_owned(),
        expected: "in no generation".to_owned(),
        found: "in a generation".to_owned(),
    })
}

fn update(lineage: &str, source_id: &str) -> UpdateMany<Entity> {
    Entity::update_many()
        .filter(Column::Lineage.eq(lineage))
        .filter(Column::SourceId.eq(source_id))
        .filter(is_registered(lineage))
}

async fn changed(write: &Write, change: UpdateMany<Entity>, lineage: &str, source_id: &str) -> Result<bool> {
    if moved(&change.exec(write.connection()).await?) {
        return Ok(true);
    }
    match get(write, lineage, source_id).await? {
        Some(_) => Ok(false),
        None => Err(Error::missing("source", source_id)),
    }
}
