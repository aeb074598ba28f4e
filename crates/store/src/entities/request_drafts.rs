//! Answers of requests that are not sent yet. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::column::{Micros, Sha256};

/// A draft.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "request_drafts")]
pub struct Model {
    /// SHA-256 of the random token that the browser has.
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_hash: Sha256,
    /// The answers, encrypted under a key made from the token.
    pub sealed: Vec<u8>,
    /// When they were last changed.
    pub saved_at: Micros,
    /// Until when they are kept.
    pub expires_at: Micros,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
