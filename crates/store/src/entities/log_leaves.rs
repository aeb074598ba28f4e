//! Leaves of the transparency log. Tiles are files. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::column::{Bytes32, Sha256};

/// A row of the log.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "log_leaves")]
pub struct Model {
    /// From 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
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
