//! Campaigns: the salt and the sink pool of a model lineage. Not here: how seeds and masks follow from them.

use sea_orm::{EntityTrait, IntoActiveModel};

use crate::{
    database::{Connected, Read, Write},
    entities::campaigns::Entity,
    error::{Error, Result},
};

pub use crate::entities::campaigns::Model as Campaign;

/// Adds a campaign, whose statement must be stored already.
///
/// # Errors
/// [`Error::Exists`] when the lineage has one.
pub async fn create(write: &Write, campaign: Campaign) -> Result<()> {
    let lineage = campaign.lineage.clone();
    Entity::insert(campaign.into_active_model())
        .exec_without_returning(write.connection())
        .await
        .map_err(|error| Error::inserting(error, "campaign of lineage", lineage))?;
    Ok(())
}

/// The campaign of a lineage.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &impl Read, lineage: &str) -> Result<Option<Campaign>> {
    Ok(Entity::find_by_id(lineage).one(db.connection()).await?)
}
