//! Erasures: the targets of a strike, and how far it has come in each, so that one that was cut off goes on where it
//! stopped. Not here: zeroing, hashing and proofs.

use std::collections::HashSet;

use obelus_core::{Digest, Timestamp};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, TryInsertResult,
    sea_query::Expr,
};

use crate::{
    column::{Micros, Sha256, words},
    database::{Connected, Read, Write},
    entities::{
        erasure_targets,
        erasures::{Column, Entity},
    },
    error::{Error, Result, moved},
};

pub use crate::entities::{erasure_targets::Model as Target, erasures::Model as Erasure};

words!(
    /// How far an erasure has come.
    ErasureState {
        /// Targets are being worked on.
        Zeroing = "zeroing",
        /// Every target is done and the root after is known.
        Zeroed = "zeroed",
        /// The signed statement is stored.
        Recorded = "recorded",
    }
);

words!(
    /// How far one target has come.
    TargetState {
        /// To be done, or to be done again.
        Pending = "pending",
        /// Done; the evidence says what was found.
        Done = "done",
        /// Tried and failed; the evidence says why. It is tried again.
        Failed = "failed",
    }
);

/// An erasure to be begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewErasure {
    /// The request that it executes.
    pub request: String,
    /// The model.
    pub model: String,
    /// Root of the weight tree before.
    pub root_before: Digest,
    /// Every target: its kind, such as `checkpoint`, and where it is relative to the data directory.
    pub targets: Vec<(String, String)>,
}

/// Begins an erasure, or finds the one that was begun. True when it is new. Targets that are not there yet are added; one
/// that is named twice counts once.
///
/// # Errors
/// [`Error::State`] when it was begun on other weights: then something has changed them since, and nobody can tell what
/// was zeroed; or when it has ended and a target is to be added, which would stay open for ever.
pub async fn begin(write: &Write, erasure: &NewErasure, now: Timestamp) -> Result<bool> {
    let row = Erasure {
        request: erasure.request.clone(),
        model: erasure.model.clone(),
        state: ErasureState::Zeroing,
        root_before: Sha256(erasure.root_before),
        root_after: None,
        row_proof: None,
        statement: None,
        started_at: Micros(now),
        finished_at: None,
    };
    let begun = Entity::insert(row.into_active_model())
        .on_conflict_do_nothing_on([Column::Request])
        .exec_without_returning(write.connection())
        .await?;
    let found = locked(write, &erasure.request).await?;
    if found.root_before.0 != erasure.root_before || found.model != erasure.model {
        return Err(Error::State {
            what: "erasure of request",
            key: erasure.request.clone(),
            expected: format!("of {} from {}", erasure.model, erasure.root_before),
            found: format!("of {} from {}", found.model, found.root_before),
        });
    }
    let known = targets(write, &erasure.request).await?;
    let mut known: HashSet<_> = known.iter().map(|target| (target.kind.as_str(), target.path.as_str())).collect();
    for (kind, path) in &erasure.targets {
        if !known.insert((kind, path)) {
            continue;
        }
        if found.state != ErasureState::Zeroing {
            return Err(not_at(&found, ErasureState::Zeroing));
        }
        insert(write, &erasure.request, kind, path, now).await?;
    }
    Ok(matches!(begun, TryInsertResult::Inserted(1)))
}

/// Adds targets to an erasure whose statement is stored: what is destroyed after the verdict. Those that are there stay as
/// they are.
///
/// # Errors
/// [`Error::State`] when the erasure has not ended: until then all targets are named when it begins.
pub async fn add_targets(write: &Write, request: &str, kind: &str, paths: &[String], now: Timestamp) -> Result<()> {
    let found = locked(write, request).await?;
    if found.state != ErasureState::Recorded {
        return Err(not_at(&found, ErasureState::Recorded));
    }
    let known = targets(write, request).await?;
    for path in paths {
        if !known.iter().any(|target| target.kind == kind && target.path == *path) {
            insert(write, request, kind, path, now).await?;
        }
    }
    Ok(())
}

async fn insert(write: &Write, request: &str, kind: &str, path: &str, now: Timestamp) -> Result<()> {
    let target = erasure_targets::ActiveModel {
        id: NotSet,
        request: Set(request.to_owned()),
        kind: Set(kind.to_owned()),
        path: Set(path.to_owned()),
        state: Set(TargetState::Pending),
        evidence: Set(None),
        changed_at: Set(Micros(now)),
    };
    erasure_targets::Entity::insert(target).exec_without_returning(write.connection()).await?;
    Ok(())
}

/// The erasure of a request.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &impl Read, request: &str) -> Result<Option<Erasure>> {
    Ok(Entity::find_by_id(request).one(db.connection()).await?)
}

/// Erasures of a model that are not finished, oldest first: what a restart goes on with.
///
/// # Errors
/// When the database fails.
pub async fn unfinished(db: &impl Read, model: &str) -> Result<Vec<Erasure>> {
    Ok(Entity::find()
        .filter(Column::Model.eq(model))
        .filter(Column::State.ne(ErasureState::Recorded))
        .order_by_asc(Column::StartedAt)
        .order_by_asc(Column::Request)
        .all(db.connection())
        .await?)
}

/// The targets of an erasure, in the order in which they were named.
///
/// # Errors
/// When the database fails.
pub async fn targets(db: &impl Read, request: &str) -> Result<Vec<Target>> {
    Ok(erasure_targets::Entity::find()
        .filter(erasure_targets::Column::Request.eq(request))
        .order_by_asc(erasure_targets::Column::Id)
        .all(db.connection())
        .await?)
}

/// Records that a target is done or has failed, with JSON that says what was found or why. Once done it stays done:
/// recording it again changes nothing and gives false.
///
/// # Errors
/// [`Error::Missing`] when there is no such target.
pub async fn record_target(
    write: &Write,
    target: i64,
    state: TargetState,
    evidence: &str,
    now: Timestamp,
) -> Result<bool> {
    use erasure_targets::{Column, Entity};
    let change = Entity::update_many()
        .col_expr(Column::State, Expr::value(state))
        .col_expr(Column::Evidence, Expr::value(evidence))
        .col_expr(Column::ChangedAt, Expr::value(Micros(now)))
        .filter(Column::Id.eq(target))
        .filter(Column::State.ne(TargetState::Done))
        .exec(write.connection())
        .await?;
    if moved(&change) {
        return Ok(true);
    }
    match Entity::find_by_id(target).one(write.connection()).await? {
        Some(_) => Ok(false),
        None => Err(Error::missing("erasure target", target)),
    }
}

/// Ends the zeroing: every target is done, and this is the root after.
///
/// # Errors
/// [`Error::State`] when a target is not done, or the erasure is not being zeroed.
pub async fn finish(write: &Write, request: &str, root_after: &Digest, row_proof: &str, now: Timestamp) -> Result<()> {
    // No target is added from here on, see `begin`.
    locked(write, request).await?;
    let open = erasure_targets::Entity::find()
        .filter(erasure_targets::Column::Request.eq(request))
        .filter(erasure_targets::Column::State.ne(TargetState::Done))
        .count(write.connection())
        .await?;
    if open > 0 {
        return Err(Error::State {
            what: "erasure of request",
            key: request.to_owned(),
            expected: "done in all targets".to_owned(),
            found: format!("not done in {open}"),
        });
    }
    let change = Entity::update_many()
        .col_expr(Column::State, Expr::value(ErasureState::Zeroed))
        .col_expr(Column::RootAfter, Expr::value(Sha256(*root_after)))
        .col_expr(Column::RowProof, Expr::value(row_proof))
        .col_expr(Column::FinishedAt, Expr::value(Micros(now)))
        .filter(Column::Request.eq(request))
        .filter(Column::State.eq(ErasureState::Zeroing))
        .exec(write.connection())
        .await?;
    if moved(&change) { Ok(()) } else { Err(elsewhere(write, request, ErasureState::Zeroing).await) }
}

/// Records the signed statement, which must be stored already.
///
/// # Errors
/// [`Error::State`] when the zeroing has not ended, or a statement was recorded before.
pub async fn record_statement(write: &Write, request: &str, statement: &Digest) -> Result<()> {
    let change = Entity::update_many()
        .col_expr(Column::State, Expr::value(ErasureState::Recorded))
        .col_expr(Column::Statement, Expr::value(Sha256(*statement)))
        .filter(Column::Request.eq(request))
        .filter(Column::State.eq(ErasureState::Zeroed))
        .exec(write.connection())
        .await?;
    if moved(&change) { Ok(()) } else { Err(elsewhere(write, request, ErasureState::Zeroed).await) }
}

/// The erasure of a request, which no other transaction changes or locks until this one ends.
pub(crate) async fn locked(write: &Write, request: &str) -> Result<Erasure> {
    Entity::find_by_id(request)
        .lock_exclusive()
        .one(write.connection())
        .await?
        .ok_or_else(|| Error::missing("erasure of request", request))
}

async fn elsewhere(write: &Write, request: &str, expected: ErasureState) -> Error {
    match locked(write, request).await {
        Ok(found) => not_at(&found, expected),
        Err(error) => error,
    }
}

fn not_at(erasure: &Erasure, expected: ErasureState) -> Error {
    Error::State {
        what: "erasure of request",
        key: erasure.request.clone(),
        expected: expected.to_string(),
        found: erasure.state.to_string(),
    }
}
