//! What can go wrong between a query and its rows. Not here: errors of files, keys or policies.

use std::fmt;

use sea_orm::{DbErr, SqlErr, UpdateResult};

/// The result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a query gave no answer or changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database could not be opened.
    #[error("cannot open the database {url}: {reason}; check that it exists, may be written and is running")]
    Open {
        /// Its address, without a password.
        url: String,
        /// What the driver said.
        reason: String,
    },
    /// The database could not be brought to this program's shape.
    #[error(
        "cannot migrate the database: {0}; if a newer Obelus has used it, use that one, else restore the last backup"
    )]
    Migrate(DbErr),
    /// The database is of an earlier shape, and the user may not change that.
    #[error(
        "the database lacks {}, and this user may make no tables; run `obelus database migrate` and \
         `obelus database grant` as the owner of the tables (docs/operations.md)",
        .0.join(", ")
    )]
    Behind(Vec<String>),
    /// Roles are PostgreSQL's.
    #[error("SQLite has no roles: whoever may write its file may do everything; set DATABASE_URL to a PostgreSQL")]
    NoRoles,
    /// The names of roles cannot begin so.
    #[error(
        "{0:?} begins no name of a role; take a lowercase letter, then lowercase letters, digits and _, at most 40"
    )]
    RolePrefix(String),
    /// The database refused or broke.
    #[error("the database failed: {0}; check that it is running, may be written and has space, then try again")]
    Database(#[from] DbErr),
    /// There is no such row, and the change needs it.
    #[error("there is no {what} {key:?}; list what there is, or create it first")]
    Missing {
        /// What was looked for.
        what: &'static str,
        /// Its name.
        key: String,
    },
    /// There already is such a row.
    #[error("there already is a {what} {key:?}; choose another name, or use the one that is there")]
    Exists {
        /// What was to be added.
        what: &'static str,
        /// Its name.
        key: String,
    },
    /// The row is not in the state that the change starts from. Nothing was changed.
    #[error("{what} {key:?} is {found}, and this needs {expected}; somebody else was faster, or a step is missing")]
    State {
        /// What was to be changed.
        what: &'static str,
        /// Its name.
        key: String,
        /// The state that the change starts from.
        expected: String,
        /// The state of the row.
        found: String,
    },
    /// The step is none that a request can take.
    #[error("a request cannot go from {from} to {to}")]
    NoSuchStep {
        /// Where it is.
        from: crate::requests::RequestState,
        /// Where it was to go.
        to: crate::requests::RequestState,
    },
    /// A hold forbids zeroing.
    #[error("request {0:?} is frozen by a hold: nothing is zeroed until it is released")]
    Held(String),
    /// A counter-notice forbids zeroing.
    #[error("request {0:?} has an open counter-notice: nothing is zeroed until it is settled")]
    Objected(String),
    /// The dispute window has not ended.
    #[error("request {request:?} is in its dispute window: nothing is zeroed before {until}")]
    WindowOpen {
        /// Which request.
        request: String,
        /// When it ends.
        until: obelus_core::Timestamp,
    },
    /// The log has moved on since its head was read. Nothing was appended.
    #[error("the log has moved on from size {size}; read its head again and append to that")]
    LogMoved {
        /// The size that the append started from.
        size: u64,
    },
    /// The new head does not follow from the old one and the leaves.
    #[error("{leaves} leaves on a log of size {old} do not give size {new}; nothing was appended")]
    LogSize {
        /// Size before.
        old: u64,
        /// Leaves to be appended.
        leaves: usize,
        /// The size that the new head claims.
        new: u64,
    },
    /// A row that must be there is not, or holds what no version has written.
    #[error("the database is damaged: {0}; stop, and restore the last backup")]
    Damaged(String),
}

impl Error {
    pub(crate) fn missing(what: &'static str, key: impl fmt::Display) -> Self {
        Self::Missing { what, key: key.to_string() }
    }

    /// An insert's error, told apart when it is about a row that is there already or one that is missing.
    pub(crate) fn inserting(error: DbErr, what: &'static str, key: impl fmt::Display) -> Self {
        match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => Self::Exists { what, key: key.to_string() },
            _ => Self::Database(error),
        }
    }
}

/// Whether an update changed its row.
pub(crate) fn moved(result: &UpdateResult) -> bool {
    result.rows_affected > 0
}
