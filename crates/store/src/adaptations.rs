//! Adaptations of a model after its training, so that one that was cut off goes on. Not here: training and proofs.

use obelus_core::{Digest, Timestamp};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, UpdateMany,
    sea_query::Expr,
};

use crate::{
    column::{Micros, Names, Sha256, words},
    database::{Connected, Read, Write},
    entities::adaptations::{ActiveModel, Column, Entity},
    error::{Error, Result, moved},
};

pub use crate::entities::adaptations::Model as Adaptation;

words!(
    /// What an adaptation does.
    AdaptationKind {
        /// Sources are put in that came after the training.
        AddedSources = "added-sources",
        /// Struck neurons become useful again to the sources that stay.
        Repair = "repair",
    }
);

words!(
    /// How far an adaptation has come.
    AdaptationState {
        /// Registered; its training may be under way.
        Begun = "begun",
        /// Its statement is signed; the old files are still there.
        Signed = "signed",
        /// The model is whole.
        Finished = "finished",
        /// Given up before it was signed.
        Abandoned = "abandoned",
    }
);

/// An adaptation to be begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAdaptation {
    /// The model.
    pub model: String,
    /// What it does.
    pub kind: AdaptationKind,
    /// The sources that it adds.
    pub sources: Vec<String>,
    /// The new checkpoint's file name in the model's folder.
    pub checkpoint: String,
    /// The new moments' file name in the model's folder.
    pub moments: String,
}

/// Begins an adaptation.
///
/// # Errors
/// [`Error::State`] when another one of the model is not finished.
pub async fn begin(write: &Write, new: NewAdaptation, now: Timestamp) -> Result<Adaptation> {
    if let Some(open) = unfinished(write, &new.model).await? {
        return Err(Error::State {
            what: "adaptation",
            key: open.id.to_string(),
            expected: AdaptationState::Finished.to_string(),
            found: open.state.to_string(),
        });
    }
    let row = ActiveModel {
        id: NotSet,
        model: Set(new.model),
        kind: Set(new.kind),
        sources: Set(Names(new.sources)),
        state: Set(AdaptationState::Begun),
        checkpoint: Set(new.checkpoint),
        moments: Set(new.moments),
        statement: Set(None),
        started_at: Set(Micros(now)),
        finished_at: Set(None),
    };
    Ok(Entity::insert(row).exec_with_returning(write.connection()).await?)
}

/// The adaptation of a model that was begun and is not finished.
///
/// # Errors
/// When the database fails.
pub async fn unfinished(db: &impl Read, model: &str) -> Result<Option<Adaptation>> {
    let open = Column::State.is_in([AdaptationState::Begun, AdaptationState::Signed]);
    Ok(Entity::find().filter(Column::Model.eq(model)).filter(open).one(db.connection()).await?)
}

/// The adaptations of a model, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn of_model(db: &impl Read, model: &str) -> Result<Vec<Adaptation>> {
    let query = Entity::find().filter(Column::Model.eq(model)).order_by_asc(Column::Id);
    Ok(query.all(db.connection()).await?)
}

/// Records that the adaptation's statement was signed.
///
/// # Errors
/// [`Error::State`] when it was before.
pub async fn record_statement(write: &Write, id: i64, statement: &Digest) -> Result<()> {
    let change = Entity::update_many()
        .col_expr(Column::State, Expr::value(AdaptationState::Signed))
        .col_expr(Column::Statement, Expr::value(Sha256(*statement)));
    leave(write, change, id, AdaptationState::Begun).await
}

/// Records that the model is whole in its new generation.
///
/// # Errors
/// [`Error::State`] when the adaptation is not signed, or was finished before.
pub async fn finish(write: &Write, id: i64, now: Timestamp) -> Result<()> {
    let change = Entity::update_many()
        .col_expr(Column::State, Expr::value(AdaptationState::Finished))
        .col_expr(Column::FinishedAt, Expr::value(Micros(now)));
    leave(write, change, id, AdaptationState::Signed).await
}

/// Gives an adaptation up. What it has registered stays registered.
///
/// # Errors
/// [`Error::State`] when it is signed already.
pub async fn abandon(write: &Write, id: i64, now: Timestamp) -> Result<()> {
    let change = Entity::update_many()
        .col_expr(Column::State, Expr::value(AdaptationState::Abandoned))
        .col_expr(Column::FinishedAt, Expr::value(Micros(now)));
    leave(write, change, id, AdaptationState::Begun).await
}

async fn leave(write: &Write, change: UpdateMany<Entity>, id: i64, expected: AdaptationState) -> Result<()> {
    let change = change.filter(Column::Id.eq(id)).filter(Column::State.eq(expected));
    if moved(&change.exec(write.connection()).await?) {
        return Ok(());
    }
    let found = Entity::find_by_id(id).one(write.connection()).await?;
    let found = found.ok_or_else(|| Error::missing("adaptation", id))?;
    Err(Error::State {
        what: "adaptation",
        key: id.to_string(),
        expected: expected.to_string(),
        found: found.state.to_string(),
    })
}
