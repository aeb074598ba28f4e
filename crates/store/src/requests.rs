//! Requests to strike sources: filing, plans, holds and steps. Not here: approvals (`approvals.rs`), what a step does to
//! a model, and who may take it.

use obelus_core::{Digest, Timestamp};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, UpdateMany,
    sea_query::Expr,
};

use crate::{
    approvals,
    case_notices::{self, NoticeKind},
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
    entities::{request_sources::Model as RequestSource, requests::Model as Request},
    request_state::{RequestState, is_closed, is_reversible, is_suppressed, is_whole, next_allowed},
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

/// The next reference. It is never given again, whether or not a request is filed under it.
///
/// # Errors
/// When the database fails.
pub async fn reserve(write: &Write, now: Timestamp) -> Result<String> {
    reference::next(write, "OB", now).await
}

/// Files a request under a reference that was reserved.
///
/// # Errors
/// When the model or the person does not exist; [`Error::Exists`] when the reference was used.
pub async fn file(write: &Write, reference: String, request: NewRequest, now: Timestamp) -> Result<Request> {
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
        window_until: Set(None),
        duplicate_of: Set(None),
    };
    Entity::insert(row)
        .exec_without_returning(write.connection())
        .await
        .map_err(|error| Error::inserting(error, "request", &reference))?;
    for source_id in request.sources {
        request_sources::Entity::insert(granted(&reference, source_id).into_active_model())
            .on_conflict_do_nothing_on([request_sources::Column::Request, request_sources::Column::SourceId])
            .exec_without_returning(write.connection())
            .await?;
    }
    existing(write, &reference).await
}

fn granted(reference: &str, source_id: String) -> request_sources::Model {
    request_sources::Model { request: reference.to_owned(), source_id, refusal_code: None, refusal_reason: None }
}

/// A request by reference.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &impl Read, reference: &str) -> Result<Option<Request>> {
    Ok(Entity::find_by_id(reference).one(db.connection()).await?)
}

/// The sources that a request is to strike, sorted: those it names but those for which it was refused.
///
/// # Errors
/// When the database fails.
pub async fn sources(db: &impl Read, reference: &str) -> Result<Vec<String>> {
    let rows = request_sources::Entity::find()
        .filter(request_sources::Column::Request.eq(reference))
        .filter(request_sources::Column::RefusalCode.is_null())
        .order_by_asc(request_sources::Column::SourceId)
        .all(db.connection())
        .await?;
    Ok(rows.into_iter().map(|row| row.source_id).collect())
}

/// Every source that a request names, sorted, also those for which it was refused.
///
/// # Errors
/// When the database fails.
pub async fn all_sources(db: &impl Read, reference: &str) -> Result<Vec<RequestSource>> {
    let rows = request_sources::Entity::find()
        .filter(request_sources::Column::Request.eq(reference))
        .order_by_asc(request_sources::Column::SourceId);
    Ok(rows.all(db.connection()).await?)
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

/// Takes one step. Plans, approvals, the window, zeroing and refusals have functions of their own, since a step there carries
/// something.
///
/// # Errors
/// [`Error::NoSuchStep`]; [`Error::State`] when the request is not at `from`.
pub async fn advance(write: &Write, reference: &str, from: RequestState, to: RequestState) -> Result<()> {
    use RequestState::*;
    let carries =
        [PartiallyGranted, ImpactAssessed, ApprovedOnce, ApprovedTwice, WindowOpen, Zeroing, Refused, DuplicateOf];
    if !next_allowed(from, to) || carries.contains(&to) {
        return Err(Error::NoSuchStep { from, to });
    }
    taken(write, step(reference, from, to), reference, from).await
}

/// Opens the dispute window of a plan that was approved twice; before it ends nothing is zeroed.
///
/// # Errors
/// [`Error::State`] when the plan is not approved twice.
pub async fn open_window(write: &Write, reference: &str, until: Timestamp) -> Result<()> {
    let from = RequestState::ApprovedTwice;
    let change =
        step(reference, from, RequestState::WindowOpen).col_expr(Column::WindowUntil, Expr::value(Micros(until)));
    taken(write, change, reference, from).await
}

/// Takes the step from which there is no way back.
///
/// # Errors
/// [`Error::Held`] when a hold forbids it, [`Error::Objected`] while a counter-notice is open; [`Error::WindowOpen`] before the
/// dispute window has ended; [`Error::State`] when the request is elsewhere.
pub async fn begin_zeroing(write: &Write, reference: &str, now: Timestamp) -> Result<()> {
    let from = RequestState::WindowOpen;
    let change = step(reference, from, RequestState::Zeroing)
        .filter(Column::HeldAt.is_null())
        .filter(Column::WindowUntil.lte(Micros(now)));
    if moved(&change.exec(write.connection()).await?) {
        // Whoever records one takes a step of this case, which waits for this transaction or is overtaken by it.
        let open = case_notices::open(write, reference, NoticeKind::CounterNotice).await?;
        return open.map_or(Ok(()), |_| Err(Error::Objected(reference.to_owned())));
    }
    let request = existing(write, reference).await?;
    match (request.state == from, request.held_at, request.window_until) {
        (true, Some(_), _) => Err(Error::Held(reference.to_owned())),
        (true, None, Some(Micros(until))) => Err(Error::WindowOpen { request: reference.to_owned(), until }),
        _ => Err(elsewhere(&request, from)),
    }
}

/// Refuses a request for some of the sources that it names; for the others it goes on.
///
/// # Errors
/// [`Error::State`] when it is not triaged; [`Error::Missing`] when it does not name such a source.
pub async fn grant_partially(write: &Write, reference: &str, refused: &[(String, String, String)]) -> Result<()> {
    use request_sources::Column as Of;
    let from = RequestState::Triaged;
    taken(write, step(reference, from, RequestState::PartiallyGranted), reference, from).await?;
    for (source, code, reason) in refused {
        let change = request_sources::Entity::update_many()
            .col_expr(Of::RefusalCode, Expr::value(code.as_str()))
            .col_expr(Of::RefusalReason, Expr::value(reason.as_str()))
            .filter(Of::Request.eq(reference))
            .filter(Of::SourceId.eq(source.as_str()));
        if !moved(&change.exec(write.connection()).await?) {
            return Err(Error::missing("source of the request", source));
        }
    }
    Ok(())
}

/// Closes a request because another asks for the same.
///
/// # Errors
/// [`Error::NoSuchStep`] when it is closed or zeroed, or is that request; [`Error::Missing`] when there is no other.
pub async fn mark_duplicate(write: &Write, reference: &str, other: &str) -> Result<()> {
    let (request, other) = (existing(write, reference).await?, existing(write, other).await?);
    if !next_allowed(request.state, RequestState::DuplicateOf) || other.reference == reference {
        return Err(Error::NoSuchStep { from: request.state, to: RequestState::DuplicateOf });
    }
    let change = step(reference, request.state, RequestState::DuplicateOf)
        .col_expr(Column::DuplicateOf, Expr::value(other.reference));
    taken(write, change, reference, request.state).await
}

/// Adds sources that a request turned out to mean. Those that it names already stay as they are.
///
/// # Errors
/// [`Error::State`] when zeroing has begun or it is closed.
pub async fn add_sources(write: &Write, reference: &str, sources: &[String]) -> Result<()> {
    keep_reversible(write, reference).await?;
    for source_id in sources {
        request_sources::Entity::insert(granted(reference, source_id.clone()).into_active_model())
            .on_conflict_do_nothing_on([request_sources::Column::Request, request_sources::Column::SourceId])
            .exec_without_returning(write.connection())
            .await?;
    }
    Ok(())
}

async fn taken(write: &Write, change: UpdateMany<Entity>, reference: &str, from: RequestState) -> Result<()> {
    if moved(&change.exec(write.connection()).await?) {
        return Ok(());
    }
    Err(elsewhere(&existing(write, reference).await?, from))
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
    if !is_suppressed(request.state) {
        return Err(Error::NoSuchStep { from: request.state, to: RequestState::ImpactAssessed });
    }
    let change = step(reference, request.state, RequestState::ImpactAssessed)
        .col_expr(Column::WindowUntil, Expr::value(None::<Micros>))
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
        return Err(Error::NoSuchStep { from: request.state, to: RequestState::ImpactAssessed });
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
