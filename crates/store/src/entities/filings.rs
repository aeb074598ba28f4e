//! What was filed. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::column::Sha256;

/// What was filed with a request.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "filings")]
pub struct Model {
    /// The request.
    #[sea_orm(primary_key, auto_increment = false)]
    pub request: String,
    /// Canonical JSON, byte by byte as it was filed; none once it was erased.
    pub document: Option<Vec<u8>>,
    /// Its SHA-256.
    pub document_digest: Sha256,
    /// The signed `request-receipt/v1`.
    pub receipt: Option<Sha256>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
