//! Extensions of clocks: a request has at most one. Not here: whether its regime knows one, and by when it must be told.

use obelus_core::Timestamp;
use sea_orm::{EntityTrait, IntoActiveModel};

use crate::{
    column::Micros,
    database::{Connected, Read, Write},
    entities::case_extensions::Entity,
    error::{Error, Result},
};

pub use crate::entities::case_extensions::Model as Extension;

/// Notes that the requester was told that it takes longer, and why.
///
/// # Errors
/// [`Error::Exists`] when it was extended already.
pub async fn add(write: &Write, request: &str, reasons: &str, now: Timestamp) -> Result<()> {
    let row = Extension { request: request.to_owned(), reasons: reasons.to_owned(), told_at: Micros(now) };
    Entity::insert(row.into_active_model())
        .exec_without_returning(write.connection())
        .await
        .map_err(|error| Error::inserting(error, "extension of request", request))?;
    Ok(())
}

/// The extension of a request.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &impl Read, request: &str) -> Result<Option<Extension>> {
    Ok(Entity::find_by_id(request).one(db.connection()).await?)
}
