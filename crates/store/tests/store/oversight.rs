//! Grants and samples: what was given stays, is taken back once, and a seed is revealed once.
//!
//! Not here: what a grant shows, and how cases are drawn.

use obelus_core::Timestamp;
use obelus_store::{
    Error, Write,
    access_grants::{self, AccessGrant, NewGrant},
    audit,
    samples::{self, NewSample, Sample},
};

use crate::support::{LATER, NOW, digest, dropped, house, kept, on_each, person, refused, request, sql_refused};

fn grant(person: i64, cases: &[&str]) -> NewGrant {
    NewGrant {
        person,
        matter: "a complaint".to_owned(),
        cases: cases.iter().map(|case| (*case).to_owned()).collect(),
        starts_at: NOW,
        ends_at: LATER,
        draws: 2,
        by: "abe".to_owned(),
    }
}

fn sample(person: i64, access_grant: Option<i64>, seed: &str) -> NewSample {
    NewSample { person, access_grant, seed_digest: digest(seed), size: 1, population: b"{}".to_vec() }
}

/// A grant for a case, and a sample under it that has drawn this case.
pub async fn granted_and_sampled(write: &Write, reference: &str) -> (AccessGrant, Sample) {
    let dora = person(write, "dora").await;
    let given = access_grants::give(write, grant(dora, &[]), NOW).await.unwrap();
    let drawn = samples::commit(write, sample(dora, Some(given.id), "seed"), NOW).await.unwrap();
    let cases = [reference.to_owned()];
    access_grants::extend(write, given.id, &cases, Some(&drawn.id), NOW).await.unwrap();
    (given, drawn)
}

#[tokio::test]
async fn a_grant_is_given_extended_and_taken_back_once() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let (dora, reference, other) =
            kept(db, async |write| (person(write, "dora").await, request(write).await, request(write).await)).await;
        let given = kept(db, async |write| {
            access_grants::give(write, grant(dora, &[&reference, &reference]), NOW).await.unwrap()
        })
        .await;
        assert_eq!(access_grants::all(db, Some(dora)).await.unwrap(), std::slice::from_ref(&given));
        assert_eq!(access_grants::all(db, Some(dora + 1)).await.unwrap(), []);
        let cases = async || {
            let rows = access_grants::cases(db, given.id).await.unwrap();
            rows.into_iter().map(|row| (row.request, row.sample)).collect::<Vec<_>>()
        };
        assert_eq!(cases().await, [(reference.clone(), None)]);
        kept(db, async |write| {
            let drawn = samples::commit(write, sample(dora, Some(given.id), "s"), NOW).await.unwrap();
            let both = [reference.clone(), other.clone()];
            let added = access_grants::extend(write, given.id, &both, Some(&drawn.id), LATER).await.unwrap();
            assert_eq!(added, std::slice::from_ref(&other));
        })
        .await;
        assert_eq!(cases().await.len(), 2);
        let nowhere = dropped(db, async |write| access_grants::give(write, grant(dora, &["OB-1"]), NOW).await).await;
        refused!(nowhere, Error::Database(_));
        let ends_at = Timestamp::from_micros(NOW.as_micros());
        let never = NewGrant { ends_at, ..grant(dora, &[]) };
        refused!(dropped(db, async |write| access_grants::give(write, never, NOW).await).await, Error::Database(_));
        kept(db, async |write| {
            assert!(access_grants::revoke(write, given.id, "abe", LATER).await.unwrap());
            assert!(!access_grants::revoke(write, given.id, "eve", LATER).await.unwrap());
            let found = access_grants::locked(write, given.id).await.unwrap().unwrap();
            assert_eq!((found.revoked_at.unwrap().0, found.revoked_by.as_deref()), (LATER, Some("abe")));
        })
        .await;
        refused!(
            dropped(db, async |write| access_grants::revoke(write, -1, "abe", NOW).await).await,
            Error::Missing { .. }
        );
        sql_refused(database, "UPDATE access_grants SET revoked_at = NULL", "stays so").await;
        sql_refused(database, "DELETE FROM access_grants", "rows are never removed").await;
        sql_refused(database, "UPDATE access_grant_cases SET added_at = 0", "rows are only ever added").await;
        sql_refused(database, "DELETE FROM access_grant_cases", "rows are never removed").await;
    })
    .await;
}

#[tokio::test]
async fn a_seed_is_committed_to_once_and_revealed_once() {
    on_each(async |database| {
        let db = &database.db;
        let dora = kept(db, async |write| person(write, "dora").await).await;
        let made = kept(db, async |write| samples::commit(write, sample(dora, None, "seed"), NOW).await.unwrap()).await;
        assert!(made.id.starts_with("SM-2026-"), "{}", made.id);
        assert_eq!(made.population_digest.0, digest("{}"));
        let again = dropped(db, async |write| samples::commit(write, sample(dora, None, "seed"), NOW).await).await;
        refused!(again, Error::Exists { .. });
        let revealed = kept(db, async |write| samples::reveal(write, &made.id, "seed", LATER).await.unwrap()).await;
        assert_eq!((revealed.seed.as_deref(), revealed.revealed_at.unwrap().0), (Some("seed"), LATER));
        let twice = dropped(db, async |write| samples::reveal(write, &made.id, "other", LATER).await).await;
        refused!(twice, Error::State { what: "sample", .. });
        let none = dropped(db, async |write| samples::reveal(write, "SM-1", "seed", LATER).await).await;
        refused!(none, Error::Missing { .. });
        assert_eq!(samples::all(db, Some(dora)).await.unwrap(), [revealed]);
        sql_refused(database, "UPDATE samples SET seed = 'other'", "revealed once").await;
        sql_refused(database, "DELETE FROM samples", "rows are never removed").await;
    })
    .await;
}

#[tokio::test]
async fn events_are_found_by_their_subjects_and_by_what_was_done() {
    on_each(async |database| {
        let db = &database.db;
        kept(db, async |write| {
            for (action, subject) in [("read_case", "a"), ("plan", "a"), ("read_case", "b"), ("read_cases", "c")] {
                audit::append(write, NOW, "dora", action, subject, "{}").await.unwrap();
            }
        })
        .await;
        let shown = |events: Vec<audit::Event>| {
            events.into_iter().map(|event| format!("{} {}", event.action, event.subject)).collect::<Vec<_>>()
        };
        let about = audit::of_subjects(db, &["a".to_owned(), "c".to_owned()], 0, 10).await.unwrap();
        assert_eq!(shown(about), ["read_case a", "plan a", "read_cases c"]);
        assert_eq!(audit::of_subjects(db, &[], 0, 10).await.unwrap(), []);
        let of = async |subject, before| {
            shown(audit::of_actions(db, &["read_case", "read_cases"], subject, before, 2).await.unwrap())
        };
        assert_eq!(of(None, i64::MAX).await, ["read_cases c", "read_case b"]);
        assert_eq!(of(Some("a"), i64::MAX).await, ["read_case a"]);
    })
    .await;
}
