//! Who may do what in PostgreSQL: four group roles, the script that makes them and grants, and what a connection may
//! do beyond them. SQLite has no roles: whoever may write its file may do everything.
//!
//! Not here: what a person may do to a case (`obelus-policy`), users who log in and their passwords, which belong to
//! whoever runs the server, and the triggers that refuse a change whoever makes it (`obelus-migrations`).

mod inspection;
mod list;
mod script;

use sea_orm::ConnectionTrait;

pub use inspection::{Finding, check};
pub use script::sql;

use crate::{
    database::{Backend, Connected, Db},
    error::{Error, Result},
};

/// The schema that holds every table.
const SCHEMA: &str = "public";
/// PostgreSQL cuts names at 63 bytes; the longest ending needs eight.
const LONGEST_PREFIX: usize = 40;

/// What somebody who logs in may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Owns the tables, and migrates.
    Owner,
    /// What `obelus` needs: adds rows, changes the columns that change, removes what is there for a while.
    Application,
    /// Adds to the append-only tables and reads them.
    Audit,
    /// Reads everything but personal data and secrets.
    Auditor,
}

impl Role {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Application, Self::Audit, Self::Auditor];

    fn ending(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Application => "app",
            Self::Audit => "audit",
            Self::Auditor => "auditor",
        }
    }

    fn purpose(self) -> &'static str {
        match self {
            Self::Owner => "owns the tables, and migrates",
            Self::Application => "what the programs need",
            Self::Audit => "adds to the append-only tables and reads them",
            Self::Auditor => "reads everything but personal data and secrets",
        }
    }
}

/// The names of the roles on a server, `obelus_owner` and so on. Roles are a server's, not a database's: two
/// installations on one server take two prefixes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    prefix: String,
}

impl Default for Roles {
    fn default() -> Self {
        Self { prefix: "obelus".to_owned() }
    }
}

impl Roles {
    /// Roles whose names begin with `prefix`: a lowercase letter, then lowercase letters, digits and `_`, at most 40.
    ///
    /// # Errors
    /// [`Error::RolePrefix`] when it is something else.
    pub fn with_prefix(prefix: &str) -> Result<Self> {
        let begins = prefix.starts_with(|first: char| first.is_ascii_lowercase());
        let goes_on = prefix.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        // The server keeps names that begin so for itself.
        if begins && goes_on && prefix.len() <= LONGEST_PREFIX && !prefix.starts_with("pg_") {
            return Ok(Self { prefix: prefix.to_owned() });
        }
        Err(Error::RolePrefix(prefix.to_owned()))
    }

    /// The name of a role on the server.
    pub fn name(&self, role: Role) -> String {
        format!("{}_{}", self.prefix, role.ending())
    }
}

/// Makes the roles that are missing, takes every privilege on the tables from `PUBLIC` and from the roles,
/// and gives them what the list says: all of it or nothing. What [`sql`] prints, run in one transaction; running it
/// again changes nothing. It belongs behind every migration.
///
/// The connection is that of a superuser, or of the owner of the database where the roles are there already.
///
/// # Errors
/// [`Error::NoRoles`] on SQLite. [`Error::Database`] when the user may not do it, or the database is not migrated.
pub async fn grant_all(db: &Db, roles: &Roles) -> Result<()> {
    if db.backend() == Backend::Sqlite {
        return Err(Error::NoRoles);
    }
    let write = db.write().await?;
    for section in script::sections(roles) {
        for statement in section.statements {
            write.connection().execute_unprepared(&statement).await?;
        }
    }
    write.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_needs_no_quotes() {
        for good in ["obelus", "o", "obelus_2", &"a".repeat(LONGEST_PREFIX)] {
            assert_eq!(Roles::with_prefix(good).unwrap().name(Role::Owner), format!("{good}_owner"));
        }
        for bad in ["", "Obelus", "1a", "_a", "a-b", "a\"", "a'; DROP", "pg_obelus", "é", &"a".repeat(41)] {
            assert!(matches!(Roles::with_prefix(bad), Err(Error::RolePrefix(_))), "{bad}");
        }
    }
}
