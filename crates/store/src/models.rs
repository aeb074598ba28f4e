//! Models by name, and where they stand. Not here: weights, which are files, and their copies (`copies.rs`).

use obelus_core::Digest;
use sea_orm::{
    ColumnTrait, EntityTrait, ExprTrait, IntoActiveModel, QueryFilter, QueryOrder, UpdateMany, sea_query::Expr,
};

use crate::{
    column::{Sha256, words},
    database::{Connected, Read, Write},
    entities::models::{Column, Entity},
    error::{Error, Result, moved},
};

pub use crate::entities::models::Model;

words!(
    /// What may be done with a model.
    ModelStatus {
        /// Its first weights are being made: not to be served.
        Training = "training",
        /// Whole.
        Ready = "ready",
        /// Rows are being zeroed: not to be served or certified until that has ended.
        Striking = "striking",
        /// Its next generation is signed, and its files are being put in their places.
        Adapting = "adapting",
        /// Its training is given up, because it reads what must not be trained on: its files are removed.
        Refused = "refused",
    }
);

/// What a training has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trained {
    /// Root of the weight tree.
    pub weight_root: Digest,
    /// Digest of the weight tree's layout.
    pub layout_digest: Digest,
    /// The checkpoint's directory, relative to the data directory.
    pub checkpoint: String,
    /// SHA-256 of the signed `training-run/v1`, which must be stored already.
    pub statement: Digest,
}

/// Names a model, before its training begins.
///
/// # Errors
/// [`Error::Exists`] when the name is taken.
pub async fn create(write: &Write, model: Model) -> Result<()> {
    let name = model.name.clone();
    Entity::insert(model.into_active_model())
        .exec_without_returning(write.connection())
        .await
        .map_err(|error| Error::inserting(error, "model", name))?;
    Ok(())
}

/// A model by name.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &impl Read, name: &str) -> Result<Option<Model>> {
    Ok(Entity::find_by_id(name).one(db.connection()).await?)
}

/// Waits until no other transaction is about what may be struck from a model, and keeps others waiting until this one ends.
///
/// # Errors
/// [`Error::Missing`] when there is no such model.
pub async fn lock(write: &Write, name: &str) -> Result<()> {
    // Written over with itself, because that alone makes both databases wait.
    let change =
        Entity::update_many().col_expr(Column::Status, Expr::col(Column::Status)).filter(Column::Name.eq(name));
    if moved(&change.exec(write.connection()).await?) { Ok(()) } else { Err(Error::missing("model", name)) }
}

/// All models by name.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &impl Read) -> Result<Vec<Model>> {
    Ok(Entity::find().order_by_asc(Column::Name).all(db.connection()).await?)
}

/// The models that were retrained as baselines for `name`.
///
/// # Errors
/// When the database fails.
pub async fn baselines_of(db: &impl Read, name: &str) -> Result<Vec<Model>> {
    let query = Entity::find().filter(Column::BaselineOf.eq(name)).order_by_asc(Column::Name);
    Ok(query.all(db.connection()).await?)
}

/// Ends a training: the model is whole, in generation 1.
///
/// # Errors
/// [`Error::State`] when it was not being trained.
pub async fn finish_training(write: &Write, name: &str, trained: &Trained) -> Result<()> {
    let change = Entity::update_many()
        .col_expr(Column::Status, Expr::value(ModelStatus::Ready))
        .col_expr(Column::Generation, Expr::value(1i64))
        .col_expr(Column::WeightRoot, Expr::value(Sha256(trained.weight_root)))
        .col_expr(Column::LayoutDigest, Expr::value(Sha256(trained.layout_digest)))
        .col_expr(Column::Checkpoint, Expr::value(trained.checkpoint.clone()))
        .col_expr(Column::TrainingStatement, Expr::value(Sha256(trained.statement)));
    leave(write, change, name, ModelStatus::Training).await
}

/// Gives a training up: the name stays taken, and the model is none to be used.
///
/// # Errors
/// [`Error::State`] when it was not being trained.
pub async fn refuse_training(write: &Write, name: &str) -> Result<()> {
    let change = Entity::update_many().col_expr(Column::Status, Expr::value(ModelStatus::Refused));
    leave(write, change, name, ModelStatus::Training).await
}

/// Begins a training anew that was given up, and may go on.
///
/// # Errors
/// [`Error::State`] when it was not given up.
pub async fn begin_training_again(write: &Write, name: &str) -> Result<()> {
    let change = Entity::update_many().col_expr(Column::Status, Expr::value(ModelStatus::Training));
    leave(write, change, name, ModelStatus::Refused).await
}

/// Makes sure that a model is whole, and that no strike begins before this transaction ends.
///
/// # Errors
/// [`Error::State`] when the model is not whole.
pub async fn hold_whole(write: &Write, name: &str) -> Result<()> {
    // Written as it is: what matters is the row's lock.
    let change = Entity::update_many().col_expr(Column::Status, Expr::value(ModelStatus::Ready));
    leave(write, change, name, ModelStatus::Ready).await
}

/// Begins a strike: from here to [`finish_strike`] the weights are in between.
///
/// # Errors
/// [`Error::State`] when the model is not whole.
pub async fn begin_strike(write: &Write, name: &str) -> Result<()> {
    let change = Entity::update_many().col_expr(Column::Status, Expr::value(ModelStatus::Striking));
    leave(write, change, name, ModelStatus::Ready).await
}

/// Ends a strike: the model is whole again, one generation on.
///
/// # Errors
/// [`Error::State`] when it was not being struck.
pub async fn finish_strike(write: &Write, name: &str, weight_root: &Digest) -> Result<()> {
    let change = Entity::update_many()
        .col_expr(Column::Status, Expr::value(ModelStatus::Ready))
        .col_expr(Column::Generation, ExprTrait::add(Expr::col(Column::Generation), 1i64))
        .col_expr(Column::WeightRoot, Expr::value(Sha256(*weight_root)));
    leave(write, change, name, ModelStatus::Striking).await
}

/// Puts an adapted generation in the place of the one that it was made from. Until [`finish_adaptation`] the files are in
/// between.
///
/// # Errors
/// [`Error::State`] when the model is not whole, or not of the generation that was adapted.
pub async fn adapt(write: &Write, name: &str, from_generation: i64, adapted: &Trained) -> Result<()> {
    let found = get(write, name).await?.ok_or_else(|| Error::missing("model", name))?;
    if found.generation != from_generation {
        return Err(Error::State {
            what: "model",
            key: name.to_owned(),
            expected: format!("generation {from_generation}"),
            found: format!("generation {}", found.generation),
        });
    }
    let change = Entity::update_many()
        .col_expr(Column::Status, Expr::value(ModelStatus::Adapting))
        .col_expr(Column::Generation, Expr::value(from_generation + 1))
        .col_expr(Column::WeightRoot, Expr::value(Sha256(adapted.weight_root)))
        .col_expr(Column::LayoutDigest, Expr::value(Sha256(adapted.layout_digest)))
        .col_expr(Column::TrainingStatement, Expr::value(Sha256(adapted.statement)))
        .filter(Column::Generation.eq(from_generation));
    leave(write, change, name, ModelStatus::Ready).await
}

/// Ends an adaptation: the model is whole.
///
/// # Errors
/// [`Error::State`] when it was not being adapted.
pub async fn finish_adaptation(write: &Write, name: &str) -> Result<()> {
    let change = Entity::update_many().col_expr(Column::Status, Expr::value(ModelStatus::Ready));
    leave(write, change, name, ModelStatus::Adapting).await
}

async fn leave(write: &Write, change: UpdateMany<Entity>, name: &str, expected: ModelStatus) -> Result<()> {
    let change = change.filter(Column::Name.eq(name)).filter(Column::Status.eq(expected));
    if moved(&change.exec(write.connection()).await?) {
        return Ok(());
    }
    let model = get(write, name).await?.ok_or_else(|| Error::missing("model", name))?;
    Err(Error::State {
        what: "model",
        key: name.to_owned(),
        expected: expected.to_string(),
        found: model.status.to_string(),
    })
}
