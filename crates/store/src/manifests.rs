//! Source manifests: which sources of a campaign a training may use. Not here: their trees and proofs.

use obelus_core::Digest;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};

use crate::{
    column::Sha256,
    database::{Connected, Read, Write},
    entities::manifests::{Column, Entity},
    error::{Error, Result},
};

pub use crate::entities::manifests::Model as Manifest;

/// Adds a manifest, whose statement must be stored already.
///
/// # Errors
/// [`Error::Exists`] when the campaign has one of this generation.
pub async fn create(write: &Write, manifest: Manifest) -> Result<()> {
    let key = format!("{}, generation {}", manifest.lineage, manifest.generation);
    Entity::insert(manifest.into_active_model())
        .exec_without_returning(write.connection())
        .await
        .map_err(|error| Error::inserting(error, "manifest of lineage", key))?;
    Ok(())
}

/// One manifest of a campaign.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &impl Read, lineage: &str, generation: i64) -> Result<Option<Manifest>> {
    Ok(Entity::find_by_id((lineage.to_owned(), generation)).one(db.connection()).await?)
}

/// The manifest with this statement.
///
/// # Errors
/// When the database fails.
pub async fn stated(db: &impl Read, statement: &Digest) -> Result<Option<Manifest>> {
    Ok(Entity::find().filter(Column::Statement.eq(Sha256(*statement))).one(db.connection()).await?)
}

/// The newest manifest of a campaign.
///
/// # Errors
/// When the database fails.
pub async fn latest(db: &impl Read, lineage: &str) -> Result<Option<Manifest>> {
    Ok(Entity::find()
        .filter(Column::Lineage.eq(lineage))
        .order_by_desc(Column::Generation)
        .one(db.connection())
        .await?)
}
