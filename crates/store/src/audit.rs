//! Audit events: who did what, when, to which case. They are added in the transaction of what they tell about, and the
//! database refuses to change them. Not here: text of sources, probes, keys; an event never holds any.

use obelus_core::Timestamp;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use crate::{
    column::Micros,
    database::{Connected, Read, Write, at_most},
    entities::audit_events::{ActiveModel, Column, Entity},
    error::Result,
};

pub use crate::entities::audit_events::Model as Event;

/// Adds an event. `subject` is a request's reference or a model's name, `detail` is JSON.
///
/// # Errors
/// When the database fails.
pub async fn append(
    write: &Write,
    now: Timestamp,
    actor: &str,
    action: &str,
    subject: &str,
    detail: &str,
) -> Result<()> {
    let event = ActiveModel {
        id: NotSet,
        happened_at: Set(Micros(now)),
        actor: Set(actor.to_owned()),
        action: Set(action.to_owned()),
        subject: Set(subject.to_owned()),
        detail: Set(detail.to_owned()),
    };
    Entity::insert(event).exec_without_returning(write.connection()).await?;
    Ok(())
}

/// At most `limit` events, from the first whose number is greater than `after`; of one subject, if it is given.
///
/// # Errors
/// When the database fails.
pub async fn page(db: &impl Read, subject: Option<&str>, after: i64, limit: u64) -> Result<Vec<Event>> {
    let mut query = Entity::find().filter(Column::Id.gt(after));
    if let Some(subject) = subject {
        query = query.filter(Column::Subject.eq(subject));
    }
    Ok(query.order_by_asc(Column::Id).limit(at_most(limit)).all(db.connection()).await?)
}

/// At most `limit` events about any of these subjects, from the first whose number is greater than `after`.
///
/// # Errors
/// When the database fails.
pub async fn of_subjects(db: &impl Read, subjects: &[String], after: i64, limit: u64) -> Result<Vec<Event>> {
    let query = Entity::find().filter(Column::Id.gt(after)).filter(Column::Subject.is_in(subjects));
    Ok(query.order_by_asc(Column::Id).limit(at_most(limit)).all(db.connection()).await?)
}

/// At most `limit` events of these actions, the newest first, from the first whose number is less than `before`; about
/// one subject, if it is given.
///
/// # Errors
/// When the database fails.
pub async fn of_actions(
    db: &impl Read,
    actions: &[&str],
    subject: Option<&str>,
    before: i64,
    limit: u64,
) -> Result<Vec<Event>> {
    let mut query = Entity::find().filter(Column::Id.lt(before)).filter(Column::Action.is_in(actions.iter().copied()));
    if let Some(subject) = subject {
        query = query.filter(Column::Subject.eq(subject));
    }
    Ok(query.order_by_desc(Column::Id).limit(at_most(limit)).all(db.connection()).await?)
}
