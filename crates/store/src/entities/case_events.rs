//! The steps of cases. Rows are only ever added. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::{
    column::{Micros, Sha256},
    requests::RequestState,
};

/// A step in a case.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "case_events")]
pub struct Model {
    /// The request.
    #[sea_orm(primary_key, auto_increment = false)]
    pub request: String,
    /// Its number in the case, from 1 on.
    #[sea_orm(primary_key, auto_increment = false)]
    pub sequence: i64,
    /// The signed `case-event/v1`.
    pub statement: Sha256,
    /// The act.
    pub action: String,
    /// State before; none of the first step.
    pub from_state: Option<RequestState>,
    /// State after.
    pub to_state: RequestState,
    /// Who, by name.
    pub actor: String,
    /// What the step carries, as JSON: the exact bytes whose digest is signed.
    pub detail: String,
    /// When.
    pub happened_at: Micros,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
