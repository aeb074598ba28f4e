//! Approvals: who has agreed to the plan as it is. Not here: who may approve (nobody what they filed; `obelus-policy`).

use obelus_core::{Digest, Timestamp};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder};

use crate::{
    column::{Micros, Sha256},
    database::{Connected, Read, Write},
    entities::approvals::{Column, Entity},
    error::{Error, Result, moved},
    requests::{self, RequestState},
};

pub use crate::entities::approvals::Model as Approval;

/// Records that `person` approves the plan with this digest, and gives the state that the request is in then: approved
/// once or twice.
///
/// # Errors
/// [`Error::Exists`] when the person has approved it; [`Error::State`] when the plan is another one now, or the request
/// waits for no approval.
pub async fn approve(
    write: &Write,
    reference: &str,
    person: i64,
    plan_digest: &Digest,
    now: Timestamp,
) -> Result<RequestState> {
    let request = requests::existing(write, reference).await?;
    let to = match request.state {
        RequestState::ImpactAssessed => RequestState::ApprovedOnce,
        RequestState::ApprovedOnce => RequestState::ApprovedTwice,
        _ => return Err(requests::elsewhere(&request, RequestState::ImpactAssessed)),
    };
    // The step comes first: it takes the request's row, so that no other plan or approval comes in between.
    let change = requests::step(reference, request.state, to)
        .filter(crate::entities::requests::Column::PlanDigest.eq(Sha256(*plan_digest)));
    if !moved(&change.exec(write.connection()).await?) {
        let found = requests::existing(write, reference).await?;
        if found.state != request.state {
            return Err(requests::elsewhere(&found, request.state));
        }
        return Err(Error::State {
            what: "plan of request",
            key: reference.to_owned(),
            expected: plan_digest.to_string(),
            found: found.plan_digest.map_or_else(|| "missing".to_owned(), |digest| digest.to_string()),
        });
    }
    let row =
        Approval { request: reference.to_owned(), person, plan_digest: Sha256(*plan_digest), approved_at: Micros(now) };
    Entity::insert(row.into_active_model())
        .exec_without_returning(write.connection())
        .await
        .map_err(|error| Error::inserting(error, "approval by this person of request", reference))?;
    Ok(to)
}

/// The approvals of a request's plan, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn of_request(db: &impl Read, reference: &str) -> Result<Vec<Approval>> {
    Ok(Entity::find()
        .filter(Column::Request.eq(reference))
        .order_by_asc(Column::ApprovedAt)
        .order_by_asc(Column::Person)
        .all(db.connection())
        .await?)
}

/// Removes the approvals of a plan that is no more. That they were given stays in the audit events.
pub(crate) async fn void(write: &Write, reference: &str) -> Result<()> {
    Entity::delete_many().filter(Column::Request.eq(reference)).exec(write.connection()).await?;
    Ok(())
}
