//! Processes that keep a model in memory and answer with it. Each has a lease, and answers nothing once it is over: a host
//! that nobody can reach ends by itself, so that a takedown need not wait for it for ever. Not here: the model, and what is
//! answered.

use obelus_core::{Digest, Timestamp};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, sea_query::Expr};

use crate::{
    column::{Micros, Sha256},
    database::{Connected, Read, Write},
    entities::{
        host_acknowledgements,
        hosts::{Column, Entity},
    },
    error::{Error, Result, moved},
};

pub use crate::entities::{host_acknowledgements::Model as Acknowledgement, hosts::Model as Host};

/// A host that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHost {
    /// Random.
    pub id: String,
    /// The model.
    pub model: String,
    /// Where it listens.
    pub address: String,
    /// What it refuses from the beginning, see [`refused_digest`].
    pub refused: Digest,
    /// Until when it may answer without looking again.
    pub lease_until: Timestamp,
}

/// SHA-256 over the names of refused sources: of each its length in bytes (8, little-endian) and its bytes, in ascending
/// order.
pub fn refused_digest<'n>(names: impl IntoIterator<Item = &'n str>) -> Digest {
    let mut names: Vec<&str> = names.into_iter().collect();
    names.sort_unstable();
    let mut bytes = Vec::new();
    for name in names {
        bytes.extend((name.len() as u64).to_le_bytes());
        bytes.extend(name.as_bytes());
    }
    Digest::sha256(bytes)
}

/// Registers a host, before it reads the weights.
///
/// # Errors
/// [`Error::Exists`] when there is one of this id.
pub async fn register(write: &Write, new: NewHost, now: Timestamp) -> Result<()> {
    let row = Host {
        id: new.id.clone(),
        model: new.model,
        address: new.address,
        started_at: Micros(now),
        lease_until: Micros(new.lease_until),
        refused: Sha256(new.refused),
        ended_at: None,
    };
    Entity::insert(row.into_active_model())
        .exec_without_returning(write.connection())
        .await
        .map_err(|error| Error::inserting(error, "host", new.id))?;
    Ok(())
}

/// Notes what a host refuses, and gives it time. False when it has ended, or was found to have: then it answers nothing any
/// more.
///
/// # Errors
/// When the database fails.
pub async fn beat(write: &Write, id: &str, refused: &Digest, lease_until: Timestamp) -> Result<bool> {
    let change = Entity::update_many()
        .col_expr(Column::LeaseUntil, Expr::value(Micros(lease_until)))
        .col_expr(Column::Refused, Expr::value(Sha256(*refused)))
        .filter(Column::Id.eq(id))
        .filter(Column::EndedAt.is_null());
    Ok(moved(&change.exec(write.connection()).await?))
}

/// Ends a host, which no beat brings back. One that has ended stays so.
///
/// # Errors
/// When the database fails.
pub async fn end(write: &Write, id: &str, now: Timestamp) -> Result<()> {
    let change = Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(Micros(now)))
        .filter(Column::Id.eq(id))
        .filter(Column::EndedAt.is_null());
    change.exec(write.connection()).await?;
    Ok(())
}

/// A host.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &impl Read, id: &str) -> Result<Option<Host>> {
    Ok(Entity::find_by_id(id).one(db.connection()).await?)
}

/// The hosts of a model that have not ended, oldest first; some of them may be gone without a word.
///
/// # Errors
/// When the database fails.
pub async fn of_model(db: &impl Read, model: &str) -> Result<Vec<Host>> {
    Ok(Entity::find()
        .filter(Column::Model.eq(model))
        .filter(Column::EndedAt.is_null())
        .order_by_asc(Column::StartedAt)
        .order_by_asc(Column::Id)
        .all(db.connection())
        .await?)
}

/// Notes that a host has zeroed the rows of a takedown in its memory. Noted again it stays as it was.
///
/// # Errors
/// When there is no such host or request.
pub async fn acknowledge(write: &Write, acknowledgement: Acknowledgement) -> Result<()> {
    use host_acknowledgements::{Column, Entity};
    Entity::insert(acknowledgement.into_active_model())
        .on_conflict_do_nothing_on([Column::Host, Column::Request])
        .exec_without_returning(write.connection())
        .await?;
    Ok(())
}

/// What a host has said of a takedown.
///
/// # Errors
/// When the database fails.
pub async fn acknowledgement(db: &impl Read, host: &str, request: &str) -> Result<Option<Acknowledgement>> {
    let key = (host.to_owned(), request.to_owned());
    Ok(host_acknowledgements::Entity::find_by_id(key).one(db.connection()).await?)
}
