//! Counter-notices and complaints. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::{case_notices::NoticeKind, column::Micros};

/// What somebody says to a case.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "case_notices")]
pub struct Model {
    /// The request.
    #[sea_orm(primary_key, auto_increment = false)]
    pub request: String,
    /// Its number in the case, from 1 on.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    /// What it is.
    pub kind: NoticeKind,
    /// Who sent it, as they call themselves.
    pub sender: String,
    /// What it says.
    pub words: String,
    /// When it came.
    pub received_at: Micros,
    /// When it was settled.
    pub settled_at: Option<Micros>,
    /// What came of it.
    pub outcome: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
