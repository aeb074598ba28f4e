//! What each role may do in PostgreSQL, tried by users who log in with that role alone, and what an inspection says of
//! users who may do more. That the application's role is enough for everything that the store does is shown by every
//! other file here: their tests run as such a user.
//!
//! Not here: the triggers, which refuse whoever asks (`log.rs`, `tables.rs`).

use obelus_store::{
    Backend, Db, Error, audit, connect,
    privileges::{Finding, Role, Roles, check, grant_all, sql as script},
    requests,
};
use obelus_testkit::TestDatabase;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, DbErr, RuntimeErr};

use crate::{
    case::certified_house,
    support::{NOW, kept, on_each, refused, select, sql},
};

/// The user that tests are: one with the application's role.
const APPLICATION: &str = "test_application";
/// Tables to which rows are only ever added.
const APPEND_ONLY: [&str; 3] = ["audit_events", "statements", "log_leaves"];
/// PostgreSQL's code for what a privilege refuses (appendix A: `insufficient_privilege`).
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// Runs a test on PostgreSQL, where the database itself was given to the roles too.
async fn on_granted(test: impl AsyncFn(&TestDatabase)) {
    on_each(async |database| {
        if database.backend() == Backend::Postgres {
            grant(database).await;
            test(database).await;
        }
    })
    .await;
}

async fn grant(database: &TestDatabase) {
    let superuser = connect(&database.superuser_url).await.unwrap();
    grant_all(&superuser, &Roles::default()).await.unwrap();
    superuser.close().await.unwrap();
}

/// The address for another user of the same database, who is made with these options.
async fn user(database: &TestDatabase, name: &str, options: &str) -> String {
    sql(database, &format!("CREATE ROLE {name} LOGIN {options}")).await.unwrap();
    database.url.replace(APPLICATION, name)
}

async fn login(url: &str) -> DatabaseConnection {
    Database::connect(url).await.unwrap()
}

/// Fails unless the statement is refused for want of a privilege, before any trigger is asked.
async fn check_refused(shell: &DatabaseConnection, statement: &str) {
    match shell.execute_unprepared(statement).await {
        Err(DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) => {
            let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
            assert_eq!(code, INSUFFICIENT_PRIVILEGE, "{statement}: {error}");
        }
        other => panic!("{statement}\nwas not refused: {other:?}"),
    }
}

async fn check_allowed(shell: &DatabaseConnection, statement: &str) {
    shell.execute_unprepared(statement).await.unwrap_or_else(|error| panic!("{statement}\nwas refused: {error}"));
}

async fn tables(database: &TestDatabase) -> Vec<String> {
    let tables = select(database, "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'").await;
    assert!(tables.len() > 30, "{tables:?}");
    tables
}

/// The columns of a table, to try changes with: a privilege may be one of a single column.
async fn columns(database: &TestDatabase, table: &str) -> Vec<String> {
    let query = format!(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 ORDER BY attnum"
    );
    select(database, &query).await
}

/// The findings about a user with this address.
async fn findings(url: &str, role: Role) -> Vec<Finding> {
    let db = connect(url).await.unwrap();
    let findings = check(&db, role).await.unwrap();
    db.close().await.unwrap();
    findings
}

#[tokio::test]
async fn the_list_names_every_table_and_column_of_a_migrated_database_and_no_other() {
    on_granted(async |database| {
        assert_eq!(check(&database.db, Role::Application).await.unwrap(), []);
        for change in ["CREATE TABLE novel (id bigint)", "ALTER TABLE requests ADD email text, DROP protocol"] {
            sql(database, change).await.unwrap();
        }
        let found = check(&database.db, Role::Application).await.unwrap();
        for expected in [
            Finding::Unlisted { table: "novel".to_owned(), columns: vec![] },
            Finding::Unlisted { table: "requests".to_owned(), columns: vec!["email".to_owned()] },
            Finding::Absent { table: "requests".to_owned(), columns: vec!["protocol".to_owned()] },
        ] {
            assert!(found.contains(&expected), "{expected:?} is not among {found:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_application_cannot_change_what_was_written() {
    on_granted(async |database| {
        certified_house(&database.db).await;
        let shell = login(&database.url).await;
        for table in APPEND_ONLY {
            for column in columns(database, table).await {
                check_refused(&shell, &format!("UPDATE {table} SET {column} = {column}")).await;
            }
            check_refused(&shell, &format!("DELETE FROM {table}")).await;
        }
        for table in tables(database).await {
            check_refused(&shell, &format!("TRUNCATE {table} CASCADE")).await;
            check_refused(&shell, &format!("ALTER TABLE {table} ADD novel text")).await;
            check_refused(&shell, &format!("ALTER TABLE {table} DISABLE TRIGGER ALL")).await;
            check_refused(&shell, &format!("DROP TABLE {table} CASCADE")).await;
        }
        for statement in [
            "UPDATE campaigns SET salt = salt",
            "UPDATE sources SET seed = seed",
            "UPDATE requests SET filed_by = filed_by",
            "UPDATE erasures SET root_before = root_before",
            "UPDATE verification_runs SET protocol = protocol",
            "UPDATE certificates SET verdict = verdict",
            "UPDATE incidents SET detail = detail",
            "UPDATE seaql_migrations SET version = version",
            "DELETE FROM persons",
            "DELETE FROM requests",
            "DELETE FROM copies",
            "DELETE FROM erasure_targets",
            "DELETE FROM certificates",
            "INSERT INTO log_checkpoint (id, size, root, note) VALUES (2, 0, '', '')",
            "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999', 0)",
            "CREATE TABLE novel (id bigint)",
            "CREATE TEMPORARY TABLE novel (id bigint)",
            "CREATE SCHEMA novel",
            "CREATE FUNCTION novel() RETURNS bigint LANGUAGE sql AS 'SELECT 1'",
            "ALTER FUNCTION audit_events_refuse_delete() SECURITY DEFINER",
            "SET ROLE obelus_owner",
        ] {
            check_refused(&shell, statement).await;
        }
        check_allowed(&shell, "UPDATE requests SET held_at = NULL").await;
        shell.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_audit_role_adds_to_append_only_tables_and_does_nothing_else() {
    on_granted(async |database| {
        let url = user(database, "only_audit", "IN ROLE obelus_audit").await;
        assert_eq!(findings(&url, Role::Audit).await, []);
        let shell = login(&url).await;
        for statement in [
            "INSERT INTO audit_events (happened_at, actor, action, subject, detail) VALUES (1, 'a', 'b', 'c', '{}')",
            "INSERT INTO statements (digest, kind, envelope, created_at) VALUES ('d', 'k', 'e', 1)",
            "INSERT INTO log_leaves (position, body, leaf_hash, statement) VALUES (0, 'b', 'h', 'd')",
        ] {
            check_allowed(&shell, statement).await;
        }
        for table in tables(database).await {
            let added_to = APPEND_ONLY.contains(&table.as_str());
            if added_to {
                check_allowed(&shell, &format!("SELECT * FROM {table}")).await;
            }
            for column in columns(database, &table).await {
                if !added_to {
                    check_refused(&shell, &format!("SELECT {column} FROM {table}")).await;
                    check_refused(&shell, &format!("INSERT INTO {table} ({column}) VALUES (NULL)")).await;
                }
                check_refused(&shell, &format!("UPDATE {table} SET {column} = NULL")).await;
            }
            check_refused(&shell, &format!("DELETE FROM {table}")).await;
            check_refused(&shell, &format!("TRUNCATE {table} CASCADE")).await;
        }
        check_refused(&shell, "CREATE TABLE novel (id bigint)").await;
        shell.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_auditor_reads_everything_but_personal_data_and_secrets() {
    on_granted(async |database| {
        certified_house(&database.db).await;
        let url = user(database, "only_auditor", "IN ROLE obelus_auditor").await;
        assert_eq!(findings(&url, Role::Auditor).await, []);
        let shell = login(&url).await;
        for (columns, table) in [
            ("id, happened_at, actor, action, subject", "audit_events"),
            ("position, body, leaf_hash, statement", "log_leaves"),
            ("size, root, note", "log_checkpoint"),
            ("reference, state, regime, model, filed_by, received_at", "requests"),
            ("request, person, plan_digest, approved_at", "approvals"),
            ("person, role", "person_roles"),
            ("id, verdict, results_digest, statement", "verification_runs"),
            ("id, request, status, level, verdict, valid_until", "certificates"),
        ] {
            check_allowed(&shell, &format!("SELECT {columns} FROM {table}")).await;
        }
        for (column, table) in [
            ("manifest_key", "campaigns"),
            ("salt", "campaigns"),
            ("seed", "sources"),
            ("source_id", "sources"),
            ("record", "sources"),
            ("source_id", "request_sources"),
            ("source_id", "certificates"),
            ("excluded", "models"),
            ("name", "persons"),
            ("plan", "requests"),
            ("refusal_reason", "requests"),
            ("results", "verification_runs"),
            ("envelope", "statements"),
            ("detail", "audit_events"),
            ("sealed", "blind_challenges"),
            ("token", "jobs"),
            ("token", "registrations"),
            ("*", "requests"),
        ] {
            check_refused(&shell, &format!("SELECT {column} FROM {table}")).await;
        }
        for table in tables(database).await {
            for column in columns(database, &table).await {
                check_refused(&shell, &format!("INSERT INTO {table} ({column}) VALUES (NULL)")).await;
                check_refused(&shell, &format!("UPDATE {table} SET {column} = NULL")).await;
            }
            check_refused(&shell, &format!("DELETE FROM {table}")).await;
            check_refused(&shell, &format!("TRUNCATE {table} CASCADE")).await;
        }
        shell.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_inspection_finds_who_may_do_more_than_the_application() {
    on_granted(async |database| {
        let superuser = findings(&database.superuser_url, Role::Application).await;
        assert!(matches!(&superuser[..], [Finding::Attribute { attribute, .. }] if attribute == "SUPERUSER"));
        let url = user(database, "also_owner", "NOINHERIT CREATEROLE IN ROLE obelus_app, obelus_owner").await;
        // Connecting is a privilege too, which such a user does not inherit.
        let connect =
            "DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO also_owner', current_database()); END $$";
        sql(database, connect).await.unwrap();
        let found = findings(&url, Role::Application).await;
        let mine = || "also_owner".to_owned();
        for expected in [
            Finding::Attribute { user: mine(), attribute: "CREATEROLE".to_owned() },
            Finding::Becomes { user: mine(), role: "obelus_owner".to_owned() },
            Finding::Defines { user: mine(), place: "schema public".to_owned() },
            Finding::Beyond {
                user: mine(),
                privilege: "TRUNCATE".to_owned(),
                table: "audit_events".to_owned(),
                columns: vec![],
            },
        ] {
            assert!(found.contains(&expected), "{expected:?} is not among {found:?}");
        }
        let of_application = |privilege: &str, table: &str, columns: &[&str]| {
            let columns = columns.iter().map(|column| (*column).to_owned()).collect();
            (APPLICATION.to_owned(), privilege.to_owned(), table.to_owned(), columns)
        };
        for statement in [
            "GRANT UPDATE (actor) ON audit_events TO PUBLIC",
            "GRANT DELETE ON persons TO test_application",
            "REVOKE UPDATE (state) ON jobs FROM obelus_app",
        ] {
            sql(database, statement).await.unwrap();
        }
        let (user, privilege, table, columns) = of_application("UPDATE", "audit_events", &["actor"]);
        let public = Finding::Beyond { user, privilege, table, columns };
        let (user, privilege, table, columns) = of_application("DELETE", "persons", &[]);
        let direct = Finding::Beyond { user, privilege, table, columns };
        let (user, privilege, table, columns) = of_application("UPDATE", "jobs", &["state"]);
        let lacks = Finding::Lacks { user, privilege, table, columns };
        assert_eq!(check(&database.db, Role::Application).await.unwrap(), [direct.clone(), public, lacks]);
        // What a person gave to a user by hand stays, and is still said.
        grant(database).await;
        assert_eq!(check(&database.db, Role::Application).await.unwrap(), std::slice::from_ref(&direct));
        assert_eq!(direct.to_string(), "database user test_application may DELETE on persons and should not");
    })
    .await;
}

#[tokio::test]
async fn granting_again_changes_nothing() {
    on_granted(async |database| {
        let granted = "SELECT concat(relname, relacl::text, (SELECT string_agg(concat(attname, attacl::text), ',' ORDER BY attnum)
            FROM pg_attribute WHERE attrelid = c.oid)) FROM pg_class c WHERE relnamespace = 'public'::regnamespace
            UNION ALL SELECT concat(proname, proacl::text, proconfig::text) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
            UNION ALL SELECT concat(defaclobjtype, defaclacl::text) FROM pg_default_acl
            UNION ALL SELECT concat(nspname, nspacl::text) FROM pg_namespace WHERE nspname = 'public' ORDER BY 1";
        let before = select(database, granted).await;
        grant(database).await;
        assert_eq!(select(database, granted).await, before);
    })
    .await;
}

#[tokio::test]
async fn the_owner_of_a_database_migrates_and_grants_without_being_superuser() {
    on_granted(async |database| {
        sql(database, "CREATE DATABASE owned TEMPLATE template0 OWNER obelus_owner").await.unwrap();
        let (server, options) = database.superuser_url.split_once('?').unwrap();
        let (server, _) = server.rsplit_once('/').unwrap();
        let superuser_url = format!("{server}/owned?{options}");
        let at = |name: &str| {
            let (_, place) = superuser_url.split_once('@').unwrap();
            format!("postgres://{name}@{place}")
        };
        user(database, "only_owner", "IN ROLE obelus_owner").await;
        sql(database, "ALTER ROLE only_owner SET role = 'obelus_owner'").await.unwrap();
        let application = connect(&at(APPLICATION)).await.unwrap();
        refused!(application.migrate().await, Error::Behind(missing) if missing[0].starts_with("m0001"));
        let owner = connect(&at("only_owner")).await.unwrap();
        owner.migrate().await.unwrap();
        // Without the grants the application does not even see what was migrated.
        refused!(application.migrate().await, Error::Behind(_));
        grant_all(&owner, &Roles::default()).await.unwrap();
        grant_all(&owner, &Roles::default()).await.unwrap();
        assert_eq!(check(&owner, Role::Owner).await.unwrap(), []);
        application.migrate().await.unwrap();
        assert_eq!(check(&application, Role::Application).await.unwrap(), []);
        let reference = certified_house(&application).await;
        assert!(requests::get(&application, &reference).await.unwrap().is_some());
        for db in [owner, application] {
            db.close().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn sqlite_has_no_roles() {
    on_each(async |database| {
        if database.backend() == Backend::Sqlite {
            refused!(grant_all(&database.db, &Roles::default()).await, Error::NoRoles);
            assert_eq!(check(&database.db, Role::Application).await.unwrap(), []);
            written(&database.db).await;
        }
    })
    .await;
}

/// Something is still written after a refusal.
async fn written(db: &Db) {
    kept(db, async |write| audit::append(write, NOW, "mara", "look", "OB-2026-000001", "{}").await.unwrap()).await;
}

#[test]
fn the_committed_script_is_the_one_that_the_list_gives() {
    let committed = include_str!("../../../../docs/postgresql-roles.sql");
    let given = script(&Roles::default());
    assert!(committed == given, "docs/postgresql-roles.sql is to be:\n{given}");
}
