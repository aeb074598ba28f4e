//! Links that work once, also when several follow them at the same moment.
//!
//! Not here: tokens and pages.

use obelus_core::Timestamp;
use obelus_store::{
    Db,
    one_time_links::{self, Purpose},
};

use crate::{
    case::new_link,
    support::{LATER, NOW, digest, kept, on_each, sql_refused},
};

async fn make(db: &Db, token: &str, purpose: Purpose, subject: &str) {
    kept(db, async |write| one_time_links::make(write, new_link(token, purpose, subject), NOW).await.unwrap()).await;
}

async fn use_up(db: &Db, token: &str, purpose: Purpose, now: Timestamp) -> Option<String> {
    let used = kept(db, async |write| one_time_links::use_up(write, &digest(token), purpose, now).await.unwrap()).await;
    used.map(|link| link.subject)
}

#[tokio::test]
async fn a_link_works_once_in_its_time_and_for_its_purpose() {
    on_each(async |database| {
        let db = &database.db;
        make(db, "a", Purpose::Invite, "mara").await;
        assert_eq!(use_up(db, "a", Purpose::Reset, NOW).await, None);
        assert_eq!(use_up(db, "b", Purpose::Invite, NOW).await, None);
        assert_eq!(use_up(db, "a", Purpose::Invite, LATER).await, None, "its time is over");
        assert!(one_time_links::open(db, &digest("a"), Purpose::Invite, NOW).await.unwrap().is_some());
        assert_eq!(use_up(db, "a", Purpose::Invite, NOW).await.as_deref(), Some("mara"));
        assert_eq!(one_time_links::open(db, &digest("a"), Purpose::Invite, NOW).await.unwrap(), None);
        assert_eq!(use_up(db, "a", Purpose::Invite, NOW).await, None);
        sql_refused(database, "UPDATE one_time_links SET used_at = NULL", "works once").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_follow_a_link_at_once_one_gets_it() {
    on_each(async |database| {
        make(&database.db, "a", Purpose::Setup, "").await;
        let attempts: Vec<_> = (0..16)
            .map(|_| {
                let db = database.db.clone();
                tokio::spawn(async move { use_up(&db, "a", Purpose::Setup, NOW).await })
            })
            .collect();
        let mut got = 0;
        for attempt in attempts {
            got += usize::from(attempt.await.unwrap().is_some());
        }
        assert_eq!(got, 1);
    })
    .await;
}

#[tokio::test]
async fn the_newest_link_of_a_purpose_and_subject_alone_works() {
    on_each(async |database| {
        let db = &database.db;
        for (token, purpose, subject) in [
            ("a", Purpose::Invite, "mara"),
            ("b", Purpose::Reset, "mara"),
            ("c", Purpose::Invite, "ilse"),
            ("d", Purpose::Invite, "mara"),
        ] {
            make(db, token, purpose, subject).await;
        }
        assert_eq!(use_up(db, "a", Purpose::Invite, NOW).await, None);
        let taken_back = kept(db, async |write| one_time_links::void(write, Purpose::Invite, "ilse", NOW).await).await;
        assert!(taken_back.unwrap());
        assert_eq!(use_up(db, "c", Purpose::Invite, NOW).await, None);
        assert_eq!(use_up(db, "b", Purpose::Reset, NOW).await.as_deref(), Some("mara"));
        assert_eq!(use_up(db, "d", Purpose::Invite, NOW).await.as_deref(), Some("mara"));
        let after = Timestamp::from_micros(LATER.as_micros() + 1);
        let removed = kept(db, async |write| one_time_links::remove_expired(write, after).await.unwrap()).await;
        assert_eq!(removed, 4);
    })
    .await;
}
