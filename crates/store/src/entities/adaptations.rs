//! Adaptations of models after their training. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::{
    adaptations::{AdaptationKind, AdaptationState},
    column::{Micros, Names, Sha256},
};

/// One adaptation.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "adaptations")]
pub struct Model {
    /// Its number.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The model.
    pub model: String,
    /// What it does.
    pub kind: AdaptationKind,
    /// The sources that it adds.
    pub sources: Names,
    /// How far it has come.
    pub state: AdaptationState,
    /// The new checkpoint's file name in the model's folder.
    pub checkpoint: String,
    /// The new moments' file name in the model's folder.
    pub moments: String,
    /// The signed `training-run/v1`.
    pub statement: Option<Sha256>,
    /// When it began.
    pub started_at: Micros,
    /// When the model was whole again.
    pub finished_at: Option<Micros>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
