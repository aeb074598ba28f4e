//! The one row that is the log's signed head. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::column::Sha256;

/// The log's head.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "log_checkpoint")]
pub struct Model {
    /// Always 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// Leaves.
    pub size: i64,
    /// RFC 6962 root.
    pub root: Sha256,
    /// The signed note.
    pub note: Vec<u8>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
