//! Registrations of sources under way, one a lineage. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::column::Micros;

/// A registration that has begun and whose manifest is not there yet.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "registrations")]
pub struct Model {
    /// The campaign.
    #[sea_orm(primary_key, auto_increment = false)]
    pub lineage: String,
    /// Generation of the manifest that is to come.
    pub generation: i64,
    /// Tells whoever began it from everybody else.
    pub token: String,
    /// Sources written so far.
    pub staged: i64,
    /// When it began.
    pub begun_at: Micros,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
