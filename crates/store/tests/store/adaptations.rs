//! Adaptations from their beginning to a model that is whole again, and what a pool has grown by.
//!
//! Not here: the training, the files and the proofs.

use obelus_store::{
    Error, Micros, Sha256,
    adaptations::{self, AdaptationState},
    models::{self, ModelStatus, Trained},
    pool_extensions, sources,
};

use crate::{
    case::{extension, new_adaptation, register, source},
    support::{LATER, LINEAGE, MODEL, NOW, digest, dropped, house, kept, on_each, refused, statement},
};

#[tokio::test]
async fn an_adaptation_goes_from_begun_over_signed_to_finished() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let begun = kept(db, async |write| adaptations::begin(write, new_adaptation(), NOW).await.unwrap()).await;
        assert_eq!(adaptations::unfinished(db, MODEL).await.unwrap(), Some(begun.clone()));
        let second = dropped(db, async |write| adaptations::begin(write, new_adaptation(), NOW).await).await;
        refused!(second, Error::State { what: "adaptation", .. });
        let early = dropped(db, async |write| adaptations::finish(write, begun.id, LATER).await).await;
        refused!(early, Error::State { what: "adaptation", .. });

        let signed = kept(db, async |write| {
            let statement = statement(write, "adaptation").await;
            let adapted = Trained {
                weight_root: digest("weights of generation 2"),
                layout_digest: digest("wider layout"),
                checkpoint: String::new(),
                statement,
            };
            adaptations::record_statement(write, begun.id, &statement).await.unwrap();
            models::adapt(write, MODEL, 1, &adapted).await.unwrap();
            statement
        })
        .await;
        let model = models::get(db, MODEL).await.unwrap().unwrap();
        assert_eq!((model.generation, model.status), (2, ModelStatus::Adapting));
        assert_eq!(model.training_statement, Some(Sha256(signed)));
        let given_up = dropped(db, async |write| adaptations::abandon(write, begun.id, LATER).await).await;
        refused!(given_up, Error::State { what: "adaptation", .. });
        let struck = dropped(db, async |write| models::begin_strike(write, MODEL).await).await;
        refused!(struck, Error::State { what: "model", .. });

        kept(db, async |write| {
            models::finish_adaptation(write, MODEL).await.unwrap();
            adaptations::finish(write, begun.id, LATER).await.unwrap();
        })
        .await;
        assert_eq!(adaptations::unfinished(db, MODEL).await.unwrap(), None);
        let all = adaptations::of_model(db, MODEL).await.unwrap();
        assert_eq!((all.len(), all[0].state, all[0].finished_at), (1, AdaptationState::Finished, Some(Micros(LATER))));
        assert_eq!(models::get(db, MODEL).await.unwrap().unwrap().status, ModelStatus::Ready);
    })
    .await;
}

#[tokio::test]
async fn weights_that_were_struck_meanwhile_are_not_replaced() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let adapted = kept(db, async |write| {
            models::begin_strike(write, MODEL).await.unwrap();
            models::finish_strike(write, MODEL, &digest("struck")).await.unwrap();
            let statement = statement(write, "adaptation").await;
            Trained { weight_root: digest("w"), layout_digest: digest("l"), checkpoint: String::new(), statement }
        })
        .await;
        let result = dropped(db, async |write| models::adapt(write, MODEL, 1, &adapted).await).await;
        refused!(result, Error::State { what: "model", found, .. } if found == "generation 2");
    })
    .await;
}

#[tokio::test]
async fn an_adaptation_that_was_given_up_makes_room_for_the_next() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        kept(db, async |write| {
            let first = adaptations::begin(write, new_adaptation(), NOW).await.unwrap();
            adaptations::abandon(write, first.id, LATER).await.unwrap();
            adaptations::begin(write, new_adaptation(), LATER).await.unwrap();
        })
        .await;
        assert_eq!(adaptations::of_model(db, MODEL).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_source_that_came_later_is_held_from_one_generation_on() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let late = sources::Source { since: 0, segment: 1, corpus: Some("more".to_owned()), ..source("berta", 2) };
        kept(db, async |write| {
            register(write, LINEAGE, [source("anna", 1), late.clone()]).await.unwrap();
            sources::hold_since(write, LINEAGE, "berta", 2).await.unwrap();
        })
        .await;
        let found = sources::get(db, LINEAGE, "berta").await.unwrap();
        assert_eq!(found, Some(sources::Source { since: 2, ..late }));
        for known in ["anna", "berta"] {
            let again = dropped(db, async |write| sources::hold_since(write, LINEAGE, known, 3).await).await;
            refused!(again, Error::State { what: "source", .. });
        }
    })
    .await;
}

#[tokio::test]
async fn a_pool_has_one_extension_at_a_place() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        kept(db, async |write| {
            for first in [3, 1] {
                pool_extensions::create(write, extension(write, first).await).await.unwrap();
            }
        })
        .await;
        let found = pool_extensions::of_lineage(db, LINEAGE).await.unwrap();
        assert_eq!(found.iter().map(|e| e.first_segment).collect::<Vec<_>>(), [1, 3]);
        let again = dropped(db, async |write| pool_extensions::create(write, extension(write, 1).await).await).await;
        refused!(again, Error::Exists { what: "pool extension of lineage", .. });
    })
    .await;
}
