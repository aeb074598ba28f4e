//! Sources registered in a campaign. Their text is a file of the corpus. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::column::{Bytes32, Micros};

/// A registered source.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sources")]
pub struct Model {
    /// Its campaign.
    #[sea_orm(primary_key, auto_increment = false)]
    pub lineage: String,
    /// Its name in the corpus.
    #[sea_orm(primary_key, auto_increment = false)]
    pub source_id: String,
    /// The manifest record's canonical bytes.
    pub record: Vec<u8>,
    /// HMAC-SHA-256 of the manifest key over the source's name: its place in the manifest.
    pub record_key: Bytes32,
    /// The mask seed.
    pub seed: Bytes32,
    /// Since when its mask is not applied. Reversible.
    pub suppressed_at: Option<Micros>,
    /// Since when its mask is never applied again.
    pub revoked_at: Option<Micros>,
    /// Generation of the first manifest that lists it.
    pub manifest: i64,
    /// The pool segment that its sinks lie in.
    pub segment: i64,
    /// The generation of the lineage's model from which on it holds the source: 1 for those it was first trained on, 0
    /// while none does.
    pub since: i64,
    /// The corpus with its text, where that is not the model's.
    pub corpus: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
