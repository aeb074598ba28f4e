//! Retrains that somebody asked for: what each leaves out, how far it has come, and how it ended if not as a model. The
//! job that trains one has its name as subject (`jobs.rs`); the model that it becomes is in `models.rs`.

use obelus_core::Timestamp;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, TryInsertResult, UpdateMany,
    sea_query::{Expr, OnConflict},
};

use crate::{
    column::{Micros, Names, words},
    database::{Connected, Read, Write},
    entities::baselines::{Column, Entity},
    error::{Error, Result, moved},
};

pub use crate::entities::baselines::Model as Baseline;

words!(
    /// What a retrain leaves out.
    BaselineKind {
        /// Exactly the sources that are struck, and what must not be trained on anyway.
        Matched = "matched",
        /// Sources drawn at random, so that questions about them show chance.
        Panel = "panel",
    }
);

words!(
    /// How a retrain ended that is no model.
    BaselineEnd {
        /// It reads a source that must not be trained on.
        Refused = "refused",
        /// Somebody has stopped it. What it has trained is kept.
        Cancelled = "cancelled",
    }
);

/// A retrain that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBaseline {
    /// Its name.
    pub name: String,
    /// The model that it is a retrain for.
    pub model: String,
    /// What it leaves out, and why these.
    pub kind: BaselineKind,
    /// The sources that it leaves out, ascending.
    pub excluded: Vec<String>,
    /// Seed of data order and initial weights.
    pub seed: i64,
    /// The seed that the panel was drawn with.
    pub panel_seed: Option<i64>,
    /// Steps instead of those that the model's settings give.
    pub steps: Option<i64>,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// Threads of one tensor operation.
    pub threads: i64,
    /// JSON: the cost that was shown.
    pub cost: String,
    /// Steps in all.
    pub steps_all: i64,
    /// Who asks.
    pub requested_by: String,
}

/// Records a retrain. False when there is one of this name.
///
/// # Errors
/// When there is no such model.
pub async fn add(write: &Write, new: NewBaseline, now: Timestamp) -> Result<bool> {
    let row = Baseline {
        name: new.name,
        model: new.model,
        kind: new.kind,
        excluded: Names(new.excluded),
        seed: new.seed,
        panel_seed: new.panel_seed,
        steps: new.steps,
        device: new.device,
        threads: new.threads,
        cost: new.cost,
        requested_by: new.requested_by,
        requested_at: Micros(now),
        steps_done: 0,
        steps_all: new.steps_all,
        ended: None,
        why: None,
        ended_at: None,
    };
    let unless_here = OnConflict::new().do_nothing().to_owned();
    let insert = Entity::insert(row.into_active_model()).on_conflict(unless_here).try_insert();
    Ok(matches!(insert.exec_without_returning(write.connection()).await?, TryInsertResult::Inserted(1)))
}

/// A retrain by name.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &impl Read, name: &str) -> Result<Option<Baseline>> {
    Ok(Entity::find_by_id(name).one(db.connection()).await?)
}

/// All retrains that were asked for, by name.
///
/// # Errors
/// When the database fails.
pub async fn all(db: &impl Read) -> Result<Vec<Baseline>> {
    Ok(Entity::find().order_by_asc(Column::Name).all(db.connection()).await?)
}

/// Records how far a training has come.
///
/// # Errors
/// [`Error::Missing`] when there is no such retrain.
pub async fn record_progress(write: &Write, name: &str, done: i64, all: i64) -> Result<()> {
    let change = Entity::update_many()
        .col_expr(Column::StepsDone, Expr::value(done))
        .col_expr(Column::StepsAll, Expr::value(all))
        .filter(Column::Name.eq(name))
        .exec(write.connection())
        .await?;
    if moved(&change) { Ok(()) } else { Err(Error::missing("baseline", name)) }
}

/// Ends a retrain that becomes no model. The first end stands, but for a cancelled one that must be refused. False when
/// nothing was changed.
///
/// # Errors
/// [`Error::Missing`] when there is no such retrain.
pub async fn end(write: &Write, name: &str, end: BaselineEnd, why: &str, now: Timestamp) -> Result<bool> {
    let goes_on = Condition::any().add(Column::Ended.is_null());
    let from = match end {
        BaselineEnd::Refused => goes_on.add(Column::Ended.eq(BaselineEnd::Cancelled)),
        BaselineEnd::Cancelled => goes_on,
    };
    let change = Entity::update_many()
        .col_expr(Column::Ended, Expr::value(Some(end)))
        .col_expr(Column::Why, Expr::value(Some(why.to_owned())))
        .col_expr(Column::EndedAt, Expr::value(Some(Micros(now))))
        .filter(from);
    changed(write, change, name).await
}

/// Lets a retrain that ended go on. False when it had not ended.
///
/// # Errors
/// [`Error::Missing`] when there is no such retrain.
pub async fn reopen(write: &Write, name: &str, by: &str, now: Timestamp) -> Result<bool> {
    let change = Entity::update_many()
        .col_expr(Column::Ended, Expr::value(None::<BaselineEnd>))
        .col_expr(Column::Why, Expr::value(None::<String>))
        .col_expr(Column::EndedAt, Expr::value(None::<Micros>))
        .col_expr(Column::RequestedBy, Expr::value(by.to_owned()))
        .col_expr(Column::RequestedAt, Expr::value(Micros(now)))
        .filter(Column::Ended.is_not_null());
    changed(write, change, name).await
}

async fn changed(write: &Write, change: UpdateMany<Entity>, name: &str) -> Result<bool> {
    if moved(&change.filter(Column::Name.eq(name)).exec(write.connection()).await?) {
        return Ok(true);
    }
    match get(write, name).await? {
        Some(_) => Ok(false),
        None => Err(Error::missing("baseline", name)),
    }
}
