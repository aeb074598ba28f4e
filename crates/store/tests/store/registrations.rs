//! Registrations of sources in many transactions: what is staged is seen by nobody until its manifest is there, and one that
//! is cut off leaves nothing that counts.
//!
//! Not here: what is signed.

use obelus_store::{
    Db, Error, manifests,
    registrations::{self, Registration},
    sources::{self, Source},
};

use crate::{
    case::{manifest, register, source},
    support::{LATER, LINEAGE, NOW, campaign, dropped, kept, on_each, refused},
};

/// A campaign with one registered source, anna.
async fn begun(db: &Db) {
    kept(db, async |write| {
        campaign(write, LINEAGE).await;
        register(write, LINEAGE, [source("anna", 1)]).await.unwrap();
    })
    .await;
}

async fn begin(db: &Db, token: &str) -> (Registration, bool) {
    kept(db, async |write| registrations::begin(write, LINEAGE, token.to_owned(), LATER).await.unwrap()).await
}

fn later(name: &str, place: u32) -> Source {
    Source { manifest: 2, ..source(name, place) }
}

async fn finish(db: &Db, registration: &Registration, count: u64) -> obelus_store::Result<()> {
    let write = db.write().await?;
    registrations::finish(&write, registration, count).await?;
    manifests::create(&write, manifest(&write, registration.generation).await).await?;
    write.commit().await
}

async fn names(db: &Db) -> Vec<String> {
    let all = sources::page(db, LINEAGE, None, 100_000).await.unwrap();
    all.into_iter().map(|source| source.source_id).collect()
}

#[tokio::test]
async fn staged_sources_are_seen_by_nobody_until_their_manifest_is_there() {
    on_each(async |database| {
        let db = &database.db;
        begun(db).await;
        let (registration, cut_off) = begin(db, "first").await;
        assert_eq!((registration.generation, cut_off), (2, false));
        for rows in [vec![later("ben", 2), later("cleo", 3)], vec![later("dora", 4)]] {
            kept(db, async |write| registrations::stage(write, &registration, rows.clone()).await.unwrap()).await;
        }
        assert_eq!(names(db).await, ["anna"]);
        assert_eq!(sources::get(db, LINEAGE, "ben").await.unwrap(), None);
        assert_eq!(sources::with_key(db, LINEAGE, &later("ben", 2).record_key.0.into()).await.unwrap(), None);
        dropped(db, async |write| {
            refused!(sources::suppress(write, LINEAGE, "ben", NOW).await, Error::Missing { .. });
            refused!(sources::revoke(write, LINEAGE, "ben", NOW).await, Error::Missing { .. });
            refused!(sources::hold_since(write, LINEAGE, "ben", 2).await, Error::Missing { .. });
        })
        .await;
        refused!(finish(db, &registration, 2).await, Error::State { what: "registration of sources in", .. });
        finish(db, &registration, 3).await.unwrap();
        assert_eq!(names(db).await, ["anna", "ben", "cleo", "dora"]);
        refused!(finish(db, &registration, 3).await, Error::State { .. });
    })
    .await;
}

#[tokio::test]
async fn what_a_registration_that_was_cut_off_has_staged_is_removed_by_the_next() {
    const MANY: u32 = 25_000;
    on_each(async |database| {
        let db = &database.db;
        begun(db).await;
        let (first, _) = begin(db, "first").await;
        let rows: Vec<Source> = (0..MANY).map(|n| later(&format!("source {n:05}"), 10 + n)).collect();
        kept(db, async |write| registrations::stage(write, &first, rows.clone()).await.unwrap()).await;
        let (second, cut_off) = begin(db, "second").await;
        assert!(cut_off);
        registrations::remove_staged(db, &second).await.unwrap();
        // Whoever began the first can neither add nor end anything, nor remove what the second has staged.
        let stale = dropped(db, async |write| registrations::stage(write, &first, vec![later("eve", 9)]).await).await;
        refused!(stale, Error::State { what: "registration of sources in", .. });
        refused!(finish(db, &first, u64::from(MANY)).await, Error::State { .. });
        refused!(registrations::remove_staged(db, &first).await, Error::State { .. });
        // Some of the same names with other records: nothing is left in their way.
        let rows: Vec<Source> = rows.into_iter().step_by(9999).map(|row| Source { record: vec![1], ..row }).collect();
        kept(db, async |write| registrations::stage(write, &second, rows.clone()).await.unwrap()).await;
        finish(db, &second, rows.len() as u64).await.unwrap();
        assert_eq!(names(db).await, ["anna", "source 00000", "source 09999", "source 19998"]);
    })
    .await;
}

#[tokio::test]
async fn a_registration_takes_its_own_sources_alone_and_none_twice() {
    on_each(async |database| {
        let db = &database.db;
        begun(db).await;
        let (registration, _) = begin(db, "first").await;
        for foreign in [source("ben", 2), Source { lineage: "moa".to_owned(), ..later("ben", 2) }] {
            let rows = vec![later("cleo", 3), foreign];
            let refused =
                dropped(db, async |write| registrations::stage(write, &registration, rows.clone()).await).await;
            refused!(refused, Error::State { what: "source", .. });
        }
        for twice in [later("anna", 2), later("ben", 1)] {
            let rows = vec![twice];
            let refused =
                dropped(db, async |write| registrations::stage(write, &registration, rows.clone()).await).await;
            refused!(refused, Error::Exists { what: "source", .. });
        }
        let unknown =
            dropped(db, async |write| registrations::begin(write, "moa", "first".to_owned(), NOW).await).await;
        refused!(unknown, Error::Database(_));
    })
    .await;
}

#[tokio::test]
async fn much_memory_is_given_and_taken_back() {
    on_each(async |database| {
        let db = &database.db;
        begun(db).await;
        let (registration, _) = begin(db, "first").await;
        kept(db, async |write| {
            registrations::generous(write, db.backend(), true).await.unwrap();
            registrations::stage(write, &registration, vec![later("ben", 2)]).await.unwrap();
            registrations::generous(write, db.backend(), false).await.unwrap();
        })
        .await;
        finish(db, &registration, 1).await.unwrap();
        assert_eq!(names(db).await, ["anna", "ben"]);
    })
    .await;
}
