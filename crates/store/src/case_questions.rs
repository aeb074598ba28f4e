//! Questions to requesters, and their answers. While one is waited for, clocks may stand still (`obelus-policy`).

use obelus_core::Timestamp;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, sea_query::Expr};

use crate::{
    column::{Micros, words},
    database::{Connected, Read, Write},
    entities::case_questions::{Column, Entity},
    error::{Error, Result, moved},
};

pub use crate::entities::case_questions::Model as Question;

words!(
    /// What a question is about.
    QuestionKind {
        /// Who the requester is, or whom they act for.
        Identity = "identity",
        /// What the request means.
        Scope = "scope",
    }
);

/// Asks a question.
///
/// # Errors
/// [`Error::Exists`] when another was asked at the same time.
pub async fn ask(write: &Write, request: &str, kind: QuestionKind, question: &str, now: Timestamp) -> Result<i64> {
    let number = of_request(write, request).await?.last().map_or(1, |last| last.number + 1);
    let row = Question {
        request: request.to_owned(),
        number,
        kind,
        question: question.to_owned(),
        asked_at: Micros(now),
        answer: None,
        answered_at: None,
    };
    Entity::insert(row.into_active_model())
        .exec_without_returning(write.connection())
        .await
        .map_err(|error| Error::inserting(error, "question to the requester of", format!("{request} {number}")))?;
    Ok(number)
}

/// Keeps the answer to the question that is open.
///
/// # Errors
/// [`Error::Missing`] when none is.
pub async fn answer(write: &Write, request: &str, answer: &str, now: Timestamp) -> Result<()> {
    let change = Entity::update_many()
        .col_expr(Column::Answer, Expr::value(answer))
        .col_expr(Column::AnsweredAt, Expr::value(Micros(now)))
        .filter(Column::Request.eq(request))
        .filter(Column::AnsweredAt.is_null());
    if moved(&change.exec(write.connection()).await?) {
        return Ok(());
    }
    Err(Error::missing("open question to the requester of", request))
}

/// The questions of a case, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn of_request(db: &impl Read, request: &str) -> Result<Vec<Question>> {
    let query = Entity::find().filter(Column::Request.eq(request)).order_by_asc(Column::Number);
    Ok(query.all(db.connection()).await?)
}
