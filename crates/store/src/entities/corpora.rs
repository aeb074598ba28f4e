//! Corpora: documents on disk, by name. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::column::Micros;

/// A corpus.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "corpora")]
pub struct Model {
    /// Its name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// Its directory, relative to the data directory.
    pub path: String,
    /// How many documents.
    pub documents: i64,
    /// How many sources.
    pub sources: i64,
    /// How many tokens, once a tokenizer was trained.
    pub tokens: Option<i64>,
    /// When it was added.
    pub created_at: Micros,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
