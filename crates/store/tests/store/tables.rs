//! The tables themselves: they are made once, and refuse rows that point nowhere or are there already, whoever writes
//! them.
//!
//! Not here: what the triggers of the log and the audit events refuse (`log.rs`, `audit.rs`).

use obelus_store::{Backend, Db, Error, connect};
use obelus_testkit::TestDatabase;

use crate::{
    case::certified_house,
    support::{TABLES, on_each, refused, select, sql, sql_refused},
};

/// Every table, index and trigger, and when each migration was applied.
async fn shape(database: &TestDatabase) -> Vec<String> {
    let objects = match database.backend() {
        Backend::Sqlite => "SELECT coalesce(sql, name) FROM sqlite_master ORDER BY name",
        Backend::Postgres => {
            "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable
             FROM information_schema.columns WHERE table_schema = 'public'
             UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
             UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_constraint
             UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger ORDER BY 1"
        }
    };
    let mut shape = select(database, objects).await;
    shape.extend(applied(database).await);
    shape
}

async fn applied(database: &TestDatabase) -> Vec<String> {
    let query = "SELECT version || ' ' || CAST(applied_at AS TEXT) FROM seaql_migrations ORDER BY version";
    select(database, query).await
}

/// A database beside this one in which nothing was made yet, opened twice.
async fn bare(database: &TestDatabase) -> (Db, Db) {
    let url = match database.backend() {
        Backend::Sqlite => format!("{}.bare", database.url),
        Backend::Postgres => {
            sql(database, "CREATE DATABASE bare TEMPLATE template0").await.unwrap();
            let (server, rest) = split_name(&database.superuser_url);
            format!("{server}/bare{rest}")
        }
    };
    (connect(&url).await.unwrap(), connect(&url).await.unwrap())
}

/// What stands before the database's name in a PostgreSQL address, and what stands after it.
fn split_name(url: &str) -> (&str, &str) {
    let (address, options) = url.split_once('?').unwrap();
    let (server, _) = address.rsplit_once('/').unwrap();
    (server, &url[url.len() - options.len() - 1..])
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    on_each(async |database| {
        let before = shape(database).await;
        assert_eq!(applied(database).await.len(), 26, "{before:?}");
        database.db.migrate().await.unwrap();
        assert_eq!(shape(database).await, before);
    })
    .await;
}

#[tokio::test]
async fn migrating_again_keeps_every_row() {
    on_each(async |database| {
        let reference = certified_house(&database.db).await;
        database.db.migrate().await.unwrap();
        assert_eq!(obelus_store::certificates::of_request(&database.db, &reference).await.unwrap().len(), 1);
        assert_eq!(obelus_store::log::head(&database.db).await.unwrap().size, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_that_start_at_once_on_a_bare_database_all_find_it_migrated() {
    on_each(async |database| {
        let (one, other) = bare(database).await;
        let (first, second) = tokio::join!(
            tokio::spawn(async move { (one.migrate().await, one) }),
            tokio::spawn(async move { (other.migrate().await, other) }),
        );
        for (migrated, db) in [first.unwrap(), second.unwrap()] {
            migrated.unwrap();
            assert_eq!(obelus_store::log::head(&db).await.unwrap().size, 0);
            db.close().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn a_database_that_a_newer_program_has_migrated_is_left_alone() {
    on_each(async |database| {
        sql(database, "INSERT INTO seaql_migrations VALUES ('m9999_from_the_future', 0)").await.unwrap();
        let before = shape(database).await;
        refused!(database.db.migrate().await, Error::Migrate(_));
        assert_eq!(shape(database).await, before);
    })
    .await;
}

#[tokio::test]
async fn a_row_that_points_to_nothing_is_refused_in_every_table() {
    const POINTERS: &[(&str, &[&str])] = &[
        ("campaigns", &["statement"]),
        ("sources", &["lineage"]),
        ("manifests", &["lineage", "statement"]),
        ("registrations", &["lineage"]),
        ("models", &["lineage", "corpus", "baseline_of", "training_statement"]),
        ("copies", &["model"]),
        ("pool_extensions", &["lineage", "statement"]),
        ("adaptations", &["model", "statement"]),
        ("person_roles", &["person"]),
        ("requests", &["model", "filed_by"]),
        ("request_sources", &["request"]),
        ("approvals", &["request", "person"]),
        ("erasures", &["request", "model", "statement"]),
        ("erasure_targets", &["request"]),
        ("verification_runs", &["request", "model", "protocol_statement", "statement"]),
        ("certificates", &["request", "model", "verification_run", "statement"]),
        ("incidents", &["certificate", "request", "run"]),
        ("status_lists", &["statement"]),
        ("jobs", &["schedule"]),
        ("baselines", &["model"]),
        ("blind_challenges", &["request", "deposit", "result"]),
        ("accounts", &["person"]),
        ("sessions", &["person"]),
        ("api_tokens", &["person"]),
        ("outbox", &["request"]),
        ("access_grants", &["person"]),
        ("samples", &["person"]),
    ];
    on_each(async |database| {
        certified_house(&database.db).await;
        for (table, columns) in POINTERS {
            for column in *columns {
                let change = match *column {
                    // One row: several would be refused because they become the same.
                    "person" => {
                        format!("UPDATE {table} SET person = -1 WHERE person = (SELECT min(person) FROM {table})")
                    }
                    "filed_by" => format!("UPDATE {table} SET filed_by = -1"),
                    _ => format!("UPDATE {table} SET {column} = 'nothing'"),
                };
                sql_refused(database, &change, "foreign key").await;
            }
        }
        // Leaves cannot be updated at all.
        let leaf = "INSERT INTO log_leaves SELECT 9, body, leaf_hash, 'nothing' FROM log_leaves";
        sql_refused(database, leaf, "foreign key").await;
    })
    .await;
}

#[tokio::test]
async fn a_row_that_others_point_to_is_not_removed() {
    on_each(async |database| {
        certified_house(&database.db).await;
        for table in
            ["campaigns", "corpora", "models", "persons", "requests", "erasures", "verification_runs", "certificates"]
        {
            sql_refused(database, &format!("DELETE FROM {table}"), "foreign key").await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_same_row_is_refused_the_second_time_in_every_table() {
    on_each(async |database| {
        certified_house(&database.db).await;
        for table in TABLES {
            sql_refused(database, &format!("INSERT INTO {table} SELECT * FROM {table}"), "unique").await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_must_be_there_once_is_refused_under_another_key() {
    // Each row is a copy of one that is there, with another primary key.
    const COPIES: &[(&str, &str)] = &[
        ("a statement is logged once", "log_leaves SELECT 9, body, leaf_hash, statement FROM log_leaves"),
        (
            "a place in the manifest is taken once",
            "sources SELECT lineage, 'b', record, record_key, seed, suppressed_at, revoked_at, manifest, segment, since, corpus
                    FROM sources",
        ),
        (
            "a path is one copy",
            "copies SELECT 99, model, kind, path, generation, root, registered_at, zeroed_at, destroyed_at, source_id
                    FROM copies",
        ),
        ("a name is one person", "persons SELECT id + 99, name, created_at FROM persons"),
        (
            "a target is in an erasure once",
            "erasure_targets SELECT id + 99, request, kind, path, state, evidence, changed_at FROM erasure_targets",
        ),
        (
            "a run has one certificate",
            "certificates SELECT 'CT-9', request, model, source_id, status, level, verdict, issued_at, path,
                                 verification_run, statement, valid_until, follows, changed_at FROM certificates",
        ),
        (
            "a change is one job",
            "jobs SELECT id + 99, kind, subject, reason, schedule, due_at, state, run_after, attempts, token, leased_until,
                         outcome, enqueued_at, finished_at, ordered_by, argument, progress FROM jobs",
        ),
        (
            "a certificate has one open incident",
            "incidents SELECT 'IN-9', certificate, request, kind, run, verdict, detail, opened_at, closed_at, closed_by, reason
                       FROM incidents",
        ),
        (
            "a sealed file is deposited once",
            "blind_challenges SELECT 'BC-9', request, sealed, sealed_digest, sealed_bytes, commitment, deposit, deposited_by,
                                     deposited_at, results, results_digest, outcome, result, opened_by, opened_at
                              FROM blind_challenges",
        ),
        (
            "a link of one purpose and subject is open at a time",
            "one_time_links SELECT 'another', purpose, subject, created_at, expires_at, used_at FROM one_time_links",
        ),
        (
            "a token is one person's",
            "api_tokens SELECT id + 99, person, name, token_hash, scopes, created_at, expires_at, last_used_at, revoked_at
                        FROM api_tokens",
        ),
        (
            "a statement is about one list",
            "status_lists SELECT sequence + 9, list, list_digest, statement, made_at, next_update FROM status_lists",
        ),
    ];
    on_each(async |database| {
        certified_house(&database.db).await;
        for (what, copy) in COPIES {
            eprintln!("{what}");
            sql_refused(database, &format!("INSERT INTO {copy}"), "unique").await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_without_showing_its_password() {
    for url in [
        "mysql://mara:secret@localhost/obelus",
        "postgres://mara:secret@localhost:port/obelus",
        "postgres://mara:secret@[/obelus",
        "postgres://localhost:port/obelus?user=mara&password=secret",
        "obelus.db",
        "",
        "sqlite:",
        "sqlite://",
        "sqlite::memory:",
    ] {
        eprintln!("{url}");
        let error = connect(url).await.unwrap_err();
        assert!(matches!(error, Error::Open { .. }), "{error:?}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
