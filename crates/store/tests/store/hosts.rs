//! Hosts: who is there, what they refuse, and what they have zeroed in memory.
//!
//! Not here: models and what is answered with them.

use obelus_core::Timestamp;
use obelus_store::{
    Error, Micros, Sha256,
    hosts::{self, Acknowledgement, NewHost},
};

use crate::support::{LATER, MODEL, NOW, digest, dropped, house, kept, on_each, refused, zeroing_request};

/// A host of [`MODEL`] that refuses nothing and may answer until [`LATER`].
pub fn new_host(id: &str) -> NewHost {
    NewHost {
        id: id.to_owned(),
        model: MODEL.to_owned(),
        address: "127.0.0.1:8090".to_owned(),
        refused: hosts::refused_digest([]),
        lease_until: LATER,
    }
}

/// What a host says of a takedown.
pub fn acknowledged(host: &str, request: &str) -> Acknowledgement {
    Acknowledgement {
        host: host.to_owned(),
        request: request.to_owned(),
        rows: 16,
        digest: Sha256(digest("zeros")),
        acknowledged_at: Micros(NOW),
    }
}

#[tokio::test]
async fn a_host_that_has_ended_is_not_brought_back_by_a_beat() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        kept(db, async |write| {
            hosts::register(write, new_host("one"), NOW).await.unwrap();
            hosts::register(write, new_host("two"), LATER).await.unwrap();
        })
        .await;
        let twice = dropped(db, async |write| hosts::register(write, new_host("one"), NOW).await).await;
        refused!(twice, Error::Exists { .. });
        let (until, refused) = (Timestamp::from_micros(LATER.as_micros() + 1), hosts::refused_digest(["anna"]));
        assert!(kept(db, async |write| hosts::beat(write, "one", &refused, until).await.unwrap()).await);
        let one = hosts::get(db, "one").await.unwrap().unwrap();
        assert_eq!((one.lease_until.0, one.refused.0), (until, refused));
        let there = hosts::of_model(db, MODEL).await.unwrap();
        assert_eq!(there.iter().map(|host| host.id.as_str()).collect::<Vec<_>>(), ["one", "two"]);

        kept(db, async |write| hosts::end(write, "one", NOW).await.unwrap()).await;
        kept(db, async |write| hosts::end(write, "one", LATER).await.unwrap()).await;
        assert_eq!(hosts::get(db, "one").await.unwrap().unwrap().ended_at, Some(Micros(NOW)));
        assert!(!kept(db, async |write| hosts::beat(write, "one", &refused, until).await.unwrap()).await);
        assert!(!kept(db, async |write| hosts::beat(write, "nobody", &refused, until).await.unwrap()).await);
        assert_eq!(hosts::of_model(db, MODEL).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_a_host_has_zeroed_is_noted_once() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let request = kept(db, async |write| {
            hosts::register(write, new_host("one"), NOW).await.unwrap();
            zeroing_request(write).await
        })
        .await;
        assert_eq!(hosts::acknowledgement(db, "one", &request).await.unwrap(), None);
        let first = acknowledged("one", &request);
        let again = Acknowledgement { rows: 17, acknowledged_at: Micros(LATER), ..first.clone() };
        for said in [first.clone(), again] {
            kept(db, async |write| hosts::acknowledge(write, said).await.unwrap()).await;
        }
        assert_eq!(hosts::acknowledgement(db, "one", &request).await.unwrap(), Some(first));
        let unknown = acknowledged("nobody", &request);
        assert!(dropped(db, async |write| hosts::acknowledge(write, unknown).await).await.is_err());
    })
    .await;
}

#[test]
fn names_that_run_together_have_another_digest() {
    let digest = |names: &[&str]| hosts::refused_digest(names.iter().copied());
    assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
    assert_eq!(digest(&["a", "b"]), digest(&["b", "a"]));
}
