//! Sources: read page by page, suppressed for a while and revoked for ever.
//!
//! Not here: how they are registered (`registrations.rs`), their text and their masks.

use obelus_core::Digest;
use obelus_store::{
    Error, Micros,
    sources::{self, Source},
};

use crate::{
    case::{register, source},
    support::{LATER, LINEAGE, NOW, campaign, dropped, kept, on_each, refused},
};

/// Names of sources.
fn names(sources: &[Source]) -> Vec<&str> {
    sources.iter().map(|source| source.source_id.as_str()).collect()
}

/// A campaign with these sources; the first is the last of the manifest.
async fn registered(db: &obelus_store::Db, names: &[&str]) {
    kept(db, async |write| {
        campaign(write, LINEAGE).await;
        let sources = (1u32..).zip(names.iter().rev()).map(|(place, name)| source(name, place));
        register(write, LINEAGE, sources).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn ten_thousand_sources_are_read_page_by_page_in_order() {
    const ALL: u32 = 10_000;
    on_each(async |database| {
        let db = &database.db;
        // The names run against the order of the manifest.
        let all = (0..ALL).map(|place| source(&format!("source {place:05}"), ALL - place));
        kept(db, async |write| {
            campaign(write, LINEAGE).await;
            // 7919 is a prime: every source comes once, in no order.
            let mut shuffled: Vec<Source> = all.clone().collect();
            shuffled
                .sort_by_key(|source| u32::from_be_bytes(source.record_key.0[..4].try_into().unwrap()) * 7919 % ALL);
            register(write, LINEAGE, shuffled).await.unwrap();
        })
        .await;
        let mut read: Vec<Source> = Vec::new();
        loop {
            let after = read.last().map(|source| source.source_id.clone());
            let page = sources::page(db, LINEAGE, after.as_deref(), 999).await.unwrap();
            assert!(page.len() == 999 || read.len() + page.len() == ALL as usize);
            if page.is_empty() {
                break;
            }
            read.extend(page);
        }
        assert!(read == all.collect::<Vec<_>>(), "what was read is not what was registered, in order");
    })
    .await;
}

#[tokio::test]
async fn a_page_may_be_of_any_size() {
    on_each(async |database| {
        let db = &database.db;
        registered(db, &["a", "b"]).await;
        assert_eq!(names(&sources::page(db, LINEAGE, None, u64::MAX).await.unwrap()), ["a", "b"]);
        assert_eq!(sources::page(db, LINEAGE, None, 0).await.unwrap(), []);
        assert_eq!(sources::page(db, LINEAGE, Some("b"), 10).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn names_are_ordered_byte_by_byte() {
    on_each(async |database| {
        let db = &database.db;
        registered(db, &["b", "Z", "a b", "ü", "a", "ab", "A"]).await;
        let page = sources::page(db, LINEAGE, None, 10).await.unwrap();
        assert_eq!(names(&page), ["A", "Z", "a", "a b", "ab", "b", "ü"]);
        assert_eq!(names(&sources::page(db, LINEAGE, Some("a"), 2).await.unwrap()), ["a b", "ab"]);
    })
    .await;
}

#[tokio::test]
async fn a_source_is_found_by_its_key() {
    on_each(async |database| {
        let db = &database.db;
        registered(db, &["anna", "ben"]).await;
        let (anna, zeros) = (source("anna", 2), Digest::new([0; 32]));
        let key = Digest::new(anna.record_key.0);
        assert_eq!(sources::with_key(db, LINEAGE, &key).await.unwrap(), Some(anna));
        assert_eq!(sources::with_key(db, LINEAGE, &zeros).await.unwrap(), None);
        assert_eq!(sources::with_key(db, "moa", &key).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_source_is_of_one_lineage_and_registered_once_in_it() {
    on_each(async |database| {
        let db = &database.db;
        registered(db, &["anna"]).await;
        kept(db, async |write| {
            campaign(write, "moa").await;
            register(write, "moa", [source("anna", 1)]).await.unwrap();
            assert!(sources::suppress(write, "moa", "anna", NOW).await.unwrap());
        })
        .await;
        assert_eq!(sources::get(db, LINEAGE, "anna").await.unwrap(), Some(source("anna", 1)));
        assert_eq!(sources::page(db, "moa", None, 10).await.unwrap().len(), 1);
        for twice in [source("anna", 2), source("ben", 1)] {
            let result = dropped(db, async |write| register(write, LINEAGE, [source("cleo", 3), twice]).await).await;
            refused!(result, Error::Exists { what: "source", .. });
        }
        assert_eq!(sources::page(db, LINEAGE, None, 10).await.unwrap(), [source("anna", 1)]);
        refused!(dropped(db, async |write| register(write, "nothing", []).await).await, Error::Database(_));
    })
    .await;
}

#[tokio::test]
async fn a_suppressed_source_is_refused_until_it_is_restored() {
    on_each(async |database| {
        let db = &database.db;
        registered(db, &["anna", "ben"]).await;
        kept(db, async |write| {
            assert!(!sources::restore(write, LINEAGE, "anna").await.unwrap());
            assert!(sources::suppress(write, LINEAGE, "anna", NOW).await.unwrap());
            assert!(!sources::suppress(write, LINEAGE, "anna", LATER).await.unwrap());
        })
        .await;
        let found = sources::get(db, LINEAGE, "anna").await.unwrap().unwrap();
        assert_eq!((found.suppressed_at, found.revoked_at), (Some(Micros(NOW)), None));
        assert_eq!(names(&sources::refused(db, LINEAGE).await.unwrap()), ["anna"]);
        kept(db, async |write| assert!(sources::restore(write, LINEAGE, "anna").await.unwrap())).await;
        assert_eq!(sources::get(db, LINEAGE, "anna").await.unwrap(), Some(source("anna", 2)));
        assert_eq!(sources::refused(db, LINEAGE).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_revoked_source_is_refused_for_ever() {
    on_each(async |database| {
        let db = &database.db;
        registered(db, &["ben", "anna", "cleo"]).await;
        kept(db, async |write| {
            assert!(sources::suppress(write, LINEAGE, "ben", NOW).await.unwrap());
            assert!(sources::revoke(write, LINEAGE, "ben", NOW).await.unwrap());
            assert!(!sources::revoke(write, LINEAGE, "ben", LATER).await.unwrap());
            // Never suppressed, and refused all the same.
            assert!(sources::revoke(write, LINEAGE, "anna", LATER).await.unwrap());
        })
        .await;
        assert_eq!(sources::get(db, LINEAGE, "ben").await.unwrap().unwrap().revoked_at, Some(Micros(NOW)));
        for name in ["ben", "anna"] {
            let result = dropped(db, async |write| sources::restore(write, LINEAGE, name).await).await;
            refused!(result, Error::State { what: "source", found, .. } if found == "revoked");
        }
        assert_eq!(names(&sources::refused(db, LINEAGE).await.unwrap()), ["anna", "ben"]);
    })
    .await;
}

#[tokio::test]
async fn what_is_done_to_a_source_that_is_not_there_is_an_error() {
    on_each(async |database| {
        let db = &database.db;
        registered(db, &["anna"]).await;
        dropped(db, async |write| {
            for (lineage, name) in [(LINEAGE, "ANNA"), ("moa", "anna")] {
                refused!(sources::suppress(write, lineage, name, NOW).await, Error::Missing { .. });
                refused!(sources::restore(write, lineage, name).await, Error::Missing { .. });
                refused!(sources::revoke(write, lineage, name, NOW).await, Error::Missing { .. });
            }
        })
        .await;
        assert_eq!(sources::get(db, LINEAGE, "ANNA").await.unwrap(), None);
        assert_eq!(sources::page(db, "moa", None, 10).await.unwrap(), []);
    })
    .await;
}
