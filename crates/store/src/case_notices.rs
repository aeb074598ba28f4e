//! What others say to a case after it was filed: counter-notices, while one of which is open nothing is zeroed, and complaints.

use obelus_core::Timestamp;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, sea_query::Expr};

use crate::{
    column::{Micros, words},
    database::{Connected, Read, Write},
    entities::case_notices::{Column, Entity},
    error::{Error, Result, moved},
};

pub use crate::entities::case_notices::Model as Notice;

words!(
    /// What somebody says to a case.
    NoticeKind {
        /// An objection by whoever wants the sources to stay.
        CounterNotice = "counter-notice",
        /// A complaint about how the request is treated.
        Complaint = "complaint",
    }
);

/// A notice that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNotice {
    /// What it is.
    pub kind: NoticeKind,
    /// Who sent it, as they call themselves.
    pub sender: String,
    /// What it says.
    pub words: String,
}

/// Keeps a notice; gives its number in the case.
///
/// # Errors
/// [`Error::Exists`] when another came at the same time.
pub async fn record(write: &Write, request: &str, new: NewNotice, received_at: Timestamp) -> Result<i64> {
    let number = of_request(write, request).await?.last().map_or(1, |last| last.number + 1);
    let NewNotice { kind, sender, words } = new;
    let row = Notice {
        request: request.to_owned(),
        number,
        kind,
        sender,
        words,
        received_at: Micros(received_at),
        settled_at: None,
        outcome: None,
    };
    Entity::insert(row.into_active_model())
        .exec_without_returning(write.connection())
        .await
        .map_err(|error| Error::inserting(error, "notice in", format!("{request} {number}")))?;
    Ok(number)
}

/// Notes what came of a notice that is open.
///
/// # Errors
/// [`Error::Missing`] when there is no open one of this number.
pub async fn settle(write: &Write, request: &str, number: i64, outcome: &str, now: Timestamp) -> Result<()> {
    let change = Entity::update_many()
        .col_expr(Column::Outcome, Expr::value(outcome))
        .col_expr(Column::SettledAt, Expr::value(Micros(now)))
        .filter(Column::Request.eq(request))
        .filter(Column::Number.eq(number))
        .filter(Column::SettledAt.is_null());
    if moved(&change.exec(write.connection()).await?) {
        return Ok(());
    }
    Err(Error::missing("open notice in the request", format!("{request} {number}")))
}

/// The notices of a case, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn of_request(db: &impl Read, request: &str) -> Result<Vec<Notice>> {
    let query = Entity::find().filter(Column::Request.eq(request)).order_by_asc(Column::Number);
    Ok(query.all(db.connection()).await?)
}

/// The oldest open notice of a kind.
///
/// # Errors
/// When the database fails.
pub async fn open(db: &impl Read, request: &str, kind: NoticeKind) -> Result<Option<Notice>> {
    let notices = of_request(db, request).await?;
    Ok(notices.into_iter().find(|notice| notice.kind == kind && notice.settled_at.is_none()))
}
