//! What authorities may look at. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::column::Micros;

/// A grant.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "access_grants")]
pub struct Model {
    /// The number.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The person whose it is.
    pub person: i64,
    /// What it is about, in words.
    pub matter: String,
    /// Its first moment.
    pub starts_at: Micros,
    /// The first moment after it.
    pub ends_at: Micros,
    /// How many cases may be drawn at random under it.
    pub draws: i64,
    /// Who gave it.
    pub given_by: String,
    /// When.
    pub given_at: Micros,
    /// Since when it shows nothing any more, whatever its time.
    pub revoked_at: Option<Micros>,
    /// Who took it back.
    pub revoked_by: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
