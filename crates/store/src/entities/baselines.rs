//! Retrains that somebody asked for. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::{
    baselines::{BaselineEnd, BaselineKind},
    column::{Micros, Names},
};

/// A retrain that is to be trained as a job. Once its training begins there is a model of this name too.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "baselines")]
pub struct Model {
    /// The name of the retrain.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// The model that it is a retrain for.
    pub model: String,
    /// What it leaves out, and why these.
    pub kind: BaselineKind,
    /// The sources that it leaves out, ascending.
    pub excluded: Names,
    /// Seed of data order and initial weights.
    pub seed: i64,
    /// The seed that the panel was drawn with.
    pub panel_seed: Option<i64>,
    /// Steps instead of those that the model's settings give.
    pub steps: Option<i64>,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// Threads of one tensor operation.
    pub threads: i64,
    /// JSON: the cost that was shown to whoever asked for it.
    pub cost: String,
    /// Who asked for it.
    pub requested_by: String,
    /// When.
    pub requested_at: Micros,
    /// Steps done, as the last attempt told.
    pub steps_done: i64,
    /// Steps in all.
    pub steps_all: i64,
    /// How it ended, if not as a model.
    pub ended: Option<BaselineEnd>,
    /// Why it ended so.
    pub why: Option<String>,
    /// When it ended so.
    pub ended_at: Option<Micros>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
