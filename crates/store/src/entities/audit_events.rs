//! Audit events. Rows are only ever added. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::column::Micros;

/// Something that somebody did.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_events")]
pub struct Model {
    /// Its number, ascending.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// When.
    pub happened_at: Micros,
    /// Who, by name.
    pub actor: String,
    /// What, in a word.
    pub action: String,
    /// To what: a request's reference, a model's name.
    pub subject: String,
    /// JSON: what a reader needs besides.
    pub detail: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
