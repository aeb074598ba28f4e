//! Work to be done. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::{
    column::Micros,
    jobs::{JobKind, JobState},
};

/// A piece of work.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "jobs")]
pub struct Model {
    /// Counted by the database.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// What is to be done.
    pub kind: JobKind,
    /// What it is to be done to: the reference of a request, or the name of a model or a retrain.
    pub subject: String,
    /// Why, in words.
    pub reason: String,
    /// The schedule that made it due, if one did.
    pub schedule: Option<String>,
    /// When it became due.
    pub due_at: Micros,
    /// How far it has come.
    pub state: JobState,
    /// It is not begun before.
    pub run_after: Micros,
    /// How often it was begun.
    pub attempts: i64,
    /// Names the attempt under way.
    pub token: Option<String>,
    /// Until when nobody else begins it.
    pub leased_until: Option<Micros>,
    /// What came of it, or why the last attempt failed.
    pub outcome: Option<String>,
    /// When it was put here.
    pub enqueued_at: Micros,
    /// When it ended.
    pub finished_at: Option<Micros>,
    /// The person who ordered it, by name; none when something else made it due.
    pub ordered_by: Option<String>,
    /// What more was said about how it is to be done.
    pub argument: Option<String>,
    /// How far the attempt under way is, in words.
    pub progress: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
