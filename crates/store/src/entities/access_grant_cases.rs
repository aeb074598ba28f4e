//! The cases of grants. Rows are only ever added. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::column::Micros;

/// A case of a grant.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "access_grant_cases")]
pub struct Model {
    /// The grant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub access_grant: i64,
    /// The request.
    #[sea_orm(primary_key, auto_increment = false)]
    pub request: String,
    /// The sample in which it was drawn; none where the grant was given for it.
    pub sample: Option<String>,
    /// Since when.
    pub added_at: Micros,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
