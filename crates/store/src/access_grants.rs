//! Grants: which cases an authority may look at, and from when until when. Not here: what a grant lets somebody do
//! (`obelus-policy`), and who gives one.

use obelus_core::Timestamp;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    sea_query::Expr,
};

use crate::{
    column::Micros,
    database::{Connected, Read, Write},
    entities::{access_grant_cases, access_grants},
    error::{Error, Result, moved},
};

pub use crate::entities::{access_grant_cases::Model as GrantedCase, access_grants::Model as AccessGrant};

/// A grant to be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGrant {
    /// To whom.
    pub person: i64,
    /// What it is about, in words.
    pub matter: String,
    /// References of the cases; one that is named twice counts once.
    pub cases: Vec<String>,
    /// Its first moment.
    pub starts_at: Timestamp,
    /// The first moment after it.
    pub ends_at: Timestamp,
    /// How many cases may be drawn at random under it.
    pub draws: u32,
    /// Who gives it.
    pub by: String,
}

/// Gives a grant.
///
/// # Errors
/// When a case or the person does not exist, or the grant would end before it starts.
pub async fn give(write: &Write, new: NewGrant, now: Timestamp) -> Result<AccessGrant> {
    let row = access_grants::ActiveModel {
        id: NotSet,
        person: Set(new.person),
        matter: Set(new.matter),
        starts_at: Set(Micros(new.starts_at)),
        ends_at: Set(Micros(new.ends_at)),
        draws: Set(i64::from(new.draws)),
        given_by: Set(new.by),
        given_at: Set(Micros(now)),
        revoked_at: Set(None),
        revoked_by: Set(None),
    };
    let given = access_grants::Entity::insert(row).exec_with_returning(write.connection()).await?;
    extend(write, given.id, &new.cases, None, now).await?;
    Ok(given)
}

/// Adds cases to a grant, and gives those that it did not have. `sample` is the one in which they were drawn.
///
/// # Errors
/// When a case, the sample or the grant does not exist.
pub async fn extend(
    write: &Write,
    grant: i64,
    cases: &[String],
    sample: Option<&str>,
    now: Timestamp,
) -> Result<Vec<String>> {
    let mut added = Vec::new();
    for request in cases {
        if access_grant_cases::Entity::find_by_id((grant, request.clone())).one(write.connection()).await?.is_some() {
            continue;
        }
        let row = GrantedCase {
            access_grant: grant,
            request: request.clone(),
            sample: sample.map(str::to_owned),
            added_at: Micros(now),
        };
        access_grant_cases::Entity::insert(row.into_active_model())
            .exec_without_returning(write.connection())
            .await
            .map_err(|error| Error::inserting(error, "case of the grant", request))?;
        added.push(request.clone());
    }
    Ok(added)
}

/// Takes a grant back. False when it was taken back before.
///
/// # Errors
/// [`Error::Missing`] when there is no such grant.
pub async fn revoke(write: &Write, id: i64, by: &str, now: Timestamp) -> Result<bool> {
    let change = access_grants::Entity::update_many()
        .col_expr(access_grants::Column::RevokedAt, Expr::value(Some(Micros(now))))
        .col_expr(access_grants::Column::RevokedBy, Expr::value(Some(by.to_owned())))
        .filter(access_grants::Column::Id.eq(id))
        .filter(access_grants::Column::RevokedAt.is_null());
    let moved = moved(&change.exec(write.connection()).await?);
    if !moved {
        get(write, id).await?.ok_or_else(|| Error::missing("grant", id))?;
    }
    Ok(moved)
}

/// A grant by its number.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &impl Read, id: i64) -> Result<Option<AccessGrant>> {
    Ok(access_grants::Entity::find_by_id(id).one(db.connection()).await?)
}

/// A grant by its number, which others can change only once this transaction has ended.
///
/// # Errors
/// When the database fails.
pub async fn locked(write: &Write, id: i64) -> Result<Option<AccessGrant>> {
    Ok(access_grants::Entity::find_by_id(id).lock_exclusive().one(write.connection()).await?)
}

/// Every grant, oldest first; of one person, if the number is given.
///
/// # Errors
/// When the database fails.
pub async fn all(db: &impl Read, person: Option<i64>) -> Result<Vec<AccessGrant>> {
    let mut query = access_grants::Entity::find();
    if let Some(person) = person {
        query = query.filter(access_grants::Column::Person.eq(person));
    }
    Ok(query.order_by_asc(access_grants::Column::Id).all(db.connection()).await?)
}

/// The cases of a grant, by reference.
///
/// # Errors
/// When the database fails.
pub async fn cases(db: &impl Read, id: i64) -> Result<Vec<GrantedCase>> {
    let query = access_grant_cases::Entity::find().filter(access_grant_cases::Column::AccessGrant.eq(id));
    Ok(query.order_by_asc(access_grant_cases::Column::Request).all(db.connection()).await?)
}
