//! Blind challenges: deposited while nothing is zeroed, opened once. Not here: what is in a sealed file, and who may open it.

use obelus_core::{Digest, Timestamp};
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, sea_query::Expr};

use crate::{
    column::{Micros, Sha256},
    database::{Connected, Read, Write},
    entities::blind_challenges::{Column, Entity},
    error::{Error, Result, moved},
    reference, requests,
};

pub use crate::entities::blind_challenges::Model as BlindChallenge;

/// A challenge to be deposited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewChallenge {
    /// From [`reserve`].
    pub id: String,
    /// The request whose takedown it challenges.
    pub request: String,
    /// The sealed file.
    pub sealed: Vec<u8>,
    /// What the file commits to.
    pub commitment: Digest,
    /// SHA-256 of the signed `blind-challenge/v1`, which must be stored already.
    pub deposit: Digest,
    /// Who deposits it.
    pub by: String,
}

/// What came of a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewResult {
    /// The results' exact bytes.
    pub results: Vec<u8>,
    /// How it came out.
    pub outcome: String,
    /// SHA-256 of the signed `blind-challenge-result/v1`, which must be stored already.
    pub result: Digest,
    /// Who opened it.
    pub by: String,
}

/// Gives out the name of a challenge, which is in the statement that is signed before it is deposited.
///
/// # Errors
/// When the database fails.
pub async fn reserve(write: &Write, now: Timestamp) -> Result<String> {
    reference::next(write, "BC", now).await
}

/// Deposits a challenge.
///
/// # Errors
/// [`Error::State`] when zeroing has begun or the request is closed; [`Error::Exists`] when this file is deposited already.
pub async fn deposit(write: &Write, new: NewChallenge, now: Timestamp) -> Result<BlindChallenge> {
    // Holds the request where it is until the deposit is kept: zeroing that begins meanwhile waits for it.
    requests::keep_reversible(write, &new.request).await?;
    let row = BlindChallenge {
        id: new.id,
        request: new.request,
        sealed_digest: Sha256(Digest::sha256(&new.sealed)),
        sealed_bytes: i64::try_from(new.sealed.len()).map_err(|e| Error::Damaged(e.to_string()))?,
        sealed: Some(new.sealed),
        commitment: Sha256(new.commitment),
        deposit: Sha256(new.deposit),
        deposited_by: new.by,
        deposited_at: Micros(now),
        results: None,
        results_digest: None,
        outcome: None,
        result: None,
        opened_by: None,
        opened_at: None,
    };
    Entity::insert(row.clone().into_active_model())
        .exec_without_returning(write.connection())
        .await
        .map_err(|error| Error::inserting(error, "blind challenge", row.sealed_digest))?;
    Ok(row)
}

/// Keeps what came of a challenge. Its sealed file goes: nobody asks it again, and who sealed it has it.
///
/// # Errors
/// [`Error::State`] when it was opened already.
pub async fn open(write: &Write, id: &str, new: NewResult, now: Timestamp) -> Result<BlindChallenge> {
    let digest = Sha256(Digest::sha256(&new.results));
    let change = Entity::update_many()
        .col_expr(Column::Sealed, Expr::value(None::<Vec<u8>>))
        .col_expr(Column::Results, Expr::value(Some(new.results)))
        .col_expr(Column::ResultsDigest, Expr::value(Some(digest)))
        .col_expr(Column::Outcome, Expr::value(Some(new.outcome)))
        .col_expr(Column::Result, Expr::value(Some(Sha256(new.result))))
        .col_expr(Column::OpenedBy, Expr::value(Some(new.by)))
        .col_expr(Column::OpenedAt, Expr::value(Some(Micros(now))))
        .filter(Column::Id.eq(id))
        .filter(Column::OpenedAt.is_null());
    let moved = moved(&change.exec(write.connection()).await?);
    let found = get(write, id).await?.ok_or_else(|| Error::missing("blind challenge", id))?;
    if moved {
        return Ok(found);
    }
    let (expected, found) = ("sealed".to_owned(), "opened".to_owned());
    Err(Error::State { what: "blind challenge", key: id.to_owned(), expected, found })
}

/// A challenge by name.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &impl Read, id: &str) -> Result<Option<BlindChallenge>> {
    Ok(Entity::find_by_id(id).one(db.connection()).await?)
}

/// Every challenge, oldest first; of one request, if it is given.
///
/// # Errors
/// When the database fails.
pub async fn all(db: &impl Read, request: Option<&str>) -> Result<Vec<BlindChallenge>> {
    let mut query = Entity::find();
    if let Some(request) = request {
        query = query.filter(Column::Request.eq(request));
    }
    Ok(query.order_by_asc(Column::Id).all(db.connection()).await?)
}
