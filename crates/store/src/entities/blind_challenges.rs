//! Sealed probes and what came of them. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::column::{Micros, Sha256};

/// A challenge.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "blind_challenges")]
pub struct Model {
    /// Such as `BC-2026-000001`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// The request whose takedown it challenges.
    pub request: String,
    /// The sealed file, as it was deposited; gone once it was opened.
    pub sealed: Option<Vec<u8>>,
    /// SHA-256 of the sealed file.
    pub sealed_digest: Sha256,
    /// Length of the sealed file.
    pub sealed_bytes: i64,
    /// What the file commits to.
    pub commitment: Sha256,
    /// The signed `blind-challenge/v1`.
    pub deposit: Sha256,
    /// Who deposited it.
    pub deposited_by: String,
    /// When it was deposited.
    pub deposited_at: Micros,
    /// The results' exact bytes, once it was opened.
    pub results: Option<Vec<u8>>,
    /// SHA-256 of the results.
    pub results_digest: Option<Sha256>,
    /// How it came out.
    pub outcome: Option<String>,
    /// The signed `blind-challenge-result/v1`.
    pub result: Option<Sha256>,
    /// Who opened it.
    pub opened_by: Option<String>,
    /// When it was opened.
    pub opened_at: Option<Micros>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
