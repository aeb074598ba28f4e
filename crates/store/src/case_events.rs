//! The steps of cases: a chain of signed statements for each. Not here: which steps there are (`requests.rs`), and the audit
//! trail, which also has what is no step of a case.

use obelus_core::{Digest, Timestamp};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};

use crate::{
    column::{Micros, Sha256},
    database::{Connected, Read, Write},
    entities::case_events::{Column, Entity},
    error::{Error, Result},
    requests::RequestState,
};

pub use crate::entities::case_events::Model as CaseEvent;

/// What [`Error::Exists`] is about where somebody else has taken a step meanwhile.
pub const WHAT: &str = "step in the case";

/// A step that is to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// The request.
    pub request: String,
    /// Its number: one more than that of the last.
    pub sequence: i64,
    /// Digest of the signed `case-event/v1`, which is stored.
    pub statement: Digest,
    /// The act.
    pub action: String,
    /// State before; none of the first step.
    pub from: Option<RequestState>,
    /// State after.
    pub to: RequestState,
    /// Who, by name.
    pub actor: String,
    /// What it carries, as JSON.
    pub detail: String,
}

/// Adds a step.
///
/// # Errors
/// [`Error::Exists`] when somebody else has taken a step meanwhile.
pub async fn append(write: &Write, event: NewEvent, now: Timestamp) -> Result<()> {
    let (request, sequence) = (event.request.clone(), event.sequence);
    let row = CaseEvent {
        request: event.request,
        sequence: event.sequence,
        statement: Sha256(event.statement),
        action: event.action,
        from_state: event.from,
        to_state: event.to,
        actor: event.actor,
        detail: event.detail,
        happened_at: Micros(now),
    };
    Entity::insert(row.into_active_model())
        .exec_without_returning(write.connection())
        .await
        .map_err(|error| Error::inserting(error, WHAT, format!("{request} {sequence}")))?;
    Ok(())
}

/// The last step of a case.
///
/// # Errors
/// When the database fails.
pub async fn last(db: &impl Read, request: &str) -> Result<Option<CaseEvent>> {
    let query = Entity::find().filter(Column::Request.eq(request)).order_by_desc(Column::Sequence);
    Ok(query.one(db.connection()).await?)
}

/// The steps of a case, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn of_request(db: &impl Read, request: &str) -> Result<Vec<CaseEvent>> {
    let query = Entity::find().filter(Column::Request.eq(request)).order_by_asc(Column::Sequence);
    Ok(query.all(db.connection()).await?)
}
