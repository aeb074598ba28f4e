//! Browsers in which somebody is signed in, by the hash of a random token that only the browser has. A session counts
//! until it expires, is revoked, or its person's account is disabled. Not here: tokens, cookies, and for how long.

use obelus_core::{Digest, Timestamp};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, QueryTrait, UpdateMany,
    sea_query::Expr,
};

use crate::{
    column::{Micros, Sha256},
    database::{Connected, Read, Write},
    entities::{
        accounts,
        sessions::{Column, Entity},
    },
    error::{Error, Result, moved},
};

pub use crate::entities::sessions::Model as Session;

/// A session is written to at most this often because it is used.
const SEEN_EVERY_US: i64 = 60_000_000;

/// Whose a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A person's, by number, who has an account.
    Person(i64),
    /// Of whoever holds the link of a request, by its reference.
    Request(String),
}

/// A session to be begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// SHA-256 of its random token.
    pub token_hash: Digest,
    /// Whose it is.
    pub holder: Holder,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
    /// What the browser calls itself, shortened.
    pub user_agent: String,
}

/// Begins a session; whoever signs in gets a new one, whatever the browser had before. A person has just entered the
/// password, so that theirs counts as stepped up.
///
/// # Errors
/// [`Error::Exists`] when the token was used before.
pub async fn begin(write: &Write, new: NewSession, now: Timestamp) -> Result<Session> {
    let (person, request) = match new.holder {
        Holder::Person(person) => (Some(person), None),
        Holder::Request(reference) => (None, Some(reference)),
    };
    let row = Session {
        token_hash: Sha256(new.token_hash),
        stepped_up_at: person.map(|_| Micros(now)),
        person,
        request,
        created_at: Micros(now),
        seen_at: Micros(now),
        expires_at: Micros(new.expires_at),
        revoked_at: None,
        user_agent: new.user_agent,
    };
    Entity::insert(row.clone().into_active_model())
        .exec_without_returning(write.connection())
        .await
        // The key is left out: a message is no place for it.
        .map_err(|error| Error::inserting(error, "session", "of this token"))?;
    Ok(row)
}

/// The session of a token, if it counts now.
///
/// # Errors
/// When the database fails.
pub async fn live(db: &impl Read, token_hash: &Digest, now: Timestamp) -> Result<Option<Session>> {
    let query = Entity::find_by_id(Sha256(*token_hash)).filter(counts(now));
    Ok(query.one(db.connection()).await?)
}

/// The sessions of a person that count now, the one used last first.
///
/// # Errors
/// When the database fails.
pub async fn of_person(db: &impl Read, person: i64, now: Timestamp) -> Result<Vec<Session>> {
    let query = Entity::find().filter(Column::Person.eq(person)).filter(counts(now));
    Ok(query.order_by_desc(Column::SeenAt).order_by_asc(Column::TokenHash).all(db.connection()).await?)
}

/// Whether [`seen`] has something to write.
pub fn is_seen_late(session: &Session, now: Timestamp) -> bool {
    now.as_micros() - session.seen_at.0.as_micros() >= SEEN_EVERY_US
}

/// Notes that a session was used. It never goes back, whatever the clocks of two machines say.
///
/// # Errors
/// When the database fails.
pub async fn seen(write: &Write, token_hash: &Digest, now: Timestamp) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::SeenAt, Expr::value(Micros(now)))
        .filter(Column::TokenHash.eq(Sha256(*token_hash)))
        .filter(Column::SeenAt.lt(Micros(now)))
        .filter(Column::RevokedAt.is_null())
        .exec(write.connection())
        .await?;
    Ok(())
}

/// Notes that the person of a session has entered the password again. False when the session does not count any more.
///
/// # Errors
/// When the database fails.
pub async fn step_up(write: &Write, token_hash: &Digest, now: Timestamp) -> Result<bool> {
    let change = Entity::update_many()
        .col_expr(Column::SteppedUpAt, Expr::value(Some(Micros(now))))
        .filter(Column::TokenHash.eq(Sha256(*token_hash)))
        .filter(Column::Person.is_not_null())
        .filter(counts(now));
    Ok(moved(&change.exec(write.connection()).await?))
}

/// Ends a session. False when it had ended, or there is none.
///
/// # Errors
/// When the database fails.
pub async fn revoke(write: &Write, token_hash: &Digest, now: Timestamp) -> Result<bool> {
    let change = revoked(now).filter(Column::TokenHash.eq(Sha256(*token_hash)));
    Ok(moved(&change.exec(write.connection()).await?))
}

/// Ends a session of a person. False when it had ended, is another's, or there is none.
///
/// # Errors
/// When the database fails.
pub async fn revoke_of(write: &Write, person: i64, token_hash: &Digest, now: Timestamp) -> Result<bool> {
    let change = revoked(now).filter(Column::TokenHash.eq(Sha256(*token_hash))).filter(Column::Person.eq(person));
    Ok(moved(&change.exec(write.connection()).await?))
}

/// Ends the sessions of a person, all `except` one. Gives how many.
///
/// # Errors
/// When the database fails.
pub async fn revoke_all(write: &Write, person: i64, except: Option<&Digest>, now: Timestamp) -> Result<u64> {
    let change = revoked(now)
        .filter(Column::Person.eq(person))
        .apply_if(except, |query, except| query.filter(Column::TokenHash.ne(Sha256(*except))));
    Ok(change.exec(write.connection()).await?.rows_affected)
}

/// Removes the sessions whose time was over `before`: what they say about a browser is kept no longer than it is of use.
/// Gives how many.
///
/// # Errors
/// When the database fails.
pub async fn remove_expired(write: &Write, before: Timestamp) -> Result<u64> {
    let removal = Entity::delete_many().filter(Column::ExpiresAt.lt(Micros(before)));
    Ok(removal.exec(write.connection()).await?.rows_affected)
}

fn counts(now: Timestamp) -> Condition {
    let disabled = accounts::Entity::find()
        .select_only()
        .column(accounts::Column::Person)
        .filter(accounts::Column::DisabledAt.is_not_null());
    let enabled =
        Condition::any().add(Column::Person.is_null()).add(Column::Person.not_in_subquery(disabled.into_query()));
    Condition::all().add(Column::ExpiresAt.gt(Micros(now))).add(Column::RevokedAt.is_null()).add(enabled)
}

fn revoked(now: Timestamp) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::value(Some(Micros(now))))
        .filter(Column::RevokedAt.is_null())
}
