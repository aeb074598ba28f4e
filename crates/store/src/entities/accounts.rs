//! With what persons sign in. Queries are elsewhere.

use std::fmt;

use sea_orm::entity::prelude::*;

use crate::column::Micros;

/// An account.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "accounts")]
pub struct Model {
    /// The person whose it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub person: i64,
    /// The password's hash, as a PHC string.
    pub password_hash: String,
    /// When it was made.
    pub created_at: Micros,
    /// Since when nobody signs in with it.
    pub disabled_at: Option<Micros>,
}

// A hash is no secret, but it is what somebody guesses at who has the log.
impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("person", &self.person)
            .field("created_at", &self.created_at)
            .field("disabled_at", &self.disabled_at)
            .finish_non_exhaustive()
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
