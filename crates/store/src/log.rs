//! The transparency log's leaves and its head, which moves by compare-and-swap and never backwards; and the statements on
//! their way into it.
//!
//! Not here: hashing, proofs and signatures (`obelus-ledger`), tiles, and the copy of the last signed checkpoint that is
//! kept outside the database so that a restored backup is noticed. The caller checks all three before it appends.

use std::ops::Range;

use obelus_core::Digest;
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::Expr,
};

use crate::{
    column::{Bytes32, Sha256},
    database::{Connected, Read, Write},
    entities::{log_checkpoint, log_leaves, log_pending},
    error::{Error, Result, moved},
};

/// Rows of one INSERT: 4 values each, and SQLite takes 32,766.
const LEAVES_PER_INSERT: usize = 1000;

/// The log's head: what its last checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Leaves.
    pub size: u64,
    /// RFC 6962 root over them; SHA-256 of nothing for the empty log.
    pub root: Digest,
    /// The signed note's bytes; empty for the empty log, which nobody has signed.
    pub note: Vec<u8>,
}

/// A leaf to be appended. Its statement must be stored already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLeaf {
    /// The entry's canonical bytes.
    pub body: Vec<u8>,
    /// RFC 6962 leaf hash of the body.
    pub leaf_hash: Digest,
    /// SHA-256 of the logged statement's envelope.
    pub statement: Digest,
}

/// A leaf that waits for its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its place in the queue.
    pub id: i64,
    /// The leaf.
    pub leaf: NewLeaf,
}

/// A leaf of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Its place, from 0.
    pub index: u64,
    /// The entry's canonical bytes.
    pub body: Vec<u8>,
    /// RFC 6962 leaf hash of the body.
    pub leaf_hash: Digest,
    /// SHA-256 of the logged statement's envelope.
    pub statement: Digest,
}

impl From<log_leaves::Model> for Leaf {
    fn from(row: log_leaves::Model) -> Self {
        Self {
            index: row.position.unsigned_abs(),
            body: row.body,
            leaf_hash: Digest::new(row.leaf_hash.0),
            statement: row.statement.0,
        }
    }
}

/// The head that an append starts from.
///
/// # Errors
/// When the database fails, or the head's row is gone.
pub async fn head(db: &impl Read) -> Result<Head> {
    let row = log_checkpoint::Entity::find_by_id(1)
        .one(db.connection())
        .await?
        .ok_or_else(|| Error::Damaged("the log's head is gone".to_owned()))?;
    Ok(Head { size: row.size.unsigned_abs(), root: row.root.0, note: row.note })
}

/// Appends leaves behind `old` and makes `new` the head, or does neither. Gives the places of the leaves.
///
/// # Errors
/// [`Error::LogMoved`] when the head is not `old` any more: read it again and start over. [`Error::LogSize`] when `new`
/// is not `old` and the leaves, or there are none. [`Error::Exists`] when a statement is logged already, see
/// [`index_of`]. After an error the transaction is of no more use.
pub async fn append(write: &Write, leaves: &[NewLeaf], old: &Head, new: &Head) -> Result<Range<u64>> {
    if leaves.is_empty() || old.size.checked_add(leaves.len() as u64) != Some(new.size) {
        return Err(Error::LogSize { old: old.size, leaves: leaves.len(), new: new.size });
    }
    // The head first: its row is what concurrent appenders wait for.
    let swapped = log_checkpoint::Entity::update_many()
        .col_expr(log_checkpoint::Column::Size, Expr::value(stored(new.size)?))
        .col_expr(log_checkpoint::Column::Root, Expr::value(Sha256(new.root)))
        .col_expr(log_checkpoint::Column::Note, Expr::value(new.note.clone()))
        .filter(log_checkpoint::Column::Size.eq(stored(old.size)?))
        .filter(log_checkpoint::Column::Root.eq(Sha256(old.root)))
        .exec(write.connection())
        .await?;
    if !moved(&swapped) {
        return Err(Error::LogMoved { size: old.size });
    }
    let mut rows = Vec::with_capacity(leaves.len());
    for (index, leaf) in (old.size..).zip(leaves) {
        rows.push(log_leaves::Model {
            position: stored(index)?,
            body: leaf.body.clone(),
            leaf_hash: Bytes32(*leaf.leaf_hash.as_bytes()),
            statement: Sha256(leaf.statement),
        });
    }
    for chunk in rows.chunks(LEAVES_PER_INSERT) {
        log_leaves::Entity::insert_many(chunk.iter().cloned().map(IntoActiveModel::into_active_model))
            .exec_without_returning(write.connection())
            .await
            .map_err(|error| Error::inserting(error, "log entry at", old.size))?;
    }
    Ok(old.size..new.size)
}

/// Puts leaves into the queue, in their order. Their statements must be stored already; one that waits already is left where
/// it is.
///
/// # Errors
/// When the database fails.
pub async fn submit(write: &Write, leaves: &[NewLeaf]) -> Result<()> {
    let row = |leaf: &NewLeaf| log_pending::ActiveModel {
        id: NotSet,
        body: Set(leaf.body.clone()),
        leaf_hash: Set(Bytes32(*leaf.leaf_hash.as_bytes())),
        statement: Set(Sha256(leaf.statement)),
    };
    for chunk in leaves.chunks(LEAVES_PER_INSERT) {
        log_pending::Entity::insert_many(chunk.iter().map(row))
            .on_conflict_do_nothing_on([log_pending::Column::Statement])
            .exec_without_returning(write.connection())
            .await?;
    }
    Ok(())
}

/// The first leaves of the queue, at most `limit`.
///
/// # Errors
/// When the database fails.
pub async fn pending(db: &impl Read, limit: u64) -> Result<Vec<Pending>> {
    let rows =
        log_pending::Entity::find().order_by_asc(log_pending::Column::Id).limit(limit).all(db.connection()).await?;
    let leaf = |row: log_pending::Model| Pending {
        id: row.id,
        leaf: NewLeaf { body: row.body, leaf_hash: Digest::new(row.leaf_hash.0), statement: row.statement.0 },
    };
    Ok(rows.into_iter().map(leaf).collect())
}

/// Takes leaves out of the queue, in the transaction that appends them.
///
/// # Errors
/// When the database fails.
pub async fn settle(write: &Write, ids: &[i64]) -> Result<()> {
    for chunk in ids.chunks(LEAVES_PER_INSERT) {
        log_pending::Entity::delete_many()
            .filter(log_pending::Column::Id.is_in(chunk.iter().copied()))
            .exec(write.connection())
            .await?;
    }
    Ok(())
}

/// Takes out of the queue what is in the log already.
///
/// # Errors
/// When the database fails.
pub async fn settle_logged(write: &Write) -> Result<()> {
    let logged = log_leaves::Entity::find().select_only().column(log_leaves::Column::Statement).into_query();
    log_pending::Entity::delete_many()
        .filter(log_pending::Column::Statement.in_subquery(logged))
        .exec(write.connection())
        .await?;
    Ok(())
}

/// The leaves in `range`, in order.
///
/// # Errors
/// When the database fails, or one of them is not there.
pub async fn leaves(db: &impl Read, range: Range<u64>) -> Result<Vec<Leaf>> {
    let rows = log_leaves::Entity::find()
        .filter(log_leaves::Column::Position.gte(stored(range.start)?))
        .filter(log_leaves::Column::Position.lt(stored(range.end)?))
        .order_by_asc(log_leaves::Column::Position)
        .all(db.connection())
        .await?;
    all_there(range, rows.len())?;
    Ok(rows.into_iter().map(Leaf::from).collect())
}

/// Places are unique and sorted, so that a gap shows in the count.
fn all_there(range: Range<u64>, there: usize) -> Result<()> {
    if there as u64 == range.end.saturating_sub(range.start) {
        return Ok(());
    }
    Err(Error::Damaged(format!("of the log's leaves {range:?} only {there} are there")))
}

/// The leaf at `index`.
///
/// # Errors
/// When the database fails.
pub async fn leaf(db: &impl Read, index: u64) -> Result<Option<Leaf>> {
    // A number that cannot be stored is the place of no leaf.
    let Ok(position) = i64::try_from(index) else { return Ok(None) };
    Ok(log_leaves::Entity::find_by_id(position).one(db.connection()).await?.map(Leaf::from))
}

/// The hashes of the leaves in `range`, in order.
///
/// # Errors
/// When the database fails, or one of them is not there.
pub async fn leaf_hashes(db: &impl Read, range: Range<u64>) -> Result<Vec<Digest>> {
    let rows: Vec<(i64, Bytes32)> = log_leaves::Entity::find()
        .select_only()
        .columns([log_leaves::Column::Position, log_leaves::Column::LeafHash])
        .filter(log_leaves::Column::Position.gte(stored(range.start)?))
        .filter(log_leaves::Column::Position.lt(stored(range.end)?))
        .order_by_asc(log_leaves::Column::Position)
        .into_tuple()
        .all(db.connection())
        .await?;
    all_there(range, rows.len())?;
    Ok(rows.into_iter().map(|(_, hash)| Digest::new(hash.0)).collect())
}

/// Where a statement is logged, if it is.
///
/// # Errors
/// When the database fails.
pub async fn index_of(db: &impl Read, statement: &Digest) -> Result<Option<u64>> {
    let row = log_leaves::Entity::find()
        .filter(log_leaves::Column::Statement.eq(Sha256(*statement)))
        .one(db.connection())
        .await?;
    Ok(row.map(|row| row.position.unsigned_abs()))
}

fn stored(position: u64) -> Result<i64> {
    i64::try_from(position).map_err(|_| Error::Damaged(format!("the log has no place {position}")))
}
