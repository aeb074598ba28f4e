//! Links that work once and for a while, by the hash of a random token that only the link has. Of a purpose and subject
//! the newest link alone works. The keys by which programs file once are kept beside them. Not here: what somebody gets who
//! follows one.

use obelus_core::{Digest, Timestamp};
use sea_orm::{ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, sea_query::Expr};

use crate::{
    column::{Micros, Sha256, words},
    database::{Connected, Read, Write},
    entities::one_time_links::{Column, Entity},
    error::{Error, Result, moved},
};

pub use crate::entities::one_time_links::Model as Link;

words!(
    /// What a link is for.
    Purpose {
        /// To make the first account of the installation.
        Setup = "setup",
        /// To choose the password of a new account. The subject is the person's name.
        Invite = "invite",
        /// To see a request. The subject is its reference.
        Requester = "requester",
        /// No link, but the key with which a program filed a request, so that it files it once. The subject is its reference.
        Filing = "filing",
        /// To choose another password. The subject is the person's name.
        Reset = "reset",
    }
);

/// A link to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLink {
    /// SHA-256 of its random token.
    pub token_hash: Digest,
    /// What it is for.
    pub purpose: Purpose,
    /// The person's name or the request's reference.
    pub subject: String,
    /// Until when it works.
    pub expires_at: Timestamp,
}

/// Makes a link. Earlier ones of the same purpose and subject do not work any more.
///
/// # Errors
/// [`Error::Exists`] when somebody else makes one at the same time, or the token was used before.
pub async fn make(write: &Write, new: NewLink, now: Timestamp) -> Result<Link> {
    void(write, new.purpose, &new.subject, now).await?;
    let row = Link {
        token_hash: Sha256(new.token_hash),
        purpose: new.purpose,
        subject: new.subject,
        created_at: Micros(now),
        expires_at: Micros(new.expires_at),
        used_at: None,
    };
    Entity::insert(row.clone().into_active_model())
        .exec_without_returning(write.connection())
        .await
        .map_err(|error| Error::inserting(error, "link for", format!("{} of {}", row.purpose, row.subject)))?;
    Ok(row)
}

/// The link of a token, if it would work now. Looking at it does not use it up.
///
/// # Errors
/// When the database fails.
pub async fn open(db: &impl Read, token_hash: &Digest, purpose: Purpose, now: Timestamp) -> Result<Option<Link>> {
    let query = Entity::find_by_id(Sha256(*token_hash)).filter(works(purpose, now));
    Ok(query.one(db.connection()).await?)
}

/// The link of a token, whether or not it works.
///
/// # Errors
/// When the database fails.
pub async fn of_token(db: &impl Read, token_hash: &Digest) -> Result<Option<Link>> {
    Ok(Entity::find_by_id(Sha256(*token_hash)).one(db.connection()).await?)
}

/// Uses a link up, and gives it; none when it does not work. Of several who try at once, one gets it.
///
/// # Errors
/// When the database fails.
pub async fn use_up(write: &Write, token_hash: &Digest, purpose: Purpose, now: Timestamp) -> Result<Option<Link>> {
    let change = Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(Some(Micros(now))))
        .filter(Column::TokenHash.eq(Sha256(*token_hash)))
        .filter(works(purpose, now));
    if !moved(&change.exec(write.connection()).await?) {
        return Ok(None);
    }
    Ok(Entity::find_by_id(Sha256(*token_hash)).one(write.connection()).await?)
}

/// Takes back the link of a purpose and subject. False when none was open.
///
/// # Errors
/// When the database fails.
pub async fn void(write: &Write, purpose: Purpose, subject: &str, now: Timestamp) -> Result<bool> {
    let change = Entity::update_many()
        .col_expr(Column::UsedAt, Expr::value(Some(Micros(now))))
        .filter(Column::Purpose.eq(purpose))
        .filter(Column::Subject.eq(subject))
        .filter(Column::UsedAt.is_null());
    Ok(moved(&change.exec(write.connection()).await?))
}

/// Removes the links whose time was over `before`. Gives how many.
///
/// # Errors
/// When the database fails.
pub async fn remove_expired(write: &Write, before: Timestamp) -> Result<u64> {
    let removal = Entity::delete_many().filter(Column::ExpiresAt.lt(Micros(before)));
    Ok(removal.exec(write.connection()).await?.rows_affected)
}

fn works(purpose: Purpose, now: Timestamp) -> Condition {
    Condition::all()
        .add(Column::Purpose.eq(purpose))
        .add(Column::ExpiresAt.gt(Micros(now)))
        .add(Column::UsedAt.is_null())
}
