//! The transparency log: its head moves by compare-and-swap and only forward, and its leaves stand for ever.
//!
//! Not here: hashes and proofs. The roots of these tests are made up, since the store compares them and no more.

use std::time::Duration;

use obelus_core::Digest;
use obelus_store::{
    Db, Error,
    log::{self, Head, NewLeaf},
};

use crate::support::{digest, dropped, kept, on_each, refused, sql, sql_refused, statement};

fn leaf(statement: Digest, body: &str) -> NewLeaf {
    NewLeaf { body: body.as_bytes().to_vec(), leaf_hash: digest(body), statement }
}

fn head(size: u64, root: &str) -> Head {
    Head { size, root: digest(root), note: format!("note {size} {root}").into_bytes() }
}

/// Appends one leaf of this name to whatever the head is.
async fn append_one(db: &Db, name: &str) -> Result<u64, Error> {
    let old = log::head(db).await?;
    let write = db.write().await?;
    let leaf = leaf(statement(&write, name).await, name);
    let new = head(old.size + 1, name);
    let places = log::append(&write, &[leaf], &old, &new).await?;
    write.commit().await?;
    Ok(places.start)
}

#[tokio::test]
async fn a_new_log_is_empty_and_its_root_is_sha256_of_nothing() {
    on_each(async |database| {
        let db = &database.db;
        assert_eq!(log::head(db).await.unwrap(), Head { size: 0, root: Digest::sha256(b""), note: Vec::new() });
        assert_eq!(log::leaf(db, 0).await.unwrap(), None);
        assert_eq!(log::leaf_hashes(db, 0..0).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn leaves_are_read_where_and_as_they_were_appended() {
    on_each(async |database| {
        let db = &database.db;
        let empty = log::head(db).await.unwrap();
        let (first, second, third) = (head(1, "a"), head(3, "b"), digest("never logged"));
        kept(db, async |write| {
            let (a, b, c) = (statement(write, "a").await, statement(write, "b").await, statement(write, "c").await);
            assert_eq!(log::append(write, &[leaf(a, "a")], &empty, &first).await.unwrap(), 0..1);
            assert_eq!(log::append(write, &[leaf(b, "b"), leaf(c, "c")], &first, &second).await.unwrap(), 1..3);
        })
        .await;
        assert_eq!(log::head(db).await.unwrap(), second);
        for (index, name) in [(0, "a"), (1, "b"), (2, "c")] {
            let found = log::leaf(db, index).await.unwrap().unwrap();
            assert_eq!((found.index, found.body.as_slice()), (index, name.as_bytes()));
            assert_eq!((found.leaf_hash, found.statement), (digest(name), digest(name)));
            assert_eq!(log::index_of(db, &digest(name)).await.unwrap(), Some(index));
        }
        assert_eq!(log::index_of(db, &third).await.unwrap(), None);
        assert_eq!(log::leaf_hashes(db, 1..3).await.unwrap(), [digest("b"), digest("c")]);
    })
    .await;
}

#[tokio::test]
async fn thousands_of_leaves_are_appended_at_once_in_order() {
    on_each(async |database| {
        let db = &database.db;
        let names: Vec<String> = (0..2500).map(|i| format!("leaf {i}")).collect();
        let empty = log::head(db).await.unwrap();
        kept(db, async |write| {
            let mut leaves = Vec::new();
            for name in &names {
                leaves.push(leaf(statement(write, name).await, name));
            }
            log::append(write, &leaves, &empty, &head(2500, "x")).await.unwrap();
        })
        .await;
        let expected: Vec<Digest> = names.iter().map(|name| digest(name)).collect();
        assert_eq!(log::leaf_hashes(db, 0..2500).await.unwrap(), expected);
    })
    .await;
}

#[tokio::test]
async fn of_two_writers_with_the_same_old_head_one_is_told_that_the_log_moved_and_leaves_nothing() {
    on_each(async |database| {
        let db = &database.db;
        let old = log::head(db).await.unwrap();
        let first = db.write().await.unwrap();
        let a = leaf(statement(&first, "a").await, "a");
        log::append(&first, &[a], &old, &head(1, "a")).await.unwrap();
        let second = tokio::spawn({
            let (db, old) = (db.clone(), old.clone());
            async move {
                let write = db.write().await?;
                let b = leaf(statement(&write, "b").await, "b");
                log::append(&write, &[b], &old, &head(1, "b")).await
            }
        });
        // Long enough for the second to come to where it must wait for the first.
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!second.is_finished(), "the second writer did not wait for the first");
        first.commit().await.unwrap();
        refused!(second.await.unwrap(), Error::LogMoved { size: 0 });
        assert_eq!(log::head(db).await.unwrap(), head(1, "a"));
        assert_eq!(log::index_of(db, &digest("a")).await.unwrap(), Some(0));
        assert_eq!(obelus_store::statements::get(db, &digest("b")).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn an_append_to_a_head_of_the_right_size_and_another_root_is_refused() {
    on_each(async |database| {
        let db = &database.db;
        append_one(db, "a").await.unwrap();
        let result = dropped(db, async |write| {
            let b = leaf(statement(write, "b").await, "b");
            log::append(write, &[b], &head(1, "of another history"), &head(2, "b")).await
        })
        .await;
        refused!(result, Error::LogMoved { size: 1 });
        assert_eq!(log::head(db).await.unwrap(), head(1, "a"));
    })
    .await;
}

#[tokio::test]
async fn a_head_that_does_not_follow_from_the_old_one_and_the_leaves_is_refused() {
    on_each(async |database| {
        let db = &database.db;
        append_one(db, "a").await.unwrap();
        let old = log::head(db).await.unwrap();
        for new in [0, 1, 3, u64::MAX] {
            let result = dropped(db, async |write| {
                let b = leaf(statement(write, "b").await, "b");
                log::append(write, &[b], &old, &head(new, "b")).await
            })
            .await;
            refused!(result, Error::LogSize { old: 1, leaves: 1, new: found } if found == new);
        }
        let nothing = dropped(db, async |write| log::append(write, &[], &old, &old).await).await;
        refused!(nothing, Error::LogSize { leaves: 0, .. });
        let overflow = head(u64::MAX, "far");
        let result =
            dropped(db, async |write| log::append(write, &[leaf(digest("b"), "b")], &overflow, &head(0, "b")).await)
                .await;
        refused!(result, Error::LogSize { .. });
        assert_eq!(log::head(db).await.unwrap(), old);
    })
    .await;
}

#[tokio::test]
async fn a_statement_is_logged_once_and_only_if_it_is_stored() {
    on_each(async |database| {
        let db = &database.db;
        append_one(db, "a").await.unwrap();
        let old = log::head(db).await.unwrap();
        let again =
            dropped(db, async |write| log::append(write, &[leaf(digest("a"), "a again")], &old, &head(2, "b")).await)
                .await;
        refused!(again, Error::Exists { .. });
        let unknown = dropped(db, async |write| {
            log::append(write, &[leaf(digest("not stored"), "b")], &old, &head(2, "b")).await
        })
        .await;
        refused!(unknown, Error::Database(_));
        assert_eq!(log::head(db).await.unwrap(), old);
    })
    .await;
}

#[tokio::test]
async fn a_place_beyond_the_log_holds_no_leaf_and_its_hash_cannot_be_had() {
    on_each(async |database| {
        let db = &database.db;
        append_one(db, "a").await.unwrap();
        for beyond in [1, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX] {
            assert_eq!(log::leaf(db, beyond).await.unwrap(), None);
        }
        refused!(log::leaf_hashes(db, 0..2).await, Error::Damaged(_));
    })
    .await;
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_or_remove_leaves() {
    on_each(async |database| {
        append_one(&database.db, "a").await.unwrap();
        sql_refused(database, "UPDATE log_leaves SET position = 5", "log_leaves: rows are only ever added").await;
        sql_refused(database, "DELETE FROM log_leaves", "log_leaves: rows are never removed").await;
        if database.backend() == obelus_store::Backend::Postgres {
            sql_refused(database, "TRUNCATE log_leaves", "log_leaves: rows are never removed").await;
        }
        assert_eq!(log::leaf_hashes(&database.db, 0..1).await.unwrap(), [digest("a")]);
    })
    .await;
}

#[tokio::test]
async fn the_database_itself_refuses_to_move_the_head_backwards_or_to_have_two() {
    on_each(async |database| {
        append_one(&database.db, "a").await.unwrap();
        append_one(&database.db, "b").await.unwrap();
        let before = log::head(&database.db).await.unwrap();
        let forward = "log_checkpoint: the log only moves forward";
        sql_refused(database, "UPDATE log_checkpoint SET size = 1", forward).await;
        // The same size with another root is a second history.
        sql_refused(database, "UPDATE log_checkpoint SET root = 'f00'", forward).await;
        sql_refused(database, "UPDATE log_checkpoint SET id = 2, size = 9", "log_checkpoint").await;
        sql_refused(database, "DELETE FROM log_checkpoint", "log_checkpoint: rows are never removed").await;
        let second = "INSERT INTO log_checkpoint SELECT 2, size, root, note FROM log_checkpoint";
        sql_refused(database, second, "check").await;
        assert_eq!(log::head(&database.db).await.unwrap(), before);
        // So that the refusals above are about the values and not about the statement.
        assert_eq!(sql(database, "UPDATE log_checkpoint SET size = size + 1").await, Ok(1));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_appenders_that_try_again_leave_no_gap_and_no_leaf_twice() {
    const APPENDERS: u64 = 8;
    const EACH: u64 = 6;
    on_each(async |database| {
        let db = &database.db;
        let mut appenders = Vec::new();
        for appender in 0..APPENDERS {
            let db = db.clone();
            appenders.push(tokio::spawn(async move {
                let mut places = Vec::new();
                for turn in 0..EACH {
                    let name = format!("{appender}/{turn}");
                    places.push(loop {
                        match append_one(&db, &name).await {
                            Ok(place) => break place,
                            Err(Error::LogMoved { .. }) => {}
                            Err(error) => panic!("{error}"),
                        }
                    });
                }
                places
            }));
        }
        let mut places = Vec::new();
        for appender in appenders {
            let own = appender.await.unwrap();
            assert!(own.is_sorted(), "an appender's leaves are in its order: {own:?}");
            places.extend(own);
        }
        places.sort_unstable();
        assert_eq!(places, (0..APPENDERS * EACH).collect::<Vec<_>>());
        assert_eq!(log::head(db).await.unwrap().size, APPENDERS * EACH);
        log::leaf_hashes(db, 0..APPENDERS * EACH).await.unwrap();
    })
    .await;
}
