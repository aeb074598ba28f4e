//! Samples of cases. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::column::{Micros, Sha256};

/// A sample.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "samples")]
pub struct Model {
    /// Such as `SM-2026-000001`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// Who draws it.
    pub person: i64,
    /// The grant that what is drawn is read under; none of an auditor.
    pub access_grant: Option<i64>,
    /// SHA-256 of the seed, which was given before the population was fixed.
    pub seed_digest: Sha256,
    /// How many cases are drawn.
    pub size: i64,
    /// The exact bytes of what is drawn from.
    pub population: Vec<u8>,
    /// SHA-256 of them.
    pub population_digest: Sha256,
    /// When both were fixed.
    pub committed_at: Micros,
    /// The seed, once it was revealed.
    pub seed: Option<String>,
    /// When it was.
    pub revealed_at: Option<Micros>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
