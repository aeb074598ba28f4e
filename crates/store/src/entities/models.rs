//! Models: what was trained on which corpus, and where it stands. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::{
    column::{Micros, Names, Sha256},
    models::ModelStatus,
};

/// A model.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "models")]
pub struct Model {
    /// Its name.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// Its campaign; a baseline shares its model's.
    pub lineage: String,
    /// What it was trained on.
    pub corpus: String,
    /// The preset's name.
    pub preset: String,
    /// Counts changes of the weights, from 0 while the first training runs.
    pub generation: i64,
    /// Its directory, relative to the data directory.
    pub checkpoint: String,
    /// The model that this is a retrain for.
    pub baseline_of: Option<String>,
    /// The kind of control, such as `transformer`.
    pub control: Option<String>,
    /// Sources that were left out of the training.
    pub excluded: Names,
    /// Root of the weight tree; none before the first training ends.
    pub weight_root: Option<Sha256>,
    /// Digest of the weight tree's layout.
    pub layout_digest: Option<Sha256>,
    /// The signed `training-run/v1`.
    pub training_statement: Option<Sha256>,
    /// What may be done with it.
    pub status: ModelStatus,
    /// When it was named.
    pub created_at: Micros,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
