//! Corpora by name. Not here: documents, probes and tokens, which are files.

use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, sea_query::Expr};

use crate::{
    database::{Connected, Read, Write},
    entities::corpora::{Column, Entity},
    error::{Error, Result, moved},
};

pub use crate::entities::corpora::Model as Corpus;

/// Adds a corpus.
///
/// # Errors
/// [`Error::Exists`] when the name is taken.
pub async fn create(write: &Write, corpus: Corpus) -> Result<()> {
    let name = corpus.name.clone();
    Entity::insert(corpus.into_active_model())
        .exec_without_returning(write.connection())
        .await
        .map_err(|error| Error::inserting(error, "corpus", name))?;
    Ok(())
}

/// A corpus by name.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &impl Read, name: &str) -> Result<Option<Corpus>> {
    Ok(Entity::find_by_id(name).one(db.connection()).await?)
}

/// All corpora by name.
///
/// # Errors
/// When the database fails.
pub async fn list(db: &impl Read) -> Result<Vec<Corpus>> {
    Ok(Entity::find().order_by_asc(Column::Name).all(db.connection()).await?)
}

/// Records how many tokens a corpus has, once its tokenizer was trained.
///
/// # Errors
/// [`Error::Missing`] when there is no such corpus.
pub async fn record_tokens(write: &Write, name: &str, tokens: i64) -> Result<()> {
    let change = Entity::update_many()
        .col_expr(Column::Tokens, Expr::value(tokens))
        .filter(Column::Name.eq(name))
        .exec(write.connection())
        .await?;
    if moved(&change) { Ok(()) } else { Err(Error::missing("corpus", name)) }
}
