//! Processes that keep a model in memory. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::column::{Micros, Sha256};

/// A process that answers with a model.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "hosts")]
pub struct Model {
    /// Random, of this start of the process.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// The model.
    pub model: String,
    /// Where it listens.
    pub address: String,
    /// When it began.
    pub started_at: Micros,
    /// Until when it may answer without looking again. Once that is over it answers nothing.
    pub lease_until: Micros,
    /// SHA-256 over the names of the sources that it refuses, see [`crate::hosts::refused_digest`].
    pub refused: Sha256,
    /// When it ended, or was found to have ended.
    pub ended_at: Option<Micros>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
