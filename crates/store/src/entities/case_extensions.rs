//! Extensions of clocks. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::column::Micros;

/// An extension; a request has at most one.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "case_extensions")]
pub struct Model {
    /// The request.
    #[sea_orm(primary_key, auto_increment = false)]
    pub request: String,
    /// The reasons, as the requester is told.
    pub reasons: String,
    /// When the requester was told.
    pub told_at: Micros,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
