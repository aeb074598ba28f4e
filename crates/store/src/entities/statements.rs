//! Signed statements: the bytes that were signed. What they say is `obelus-ledger`'s business. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::column::{Micros, Sha256};

/// A signed statement.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "statements")]
pub struct Model {
    /// SHA-256 of the envelope's bytes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub digest: Sha256,
    /// Its predicate's name, such as `campaign/v1`.
    pub kind: String,
    /// The DSSE envelope exactly as it was signed.
    pub envelope: Vec<u8>,
    /// When it was stored.
    pub created_at: Micros,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
