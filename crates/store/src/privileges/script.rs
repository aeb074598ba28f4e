//! The script that makes the roles and grants, as `docs/postgresql-roles.sql` has it for whoever runs the server. Not
//! here: what is granted (`list.rs`).

use std::fmt::Write as _;

use super::{
    Role, Roles, SCHEMA,
    list::{TABLES, Table},
};
use crate::database::MIGRATION_LOCK;

/// Some statements and what they are for.
pub(super) struct Section {
    about: String,
    pub(super) statements: Vec<String>,
}

/// The script for `psql`, with the reason beside each grant. It is one transaction, and may be run again.
pub fn sql(roles: &Roles) -> String {
    let mut text = String::from(
        "-- The roles of Obelus in PostgreSQL 15 or newer, and what each may do. Written from the list in\n\
         -- crates/store/src/privileges/list.rs: change that, then compare this file by its test.\n\
         --\n\
         -- Run it in the migrated database after every migration, as a superuser, or as the owner of the database\n\
         -- where the roles are there already: psql --set ON_ERROR_STOP=1 --file postgresql-roles.sql DATABASE\n\
         -- A user who logs in gets one of the roles: CREATE ROLE portal LOGIN PASSWORD '...' IN ROLE obelus_app;\n\n\
         BEGIN;\n",
    );
    for section in sections(roles) {
        text.push('\n');
        for line in section.about.lines() {
            text.push_str(&format!("-- {line}\n"));
        }
        for statement in section.statements {
            text.push_str(&statement);
            text.push_str(";\n");
        }
    }
    text.push_str("\nCOMMIT;\n");
    text
}

/// Everything between BEGIN and COMMIT.
pub(super) fn sections(roles: &Roles) -> Vec<Section> {
    let mut sections = vec![make_roles(roles), close_database(roles), own(roles), revoke(roles)];
    sections.extend(TABLES.iter().map(|table| grant(table, roles)));
    sections
}

fn section(about: impl Into<String>, statements: Vec<String>) -> Section {
    Section { about: about.into(), statements }
}

fn names(roles: &Roles, of: &[Role]) -> String {
    of.iter().map(|role| roles.name(*role)).collect::<Vec<_>>().join(", ")
}

fn make_roles(roles: &Roles) -> Section {
    let mut about = "Group roles: nobody logs in as one.".to_owned();
    let mut statements = vec![format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")];
    for role in Role::ALL {
        let name = roles.name(role);
        // Writing to a String cannot fail.
        let _ = write!(about, "\n{name}: {}", role.purpose());
        statements.push(format!(
            "DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{name}') THEN
        CREATE ROLE {name} NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL; -- made at the same moment for another database of this server
END $$"
        ));
    }
    let quoted: Vec<String> = Role::ALL.iter().map(|role| format!("'{}'", roles.name(*role))).collect();
    statements.push(format!(
        "DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname IN ({})
               AND (rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)) THEN
        RAISE EXCEPTION 'a role of one of these names is no plain group role; alter it, or take another prefix';
    END IF;
END $$",
        quoted.join(", ")
    ));
    section(about, statements)
}

fn close_database(roles: &Roles) -> Section {
    let all = names(roles, &Role::ALL);
    let owner = roles.name(Role::Owner);
    section(
        "Only the roles may connect, and only the owner may make tables. Names mean this schema and no other.",
        vec![
            format!(
                "DO $$ BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC, {all}', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO {all}', current_database());
    EXECUTE format('ALTER DATABASE %I SET search_path = {SCHEMA}, pg_temp', current_database());
END $$"
            ),
            format!("REVOKE ALL ON SCHEMA {SCHEMA} FROM PUBLIC, {all}"),
            format!("GRANT USAGE ON SCHEMA {SCHEMA} TO {all}"),
            format!("GRANT CREATE ON SCHEMA {SCHEMA} TO {owner}"),
        ],
    )
}

fn own(roles: &Roles) -> Section {
    let owner = roles.name(Role::Owner);
    section(
        "The owner has every table and trigger function, also those of a database that another user migrated. A function\n\
         finds nothing but PostgreSQL's own names.",
        vec![format!(
            "DO $$ DECLARE thing record; BEGIN
    FOR thing IN SELECT format('%I.%I', nspname, relname) AS name FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
        WHERE nspname = '{SCHEMA}' AND relkind IN ('r', 'p') AND relowner <> '{owner}'::regrole
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO {owner}', thing.name);
    END LOOP;
    FOR thing IN SELECT p.oid::regprocedure AS name, proowner <> '{owner}'::regrole AS foreign_owner
        FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = pronamespace
        WHERE nspname = '{SCHEMA}' AND prorettype = 'pg_catalog.trigger'::regtype
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET search_path = pg_catalog, pg_temp', thing.name);
        IF thing.foreign_owner THEN
            EXECUTE format('ALTER FUNCTION %s OWNER TO {owner}', thing.name);
        END IF;
    END LOOP;
END $$"
        )],
    )
}

fn revoke(roles: &Roles) -> Section {
    let owner = roles.name(Role::Owner);
    let groups = names(roles, &[Role::Application, Role::Audit, Role::Auditor]);
    let mut statements: Vec<String> = ["TABLES", "SEQUENCES", "ROUTINES"]
        .iter()
        .map(|what| format!("REVOKE ALL ON ALL {what} IN SCHEMA {SCHEMA} FROM PUBLIC, {groups}"))
        .collect();
    for what in ["TABLES", "SEQUENCES", "ROUTINES", "TYPES"] {
        statements.push(format!("ALTER DEFAULT PRIVILEGES FOR ROLE {owner} REVOKE ALL ON {what} FROM PUBLIC"));
    }
    section("Nobody may do anything, now and to what the owner makes later, until it is granted.", statements)
}

fn grant(table: &Table, roles: &Roles) -> Section {
    let name = format!("{SCHEMA}.{}", table.name);
    let (app, audit, auditor) = (roles.name(Role::Application), roles.name(Role::Audit), roles.name(Role::Auditor));
    let changes = table.application;
    let mut about = format!("{}: {}.", table.name, table.why);
    let mut whole = vec!["SELECT"];
    if changes.insert {
        whole.push("INSERT");
    }
    if changes.delete {
        whole.push("DELETE");
    }
    let mut statements = vec![format!("GRANT {} ON {name} TO {app}", whole.join(", "))];
    if !changes.update.is_empty() {
        statements.push(format!("GRANT UPDATE ({}) ON {name} TO {app}", listed(changes.update)));
    }
    if table.append_only {
        statements.push(format!("GRANT SELECT, INSERT ON {name} TO {audit}"));
    }
    if !table.shown.is_empty() {
        statements.push(format!("GRANT SELECT ({}) ON {name} TO {auditor}", listed(table.shown)));
    }
    for (column, why) in table.hidden {
        let _ = write!(about, "\nHidden from auditors: {column} ({why}).");
    }
    section(about, statements)
}

fn listed(columns: &str) -> String {
    columns.split_whitespace().collect::<Vec<_>>().join(", ")
}
