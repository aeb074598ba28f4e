//! Requests to strike sources: filing, plans, holds and steps. Not here: approvals (`approvals.rs`), what a step does to
//! a model, and who may take it.

use obelus_core::{Digest, Timestamp};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, UpdateMany,
    sea_query::Expr,
};

use crate::{
    approvals,
    column::{Micros, Sha256},
    database::{Connected, Read, Write, at_most},
    entities::{
        request_sources,
        requests::{ActiveModel, Column, Entity},
    },
    error::{Error, Result, moved},
    reference,
};

pub use crate::{
    entities::requests::Model as Request,
    request_state::{RequestState, is_reversible, next_allowed},
};

/// A request to be filed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRequest {
    /// The regime it is filed under, such as `gdpr-art17`.
    pub regime: String,
    /// That regime's file as it is now.
    pub regime_file: Option<String>,
    /// The file of its calendar as it is now.
    pub calendar_file: Option<String>,
    /// The model it is about.
    pub model: String,
    /// Who files it.
    pub filed_by: i64,
    /// The sources it names; a name given twice counts once.
    pub sources: Vec<String>,
}

impl Request {
    /// The state as it is shown: `frozen` while a hold forbids zeroing.
    pub fn shown_state(&self) -> String {
        if self.held_at.is_some() { "frozen".to_owned() } else { self.state.to_string() }
    }
}

/// Files a request and gives it its reference.
///
/// # Errors
/// When the model or the person does not exist.
pub async fn file(write: &Write, request: NewRequest, now: Timestamp) -> Result<Request> {
    let reference = reference::next(write, "OB", now).await?;
    let row = ActiveModel {
        reference: Set(reference.clone()),
        state: Set(RequestState::Received),
        regime: Set(request.regime),
        model: Set(request.model),
        filed_by: Set(request.filed_by),
        received_at: Set(Micros(now)),
        plan_digest: Set(None),
        plan: Set(None),
        refusal_code: Set(None),
        refusal_reason: Set(None),
        held_at: Set(None),
        protocol: Set(None),
        regime_file: Set(request.regime_file),
        calendar_file: Set(request.calendar_file),
    };
    Entity::insert(row).exec_without_returning(write.connection()).await?;
    for source_id in request.sources {
        request_sources::Entity::insert(
            request_sources::Model { request: reference.clone(), source_id }.into_active_model(),
        )
        .on_conflict_do_nothing_on([request_sources::Column::Request, request_sources::Column::SourceId])
        .exec_without_returning(write.connection())
        .await?;
    }
    existing(write, &reference).await
}

/// A request by reference.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &impl Read, reference: &str) -> Result<Option<Request>> {
    Ok(Entity::find_by_id(reference).one(db.connection()).await?)
}

/// The sources that a request names, sorted.
///
/// # Errors
/// When the database fails.
pub async fn sources(db: &impl Read, reference: &str) -> Result<Vec<String>> {
    let rows = request_sources::Entity::find()
        .filter(request_sources::Column::Request.eq(reference))
        .order_by_asc(request_sources::Column::SourceId)
        .all(db.connection())
        .await?;
    Ok(rows.into_iter().map(|row| row.source_id).collect())
}

/// At most `limit` requests by reference, from the first greater than `after`.
///
/// # Errors
/// When the database fails.
pub async fn page(db: &impl Read, after: Option<&str>, limit: u64) -> Result<Vec<Request>> {
    let mut query = Entity::find();
    if let Some(reference) = after {
        query = query.filter(Column::Reference.gt(reference));
    }
    Ok(query.order_by_asc(Column::Reference).limit(at_most(limit)).all(db.connection()).await?)
}

/// Takes one step. Plans, approvals and refusals have functions of their own, since a step there carries something.
///
/// # Errors
/// [`Error::NoSuchStep`]; [`Error::State`] when the request is not at `from`; [`Error::Held`] when the step is zeroing
/// and a hold forbids it.
pub async fn advance(write: &Write, reference: &str, from: RequestState, to: RequestState) -> Result<()> {
    let carries =
        [RequestState::Planned, RequestState::ApprovedOnce, RequestState::ApprovedTwice, RequestState::Refused];
    if !next_allowed(from, to) || carries.contains(&to) {
        return Err(Error::NoSuchStep { from, to });
    }
    let mut change = step(reference, from, to);
    if to == RequestState::Zeroing {
        change = change.filter(Column::HeldAt.is_null());
    }
    if moved(&change.exec(write.connection()).await?) {
        return Ok(());
    }
    let request = existing(write, reference).await?;
    if request.state == from && request.held_at.is_some() {
        return Err(Error::Held(reference.to_owned()));
    }
    Err(elsewhere(&request, from))
}

/// Sets the plan and voids all approvals of another one. False when the request has this very plan, whose approvals
/// stand. `plan` is kept as it is; its SHA-256 is what persons approve.
///
/// # Errors
/// [`Error::NoSuchStep`] when the request is past planning.
pub async fn set_plan(write: &Write, reference: &str, plan: Vec<u8>) -> Result<bool> {
    let digest = Digest::sha256(&plan);
    let request = existing(write, reference).await?;
    if request.plan_digest == Some(Sha256(digest)) {
        return Ok(false);
    }
    if !is_reversible(request.state) {
        return Err(Error::NoSuchStep { from: request.state, to: RequestState::Planned });
    }
    let change = step(reference, request.state, RequestState::Planned)
        .col_expr(Column::PlanDigest, Expr::value(Sha256(digest)))
        .col_expr(Column::Plan, Expr::value(plan));
    if !moved(&change.exec(write.connection()).await?) {
        return Err(elsewhere(&existing(write, reference).await?, request.state));
    }
    approvals::void(write, reference).await?;
    Ok(true)
}

/// Chooses the protocol that the takedown will be judged by, whole as in its file, or none for the standard one. The plan
/// that is approved names it, so that it goes before [`set_plan`] in one transaction.
///
/// # Errors
/// [`Error::NoSuchStep`] when the request is past planning.
pub async fn set_protocol(write: &Write, reference: &str, protocol: Option<&str>) -> Result<()> {
    let request = existing(write, reference).await?;
    if !is_reversible(request.state) {
        return Err(Error::NoSuchStep { from: request.state, to: RequestState::Planned });
    }
    let change = step(reference, request.state, request.state)
        .col_expr(Column::Protocol, Expr::value(protocol.map(str::to_owned)));
    if moved(&change.exec(write.connection()).await?) {
        return Ok(());
    }
    Err(elsewhere(&existing(write, reference).await?, request.state))
}

/// Refuses a request, with one of the codes of the request rules and a reason in words.
///
/// # Errors
/// [`Error::NoSuchStep`] when it is closed, or rows were zeroed already.
pub async fn refuse(write: &Write, reference: &str, code: &str, reason: &str) -> Result<()> {
    let request = existing(write, reference).await?;
    if !next_allowed(request.state, RequestState::Refused) {
        return Err(Error::NoSuchStep { from: request.state, to: RequestState::Refused });
    }
    let change = step(reference, request.state, RequestState::Refused)
        .col_expr(Column::RefusalCode, Expr::value(code))
        .col_expr(Column::RefusalReason, Expr::value(reason));
    if moved(&change.exec(write.connection()).await?) {
        return Ok(());
    }
    Err(elsewhere(&existing(write, reference).await?, request.state))
}

/// Freezes a request: nothing is zeroed until [`release`]. False when it was frozen. Suppression goes on.
///
/// # Errors
/// [`Error::Missing`] when there is no such request.
pub async fn hold(write: &Write, reference: &str, now: Timestamp) -> Result<bool> {
    let change = Entity::update_many()
        .col_expr(Column::HeldAt, Expr::value(Micros(now)))
        .filter(Column::Reference.eq(reference))
        .filter(Column::HeldAt.is_null());
    held(write, change, reference).await
}

/// Ends a hold. False when there was none.
///
/// # Errors
/// [`Error::Missing`] when there is no such request.
pub async fn release(write: &Write, reference: &str) -> Result<bool> {
    let change = Entity::update_many()
        .col_expr(Column::HeldAt, Expr::value(None::<Micros>))
        .filter(Column::Reference.eq(reference))
        .filter(Column::HeldAt.is_not_null());
    held(write, change, reference).await
}

/// Keeps the request from being zeroed or closed until the transaction ends.
///
/// # Errors
/// [`Error::State`] when zeroing has begun or it is closed.
pub(crate) async fn keep_reversible(write: &Write, reference: &str) -> Result<()> {
    let open: Vec<RequestState> = RequestState::ALL.iter().copied().filter(|state| is_reversible(*state)).collect();
    // Written over with itself, because that alone makes both databases wait.
    let change = Entity::update_many()
        .col_expr(Column::State, Expr::col(Column::State))
        .filter(Column::Reference.eq(reference))
        .filter(Column::State.is_in(open));
    if moved(&change.exec(write.connection()).await?) {
        return Ok(());
    }
    let request = existing(write, reference).await?;
    let (expected, found) = ("not zeroed and open".to_owned(), request.state.to_string());
    Err(Error::State { what: "request", key: request.reference, expected, found })
}

async fn held(write: &Write, change: UpdateMany<Entity>, reference: &str) -> Result<bool> {
    let changed = moved(&change.exec(write.connection()).await?);
    existing(write, reference).await?;
    Ok(changed)
}

pub(crate) fn step(reference: &str, from: RequestState, to: RequestState) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(to))
        .filter(Column::Reference.eq(reference))
        .filter(Column::State.eq(from))
}

pub(crate) async fn existing(db: &impl Read, reference: &str) -> Result<Request> {
    get(db, reference).await?.ok_or_else(|| Error::missing("request", reference))
}

pub(crate) fn elsewhere(request: &Request, expected: RequestState) -> Error {
    Error::State {
        what: "request",
        key: request.reference.clone(),
        expected: expected.to_string(),
        found: request.state.to_string(),
    }
}
