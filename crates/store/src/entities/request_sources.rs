//! The sources a request names. Queries are elsewhere.

use sea_orm::entity::prelude::*;

/// A source of a request.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "request_sources")]
pub struct Model {
    /// The request.
    #[sea_orm(primary_key, auto_increment = false)]
    pub request: String,
    /// The source.
    #[sea_orm(primary_key, auto_increment = false)]
    pub source_id: String,
    /// Why it is not granted for this source; none where it is.
    pub refusal_code: Option<String>,
    /// The same in words.
    pub refusal_reason: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
