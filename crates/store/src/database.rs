//! Opening the database, reading from it and writing to it in transactions. Not here: any table.

use std::{path::Path, str::FromStr, sync::Arc, time::Duration};

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
    sqlx::{
        postgres::PgConnectOptions,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    },
};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::error::{Error, Result};

/// Readers beside the one writer. More than threads that ask at once help nobody on SQLite.
const CONNECTIONS: u32 = 8;
/// How long to wait for another process's transaction, and for a free connection.
const PATIENCE: Duration = Duration::from_secs(60);
/// Names this program's lock for migrating and granting in PostgreSQL: the first bytes of the name, so that it is unlikely to be another's.
pub(crate) const MIGRATION_LOCK: i64 = i64::from_be_bytes(*b"obelus/m");

/// The two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// One file in the data directory.
    Sqlite,
    /// A server.
    Postgres,
}

/// An open database. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Db {
    connection: DatabaseConnection,
    /// SQLite has one writer at a time and lets waiting ones starve; here they queue. None on PostgreSQL.
    turn: Option<Arc<Mutex<()>>>,
}

/// A transaction that may change rows. Dropped without [`Write::commit`], it leaves nothing behind.
#[derive(Debug)]
pub struct Write {
    transaction: DatabaseTransaction,
    _turn: Option<OwnedMutexGuard<()>>,
}

mod sealed {
    use sea_orm::ConnectionTrait;

    pub trait Connected: Sync {
        type Connection: ConnectionTrait;

        fn connection(&self) -> &Self::Connection;
    }
}
pub(crate) use sealed::Connected;

/// What rows can be read from: [`Db`], or [`Write`], which sees its own changes.
pub trait Read: Connected {}

impl Connected for Db {
    type Connection = DatabaseConnection;

    fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }
}

impl Connected for Write {
    type Connection = DatabaseTransaction;

    fn connection(&self) -> &DatabaseTransaction {
        &self.transaction
    }
}

impl Read for Db {}
impl Read for Write {}

/// Opens `sqlite:PATH`, `sqlite://PATH` (the file is made if there is none) or `postgres://…`.
///
/// # Errors
/// When the address is of another kind, or the database cannot be opened.
pub async fn connect(url: &str) -> Result<Db> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        return connect_sqlite(Path::new(path)).await;
    }
    let open = |reason| Error::Open { url: without_password(url), reason };
    if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(open("an address begins with sqlite: or postgres://".to_owned()));
    }
    // sea-orm panics on an address that is not well formed; this says what is wrong with it.
    PgConnectOptions::from_str(url).map_err(|error| open(error.to_string()))?;
    let connection = Database::connect(options(url)).await.map_err(|error| open(error.to_string()))?;
    Ok(Db { connection, turn: None })
}

/// Opens the SQLite file at `path`, which is made if there is none.
///
/// # Errors
/// When the file cannot be opened or is no database.
pub async fn connect_sqlite(path: &Path) -> Result<Db> {
    // SQLite gives every connection a database of its own there, and forgets it.
    if path.as_os_str().is_empty() || path == Path::new(":memory:") {
        let reason = "rows must outlive the connection; name a file".to_owned();
        return Err(Error::Open { url: format!("sqlite:{}", path.display()), reason });
    }
    let mut options = options("sqlite::memory:");
    let file = path.to_owned();
    options.map_sqlx_sqlite_opts(move |sqlite: SqliteConnectOptions| {
        sqlite
            .in_memory(false)
            .shared_cache(false)
            .filename(&file)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            // In WAL mode NORMAL may lose the last transactions when power fails; a lost erasure must not look undone.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(PATIENCE)
    });
    let connection = Database::connect(options)
        .await
        .map_err(|error| Error::Open { url: path.display().to_string(), reason: error.to_string() })?;
    Ok(Db { connection, turn: Some(Arc::default()) })
}

fn options(url: &str) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    // Statements are not logged: their values are keys, names and text.
    options
        .max_connections(CONNECTIONS)
        .acquire_timeout(PATIENCE)
        .connect_timeout(PATIENCE)
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    options
}

/// A page's size as the databases take it: their numbers are signed, and the driver panics on a larger one.
pub(crate) fn at_most(limit: u64) -> u64 {
    limit.min(i64::MAX.unsigned_abs())
}

/// An address without user, password and options, among which a password may stand too.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (before, place) = rest.rsplit_once('@').unwrap_or(("", rest));
    if before.contains('?') {
        // The last @ may be one of an option's value: then nothing tells where the secret ends.
        return format!("{scheme}://…");
    }
    let hidden = if before.is_empty() { "" } else { "…@" };
    let place = place.split('?').next().unwrap_or_default();
    format!("{scheme}://{hidden}{place}")
}

impl Db {
    /// Which of the two databases it is.
    pub fn backend(&self) -> Backend {
        match self.connection.get_database_backend() {
            DbBackend::Postgres => Backend::Postgres,
            _ => Backend::Sqlite,
        }
    }

    /// Brings the database to this program's shape: all changes that it lacks, or none of them. Where it lacks none,
    /// nothing is written, so that a user who may make no tables can call it.
    ///
    /// # Errors
    /// When a change fails, or the database has one that this program does not know. [`Error::Behind`] when it lacks
    /// some and the user may make no tables.
    pub async fn migrate(&self) -> Result<()> {
        let missing = obelus_migrations::missing(&self.connection).await.map_err(Error::Migrate)?;
        if missing.is_empty() {
            return Ok(());
        }
        if !self.may_define().await? {
            return Err(Error::Behind(missing));
        }
        let write = self.write().await?;
        if self.backend() == Backend::Postgres {
            // Several services start at once. The lock ends with the transaction.
            let lock = format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})");
            write.transaction.execute_unprepared(&lock).await?;
        }
        obelus_migrations::up(&write.transaction).await.map_err(Error::Migrate)?;
        write.commit().await
    }

    /// Whether the user may make tables.
    async fn may_define(&self) -> Result<bool> {
        if self.backend() == Backend::Sqlite {
            return Ok(true);
        }
        let sql = "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)";
        let answer = self.connection.query_one_raw(Statement::from_string(DbBackend::Postgres, sql)).await?;
        Ok(answer.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(false))
    }

    /// Begins a transaction that may change rows. On SQLite it waits for its turn and has the write lock from the start:
    /// one that reads first and writes later would fail when another wrote in between.
    ///
    /// # Errors
    /// When no connection or no lock can be had in a minute.
    pub async fn write(&self) -> Result<Write> {
        let turn = match &self.turn {
            Some(turn) => Some(Arc::clone(turn).lock_owned().await),
            None => None,
        };
        let mode = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let transaction = self.connection.begin_with_options(mode).await?;
        Ok(Write { transaction, _turn: turn })
    }

    /// Closes all connections, those of clones too.
    ///
    /// # Errors
    /// When the driver reports one.
    pub async fn close(self) -> Result<()> {
        Ok(self.connection.close().await?)
    }
}

impl Write {
    /// Makes the changes permanent.
    ///
    /// # Errors
    /// When the database refuses; then nothing was changed.
    pub async fn commit(self) -> Result<()> {
        Ok(self.transaction.commit().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_their_passwords() {
        assert_eq!(without_password("postgres://me:se@cret@db:5432/x"), "postgres://…@db:5432/x");
        assert_eq!(without_password("mysql://db/x"), "mysql://db/x");
        assert_eq!(without_password("postgres://db/x?user=me&password=secret"), "postgres://db/x");
        assert_eq!(without_password("postgres://db/x?password=sec@ret"), "postgres://…");
        assert_eq!(without_password("postgres://me:sec?ret@db/x"), "postgres://…");
        assert_eq!(without_password("obelus.db"), "obelus.db");
    }
}
