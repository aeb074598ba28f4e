//! What a connection may do that its role may not, and what it lacks, as the server's catalogue has it. Not here: what
//! to do about it (`docs/operations.md`), and what the list says (`list.rs`).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use sea_orm::{DbBackend, FromQueryResult, Statement};

use super::{
    Role,
    list::{TABLES, Table},
};
use crate::{
    database::{Backend, Connected, Db},
    error::Result,
};

/// Why a connection is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// The user has an attribute that no privilege limits, such as `SUPERUSER`.
    Attribute {
        /// The user who logged in.
        user: String,
        /// As `CREATE ROLE` spells it.
        attribute: String,
    },
    /// The user is a role that owns tables or that the server gives powers, or may become it.
    Becomes {
        /// The user who logged in.
        user: String,
        /// The role.
        role: String,
    },
    /// The user may make tables or schemas.
    Defines {
        /// The user who logged in.
        user: String,
        /// `schema public`, or the database.
        place: String,
    },
    /// The user may do more to a table than the role may.
    Beyond {
        /// The user who logged in.
        user: String,
        /// The privilege.
        privilege: String,
        /// The table.
        table: String,
        /// The columns; none where it is the whole table.
        columns: Vec<String>,
    },
    /// The user may not do what the role must do.
    Lacks {
        /// The user who logged in.
        user: String,
        /// The privilege.
        privilege: String,
        /// The table.
        table: String,
        /// The columns; none where it is the whole table.
        columns: Vec<String>,
    },
    /// The database has a table, or columns of one, that the list does not name.
    Unlisted {
        /// The table.
        table: String,
        /// The columns; none where it is the whole table.
        columns: Vec<String>,
    },
    /// The database lacks a table, or columns of one, that the list names.
    Absent {
        /// The table.
        table: String,
        /// The columns; none where it is the whole table.
        columns: Vec<String>,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = |table: &str, columns: &[String]| match columns {
            [] => table.to_owned(),
            some => format!("{table} ({})", some.join(", ")),
        };
        match self {
            Self::Attribute { user, attribute } => write!(out, "database user {user} has {attribute}"),
            Self::Becomes { user, role } => write!(out, "database user {user} may act as {role}"),
            Self::Defines { user, place } => write!(out, "database user {user} may make tables in {place}"),
            Self::Beyond { user, privilege, table, columns } => {
                write!(out, "database user {user} may {privilege} on {} and should not", on(table, columns))
            }
            Self::Lacks { user, privilege, table, columns } => {
                write!(out, "database user {user} may not {privilege} on {} and should", on(table, columns))
            }
            Self::Unlisted { table, columns } => {
                write!(out, "{} is not in the list of this program", on(table, columns))
            }
            Self::Absent { table, columns } => write!(out, "{} is missing in the database", on(table, columns)),
        }
    }
}

/// Compares what the connected user may do, also by becoming another role, with what `role` may; sorted, and empty
/// where they agree, as on SQLite, which has no users. Of a superuser nothing else is said. An owner is compared in
/// what it lacks.
///
/// # Errors
/// When the database fails.
pub async fn check(db: &Db, role: Role) -> Result<Vec<Finding>> {
    if db.backend() == Backend::Sqlite {
        return Ok(Vec::new());
    }
    let user = user(db).await?;
    if user.superuser {
        return Ok(vec![Finding::Attribute { user: user.name, attribute: "SUPERUSER".to_owned() }]);
    }
    let mut findings = Vec::new();
    let attributes = [
        (user.roles, "CREATEROLE"),
        (user.databases, "CREATEDB"),
        (user.replication, "REPLICATION"),
        (user.bypass, "BYPASSRLS"),
    ];
    for (has, attribute) in attributes {
        if has {
            findings.push(Finding::Attribute { user: user.name.clone(), attribute: attribute.to_owned() });
        }
    }
    if role != Role::Owner {
        let place = |place: String| Finding::Defines { user: user.name.clone(), place };
        findings.extend(texts(db, DEFINES).await?.into_iter().map(place));
        let becomes = |role| Finding::Becomes { user: user.name.clone(), role };
        findings.extend(texts(db, BECOMES).await?.into_iter().map(becomes));
    }
    findings.extend(compare(&user.name, role, &held(db).await?));
    findings.sort();
    Ok(findings)
}

/// Every role that the user is or may become, by `SET ROLE` too. session_user: who logged in, whatever role that was
/// left for.
const MINE: &str = "SELECT oid, rolname FROM pg_catalog.pg_roles WHERE pg_has_role(session_user, oid, 'MEMBER')";

/// Places in which one of [`MINE`] may make tables.
const DEFINES: &str = "
    SELECT 'schema public' AS text FROM mine WHERE has_schema_privilege(oid, 'public', 'CREATE')
    UNION SELECT 'database ' || current_database() FROM mine
    WHERE has_database_privilege(oid, current_database(), 'CREATE')
    OR has_database_privilege(oid, current_database(), 'TEMPORARY')";

/// Those of [`MINE`] that own tables, or that come with the server and reach past privileges.
const BECOMES: &str = "
    SELECT rolname::text AS text FROM mine WHERE rolname LIKE 'pg\\_%'
    OR EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
               WHERE nspname = 'public' AND relkind IN ('r', 'p') AND relowner = mine.oid)";

/// What one of [`MINE`] holds, column by column where the privilege has columns. A privilege of a table is one of each of
/// its columns.
const HELD: &str = "
    SELECT relname::text AS \"table\", '' AS \"column\", privilege,
           EXISTS (SELECT FROM mine WHERE has_table_privilege(mine.oid, c.oid, privilege)) AS held
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
    CROSS JOIN unnest(ARRAY['DELETE', 'TRUNCATE', 'TRIGGER']) AS privilege
    WHERE nspname = 'public' AND relkind IN ('r', 'p', 'v', 'm', 'f')
    UNION ALL
    SELECT relname::text, attname::text, privilege,
           EXISTS (SELECT FROM mine WHERE has_column_privilege(mine.oid, c.oid, attnum, privilege))
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
    JOIN pg_catalog.pg_attribute a ON attrelid = c.oid
    CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) AS privilege
    WHERE nspname = 'public' AND relkind IN ('r', 'p', 'v', 'm', 'f') AND attnum > 0 AND NOT attisdropped";

#[derive(FromQueryResult)]
struct User {
    name: String,
    superuser: bool,
    roles: bool,
    databases: bool,
    replication: bool,
    bypass: bool,
}

#[derive(FromQueryResult)]
struct Text {
    text: String,
}

#[derive(Debug, FromQueryResult)]
struct Held {
    table: String,
    /// Empty for a privilege of whole tables.
    column: String,
    privilege: String,
    held: bool,
}

async fn user(db: &Db) -> Result<User> {
    // A group may be left for a more powerful one by SET ROLE, so that each attribute is looked for in all of them.
    let sql = "SELECT session_user::text AS name, bool_or(rolsuper) AS superuser, bool_or(rolcreaterole) AS roles,
        bool_or(rolcreatedb) AS databases, bool_or(rolreplication) AS replication, bool_or(rolbypassrls) AS bypass
        FROM pg_catalog.pg_roles WHERE pg_has_role(session_user, oid, 'MEMBER')";
    let found = User::find_by_statement(Statement::from_string(DbBackend::Postgres, sql)).one(db.connection()).await?;
    found.ok_or_else(|| crate::Error::Damaged("the server does not know who is connected".to_owned()))
}

async fn texts(db: &Db, query: &str) -> Result<Vec<String>> {
    let rows = Text::find_by_statement(asked(query)).all(db.connection()).await?;
    Ok(rows.into_iter().map(|row| row.text).collect())
}

async fn held(db: &Db) -> Result<Vec<Held>> {
    Ok(Held::find_by_statement(asked(HELD)).all(db.connection()).await?)
}

fn asked(query: &str) -> Statement {
    Statement::from_string(DbBackend::Postgres, format!("WITH mine AS ({MINE}) {query}"))
}

/// The findings about tables.
fn compare(user: &str, role: Role, held: &[Held]) -> Vec<Finding> {
    let listed: BTreeMap<&str, &Table> = TABLES.iter().map(|table| (table.name, table)).collect();
    let mut findings = shapes(&listed, held);
    // By table, privilege and whether it is held, the columns in which that differs from the list; and how many there are.
    let mut differing: BTreeMap<(&str, &str, bool), Vec<String>> = BTreeMap::new();
    let mut columns: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for held in held {
        *columns.entry((&held.table, &held.privilege)).or_default() += 1;
        let wanted = match (role, listed.get(held.table.as_str())) {
            (Role::Owner, _) => true,
            (_, Some(table)) => may(table, role, &held.privilege, &held.column),
            (_, None) => false,
        };
        if held.held != wanted {
            let among = differing.entry((&held.table, &held.privilege, held.held)).or_default();
            among.push(held.column.clone());
        }
    }
    for ((table, privilege, held), mut among) in differing {
        if columns.get(&(table, privilege)) == Some(&among.len()) {
            among.clear();
        }
        let (user, privilege, table) = (user.to_owned(), privilege.to_owned(), table.to_owned());
        findings.push(match held {
            true => Finding::Beyond { user, privilege, table, columns: among },
            false => Finding::Lacks { user, privilege, table, columns: among },
        });
    }
    findings
}

/// Tables and columns that are in the list and not in the database, and the other way round.
fn shapes(listed: &BTreeMap<&str, &Table>, held: &[Held]) -> Vec<Finding> {
    let mut there: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for held in held {
        let columns = there.entry(&held.table).or_default();
        if !held.column.is_empty() {
            columns.insert(&held.column);
        }
    }
    let owned = |columns: Vec<&str>| columns.into_iter().map(str::to_owned).collect();
    let mut findings = Vec::new();
    for (name, found) in &there {
        let Some(table) = listed.get(name) else {
            findings.push(Finding::Unlisted { table: (*name).to_owned(), columns: Vec::new() });
            continue;
        };
        let known: BTreeSet<&str> =
            table.shown.split_whitespace().chain(table.hidden.iter().map(|(column, _)| *column)).collect();
        let unlisted: Vec<&str> = found.difference(&known).copied().collect();
        let absent: Vec<&str> = known.difference(found).copied().collect();
        if !unlisted.is_empty() {
            findings.push(Finding::Unlisted { table: (*name).to_owned(), columns: owned(unlisted) });
        }
        if !absent.is_empty() {
            findings.push(Finding::Absent { table: (*name).to_owned(), columns: owned(absent) });
        }
    }
    let absent = listed.keys().filter(|name| !there.contains_key(*name));
    findings.extend(absent.map(|name| Finding::Absent { table: (*name).to_owned(), columns: Vec::new() }));
    findings
}

/// Whether the list lets a role do this to a column; to a table where the column is empty.
fn may(table: &Table, role: Role, privilege: &str, column: &str) -> bool {
    let among = |columns: &str| columns.split_whitespace().any(|name| name == column);
    match (role, privilege) {
        (Role::Owner, _) | (Role::Application, "SELECT") => true,
        (Role::Application, "INSERT") => table.application.insert,
        (Role::Application, "UPDATE") => among(table.application.update),
        (Role::Application, "DELETE") => table.application.delete,
        (Role::Audit, "SELECT" | "INSERT") => table.append_only,
        (Role::Auditor, "SELECT") => among(table.shown),
        _ => false,
    }
}
