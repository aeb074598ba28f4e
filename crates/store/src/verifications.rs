//! Verification runs, in three phases that cannot be taken in another order: the protocol is fixed, the scores before
//! are recorded, the verdict is given. Not here: how anything is measured or judged.

use obelus_core::{Digest, Timestamp};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, UpdateMany, sea_query::Expr};

use crate::{
    column::{Micros, Sha256, words},
    database::{Connected, Read, Write},
    entities::verification_runs::{Column, Entity},
    error::{Error, Result, moved},
    reference,
};

pub use crate::entities::verification_runs::Model as Run;

words!(
    /// How far a verification run has come.
    RunPhase {
        /// The protocol is fixed and logged; nothing is measured.
        ProtocolFixed = "protocol_fixed",
        /// The scores from before the erasure are recorded.
        BeforeRecorded = "before_recorded",
        /// The verdict is given.
        Judged = "judged",
    }
);

/// A run to be begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRun {
    /// The request that it verifies, if any.
    pub request: Option<String>,
    /// The model.
    pub model: String,
    /// The source whose trace is looked for.
    pub source_id: String,
    /// The protocol's exact bytes.
    pub protocol: Vec<u8>,
    /// SHA-256 of the signed statement that fixes the protocol, which must be stored already.
    pub protocol_statement: Digest,
}

/// What a run has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// The results' exact bytes.
    pub results: Vec<u8>,
    /// The verdict.
    pub verdict: String,
    /// SHA-256 of the signed `verification-run/v1`, which must be stored already.
    pub statement: Digest,
}

/// Begins a run: fixes its protocol, of which the SHA-256 is kept too, and gives it its name.
///
/// # Errors
/// When the model, the request or the statement does not exist.
pub async fn begin(write: &Write, run: NewRun, now: Timestamp) -> Result<Run> {
    let row = Run {
        id: reference::next(write, "VR", now).await?,
        request: run.request,
        model: run.model,
        source_id: run.source_id,
        protocol_digest: Sha256(Digest::sha256(&run.protocol)),
        protocol: run.protocol,
        protocol_statement: Sha256(run.protocol_statement),
        phase: RunPhase::ProtocolFixed,
        scores_before: None,
        results: None,
        results_digest: None,
        verdict: None,
        statement: None,
        started_at: Micros(now),
        finished_at: None,
    };
    Entity::insert(row.clone().into_active_model()).exec_without_returning(write.connection()).await?;
    Ok(row)
}

/// A run by name.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &impl Read, id: &str) -> Result<Option<Run>> {
    Ok(Entity::find_by_id(id).one(db.connection()).await?)
}

/// The runs of a request, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn of_request(db: &impl Read, request: &str) -> Result<Vec<Run>> {
    Ok(Entity::find().filter(Column::Request.eq(request)).order_by_asc(Column::Id).all(db.connection()).await?)
}

/// Records the scores from before the erasure, as they were written.
///
/// # Errors
/// [`Error::State`] when they were recorded before: they are never replaced.
pub async fn record_before(write: &Write, id: &str, scores: Vec<u8>) -> Result<()> {
    let change = Entity::update_many()
        .col_expr(Column::Phase, Expr::value(RunPhase::BeforeRecorded))
        .col_expr(Column::ScoresBefore, Expr::value(scores));
    leave(write, change, id, RunPhase::ProtocolFixed).await
}

/// Gives the verdict.
///
/// # Errors
/// [`Error::State`] when the scores before are missing, or it was given.
pub async fn judge(write: &Write, id: &str, judgement: Judgement, now: Timestamp) -> Result<()> {
    let change = Entity::update_many()
        .col_expr(Column::Phase, Expr::value(RunPhase::Judged))
        .col_expr(Column::ResultsDigest, Expr::value(Sha256(Digest::sha256(&judgement.results))))
        .col_expr(Column::Results, Expr::value(judgement.results))
        .col_expr(Column::Verdict, Expr::value(judgement.verdict))
        .col_expr(Column::Statement, Expr::value(Sha256(judgement.statement)))
        .col_expr(Column::FinishedAt, Expr::value(Micros(now)));
    leave(write, change, id, RunPhase::BeforeRecorded).await
}

async fn leave(write: &Write, change: UpdateMany<Entity>, id: &str, expected: RunPhase) -> Result<()> {
    let change = change.filter(Column::Id.eq(id)).filter(Column::Phase.eq(expected));
    if moved(&change.exec(write.connection()).await?) {
        return Ok(());
    }
    let run = get(write, id).await?.ok_or_else(|| Error::missing("verification run", id))?;
    Err(Error::State {
        what: "verification run",
        key: id.to_owned(),
        expected: expected.to_string(),
        found: run.phase.to_string(),
    })
}
