//! Requests that are not sent yet, by the hash of a token that one browser has. What is kept is sealed: this room does not know
//! the key. Not here: what stands in a draft, and who makes a request of it.

use obelus_core::{Digest, Timestamp};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, sea_query::Expr};

use crate::{
    column::{Micros, Sha256},
    database::{Connected, Read, Write},
    entities::request_drafts::{Column, Entity, Model},
    error::{Error, Result, moved},
};

/// Begins a draft that is kept until `expires_at`.
///
/// # Errors
/// [`Error::Exists`] when there is one of this token.
pub async fn begin(
    write: &Write,
    token_hash: &Digest,
    sealed: Vec<u8>,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<()> {
    let row = Model { token_hash: Sha256(*token_hash), sealed, saved_at: Micros(now), expires_at: Micros(expires_at) };
    Entity::insert(row.into_active_model())
        .exec_without_returning(write.connection())
        .await
        .map_err(|error| Error::inserting(error, "draft of token", token_hash.to_string()))?;
    Ok(())
}

/// Puts other answers in the place of those that are kept. False where none are: they were sent, or their time is over.
///
/// # Errors
/// When the database fails.
pub async fn change(
    write: &Write,
    token_hash: &Digest,
    sealed: Vec<u8>,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<bool> {
    let change = Entity::update_many()
        .col_expr(Column::Sealed, Expr::value(sealed))
        .col_expr(Column::SavedAt, Expr::value(Micros(now)))
        .col_expr(Column::ExpiresAt, Expr::value(Micros(expires_at)))
        .filter(Column::TokenHash.eq(Sha256(*token_hash)))
        .filter(Column::ExpiresAt.gt(Micros(now)));
    Ok(moved(&change.exec(write.connection()).await?))
}

/// What is kept for a token; none where nothing is, or its time is over.
///
/// # Errors
/// When the database fails.
pub async fn sealed(db: &impl Read, token_hash: &Digest, now: Timestamp) -> Result<Option<Vec<u8>>> {
    let query = Entity::find_by_id(Sha256(*token_hash)).filter(Column::ExpiresAt.gt(Micros(now)));
    Ok(query.one(db.connection()).await?.map(|draft| draft.sealed))
}

/// Removes a draft. False where none is kept.
///
/// # Errors
/// When the database fails.
pub async fn remove(write: &Write, token_hash: &Digest) -> Result<bool> {
    let removed = Entity::delete_by_id(Sha256(*token_hash)).exec(write.connection()).await?;
    Ok(removed.rows_affected > 0)
}

/// Removes the drafts whose time is over. Gives how many.
///
/// # Errors
/// When the database fails.
pub async fn remove_expired(write: &Write, now: Timestamp) -> Result<u64> {
    let removal = Entity::delete_many().filter(Column::ExpiresAt.lte(Micros(now)));
    Ok(removal.exec(write.connection()).await?.rows_affected)
}
