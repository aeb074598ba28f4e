//! What a lineage's sink pool has grown by since its campaign began. Not here: which neurons a seed gives in a segment.

use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};

use crate::{
    database::{Connected, Read, Write},
    entities::pool_extensions::{Column, Entity},
    error::{Error, Result},
};

pub use crate::entities::pool_extensions::Model as PoolExtension;

/// Adds an extension, whose statement must be stored already.
///
/// # Errors
/// [`Error::Exists`] when the pool has a segment of this number.
pub async fn create(write: &Write, extension: PoolExtension) -> Result<()> {
    let key = format!("{}, segment {}", extension.lineage, extension.first_segment);
    Entity::insert(extension.into_active_model())
        .exec_without_returning(write.connection())
        .await
        .map_err(|error| Error::inserting(error, "pool extension of lineage", key))?;
    Ok(())
}

/// The extensions of a lineage's pool in the order of their segments.
///
/// # Errors
/// When the database fails.
pub async fn of_lineage(db: &impl Read, lineage: &str) -> Result<Vec<PoolExtension>> {
    let query = Entity::find().filter(Column::Lineage.eq(lineage)).order_by_asc(Column::FirstSegment);
    Ok(query.all(db.connection()).await?)
}
