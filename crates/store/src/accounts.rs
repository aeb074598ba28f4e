//! With what persons sign in: one account a person, and a person without one cannot. Not here: names and roles
//! (`persons`), how a password is hashed, and sessions.

use obelus_core::Timestamp;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, sea_query::Expr};

use crate::{
    column::Micros,
    database::{Connected, Read, Write},
    entities::accounts::{Column, Entity},
    error::{Error, Result, moved},
};

pub use crate::entities::accounts::Model as Account;

/// Makes an account; `password_hash` is a PHC string.
///
/// # Errors
/// [`Error::Exists`] when the person has one.
pub async fn create(write: &Write, person: i64, password_hash: &str, now: Timestamp) -> Result<Account> {
    let row = Account { person, password_hash: password_hash.to_owned(), created_at: Micros(now), disabled_at: None };
    Entity::insert(row.clone().into_active_model())
        .exec_without_returning(write.connection())
        .await
        .map_err(|error| Error::inserting(error, "account of person", person))?;
    Ok(row)
}

/// The account of a person, disabled or not.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &impl Read, person: i64) -> Result<Option<Account>> {
    Ok(Entity::find_by_id(person).one(db.connection()).await?)
}

/// All accounts, by the number of their person.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &impl Read) -> Result<Vec<Account>> {
    Ok(Entity::find().order_by_asc(Column::Person).all(db.connection()).await?)
}

/// Whether there is any account, disabled or not. Without one the installation was never set up.
///
/// # Errors
/// When the database fails.
pub async fn any(db: &impl Read) -> Result<bool> {
    Ok(Entity::find().count(db.connection()).await? > 0)
}

/// Puts a new hash in the place of `old`. Sessions go on: end them with [`crate::sessions::revoke_all`].
///
/// # Errors
/// [`Error::State`] when the hash is not `old` any more; [`Error::Missing`] when there is no account.
pub async fn replace_password(write: &Write, person: i64, old: &str, new: &str) -> Result<()> {
    let change = Entity::update_many()
        .col_expr(Column::PasswordHash, Expr::value(new))
        .filter(Column::Person.eq(person))
        .filter(Column::PasswordHash.eq(old));
    if moved(&change.exec(write.connection()).await?) {
        return Ok(());
    }
    get(write, person).await?.ok_or_else(|| Error::missing("account of person", person))?;
    let (expected, found) = ("with the password it had".to_owned(), "with another password".to_owned());
    Err(Error::State { what: "account of person", key: person.to_string(), expected, found })
}

/// Lets nobody sign in with an account. False when nobody could. Sessions that are under way count as ended from then on.
///
/// # Errors
/// [`Error::Missing`] when there is no account.
pub async fn disable(write: &Write, person: i64, now: Timestamp) -> Result<bool> {
    let change = Entity::update_many()
        .col_expr(Column::DisabledAt, Expr::value(Some(Micros(now))))
        .filter(Column::Person.eq(person))
        .filter(Column::DisabledAt.is_null());
    changed(write, person, moved(&change.exec(write.connection()).await?)).await
}

/// Lets the person sign in again. False when they could.
///
/// # Errors
/// [`Error::Missing`] when there is no account.
pub async fn enable(write: &Write, person: i64) -> Result<bool> {
    let change = Entity::update_many()
        .col_expr(Column::DisabledAt, Expr::value(None::<Micros>))
        .filter(Column::Person.eq(person))
        .filter(Column::DisabledAt.is_not_null());
    changed(write, person, moved(&change.exec(write.connection()).await?)).await
}

async fn changed(write: &Write, person: i64, moved: bool) -> Result<bool> {
    if !moved {
        get(write, person).await?.ok_or_else(|| Error::missing("account of person", person))?;
    }
    Ok(moved)
}
