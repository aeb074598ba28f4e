//! What was filed with requests, byte by byte, and the receipts for it. Not here: what must stand in it.

use obelus_core::Digest;
use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, sea_query::Expr};

use crate::{
    column::Sha256,
    database::{Connected, Read, Write},
    entities::filings::{Column, Entity},
    error::{Error, Result, moved},
};

pub use crate::entities::filings::Model as Filing;

/// Keeps what was filed with a request.
///
/// # Errors
/// [`Error::Exists`] when there is a filing already.
pub async fn put(write: &Write, request: &str, document: Vec<u8>) -> Result<Digest> {
    let digest = Digest::sha256(&document);
    let row = Filing {
        request: request.to_owned(),
        document: Some(document),
        document_digest: Sha256(digest),
        receipt: None,
    };
    Entity::insert(row.into_active_model())
        .exec_without_returning(write.connection())
        .await
        .map_err(|error| Error::inserting(error, "filing of request", request))?;
    Ok(digest)
}

/// Notes the signed receipt of a request.
///
/// # Errors
/// [`Error::Missing`] when nothing was filed, or there is a receipt already.
pub async fn record_receipt(write: &Write, request: &str, receipt: &Digest) -> Result<()> {
    let change = Entity::update_many()
        .col_expr(Column::Receipt, Expr::value(Sha256(*receipt)))
        .filter(Column::Request.eq(request))
        .filter(Column::Receipt.is_null());
    if moved(&change.exec(write.connection()).await?) {
        return Ok(());
    }
    Err(Error::missing("filing without a receipt of request", request))
}

/// What was filed with a request; none for one from before filings were kept.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &impl Read, request: &str) -> Result<Option<Filing>> {
    Ok(Entity::find_by_id(request).one(db.connection()).await?)
}

/// Erases what was filed, which holds personal data. Its digest stays. False when it was erased already.
///
/// # Errors
/// [`Error::Missing`] when nothing was filed.
pub async fn erase(write: &Write, request: &str) -> Result<bool> {
    let change = Entity::update_many()
        .col_expr(Column::Document, Expr::value(None::<Vec<u8>>))
        .filter(Column::Request.eq(request))
        .filter(Column::Document.is_not_null());
    let erased = moved(&change.exec(write.connection()).await?);
    get(write, request).await?.ok_or_else(|| Error::missing("filing of request", request))?;
    Ok(erased)
}
