//! Persons and their roles. Not here: what a role permits (`obelus-policy`), and how somebody proves who they are.

use obelus_core::Timestamp;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
};

use crate::{
    column::Micros,
    database::{Connected, Read, Write},
    entities::{person_roles, persons},
    error::{Error, Result},
};

/// A person and what they may be asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The number by which other rows name the person.
    pub id: i64,
    /// The name.
    pub name: String,
    /// Roles, sorted.
    pub roles: Vec<String>,
}

/// Gives a person a role, and adds the person if there is none of the name. Giving it again changes nothing.
///
/// # Errors
/// When the database fails.
pub async fn add(write: &Write, name: &str, role: &str, now: Timestamp) -> Result<Person> {
    let person = persons::ActiveModel { id: NotSet, name: Set(name.to_owned()), created_at: Set(Micros(now)) };
    persons::Entity::insert(person)
        .on_conflict_do_nothing_on([persons::Column::Name])
        .exec_without_returning(write.connection())
        .await?;
    let Person { id, .. } = named(write, name).await?.ok_or_else(|| Error::missing("person", name))?;
    person_roles::Entity::insert(person_roles::Model { person: id, role: role.to_owned() }.into_active_model())
        .on_conflict_do_nothing_on([person_roles::Column::Person, person_roles::Column::Role])
        .exec_without_returning(write.connection())
        .await?;
    named(write, name).await?.ok_or_else(|| Error::missing("person", name))
}

/// The person of this name.
///
/// # Errors
/// When the database fails.
pub async fn named(db: &impl Read, name: &str) -> Result<Option<Person>> {
    let row = persons::Entity::find().filter(persons::Column::Name.eq(name)).one(db.connection()).await?;
    with_roles(db, row).await
}

/// The person of this number.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &impl Read, id: i64) -> Result<Option<Person>> {
    let row = persons::Entity::find_by_id(id).one(db.connection()).await?;
    with_roles(db, row).await
}

/// All persons by name.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &impl Read) -> Result<Vec<Person>> {
    let rows = persons::Entity::find().order_by_asc(persons::Column::Name).all(db.connection()).await?;
    let mut persons = Vec::with_capacity(rows.len());
    for row in rows {
        persons.extend(with_roles(db, Some(row)).await?);
    }
    Ok(persons)
}

async fn with_roles(db: &impl Read, row: Option<persons::Model>) -> Result<Option<Person>> {
    let Some(row) = row else { return Ok(None) };
    let roles = person_roles::Entity::find()
        .filter(person_roles::Column::Person.eq(row.id))
        .order_by_asc(person_roles::Column::Role)
        .all(db.connection())
        .await?;
    Ok(Some(Person { id: row.id, name: row.name, roles: roles.into_iter().map(|role| role.role).collect() }))
}
