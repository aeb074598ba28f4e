//! Segments that a lineage's pool has grown by. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::column::{Micros, Sha256};

/// A run of equal segments, end to end.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "pool_extensions")]
pub struct Model {
    /// Its campaign.
    #[sea_orm(primary_key, auto_increment = false)]
    pub lineage: String,
    /// Number of the first of its segments in the pool.
    #[sea_orm(primary_key, auto_increment = false)]
    pub first_segment: i64,
    /// First neuron of the first segment.
    pub base: i64,
    /// Neurons in each segment.
    pub n: i64,
    /// Neurons that one source lights in its segment.
    pub k: i64,
    /// How many segments.
    pub count: i64,
    /// Why, in a word.
    pub reason: String,
    /// The signed `pool-extension/v1`.
    pub statement: Sha256,
    /// When it was made.
    pub created_at: Micros,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
