//! Statements on their way into the log. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::column::{Bytes32, Sha256};

/// A leaf without a place yet.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "log_pending")]
pub struct Model {
    /// Given by the database, ascending.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The entry's canonical bytes.
    pub body: Vec<u8>,
    /// RFC 6962 leaf hash of the body.
    pub leaf_hash: Bytes32,
    /// The statement that it logs.
    pub statement: Sha256,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
