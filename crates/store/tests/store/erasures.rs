//! Erasures: begun once on known weights, done target by target, ended only when nothing is left open.
//!
//! Not here: zeroing, and the proof of it.

use obelus_store::{
    Error, Micros, Sha256,
    erasures::{self, ErasureState, NewErasure, TargetState},
};

use crate::{
    case::{done_erasure, new_erasure, recorded_erasure},
    support::{
        LATER, MODEL, NOW, digest, dropped, house, kept, new_model, on_each, refused, statement, zeroing_request,
    },
};

#[tokio::test]
async fn beginning_again_finds_the_erasure_that_was_begun() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, zeroing_request).await;
        let erasure = new_erasure(&reference);
        assert!(kept(db, async |write| erasures::begin(write, &erasure, NOW).await.unwrap()).await);
        let (row, targets) =
            (erasures::get(db, &reference).await.unwrap(), erasures::targets(db, &reference).await.unwrap());
        assert!(!kept(db, async |write| erasures::begin(write, &erasure, LATER).await.unwrap()).await);
        assert_eq!(erasures::get(db, &reference).await.unwrap(), row);
        assert_eq!(erasures::targets(db, &reference).await.unwrap(), targets);
        let row = row.unwrap();
        assert_eq!(
            (row.state, row.root_before, row.started_at),
            (ErasureState::Zeroing, Sha256(digest("before")), Micros(NOW))
        );
        let named: Vec<_> = targets.into_iter().map(|target| (target.kind, target.path)).collect();
        assert_eq!(named, erasure.targets);
        assert_eq!(erasures::get(db, "OB-1").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn an_erasure_without_targets_is_new_only_once() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, zeroing_request).await;
        let erasure = NewErasure { targets: Vec::new(), ..new_erasure(&reference) };
        assert!(kept(db, async |write| erasures::begin(write, &erasure, NOW).await.unwrap()).await);
        assert!(!kept(db, async |write| erasures::begin(write, &erasure, NOW).await.unwrap()).await);
    })
    .await;
}

#[tokio::test]
async fn a_target_that_is_found_later_is_added_and_one_named_twice_counts_once() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, zeroing_request).await;
        let mut erasure = new_erasure(&reference);
        kept(db, async |write| erasures::begin(write, &erasure, NOW).await.unwrap()).await;
        let export = ("export".to_owned(), "exports/kea-1.gguf".to_owned());
        erasure.targets.extend([export.clone(), export]);
        assert!(!kept(db, async |write| erasures::begin(write, &erasure, NOW).await.unwrap()).await);
        let paths: Vec<_> =
            erasures::targets(db, &reference).await.unwrap().into_iter().map(|target| target.path).collect();
        assert_eq!(paths, ["models/kea-1/1", "models/kea-1/optimizer", "exports/kea-1.gguf"]);
    })
    .await;
}

#[tokio::test]
async fn beginning_on_other_weights_or_another_model_is_refused() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, async |write| {
            obelus_store::models::create(write, new_model("kea-2")).await.unwrap();
            let reference = zeroing_request(write).await;
            erasures::begin(write, &new_erasure(&reference), NOW).await.unwrap();
            reference
        })
        .await;
        let weights = NewErasure { root_before: digest("changed since"), ..new_erasure(&reference) };
        let model = NewErasure { model: "kea-2".to_owned(), ..new_erasure(&reference) };
        for erasure in [weights, model] {
            let result = dropped(db, async |write| erasures::begin(write, &erasure, LATER).await).await;
            refused!(result, Error::State { what: "erasure of request", .. });
        }
        let row = erasures::get(db, &reference).await.unwrap().unwrap();
        assert_eq!((row.model.as_str(), row.root_before), (MODEL, Sha256(digest("before"))));
        let of_nothing = new_erasure("OB-1");
        let of_nothing = dropped(db, async |write| erasures::begin(write, &of_nothing, NOW).await).await;
        refused!(of_nothing, Error::Database(_));
    })
    .await;
}

#[tokio::test]
async fn a_failed_target_is_tried_again_and_a_done_one_stays_as_it_is() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, async |write| {
            let reference = zeroing_request(write).await;
            erasures::begin(write, &new_erasure(&reference), NOW).await.unwrap();
            reference
        })
        .await;
        let target = erasures::targets(db, &reference).await.unwrap().remove(0);
        assert_eq!((target.state, target.evidence), (TargetState::Pending, None));
        let record = async |state, evidence: &str, now| {
            kept(db, async |write| erasures::record_target(write, target.id, state, evidence, now).await.unwrap()).await
        };
        assert!(record(TargetState::Failed, r#"{"reason":"disk"}"#, NOW).await);
        assert!(record(TargetState::Failed, r#"{"reason":"disk again"}"#, NOW).await);
        assert!(record(TargetState::Done, r#"{"rows":3}"#, LATER).await);
        for state in TargetState::ALL {
            assert!(!record(*state, "{}", NOW).await, "{state}");
        }
        let targets = erasures::targets(db, &reference).await.unwrap();
        let found = &targets[0];
        assert_eq!((found.state, found.evidence.as_deref()), (TargetState::Done, Some(r#"{"rows":3}"#)));
        assert_eq!(found.changed_at, Micros(LATER));
        assert_eq!(targets[1].state, TargetState::Pending, "another target is left alone");
        let unknown = dropped(db, async |write| {
            erasures::record_target(write, target.id + 99, TargetState::Done, "{}", NOW).await
        })
        .await;
        refused!(unknown, Error::Missing { .. });
    })
    .await;
}

#[tokio::test]
async fn an_erasure_does_not_end_while_a_target_is_open() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, async |write| {
            let reference = zeroing_request(write).await;
            erasures::begin(write, &new_erasure(&reference), NOW).await.unwrap();
            reference
        })
        .await;
        let finish = async || {
            dropped(db, async |write| erasures::finish(write, &reference, &digest("after"), "proofs/1", NOW).await)
                .await
        };
        let targets = erasures::targets(db, &reference).await.unwrap();
        refused!(finish().await, Error::State { found, .. } if found == "not done in 2");
        for (target, state) in targets.iter().zip([TargetState::Done, TargetState::Failed]) {
            kept(db, async |write| erasures::record_target(write, target.id, state, "{}", NOW).await.unwrap()).await;
        }
        refused!(finish().await, Error::State { found, .. } if found == "not done in 1");
        let row = erasures::get(db, &reference).await.unwrap().unwrap();
        assert_eq!((row.state, row.root_after, row.finished_at), (ErasureState::Zeroing, None, None));
        let nothing = dropped(db, async |write| erasures::finish(write, "OB-1", &digest("a"), "p", NOW).await).await;
        refused!(nothing, Error::Missing { .. });
    })
    .await;
}

#[tokio::test]
async fn an_erasure_ends_and_is_recorded_once_and_in_this_order() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let (reference, signed) = kept(db, async |write| {
            let reference = zeroing_request(write).await;
            done_erasure(write, &reference).await;
            (reference, statement(write, "erasure").await)
        })
        .await;
        let early = dropped(db, async |write| erasures::record_statement(write, &reference, &signed).await).await;
        refused!(early, Error::State { found, .. } if found == "zeroing");
        kept(db, async |write| {
            erasures::finish(write, &reference, &digest("after"), "proofs/1", LATER).await.unwrap();
        })
        .await;
        let again =
            dropped(db, async |write| erasures::finish(write, &reference, &digest("other"), "proofs/2", NOW).await)
                .await;
        refused!(again, Error::State { found, .. } if found == "zeroed");
        let unknown =
            dropped(db, async |write| erasures::record_statement(write, &reference, &digest("unknown")).await).await;
        refused!(unknown, Error::Database(_));
        kept(db, async |write| erasures::record_statement(write, &reference, &signed).await.unwrap()).await;
        let twice = dropped(db, async |write| erasures::record_statement(write, &reference, &signed).await).await;
        refused!(twice, Error::State { found, .. } if found == "recorded");
        let row = erasures::get(db, &reference).await.unwrap().unwrap();
        assert_eq!((row.state, row.root_after), (ErasureState::Recorded, Some(Sha256(digest("after")))));
        assert_eq!((row.row_proof.as_deref(), row.finished_at), (Some("proofs/1"), Some(Micros(LATER))));
        assert_eq!(row.statement, Some(Sha256(signed)));
    })
    .await;
}

#[tokio::test]
async fn no_target_is_added_to_an_erasure_that_has_ended() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, async |write| {
            let reference = zeroing_request(write).await;
            done_erasure(write, &reference).await;
            erasures::finish(write, &reference, &digest("after"), "proofs/1", NOW).await.unwrap();
            reference
        })
        .await;
        let mut erasure = new_erasure(&reference);
        // What is there already may be named again: a restart does.
        assert!(!kept(db, async |write| erasures::begin(write, &erasure, NOW).await.unwrap()).await);
        erasure.targets.push(("export".to_owned(), "exports/kea-1.gguf".to_owned()));
        let late = dropped(db, async |write| erasures::begin(write, &erasure, NOW).await).await;
        refused!(late, Error::State { found, .. } if found == "zeroed");
        assert_eq!(erasures::targets(db, &reference).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn what_is_destroyed_after_the_verdict_is_added_once_and_not_before() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, zeroing_request).await;
        let add = async |write: &obelus_store::Write| {
            erasures::add_targets(write, &reference, "text", &["corpora/a".to_owned(), "corpora/b".to_owned()], LATER)
                .await
        };
        kept(db, async |write| done_erasure(write, &reference).await).await;
        refused!(dropped(db, add).await, Error::State { found, .. } if found == "zeroing");
        kept(db, async |write| {
            erasures::finish(write, &reference, &digest("after"), "proofs/1", NOW).await.unwrap();
            let statement = statement(write, "erasure").await;
            erasures::record_statement(write, &reference, &statement).await.unwrap();
            add(write).await.unwrap();
            add(write).await.unwrap();
        })
        .await;
        let targets = erasures::targets(db, &reference).await.unwrap();
        let added: Vec<_> = targets[2..].iter().map(|t| (t.kind.as_str(), t.path.as_str(), t.state)).collect();
        assert_eq!(added, [("text", "corpora/a", TargetState::Pending), ("text", "corpora/b", TargetState::Pending)]);
    })
    .await;
}

#[tokio::test]
async fn an_erasure_does_not_end_beside_a_transaction_that_adds_a_target() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, async |write| {
            let reference = zeroing_request(write).await;
            done_erasure(write, &reference).await;
            reference
        })
        .await;
        let mut erasure = new_erasure(&reference);
        erasure.targets.push(("export".to_owned(), "exports/kea-1.gguf".to_owned()));
        let adding = db.write().await.unwrap();
        erasures::begin(&adding, &erasure, NOW).await.unwrap();
        let ending = tokio::spawn({
            let (db, reference) = (db.clone(), reference.clone());
            async move {
                let write = db.write().await?;
                erasures::finish(&write, &reference, &digest("after"), "proofs/1", NOW).await?;
                write.commit().await
            }
        });
        // Long enough for the end to come to where it must wait.
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        adding.commit().await.unwrap();
        refused!(ending.await.unwrap(), Error::State { found, .. } if found == "not done in 1");
        assert_eq!(erasures::get(db, &reference).await.unwrap().unwrap().state, ErasureState::Zeroing);
    })
    .await;
}

#[tokio::test]
async fn a_restart_finds_what_is_not_recorded_oldest_first() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let (recorded, late, early) = kept(db, async |write| {
            let recorded = zeroing_request(write).await;
            recorded_erasure(write, &recorded).await;
            let late = zeroing_request(write).await;
            erasures::begin(write, &new_erasure(&late), LATER).await.unwrap();
            let early = zeroing_request(write).await;
            done_erasure(write, &early).await;
            erasures::finish(write, &early, &digest("after"), "proofs/1", LATER).await.unwrap();
            (recorded, late, early)
        })
        .await;
        let found: Vec<_> =
            erasures::unfinished(db, MODEL).await.unwrap().into_iter().map(|erasure| erasure.request).collect();
        assert_eq!(found, [early, late]);
        assert!(!found.contains(&recorded));
        assert!(erasures::unfinished(db, "kea-2").await.unwrap().is_empty());
    })
    .await;
}
