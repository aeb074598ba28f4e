//! Sessions: which count, and how they end.
//!
//! Not here: tokens and cookies.

use obelus_core::Timestamp;
use obelus_store::{
    Db, Error, accounts,
    sessions::{self, Holder},
};

use crate::{
    case::new_session,
    support::{LATER, NOW, digest, dropped, house, kept, on_each, person, refused, request, sql, sql_refused},
};

/// A moment before [`LATER`], when every session of these tests still counts.
const BEFORE: Timestamp = Timestamp::from_micros(LATER.as_micros() - 1);

/// A person with an account and a session for each token.
async fn signed_in(db: &Db, name: &str, tokens: &[&str]) -> i64 {
    kept(db, async |write| {
        let person = person(write, name).await;
        accounts::create(write, person, "a hash", NOW).await.unwrap();
        for token in tokens {
            sessions::begin(write, new_session(token, Holder::Person(person)), NOW).await.unwrap();
        }
        person
    })
    .await
}

/// Those of the tokens whose sessions count.
async fn live<'t>(db: &Db, tokens: &[&'t str], now: Timestamp) -> Vec<&'t str> {
    let mut live = Vec::new();
    for token in tokens {
        if sessions::live(db, &digest(token), now).await.unwrap().is_some() {
            live.push(*token);
        }
    }
    live
}

#[tokio::test]
async fn a_session_counts_until_it_expires_is_revoked_or_the_account_is_disabled() {
    const TOKENS: &[&str] = &["a", "b", "c", "never begun"];
    on_each(async |database| {
        let db = &database.db;
        let mara = signed_in(db, "mara", &["a", "b"]).await;
        let ilse = signed_in(db, "ilse", &["c"]).await;
        assert_eq!(live(db, TOKENS, BEFORE).await, ["a", "b", "c"]);
        assert!(live(db, TOKENS, LATER).await.is_empty(), "its time is over");
        kept(db, async |write| {
            assert!(sessions::revoke(write, &digest("a"), NOW).await.unwrap());
            assert!(!sessions::revoke(write, &digest("a"), NOW).await.unwrap());
            assert!(!sessions::revoke(write, &digest("never begun"), NOW).await.unwrap());
            assert!(!sessions::step_up(write, &digest("a"), NOW).await.unwrap());
            accounts::disable(write, ilse, NOW).await.unwrap();
            assert!(!sessions::step_up(write, &digest("c"), NOW).await.unwrap());
        })
        .await;
        assert_eq!(live(db, TOKENS, BEFORE).await, ["b"]);
        let listed = sessions::of_person(db, mara, BEFORE).await.unwrap();
        assert_eq!(listed.iter().map(|session| session.token_hash.0).collect::<Vec<_>>(), [digest("b")]);
        kept(db, async |write| accounts::enable(write, ilse).await.unwrap()).await;
        assert_eq!(live(db, TOKENS, BEFORE).await, ["b", "c"]);
        sql_refused(database, "UPDATE sessions SET revoked_at = NULL", "stays revoked").await;
    })
    .await;
}

#[tokio::test]
async fn somebody_elses_session_is_not_ended_and_ones_own_may_be_kept() {
    const TOKENS: &[&str] = &["a", "b", "c", "d"];
    on_each(async |database| {
        let db = &database.db;
        let mara = signed_in(db, "mara", &["a", "b", "c"]).await;
        let ilse = signed_in(db, "ilse", &["d"]).await;
        kept(db, async |write| {
            assert!(!sessions::revoke_of(write, ilse, &digest("a"), NOW).await.unwrap());
            assert!(sessions::revoke_of(write, mara, &digest("a"), NOW).await.unwrap());
            assert_eq!(sessions::revoke_all(write, mara, Some(&digest("b")), NOW).await.unwrap(), 1);
        })
        .await;
        assert_eq!(live(db, TOKENS, BEFORE).await, ["b", "d"]);
        kept(db, async |write| assert_eq!(sessions::revoke_all(write, mara, None, NOW).await.unwrap(), 1)).await;
        assert_eq!(live(db, TOKENS, BEFORE).await, ["d"]);
    })
    .await;
}

#[tokio::test]
async fn a_session_is_of_a_person_or_of_a_request() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, async |write| {
            let reference = request(write).await;
            let new = new_session("a", Holder::Request(reference.clone()));
            let session = sessions::begin(write, new, NOW).await.unwrap();
            assert_eq!((session.person, session.stepped_up_at), (None, None));
            assert!(!sessions::step_up(write, &digest("a"), NOW).await.unwrap(), "there is no password");
            reference
        })
        .await;
        assert_eq!(sessions::live(db, &digest("a"), NOW).await.unwrap().unwrap().request, Some(reference));
        sql_refused(database, "UPDATE sessions SET person = (SELECT min(id) FROM persons)", "check").await;
        sql_refused(database, "UPDATE sessions SET request = NULL", "check").await;
        sql_refused(database, "UPDATE sessions SET request = 'nothing'", "foreign key").await;
        let again = async |write: &_| sessions::begin(write, new_session("a", Holder::Person(1)), NOW).await;
        refused!(dropped(db, again).await, Error::Exists { .. });
    })
    .await;
}

#[tokio::test]
async fn when_it_was_seen_and_stepped_up_moves_forward_and_expired_ones_are_removed() {
    on_each(async |database| {
        let db = &database.db;
        let mara = signed_in(db, "mara", &["a"]).await;
        let session = sessions::of_person(db, mara, NOW).await.unwrap().remove(0);
        assert_eq!(session.stepped_up_at.unwrap().0, NOW, "the password was just entered");
        assert!(!sessions::is_seen_late(&session, BEFORE));
        assert!(sessions::is_seen_late(&session, LATER));
        kept(db, async |write| {
            sessions::seen(write, &digest("a"), BEFORE).await.unwrap();
            sessions::seen(write, &digest("a"), NOW).await.unwrap();
            assert!(sessions::step_up(write, &digest("a"), BEFORE).await.unwrap());
        })
        .await;
        let session = sessions::live(db, &digest("a"), NOW).await.unwrap().unwrap();
        assert_eq!((session.seen_at.0, session.stepped_up_at.unwrap().0), (BEFORE, BEFORE));
        kept(db, async |write| {
            assert_eq!(sessions::remove_expired(write, LATER).await.unwrap(), 0);
            let after = Timestamp::from_micros(LATER.as_micros() + 1);
            assert_eq!(sessions::remove_expired(write, after).await.unwrap(), 1);
        })
        .await;
        assert_eq!(sql(database, "UPDATE sessions SET user_agent = ''").await, Ok(0));
    })
    .await;
}
