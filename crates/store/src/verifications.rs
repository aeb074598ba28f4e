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
    /// JSON: under what it was measured, to be compared with the next run.
    pub circumstances: String,
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
        repeats: None,
        job: None,
        circumstances: None,
    };
    Entity::insert(row.clone().into_active_model()).exec_without_returning(write.connection()).await?;
    Ok(row)
}

/// A run that repeats another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repetition {
    /// Its name, from [`reserve`].
    pub id: String,
    /// The job that repeats it.
    pub job: i64,
    /// When it began.
    pub started_at: Timestamp,
}

/// The name of the next run. A name that is not used is lost.
///
/// # Errors
/// When the database fails.
pub async fn reserve(write: &Write, now: Timestamp) -> Result<String> {
    reference::next(write, "VR", now).await
}

/// Keeps a repetition, which is judged from its beginning on: protocol and scores before are those of the first run.
///
/// # Errors
/// [`Error::State`] when the run that it repeats is not judged, or is itself a repetition; [`Error::Exists`] when the job
/// has a run already.
pub async fn repeat(
    write: &Write,
    first: &Run,
    repetition: Repetition,
    found: Judgement,
    now: Timestamp,
) -> Result<Run> {
    if first.phase != RunPhase::Judged || first.repeats.is_some() {
        let found = if first.repeats.is_some() { "a repetition".to_owned() } else { first.phase.to_string() };
        let (key, expected) = (first.id.clone(), "the first of its request, judged".to_owned());
        return Err(Error::State { what: "verification run", key, expected, found });
    }
    let row = Run {
        id: repetition.id,
        phase: RunPhase::Judged,
        results_digest: Some(Sha256(Digest::sha256(&found.results))),
        results: Some(found.results),
        verdict: Some(found.verdict),
        statement: Some(Sha256(found.statement)),
        started_at: Micros(repetition.started_at),
        finished_at: Some(Micros(now)),
        repeats: Some(first.id.clone()),
        job: Some(repetition.job),
        circumstances: Some(found.circumstances),
        ..first.clone()
    };
    Entity::insert(row.clone().into_active_model())
        .exec_without_returning(write.connection())
        .await
        .map_err(|error| Error::inserting(error, "verification run of job", repetition.job))?;
    Ok(row)
}

/// The first run of a request, which fixed the protocol: the newest that repeats none.
///
/// # Errors
/// When the database fails.
pub async fn first_of_request(db: &impl Read, request: &str) -> Result<Option<Run>> {
    Ok(of_request(db, request).await?.into_iter().rfind(|run| run.repeats.is_none()))
}

/// The run that a job has made.
///
/// # Errors
/// When the database fails.
pub async fn of_job(db: &impl Read, job: i64) -> Result<Option<Run>> {
    Ok(Entity::find().filter(Column::Job.eq(job)).one(db.connection()).await?)
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

/// The judged runs of a model, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn judged_of_model(db: &impl Read, model: &str) -> Result<Vec<Run>> {
    let query = Entity::find().filter(Column::Model.eq(model)).filter(Column::Phase.eq(RunPhase::Judged));
    Ok(query.order_by_asc(Column::Id).all(db.connection()).await?)
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
        .col_expr(Column::Circumstances, Expr::value(Some(judgement.circumstances)))
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
