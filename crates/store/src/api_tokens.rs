//! With what programs act for a person, by the hash of a random token that only the program has. A token counts until it
//! expires, is revoked, or the person's account is disabled. Not here: what a scope permits.

use obelus_core::{Digest, Timestamp};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::Expr,
};

use crate::{
    column::{Micros, Names, Sha256},
    database::{Connected, Read, Write, at_most},
    entities::{
        accounts,
        api_tokens::{ActiveModel, Column, Entity},
    },
    error::{Error, Result, moved},
};

pub use crate::entities::api_tokens::Model as ApiToken;

/// A token is written to at most this often because it is used.
const USED_EVERY_US: i64 = 60_000_000;

/// A token to be issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// The person for whom it acts, who has an account.
    pub person: i64,
    /// What the person calls it.
    pub name: String,
    /// SHA-256 of the random token.
    pub token_hash: Digest,
    /// What it may be used for.
    pub scopes: Vec<String>,
    /// Until when it works.
    pub expires_at: Timestamp,
}

/// Issues a token.
///
/// # Errors
/// [`Error::Exists`] when the token was used before.
pub async fn issue(write: &Write, new: NewToken, now: Timestamp) -> Result<ApiToken> {
    let row = ActiveModel {
        id: NotSet,
        person: Set(new.person),
        name: Set(new.name),
        token_hash: Set(Sha256(new.token_hash)),
        scopes: Set(Names(new.scopes)),
        created_at: Set(Micros(now)),
        expires_at: Set(Micros(new.expires_at)),
        last_used_at: Set(None),
        revoked_at: Set(None),
    };
    Entity::insert(row)
        .exec_with_returning(write.connection())
        .await
        // The key is left out: a message is no place for it.
        .map_err(|error| Error::inserting(error, "token", "of this value"))
}

/// The token that counts now.
///
/// # Errors
/// When the database fails.
pub async fn live(db: &impl Read, token_hash: &Digest, now: Timestamp) -> Result<Option<ApiToken>> {
    let disabled = accounts::Entity::find()
        .select_only()
        .column(accounts::Column::Person)
        .filter(accounts::Column::DisabledAt.is_not_null());
    let counts = Condition::all()
        .add(Column::ExpiresAt.gt(Micros(now)))
        .add(Column::RevokedAt.is_null())
        .add(Column::Person.not_in_subquery(disabled.into_query()));
    let query = Entity::find().filter(Column::TokenHash.eq(Sha256(*token_hash))).filter(counts);
    Ok(query.one(db.connection()).await?)
}

/// Whether [`used`] has something to write.
pub fn is_used_late(token: &ApiToken, now: Timestamp) -> bool {
    token.last_used_at.is_none_or(|last| now.as_micros() - last.0.as_micros() >= USED_EVERY_US)
}

/// Notes that a token was used.
///
/// # Errors
/// When the database fails.
pub async fn used(write: &Write, id: i64, now: Timestamp) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::LastUsedAt, Expr::value(Some(Micros(now))))
        .filter(Column::Id.eq(id))
        .filter(Column::RevokedAt.is_null())
        .filter(Condition::any().add(Column::LastUsedAt.is_null()).add(Column::LastUsedAt.lt(Micros(now))))
        .exec(write.connection())
        .await?;
    Ok(())
}

/// The tokens of a person, the newest first, those that count no more among them.
///
/// # Errors
/// When the database fails.
pub async fn of_person(db: &impl Read, person: i64) -> Result<Vec<ApiToken>> {
    let query = Entity::find().filter(Column::Person.eq(person)).order_by_desc(Column::Id);
    Ok(query.all(db.connection()).await?)
}

/// A token by its number.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &impl Read, id: i64) -> Result<Option<ApiToken>> {
    Ok(Entity::find_by_id(id).one(db.connection()).await?)
}

/// At most `limit` tokens of everybody, the newest first, from the first whose number is less than `before`.
///
/// # Errors
/// When the database fails.
pub async fn page(db: &impl Read, before: i64, limit: u64) -> Result<Vec<ApiToken>> {
    let query = Entity::find().filter(Column::Id.lt(before)).order_by_desc(Column::Id);
    Ok(query.limit(at_most(limit)).all(db.connection()).await?)
}

/// Takes a token of a person back. False when it was, is another's, or there is none.
///
/// # Errors
/// When the database fails.
pub async fn revoke(write: &Write, person: i64, id: i64, now: Timestamp) -> Result<bool> {
    let change = Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::value(Some(Micros(now))))
        .filter(Column::Id.eq(id))
        .filter(Column::Person.eq(person))
        .filter(Column::RevokedAt.is_null());
    Ok(moved(&change.exec(write.connection()).await?))
}
