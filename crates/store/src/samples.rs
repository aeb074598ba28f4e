//! Samples of cases: committed to, then revealed, once each. Not here: how cases are drawn, and who draws.

use obelus_core::{Digest, Timestamp};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, sea_query::Expr};

use crate::{
    column::{Micros, Sha256},
    database::{Connected, Read, Write},
    entities::samples::{Column, Entity},
    error::{Error, Result, moved},
    reference,
};

pub use crate::entities::samples::Model as Sample;

/// A sample to be committed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSample {
    /// Who draws it.
    pub person: i64,
    /// The grant that what is drawn is read under; none of an auditor.
    pub access_grant: Option<i64>,
    /// SHA-256 of the seed.
    pub seed_digest: Digest,
    /// How many cases are drawn.
    pub size: u32,
    /// The exact bytes of what is drawn from.
    pub population: Vec<u8>,
}

/// Fixes what is drawn from, and the seed by its digest.
///
/// # Errors
/// [`Error::Exists`] when the seed was committed to before.
pub async fn commit(write: &Write, new: NewSample, now: Timestamp) -> Result<Sample> {
    let row = Sample {
        id: reference::next(write, "SM", now).await?,
        person: new.person,
        access_grant: new.access_grant,
        seed_digest: Sha256(new.seed_digest),
        size: i64::from(new.size),
        population_digest: Sha256(Digest::sha256(&new.population)),
        population: new.population,
        committed_at: Micros(now),
        seed: None,
        revealed_at: None,
    };
    Entity::insert(row.clone().into_active_model())
        .exec_without_returning(write.connection())
        .await
        .map_err(|error| Error::inserting(error, "sample with the seed of SHA-256", row.seed_digest))?;
    Ok(row)
}

/// Keeps the seed of a sample.
///
/// # Errors
/// [`Error::State`] when it was revealed before; [`Error::Missing`] when there is no such sample.
pub async fn reveal(write: &Write, id: &str, seed: &str, now: Timestamp) -> Result<Sample> {
    let change = Entity::update_many()
        .col_expr(Column::Seed, Expr::value(Some(seed.to_owned())))
        .col_expr(Column::RevealedAt, Expr::value(Some(Micros(now))))
        .filter(Column::Id.eq(id))
        .filter(Column::Seed.is_null());
    let moved = moved(&change.exec(write.connection()).await?);
    let found = get(write, id).await?.ok_or_else(|| Error::missing("sample", id))?;
    if moved {
        return Ok(found);
    }
    let (expected, found) = ("committed to".to_owned(), "drawn already".to_owned());
    Err(Error::State { what: "sample", key: id.to_owned(), expected, found })
}

/// A sample by its name.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &impl Read, id: &str) -> Result<Option<Sample>> {
    Ok(Entity::find_by_id(id).one(db.connection()).await?)
}

/// Every sample, oldest first; of one person, if the number is given.
///
/// # Errors
/// When the database fails.
pub async fn all(db: &impl Read, person: Option<i64>) -> Result<Vec<Sample>> {
    let mut query = Entity::find();
    if let Some(person) = person {
        query = query.filter(Column::Person.eq(person));
    }
    Ok(query.order_by_asc(Column::Id).all(db.connection()).await?)
}
