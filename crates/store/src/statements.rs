//! Signed statements, kept as the bytes that were signed. Not here: what they say, and whether they verify.

use obelus_core::{Digest, Timestamp};
use sea_orm::{EntityTrait, IntoActiveModel};

use crate::{
    column::{Micros, Sha256},
    database::{Connected, Read, Write},
    entities::statements::Entity,
    error::Result,
};

pub use crate::entities::statements::Model as Statement;

/// 4 values a row, and SQLite takes 32,766.
const ROWS_PER_INSERT: usize = 1000;

/// Stores an envelope and gives the SHA-256 of its bytes, by which it is found. Storing it again changes nothing.
///
/// `kind` is the predicate's name, such as `campaign/v1`.
///
/// # Errors
/// When the database fails.
pub async fn put(write: &Write, kind: &str, envelope: Vec<u8>, now: Timestamp) -> Result<Digest> {
    let digest = Digest::sha256(&envelope);
    put_all(write, vec![(kind, envelope)], now).await?;
    Ok(digest)
}

/// As [`put`], for many: kinds and envelopes.
///
/// # Errors
/// When the database fails.
pub async fn put_all(write: &Write, envelopes: Vec<(&str, Vec<u8>)>, now: Timestamp) -> Result<()> {
    let mut rows = envelopes.into_iter().map(|(kind, envelope)| {
        let digest = Sha256(Digest::sha256(&envelope));
        Statement { digest, kind: kind.to_owned(), envelope, created_at: Micros(now) }.into_active_model()
    });
    loop {
        let chunk: Vec<_> = rows.by_ref().take(ROWS_PER_INSERT).collect();
        if chunk.is_empty() {
            return Ok(());
        }
        Entity::insert_many(chunk)
            .on_conflict_do_nothing_on([crate::entities::statements::Column::Digest])
            .exec_without_returning(write.connection())
            .await?;
    }
}

/// The statement whose envelope has this SHA-256.
///
/// # Errors
/// When the database fails.
pub async fn get(db: &impl Read, digest: &Digest) -> Result<Option<Statement>> {
    Ok(Entity::find_by_id(Sha256(*digest)).one(db.connection()).await?)
}
