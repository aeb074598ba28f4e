//! Blind challenges: deposited before anything is zeroed, once, and opened once.
//!
//! Not here: what is in a sealed file.

use obelus_core::Digest;
use obelus_store::{
    Error,
    blind_challenges::{self, BlindChallenge},
};

use crate::{
    case::{new_challenge, new_result},
    support::{LATER, NOW, approved_request, begin_zeroing, digest, dropped, house, kept, on_each, refused},
};

#[tokio::test]
async fn a_sealed_file_is_deposited_once_and_only_while_nothing_is_zeroed() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let (reference, row) = kept(db, async |write| {
            let reference = approved_request(write).await;
            let new = new_challenge(write, &reference, b"sealed").await;
            (reference.clone(), blind_challenges::deposit(write, new, NOW).await.unwrap())
        })
        .await;
        let wanted = (Some(b"sealed".to_vec()), Digest::sha256("sealed"), 6, digest("probes"));
        let found =
            |row: &BlindChallenge| (row.sealed.clone(), row.sealed_digest.0, row.sealed_bytes, row.commitment.0);
        assert_eq!(found(&row), wanted);
        assert_eq!(blind_challenges::all(db, Some(&reference)).await.unwrap(), std::slice::from_ref(&row));
        let deposit = async |sealed: &[u8]| {
            dropped(db, async |write| {
                let new = new_challenge(write, &reference, sealed).await;
                blind_challenges::deposit(write, new, LATER).await
            })
            .await
        };
        refused!(deposit(b"sealed").await, Error::Exists { what: "blind challenge", .. });
        deposit(b"other").await.unwrap();
        kept(db, async |write| {
            begin_zeroing(write, &reference).await;
        })
        .await;
        refused!(deposit(b"other").await, Error::State { what: "request", found, .. } if found == "zeroing");
        assert_eq!(blind_challenges::all(db, None).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_challenge_is_opened_once_and_its_sealed_file_goes() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let id = kept(db, async |write| {
            let reference = approved_request(write).await;
            let new = new_challenge(write, &reference, b"sealed").await;
            blind_challenges::deposit(write, new, NOW).await.unwrap().id
        })
        .await;
        let open = async |write: &obelus_store::Write| {
            let result = new_result(write, &id).await;
            blind_challenges::open(write, &id, result, LATER).await
        };
        let opened = kept(db, async |write| open(write).await.unwrap()).await;
        assert_eq!((opened.sealed.as_deref(), opened.sealed_bytes), (None, 6));
        assert_eq!(opened.results_digest.map(|d| d.0), Some(Digest::sha256("results")));
        assert_eq!((opened.outcome.as_deref(), opened.opened_at.map(|at| at.0)), (Some("pass"), Some(LATER)));
        refused!(dropped(db, open).await, Error::State { what: "blind challenge", .. });
        assert_eq!(blind_challenges::get(db, &id).await.unwrap(), Some(opened));
        let none = dropped(db, async |write| {
            let result = new_result(write, "BC-0").await;
            blind_challenges::open(write, "BC-0", result, LATER).await
        })
        .await;
        refused!(none, Error::Missing { .. });
    })
    .await;
}
