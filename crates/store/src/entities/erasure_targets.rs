//! What an erasure must zero or destroy, one row each. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::{column::Micros, erasures::TargetState};

/// A thing to be zeroed or destroyed.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "erasure_targets")]
pub struct Model {
    /// Its number.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The erasure.
    pub request: String,
    /// What it is, such as `checkpoint`.
    pub kind: String,
    /// Where it is, relative to the data directory.
    pub path: String,
    /// Whether it is done.
    pub state: TargetState,
    /// JSON: what was found when it was done, or why it failed.
    pub evidence: Option<String>,
    /// When that was.
    pub changed_at: Micros,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
