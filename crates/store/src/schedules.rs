//! Schedules of repeated verifications, and the jobs that they make due. Not here: which times an expression means.

use obelus_core::Timestamp;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, sea_query::Expr};

use crate::{
    column::{Micros, words},
    database::{Connected, Read, Write},
    entities::audit_schedules::{Column, Entity},
    error::{Error, Result, moved},
    jobs::{self, JobKind, NewJob},
    reference,
};

pub use crate::entities::audit_schedules::Model as Schedule;

words!(
    /// What a schedule is about.
    Scope {
        /// The certified case of one request.
        Case = "case",
        /// Every certified case of a model.
        Model = "model",
    }
);

/// A schedule to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSchedule {
    /// What `subject` names.
    pub scope: Scope,
    /// The reference of a request, or the name of a model.
    pub subject: String,
    /// A cron expression with seconds, in UTC.
    pub cron: String,
    /// Name of the protocol that the expression is from, or `own`.
    pub protocol: String,
    /// Who makes it.
    pub created_by: String,
}

/// Makes a schedule. What was due before is not made up for.
///
/// # Errors
/// When the database fails.
pub async fn add(write: &Write, new: NewSchedule, now: Timestamp) -> Result<Schedule> {
    let row = Schedule {
        id: reference::next(write, "AS", now).await?,
        scope: new.scope,
        subject: new.subject,
        cron: new.cron,
        protocol: new.protocol,
        created_by: new.created_by,
        created_at: Micros(now),
        last_due_at: Micros(now),
        removed_at: None,
    };
    Entity::insert(row.clone().into_active_model()).exec_without_returning(write.connection()).await?;
    Ok(row)
}

/// Ends a schedule. Jobs that it has made stay.
///
/// # Errors
/// [`Error::Missing`] when there is no such schedule, or it was removed.
pub async fn remove(write: &Write, id: &str, now: Timestamp) -> Result<()> {
    let change = Entity::update_many()
        .col_expr(Column::RemovedAt, Expr::value(Some(Micros(now))))
        .filter(Column::Id.eq(id))
        .filter(Column::RemovedAt.is_null());
    if moved(&change.exec(write.connection()).await?) { Ok(()) } else { Err(Error::missing("schedule", id)) }
}

/// The schedules that are not removed, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn all(db: &impl Read) -> Result<Vec<Schedule>> {
    let query = Entity::find().filter(Column::RemovedAt.is_null()).order_by_asc(Column::Id);
    Ok(query.all(db.connection()).await?)
}

/// Makes the job of a schedule for a time at which it was due. False when it is made already, by whichever process.
///
/// # Errors
/// When the database fails.
pub async fn tick(
    write: &Write,
    schedule: &Schedule,
    due_at: Timestamp,
    reason: String,
    now: Timestamp,
) -> Result<bool> {
    let kind = match schedule.scope {
        Scope::Case => JobKind::ReverifyCase,
        Scope::Model => JobKind::ReverifyModel,
    };
    // The clock of a tick never goes back, whatever the clocks of two machines say.
    Entity::update_many()
        .col_expr(Column::LastDueAt, Expr::value(Micros(due_at)))
        .filter(Column::Id.eq(schedule.id.as_str()))
        .filter(Column::LastDueAt.lt(Micros(due_at)))
        .exec(write.connection())
        .await?;
    let job = NewJob {
        kind,
        subject: schedule.subject.clone(),
        reason,
        schedule: Some(schedule.id.clone()),
        due_at,
        order: None,
    };
    jobs::enqueue(write, job, now).await
}
