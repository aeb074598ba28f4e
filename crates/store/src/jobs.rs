//! Work that is done later and by one process at a time. It is put here in the transaction of what makes it necessary; a
//! process that takes it has a lease and a token, and whoever lost the lease can neither keep nor end it. Not here: what
//! is done, and how long it may take.
//!
//! A lease and no row lock, because a verification takes minutes to hours. One whose process died is begun again when the
//! lease has run out, and is dead after [`MOST_ATTEMPTS`]: dead work stays here to be seen.

use obelus_core::Timestamp;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    Statement, TryInsertResult, UpdateMany,
    sea_query::{Expr, OnConflict},
};

use crate::{
    column::{Micros, words},
    database::{Connected, Read, Write, at_most},
    entities::jobs::{ActiveModel, Column, Entity},
    error::{Error, Result, moved},
};

pub use crate::entities::jobs::Model as Job;

/// How often work is begun before it is given up.
pub const MOST_ATTEMPTS: i64 = 5;

words!(
    /// What is to be done.
    JobKind {
        /// The certified case of a request is verified again.
        ReverifyCase = "reverify-case",
        /// Every certified case of a model is verified again, each as a job of its own.
        ReverifyModel = "reverify-model",
        /// A retrain that a verification is compared with is trained.
        TrainBaseline = "train-baseline",
        /// The plan of a takedown is made.
        PlanTakedown = "plan-takedown",
        /// A takedown that was approved is executed.
        ExecuteTakedown = "execute-takedown",
        /// A takedown that was executed is judged.
        VerifyTakedown = "verify-takedown",
    }
);

words!(
    /// How far a job has come.
    JobState {
        /// It waits for somebody to take it.
        Queued = "queued",
        /// Somebody does it.
        Running = "running",
        /// It is done.
        Done = "done",
        /// It failed too often, and waits for a person.
        Dead = "dead",
    }
);

/// A job to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// What is to be done.
    pub kind: JobKind,
    /// What it is to be done to.
    pub subject: String,
    /// Why, in words.
    pub reason: String,
    /// The schedule that made it due, if one did.
    pub schedule: Option<String>,
    /// When it became due.
    pub due_at: Timestamp,
    /// The person who orders it, and how it is to be done; none where something else makes it due.
    pub order: Option<Ordered>,
}

/// Who orders a job, and what more they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// The person, by name. When the job is begun they must still be permitted what they order.
    pub by: String,
    /// How it is to be done, where there is a choice.
    pub argument: Option<String>,
}

/// An attempt at a job: its token fences out everybody who lost it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The job as it was when it was taken.
    pub job: Job,
    token: String,
}

/// Puts a job here, in the caller's transaction. False when it is here already: of a schedule with this time, or of a
/// change and nobody has begun it.
///
/// # Errors
/// When there is no such schedule.
pub async fn enqueue(write: &Write, new: NewJob, now: Timestamp) -> Result<bool> {
    let (ordered_by, argument) = new.order.map(|order| (order.by, order.argument)).unzip();
    let row = ActiveModel {
        id: NotSet,
        kind: Set(new.kind),
        subject: Set(new.subject),
        reason: Set(new.reason),
        schedule: Set(new.schedule),
        due_at: Set(Micros(new.due_at)),
        state: Set(JobState::Queued),
        run_after: Set(Micros(now)),
        attempts: Set(0),
        token: Set(None),
        leased_until: Set(None),
        outcome: Set(None),
        enqueued_at: Set(Micros(now)),
        finished_at: Set(None),
        ordered_by: Set(ordered_by),
        argument: Set(argument.flatten()),
        progress: Set(None),
    };
    // Whichever of the unique indices says that it is here.
    let unless_here = OnConflict::new().do_nothing().to_owned();
    let insert = Entity::insert(row).on_conflict(unless_here).try_insert();
    Ok(matches!(insert.exec_without_returning(write.connection()).await?, TryInsertResult::Inserted(1)))
}

/// Takes the job that has waited longest, until `until` and under a token that nobody else can guess; none when nothing
/// can be begun now. Of one subject one job is taken at a time. A job whose lease has run out is taken again.
///
/// # Errors
/// When the database fails.
pub async fn claim(write: &Write, token: &str, now: Timestamp, until: Timestamp) -> Result<Option<Lease>> {
    bury(write, now).await?;
    let connection = write.connection();
    let backend = connection.get_database_backend();
    // On SQLite the transaction holds the database's only write lock from its beginning.
    let locked = if backend == DbBackend::Postgres { "FOR UPDATE SKIP LOCKED" } else { "" };
    let sql = format!(
        "UPDATE jobs SET state = 'running', token = $1, leased_until = $2, attempts = attempts + 1 WHERE id = (
             SELECT id FROM jobs AS waiting
             WHERE ((state = 'queued' AND run_after <= $3) OR (state = 'running' AND leased_until <= $3))
               AND NOT EXISTS (SELECT 1 FROM jobs AS beside WHERE beside.subject = waiting.subject
                               AND beside.state = 'running' AND beside.leased_until > $3)
             ORDER BY run_after, id LIMIT 1 {locked})
         RETURNING *"
    );
    let values = [token.into(), until.as_micros().into(), now.as_micros().into()];
    let statement = Statement::from_sql_and_values(backend, sql, values);
    let taken = Entity::find().from_raw_sql(statement).one(connection).await?;
    Ok(taken.map(|job| Lease { job, token: token.to_owned() }))
}

/// Ends jobs whose last permitted attempt was cut off.
async fn bury(write: &Write, now: Timestamp) -> Result<()> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(JobState::Dead))
        .col_expr(Column::Outcome, Expr::value(format!("begun {MOST_ATTEMPTS} times, and cut off each time")))
        .col_expr(Column::Token, Expr::value(None::<String>))
        .col_expr(Column::FinishedAt, Expr::value(Micros(now)))
        .filter(Column::State.eq(JobState::Running))
        .filter(Column::LeasedUntil.lte(Micros(now)))
        .filter(Column::Attempts.gte(MOST_ATTEMPTS))
        .exec(write.connection())
        .await?;
    Ok(())
}

/// Keeps a job until `until`. Called in the transaction of a change it also makes sure that the change is still this
/// attempt's to make.
///
/// # Errors
/// [`Error::State`] when the lease is lost.
pub async fn keep(write: &Write, lease: &Lease, until: Timestamp) -> Result<()> {
    let change = Entity::update_many().col_expr(Column::LeasedUntil, Expr::value(Some(Micros(until))));
    fenced(write, change, lease).await
}

/// Notes how far an attempt is, for those who wait for it.
///
/// # Errors
/// [`Error::State`] when the lease is lost.
pub async fn note(write: &Write, lease: &Lease, progress: &str) -> Result<()> {
    fenced(write, Entity::update_many().col_expr(Column::Progress, Expr::value(Some(progress.to_owned()))), lease).await
}

/// Ends a job.
///
/// # Errors
/// [`Error::State`] when the lease is lost.
pub async fn finish(write: &Write, lease: &Lease, outcome: &str, now: Timestamp) -> Result<()> {
    leave(write, lease, JobState::Done, outcome, Micros(now), Some(Micros(now))).await
}

/// Puts a job back that could not be done, to be tried again after `run_after`; after [`MOST_ATTEMPTS`] it is dead.
///
/// # Errors
/// [`Error::State`] when the lease is lost.
pub async fn fail(write: &Write, lease: &Lease, why: &str, run_after: Timestamp, now: Timestamp) -> Result<JobState> {
    let last = lease.job.attempts >= MOST_ATTEMPTS;
    let state = if last { JobState::Dead } else { JobState::Queued };
    if state == JobState::Queued && waits_already(write, &lease.job).await? {
        // What changed since is a job of its own and does all that this one would.
        finish(write, lease, &format!("{why}; a later job does it"), now).await?;
        return Ok(JobState::Done);
    }
    leave(write, lease, state, why, Micros(run_after), last.then_some(Micros(now))).await?;
    Ok(state)
}

/// Puts a job back that cannot be done yet, which counts as no attempt.
///
/// # Errors
/// [`Error::State`] when the lease is lost.
pub async fn postpone(write: &Write, lease: &Lease, why: &str, run_after: Timestamp, now: Timestamp) -> Result<()> {
    if waits_already(write, &lease.job).await? {
        return finish(write, lease, &format!("{why}; a later job does it"), now).await;
    }
    let change = left(JobState::Queued, why, Micros(run_after), None)
        .col_expr(Column::Attempts, Expr::value(lease.job.attempts - 1));
    fenced(write, change, lease).await
}

/// Whether a job of the same change is queued: there is one at most.
async fn waits_already(write: &Write, job: &Job) -> Result<bool> {
    if job.schedule.is_some() {
        return Ok(false);
    }
    let same = Entity::find()
        .filter(Column::Kind.eq(job.kind))
        .filter(Column::Subject.eq(job.subject.as_str()))
        .filter(Column::State.eq(JobState::Queued))
        .filter(Column::Schedule.is_null());
    Ok(same.count(write.connection()).await? > 0)
}

/// A job by number.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &impl Read, id: i64) -> Result<Option<Job>> {
    Ok(Entity::find_by_id(id).one(db.connection()).await?)
}

/// The newest job of a kind about a subject.
///
/// # Errors
/// When the database fails.
pub async fn of_subject(db: &impl Read, kind: JobKind, subject: &str) -> Result<Option<Job>> {
    let query = Entity::find().filter(Column::Kind.eq(kind)).filter(Column::Subject.eq(subject));
    Ok(query.order_by_desc(Column::Id).one(db.connection()).await?)
}

/// Jobs of these kinds about a subject, newest first, at most `limit`.
///
/// # Errors
/// When the database fails.
pub async fn about(db: &impl Read, kinds: &[JobKind], subject: &str, limit: u64) -> Result<Vec<Job>> {
    let query = Entity::find().filter(Column::Kind.is_in(kinds.iter().copied())).filter(Column::Subject.eq(subject));
    Ok(query.order_by_desc(Column::Id).limit(at_most(limit)).all(db.connection()).await?)
}

/// Whether a job waits that may be begun now. Only reads, so that it can be asked often.
///
/// # Errors
/// When the database fails.
pub async fn is_waiting(db: &impl Read, now: Timestamp) -> Result<bool> {
    let query = Entity::find().filter(Column::State.eq(JobState::Queued)).filter(Column::RunAfter.lte(Micros(now)));
    Ok(query.limit(1).count(db.connection()).await? > 0)
}

/// Ends a job that nobody does: one that waits, or that failed too often. False when somebody does it, or it has ended.
///
/// # Errors
/// When the database fails.
pub async fn cancel(write: &Write, id: i64, why: &str, now: Timestamp) -> Result<bool> {
    let change = left(JobState::Done, why, Micros(now), Some(Micros(now)))
        .filter(Column::Id.eq(id))
        .filter(Column::State.is_in([JobState::Queued, JobState::Dead]));
    Ok(moved(&change.exec(write.connection()).await?))
}

/// At most `limit` jobs, newest first; of one state, if it is given.
///
/// # Errors
/// When the database fails.
pub async fn newest(db: &impl Read, state: Option<JobState>, limit: u64) -> Result<Vec<Job>> {
    page(db, state, i64::MAX, limit).await
}

/// At most `limit` jobs, newest first, from the first whose number is less than `before`; of one state, if it is given.
///
/// # Errors
/// When the database fails.
pub async fn page(db: &impl Read, state: Option<JobState>, before: i64, limit: u64) -> Result<Vec<Job>> {
    let mut query = Entity::find().filter(Column::Id.lt(before));
    if let Some(state) = state {
        query = query.filter(Column::State.eq(state));
    }
    Ok(query.order_by_desc(Column::Id).limit(at_most(limit)).all(db.connection()).await?)
}

/// The newest job that a schedule made due.
///
/// # Errors
/// When the database fails.
pub async fn of_schedule(db: &impl Read, schedule: &str) -> Result<Option<Job>> {
    let query = Entity::find().filter(Column::Schedule.eq(schedule)).order_by_desc(Column::Id);
    Ok(query.one(db.connection()).await?)
}

/// Lets a dead job be tried again from the start. A person has looked at it.
///
/// # Errors
/// [`Error::State`] when it is not dead; [`Error::Exists`] when the same work waits already.
pub async fn revive(write: &Write, id: i64, now: Timestamp) -> Result<()> {
    let change = left(JobState::Queued, "", Micros(now), None)
        .col_expr(Column::Attempts, Expr::value(0i64))
        .filter(Column::Id.eq(id))
        .filter(Column::State.eq(JobState::Dead))
        .exec(write.connection())
        .await
        .map_err(|error| Error::inserting(error, "job that waits", id))?;
    if moved(&change) {
        return Ok(());
    }
    let found = get(write, id).await?.ok_or_else(|| Error::missing("job", id))?;
    Err(elsewhere(id, JobState::Dead, found.state.to_string()))
}

async fn leave(
    write: &Write,
    lease: &Lease,
    state: JobState,
    outcome: &str,
    run_after: Micros,
    ended: Option<Micros>,
) -> Result<()> {
    fenced(write, left(state, outcome, run_after, ended), lease).await
}

fn left(state: JobState, outcome: &str, run_after: Micros, ended: Option<Micros>) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(state))
        .col_expr(Column::Outcome, Expr::value(Some(outcome.to_owned())))
        .col_expr(Column::RunAfter, Expr::value(run_after))
        .col_expr(Column::FinishedAt, Expr::value(ended))
        .col_expr(Column::Token, Expr::value(None::<String>))
        .col_expr(Column::LeasedUntil, Expr::value(None::<Micros>))
        .col_expr(Column::Progress, Expr::value(None::<String>))
}

async fn fenced(write: &Write, change: UpdateMany<Entity>, lease: &Lease) -> Result<()> {
    let id = lease.job.id;
    let change = change
        .filter(Column::Id.eq(id))
        .filter(Column::State.eq(JobState::Running))
        .filter(Column::Token.eq(lease.token.as_str()));
    if moved(&change.exec(write.connection()).await?) {
        return Ok(());
    }
    let found = get(write, id).await?.ok_or_else(|| Error::missing("job", id))?;
    let found = if found.state == JobState::Running { "another's".to_owned() } else { found.state.to_string() };
    Err(elsewhere(id, JobState::Running, found))
}

fn elsewhere(id: i64, expected: JobState, found: String) -> Error {
    Error::State { what: "job", key: id.to_string(), expected: expected.to_string(), found }
}
