//! Questions to requesters. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::{case_questions::QuestionKind, column::Micros};

/// A question, and its answer.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "case_questions")]
pub struct Model {
    /// The request.
    #[sea_orm(primary_key, auto_increment = false)]
    pub request: String,
    /// Its number in the case, from 1 on.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    /// What it is about.
    pub kind: QuestionKind,
    /// The question.
    pub question: String,
    /// When it went out.
    pub asked_at: Micros,
    /// The answer.
    pub answer: Option<String>,
    /// When it came.
    pub answered_at: Option<Micros>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
