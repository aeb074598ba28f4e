//! Campaigns: one per model lineage. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::column::{Bytes32, Micros, Sha256};

/// A lineage's salt and sink pool.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "campaigns")]
pub struct Model {
    /// The lineage.
    #[sea_orm(primary_key, auto_increment = false)]
    pub lineage: String,
    /// The campaign salt, public once logged.
    pub salt: Bytes32,
    /// The pool's segments as JSON.
    pub segments: String,
    /// The secret key of the source manifest's HMAC.
    pub manifest_key: Bytes32,
    /// The signed `campaign/v1`.
    pub statement: Sha256,
    /// When it was made.
    pub created_at: Micros,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
