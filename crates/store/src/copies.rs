//! Every registered copy of a model's weights: what an erasure must reach. Not here: the files, and how far one erasure
//! has come in each of them (`erasures.rs`).

use obelus_core::{Digest, Timestamp};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
    sea_query::{Expr, OnConflict},
};

use crate::{
    column::{Micros, Sha256, words},
    database::{Connected, Read, Write},
    entities::copies::{ActiveModel, Column, Entity},
    error::{Error, Result, moved},
};

pub use crate::entities::copies::Model as Copy;

words!(
    /// What a copy is.
    CopyKind {
        /// The weights of a generation.
        Checkpoint = "checkpoint",
        /// Optimizer moments.
        Optimizer = "optimizer",
        /// Weights in another format.
        Export = "export",
        /// Weights in another format and of less precision.
        Quantised = "quantised",
    }
);

impl CopyKind {
    /// Whether it is a folder for other programs, wherever its owner put it.
    pub const fn is_export(self) -> bool {
        matches!(self, Self::Export | Self::Quantised)
    }
}

/// A copy to be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCopy {
    /// The model.
    pub model: String,
    /// What it is.
    pub kind: CopyKind,
    /// Where it is, relative to the data directory; absolute for an export that is put elsewhere.
    pub path: String,
    /// The generation of the model that it was made from.
    pub generation: i64,
    /// Root of its own tree, if it has one.
    pub root: Option<Digest>,
    /// The one source whose sinks it holds, if it does not hold all or none.
    pub source_id: Option<String>,
}

/// Registers a copy, before its file appears. A file written again at the same path is the same copy, present again.
///
/// # Errors
/// [`Error::State`] when the path belongs to another model's copy.
pub async fn register(write: &Write, copy: &NewCopy, now: Timestamp) -> Result<Copy> {
    let row = ActiveModel {
        id: NotSet,
        model: Set(copy.model.clone()),
        kind: Set(copy.kind),
        path: Set(copy.path.clone()),
        generation: Set(copy.generation),
        root: Set(copy.root.map(Sha256)),
        registered_at: Set(Micros(now)),
        zeroed_at: Set(None),
        destroyed_at: Set(None),
        source_id: Set(copy.source_id.clone()),
    };
    let renewed =
        [Column::Kind, Column::Generation, Column::Root, Column::RegisteredAt, Column::DestroyedAt, Column::SourceId];
    let again = OnConflict::column(Column::Path)
        .update_columns(renewed)
        .action_and_where(Column::Model.eq(copy.model.as_str()))
        .to_owned();
    Entity::insert(row).on_conflict(again).exec_without_returning(write.connection()).await?;
    let found = Entity::find().filter(Column::Path.eq(copy.path.as_str())).one(write.connection()).await?;
    match found {
        Some(found) if found.model == copy.model => Ok(found),
        Some(other) => Err(Error::State {
            what: "copy",
            key: copy.path.clone(),
            expected: format!("a copy of {}", copy.model),
            found: format!("a copy of {}", other.model),
        }),
        None => Err(Error::missing("copy", &copy.path)),
    }
}

/// The copies of a model that are not destroyed, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn of_model(db: &impl Read, model: &str) -> Result<Vec<Copy>> {
    Ok(Entity::find()
        .filter(Column::Model.eq(model))
        .filter(Column::DestroyedAt.is_null())
        .order_by_asc(Column::Id)
        .all(db.connection())
        .await?)
}

/// Records that rows of a copy were zeroed, and the root that its tree has now.
///
/// # Errors
/// [`Error::Missing`] when there is no such copy.
pub async fn record_zeroing(write: &Write, id: i64, root: Option<&Digest>, now: Timestamp) -> Result<()> {
    let change = Entity::update_many()
        .col_expr(Column::ZeroedAt, Expr::value(Micros(now)))
        .col_expr(Column::Root, Expr::value(root.copied().map(Sha256)))
        .filter(Column::Id.eq(id))
        .exec(write.connection())
        .await?;
    if moved(&change) { Ok(()) } else { Err(Error::missing("copy", id)) }
}

/// Records the root of a copy's own tree.
///
/// # Errors
/// [`Error::Missing`] when there is no such copy.
pub async fn record_root(write: &Write, id: i64, root: &Digest) -> Result<()> {
    let change = Entity::update_many()
        .col_expr(Column::Root, Expr::value(Some(Sha256(*root))))
        .filter(Column::Id.eq(id))
        .exec(write.connection())
        .await?;
    if moved(&change) { Ok(()) } else { Err(Error::missing("copy", id)) }
}

/// Records that a copy was destroyed. The first time stands.
///
/// # Errors
/// [`Error::Missing`] when there is no such copy, or it was destroyed before.
pub async fn record_destruction(write: &Write, id: i64, now: Timestamp) -> Result<()> {
    let change = Entity::update_many()
        .col_expr(Column::DestroyedAt, Expr::value(Micros(now)))
        .filter(Column::Id.eq(id))
        .filter(Column::DestroyedAt.is_null())
        .exec(write.connection())
        .await?;
    if moved(&change) { Ok(()) } else { Err(Error::missing("copy that is not destroyed", id)) }
}
