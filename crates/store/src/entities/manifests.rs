//! Source manifests: which sources a training may use. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::column::{Micros, Sha256};

/// A signed list of sources, by its root.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "manifests")]
pub struct Model {
    /// Its campaign.
    #[sea_orm(primary_key, auto_increment = false)]
    pub lineage: String,
    /// From 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub generation: i64,
    /// Merkle root over the records.
    pub root: Sha256,
    /// How many there are.
    pub sources: i64,
    /// The signed `source-manifest/v1`.
    pub statement: Sha256,
    /// When it was made.
    pub created_at: Micros,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
