//! Tokens of programs: which count, and how they are taken back.
//!
//! Not here: what a scope permits.

use obelus_core::Timestamp;
use obelus_store::{Db, Error, accounts, api_tokens};

use crate::{
    case::new_token,
    support::{LATER, NOW, digest, dropped, kept, on_each, person, refused, sql_refused},
};

const BEFORE: Timestamp = Timestamp::from_micros(LATER.as_micros() - 1);

async fn counts(db: &Db, token: &str, now: Timestamp) -> bool {
    api_tokens::live(db, &digest(token), now).await.unwrap().is_some()
}

#[tokio::test]
async fn a_token_counts_until_it_expires_is_revoked_or_the_account_is_disabled() {
    on_each(async |database| {
        let db = &database.db;
        let (mara, ilse, one, two) = kept(db, async |write| {
            let (mara, ilse) = (person(write, "mara").await, person(write, "ilse").await);
            for person in [mara, ilse] {
                accounts::create(write, person, "a hash", NOW).await.unwrap();
            }
            let one = api_tokens::issue(write, new_token("a", mara), NOW).await.unwrap();
            let two = api_tokens::issue(write, new_token("b", mara), NOW).await.unwrap();
            (mara, ilse, one, two)
        })
        .await;
        assert!(counts(db, "a", BEFORE).await && counts(db, "b", BEFORE).await);
        assert!(!counts(db, "a", LATER).await && !counts(db, "c", NOW).await);
        kept(db, async |write| {
            assert!(!api_tokens::revoke(write, ilse, one.id, NOW).await.unwrap(), "it is another's");
            assert!(api_tokens::revoke(write, mara, one.id, NOW).await.unwrap());
            assert!(!api_tokens::revoke(write, mara, one.id, LATER).await.unwrap());
        })
        .await;
        assert!(!counts(db, "a", NOW).await && counts(db, "b", NOW).await);
        kept(db, async |write| accounts::disable(write, mara, NOW).await.unwrap()).await;
        assert!(!counts(db, "b", NOW).await);
        let listed = api_tokens::of_person(db, mara).await.unwrap();
        assert_eq!(listed.iter().map(|token| token.id).collect::<Vec<_>>(), [two.id, one.id]);
        sql_refused(database, "UPDATE api_tokens SET revoked_at = NULL WHERE revoked_at > 0", "stays revoked").await;
        sql_refused(database, "DELETE FROM api_tokens", "rows are never removed").await;
    })
    .await;
}

#[tokio::test]
async fn when_a_token_was_used_is_noted_once_a_minute_and_never_goes_back() {
    on_each(async |database| {
        let db = &database.db;
        kept(db, async |write| {
            let mara = person(write, "mara").await;
            let token = api_tokens::issue(write, new_token("a", mara), NOW).await.unwrap();
            assert!(api_tokens::is_used_late(&token, NOW));
            api_tokens::used(write, token.id, BEFORE).await.unwrap();
            api_tokens::used(write, token.id, NOW).await.unwrap();
            let token = api_tokens::live(write, &digest("a"), NOW).await.unwrap().unwrap();
            assert_eq!(token.last_used_at.unwrap().0, BEFORE);
            assert_eq!(token.scopes.0, ["read_cases"]);
            assert!(!api_tokens::is_used_late(&token, LATER));
        })
        .await;
        let again = dropped(db, async |write| api_tokens::issue(write, new_token("a", 1), NOW).await).await;
        refused!(again, Error::Exists { .. });
    })
    .await;
}
