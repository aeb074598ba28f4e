//! With what programs act for a person. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::column::{Micros, Names, Sha256};

/// A token.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_tokens")]
pub struct Model {
    /// The number.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The person for whom it acts.
    pub person: i64,
    /// What the person calls it.
    pub name: String,
    /// SHA-256 of the random token.
    pub token_hash: Sha256,
    /// What it may be used for.
    pub scopes: Names,
    /// When it was issued.
    pub created_at: Micros,
    /// Until when it works.
    pub expires_at: Micros,
    /// When it was last used, to a minute.
    pub last_used_at: Option<Micros>,
    /// When it was taken back.
    pub revoked_at: Option<Micros>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
