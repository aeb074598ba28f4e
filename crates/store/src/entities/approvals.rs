//! Approvals of plans. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::column::{Micros, Sha256};

/// One person's approval of the plan as it is.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "approvals")]
pub struct Model {
    /// The request.
    #[sea_orm(primary_key, auto_increment = false)]
    pub request: String,
    /// Who approved.
    #[sea_orm(primary_key, auto_increment = false)]
    pub person: i64,
    /// The plan that was approved.
    pub plan_digest: Sha256,
    /// When.
    pub approved_at: Micros,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
