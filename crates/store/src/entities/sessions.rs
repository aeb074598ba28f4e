//! Browsers in which somebody is signed in. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::column::{Micros, Sha256};

/// A session. It is a person's, or of whoever holds the link of a request.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    /// SHA-256 of its random token.
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_hash: Sha256,
    /// The person.
    pub person: Option<i64>,
    /// The request's reference.
    pub request: Option<String>,
    /// When it was begun.
    pub created_at: Micros,
    /// When it was last used, to a minute.
    pub seen_at: Micros,
    /// When it ends.
    pub expires_at: Micros,
    /// When the password was last entered.
    pub stepped_up_at: Option<Micros>,
    /// When it was ended early.
    pub revoked_at: Option<Micros>,
    /// What the browser calls itself, shortened.
    pub user_agent: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
