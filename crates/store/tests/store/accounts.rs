//! Accounts: one a person, disabled and enabled, and a password that is replaced by who knows which one is there.
//!
//! Not here: how a password is hashed.

use obelus_store::{Error, accounts};

use crate::support::{LATER, NOW, dropped, kept, on_each, person, refused, sql_refused};

#[tokio::test]
async fn a_person_has_one_account_and_nobody_without_one_counts_as_set_up() {
    on_each(async |database| {
        let db = &database.db;
        assert!(!accounts::any(db).await.unwrap());
        let mara = kept(db, async |write| person(write, "mara").await).await;
        assert_eq!(accounts::get(db, mara).await.unwrap(), None);
        let made = kept(db, async |write| accounts::create(write, mara, "one", NOW).await.unwrap()).await;
        assert!(accounts::any(db).await.unwrap());
        assert_eq!(accounts::list(db).await.unwrap(), [made]);
        let twice = dropped(db, async |write| accounts::create(write, mara, "two", LATER).await).await;
        refused!(twice, Error::Exists { .. });
        let nobody = dropped(db, async |write| accounts::create(write, -1, "two", LATER).await).await;
        refused!(nobody, Error::Database(_));
        sql_refused(database, "DELETE FROM accounts", "rows are never removed").await;
    })
    .await;
}

#[tokio::test]
async fn a_password_is_replaced_only_where_it_is_the_one_that_was_checked() {
    on_each(async |database| {
        let db = &database.db;
        let mara = kept(db, async |write| {
            let mara = person(write, "mara").await;
            accounts::create(write, mara, "one", NOW).await.unwrap();
            accounts::replace_password(write, mara, "one", "two").await.unwrap();
            mara
        })
        .await;
        let stale = dropped(db, async |write| accounts::replace_password(write, mara, "one", "three").await).await;
        refused!(stale, Error::State { what: "account of person", .. });
        let nobody = dropped(db, async |write| accounts::replace_password(write, -1, "one", "three").await).await;
        refused!(nobody, Error::Missing { .. });
        let found = accounts::get(db, mara).await.unwrap().unwrap();
        assert_eq!(found.password_hash, "two");
        assert!(!format!("{found:?}").contains("two"), "a hash was printed");
    })
    .await;
}

#[tokio::test]
async fn an_account_is_disabled_and_enabled_once_each() {
    on_each(async |database| {
        let db = &database.db;
        kept(db, async |write| {
            let mara = person(write, "mara").await;
            accounts::create(write, mara, "one", NOW).await.unwrap();
            assert!(!accounts::enable(write, mara).await.unwrap());
            assert!(accounts::disable(write, mara, NOW).await.unwrap());
            assert!(!accounts::disable(write, mara, LATER).await.unwrap());
            let found = accounts::get(write, mara).await.unwrap().unwrap();
            assert_eq!(found.disabled_at.unwrap().0, NOW);
            assert!(accounts::enable(write, mara).await.unwrap());
            assert_eq!(accounts::get(write, mara).await.unwrap().unwrap().disabled_at, None);
        })
        .await;
        refused!(dropped(db, async |write| accounts::disable(write, -1, NOW).await).await, Error::Missing { .. });
    })
    .await;
}
