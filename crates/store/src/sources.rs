//! Registered sources: their records, seeds, and whether their masks may still be applied. Not here: their text.
//!
//! A source is *suppressed* (its mask is not applied; reversible) and later *revoked* (its neurons are zero; for ever).
//! There may be millions: they are read page by page, in the order of the manifest.

use obelus_core::{Digest, Timestamp};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    UpdateMany, sea_query::Expr,
};

use crate::{
    column::{Bytes32, Micros},
    database::{Connected, Read, Write, at_most},
    entities::sources::{Column, Entity},
    error::{Error, Result, moved},
};

pub use crate::entities::sources::Model as Source;

/// Rows of one INSERT: 11 values each, and SQLite takes 32,766.
const SOURCES_PER_INSERT: usize = 2000;

/// Adds sources to their campaigns. May be called once per piece of a long list.
///
/// # Errors
/// [`Error::Exists`] when one is registered already; then the transaction is of no more use.
pub async fn register(write: &Write, sources: impl IntoIterator<Item = Source>) -> Result<()> {
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

/// A source of a lineage.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &impl Read, lineage: &str, source_id: &str) -> Result<Option<Source>> {
    Ok(Entity::find_by_id((lineage.to_owned(), source_id.to_owned())).one(db.connection()).await?)
}

/// At most `limit` sources in the order of the manifest, from the first whose key is greater than `after`.
///
/// # Errors
/// When the database fails.
pub async fn page(db: &impl Read, lineage: &str, after: Option<&Digest>, limit: u64) -> Result<Vec<Source>> {
    let mut query = Entity::find().filter(Column::Lineage.eq(lineage));
    if let Some(key) = after {
        query = query.filter(Column::RecordKey.gt(Bytes32(*key.as_bytes())));
    }
    Ok(query.order_by_asc(Column::RecordKey).limit(at_most(limit)).all(db.connection()).await?)
}

/// How many sources a lineage has.
///
/// # Errors
/// When the database fails.
pub async fn count(db: &impl Read, lineage: &str) -> Result<u64> {
    Ok(Entity::find().filter(Column::Lineage.eq(lineage)).count(db.connection()).await?)
}

/// The sources whose masks must not be applied now: suppressed or revoked, in the order of their names.
///
/// # Errors
/// When the database fails.
pub async fn refused(db: &impl Read, lineage: &str) -> Result<Vec<Source>> {
    Ok(Entity::find()
        .filter(Column::Lineage.eq(lineage))
        .filter(Condition::any().add(Column::SuppressedAt.is_not_null()).add(Column::RevokedAt.is_not_null()))
        .order_by_asc(Column::SourceId)
        .all(db.connection())
        .await?)
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
    Entity::update_many().filter(Column::Lineage.eq(lineage)).filter(Column::SourceId.eq(source_id))
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
