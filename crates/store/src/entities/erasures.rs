//! Erasures: one per request that was executed. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::{
    column::{Micros, Sha256},
    erasures::ErasureState,
};

/// An erasure.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "erasures")]
pub struct Model {
    /// The request that it executes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub request: String,
    /// The model.
    pub model: String,
    /// How far it has come.
    pub state: ErasureState,
    /// Root of the weight tree before.
    pub root_before: Sha256,
    /// Root of the weight tree after.
    pub root_after: Option<Sha256>,
    /// The row proof's file, relative to the data directory.
    pub row_proof: Option<String>,
    /// The signed `erasure/v1`.
    pub statement: Option<Sha256>,
    /// When it began.
    pub started_at: Micros,
    /// When every target was done.
    pub finished_at: Option<Micros>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
