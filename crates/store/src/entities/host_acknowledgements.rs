//! Strikes that hosts have made in memory. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::column::{Micros, Sha256};

/// A strike in the memory of a host.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "host_acknowledgements")]
pub struct Model {
    /// The host.
    #[sea_orm(primary_key, auto_increment = false)]
    pub host: String,
    /// The request whose takedown it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub request: String,
    /// Neurons, counted in every layer.
    pub rows: i64,
    /// SHA-256 over the rows as they are in memory now.
    pub digest: Sha256,
    /// When.
    pub acknowledged_at: Micros,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
