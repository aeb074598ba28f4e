//! Links that work once. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::{
    column::{Micros, Sha256},
    one_time_links::Purpose,
};

/// A link.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "one_time_links")]
pub struct Model {
    /// SHA-256 of its random token.
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_hash: Sha256,
    /// What it is for.
    pub purpose: Purpose,
    /// The person's name or the request's reference.
    pub subject: String,
    /// When it was made.
    pub created_at: Micros,
    /// Until when it works.
    pub expires_at: Micros,
    /// When it was used, or replaced by another.
    pub used_at: Option<Micros>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
