//! Models from naming to striking, and every copy of their weights.
//!
//! Not here: weights, which are files.

use obelus_store::{
    Error, Micros, Names, Sha256,
    copies::{self, CopyKind, NewCopy},
    models::{self, Model, ModelStatus},
};

use crate::{
    case::new_copy,
    support::{LATER, MODEL, NOW, digest, dropped, house, kept, new_model, on_each, refused, trained},
};

#[tokio::test]
async fn a_model_is_read_as_it_was_named_and_a_name_is_taken_once() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let model = Model {
            control: Some("transformer".to_owned()),
            excluded: Names(vec!["anna".to_owned(), "b, \"c\"".to_owned()]),
            baseline_of: Some(MODEL.to_owned()),
            ..new_model("kea-2")
        };
        kept(db, async |write| models::create(write, model.clone()).await.unwrap()).await;
        assert_eq!(models::get(db, "kea-2").await.unwrap(), Some(model));
        let again = dropped(db, async |write| models::create(write, new_model("kea-2")).await).await;
        refused!(again, Error::Exists { what: "model", key } if key == "kea-2");
        assert_eq!(models::get(db, "KEA-2").await.unwrap(), None);
        let names: Vec<_> = models::list(db).await.unwrap().into_iter().map(|model| model.name).collect();
        assert_eq!(names, [MODEL, "kea-2"]);
    })
    .await;
}

#[tokio::test]
async fn a_model_needs_its_lineage_its_corpus_and_the_model_that_it_is_a_baseline_of() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let nothing = || "nothing".to_owned();
        for model in [
            Model { lineage: nothing(), ..new_model("kea-2") },
            Model { corpus: nothing(), ..new_model("kea-2") },
            Model { baseline_of: Some(nothing()), ..new_model("kea-2") },
        ] {
            let result = dropped(db, async |write| models::create(write, model).await).await;
            refused!(result, Error::Database(_));
        }
        assert_eq!(models::get(db, "kea-2").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn the_baselines_of_a_model_are_those_that_were_retrained_for_it() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        kept(db, async |write| {
            for (name, of) in [("kea-z", MODEL), ("kea-a", MODEL), ("kea-other", "kea-a")] {
                let model = Model { baseline_of: Some(of.to_owned()), ..new_model(name) };
                models::create(write, model).await.unwrap();
            }
        })
        .await;
        let names = async |of| -> Vec<String> {
            models::baselines_of(db, of).await.unwrap().into_iter().map(|model| model.name).collect()
        };
        assert_eq!(names(MODEL).await, ["kea-a", "kea-z"]);
        assert_eq!(names("kea-a").await, ["kea-other"]);
        assert!(names("kea-z").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_training_ends_once_and_leaves_a_whole_model_of_generation_1() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let made = kept(db, async |write| {
            models::create(write, new_model("kea-2")).await.unwrap();
            let made = trained(write, "kea-2").await;
            models::finish_training(write, "kea-2", &made).await.unwrap();
            made
        })
        .await;
        let model = models::get(db, "kea-2").await.unwrap().unwrap();
        assert_eq!((model.status, model.generation, &model.checkpoint), (ModelStatus::Ready, 1, &made.checkpoint));
        assert_eq!(model.weight_root, Some(Sha256(made.weight_root)));
        assert_eq!(model.layout_digest, Some(Sha256(made.layout_digest)));
        assert_eq!(model.training_statement, Some(Sha256(made.statement)));
        let again = dropped(db, async |write| models::finish_training(write, "kea-2", &made).await).await;
        refused!(again, Error::State { expected, found, .. } if (&*expected, &*found) == ("training", "ready"));
        let unknown = dropped(db, async |write| models::finish_training(write, "kea-3", &made).await).await;
        refused!(unknown, Error::Missing { .. });
    })
    .await;
}

#[tokio::test]
async fn a_strike_begins_on_a_whole_model_and_ends_one_generation_on() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let not_begun = dropped(db, async |write| models::finish_strike(write, MODEL, &digest("a")).await).await;
        refused!(not_begun, Error::State { found, .. } if found == "ready");
        kept(db, async |write| models::begin_strike(write, MODEL).await.unwrap()).await;
        let twice = dropped(db, async |write| models::begin_strike(write, MODEL).await).await;
        refused!(twice, Error::State { found, .. } if found == "striking");
        let striking = models::get(db, MODEL).await.unwrap().unwrap();
        assert_eq!((striking.status, striking.generation), (ModelStatus::Striking, 1));
        kept(db, async |write| models::finish_strike(write, MODEL, &digest("struck")).await.unwrap()).await;
        let struck = models::get(db, MODEL).await.unwrap().unwrap();
        assert_eq!((struck.status, struck.generation), (ModelStatus::Ready, 2));
        assert_eq!(struck.weight_root, Some(Sha256(digest("struck"))));
        let ended = dropped(db, async |write| models::finish_strike(write, MODEL, &digest("a")).await).await;
        refused!(ended, Error::State { found, .. } if found == "ready");
    })
    .await;
}

#[tokio::test]
async fn no_strike_begins_on_a_model_that_is_being_trained_or_is_not_there() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        kept(db, async |write| models::create(write, new_model("kea-2")).await.unwrap()).await;
        let result = dropped(db, async |write| models::begin_strike(write, "kea-2").await).await;
        refused!(result, Error::State { found, .. } if found == "training");
        refused!(dropped(db, async |write| models::begin_strike(write, "kea-3").await).await, Error::Missing { .. });
    })
    .await;
}

#[tokio::test]
async fn of_two_strikes_that_begin_at_once_one_is_refused() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let begun = [(), ()].map(|()| {
            let db = db.clone();
            tokio::spawn(async move {
                let write = db.write().await?;
                models::begin_strike(&write, MODEL).await?;
                write.commit().await
            })
        });
        let [one, other] = begun;
        let results = [one.await.unwrap(), other.await.unwrap()];
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        assert_eq!(models::get(db, MODEL).await.unwrap().unwrap().status, ModelStatus::Striking);
    })
    .await;
}

#[tokio::test]
async fn copies_are_listed_as_registered_until_they_are_destroyed() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let (one, other) = kept(db, async |write| {
            models::create(write, new_model("kea-2")).await.unwrap();
            let of_another = NewCopy { model: "kea-2".to_owned(), ..new_copy("models/kea-2/1") };
            copies::register(write, &of_another, NOW).await.unwrap();
            let one = copies::register(write, &new_copy("z"), NOW).await.unwrap();
            let source_id = Some("anna".to_owned());
            let export = NewCopy { kind: CopyKind::Export, root: None, source_id, ..new_copy("a") };
            (one, copies::register(write, &export, NOW).await.unwrap())
        })
        .await;
        assert_eq!((one.path.as_str(), one.kind, one.root), ("z", CopyKind::Checkpoint, Some(Sha256(digest("z")))));
        assert_eq!((other.kind, other.root, other.generation), (CopyKind::Export, None, 1));
        assert_eq!((one.source_id.as_deref(), other.source_id.as_deref()), (None, Some("anna")));
        assert_eq!(copies::of_model(db, MODEL).await.unwrap(), [one.clone(), other.clone()]);
        kept(db, async |write| {
            copies::record_zeroing(write, one.id, Some(&digest("zeroed")), LATER).await.unwrap();
            copies::record_destruction(write, other.id, LATER).await.unwrap();
        })
        .await;
        let left = copies::of_model(db, MODEL).await.unwrap();
        assert_eq!(left.len(), 1);
        assert_eq!((left[0].id, left[0].root), (one.id, Some(Sha256(digest("zeroed")))));
        assert_eq!((left[0].zeroed_at, left[0].destroyed_at), (Some(Micros(LATER)), None));
        let again = dropped(db, async |write| copies::record_destruction(write, other.id, LATER).await).await;
        refused!(again, Error::Missing { .. });
        let unknown = dropped(db, async |write| copies::record_zeroing(write, 99, None, LATER).await).await;
        refused!(unknown, Error::Missing { .. });
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_written_again_is_the_same_copy_present_again() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let first = kept(db, async |write| {
            let first = copies::register(write, &new_copy("a"), NOW).await.unwrap();
            copies::record_destruction(write, first.id, NOW).await.unwrap();
            first
        })
        .await;
        assert!(copies::of_model(db, MODEL).await.unwrap().is_empty());
        let newer = NewCopy { generation: 2, root: Some(digest("newer")), kind: CopyKind::Quantised, ..new_copy("a") };
        let again = kept(db, async |write| copies::register(write, &newer, LATER).await.unwrap()).await;
        assert_eq!((again.id, again.generation, again.kind), (first.id, 2, CopyKind::Quantised));
        assert_eq!((again.root, again.registered_at), (Some(Sha256(digest("newer"))), Micros(LATER)));
        assert_eq!(copies::of_model(db, MODEL).await.unwrap(), [again]);
    })
    .await;
}

#[tokio::test]
async fn a_path_is_never_the_copy_of_two_models() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let first = kept(db, async |write| {
            models::create(write, new_model("kea-2")).await.unwrap();
            copies::register(write, &new_copy("a"), NOW).await.unwrap()
        })
        .await;
        let other = NewCopy { model: "kea-2".to_owned(), ..new_copy("a") };
        // Kept, although it failed: the refusal itself must not have changed the copy.
        let result = kept(db, async |write| copies::register(write, &other, LATER).await).await;
        refused!(result, Error::State { what: "copy", .. });
        assert_eq!(copies::of_model(db, MODEL).await.unwrap(), [first]);
        assert!(copies::of_model(db, "kea-2").await.unwrap().is_empty());
        let of_nothing = NewCopy { model: "nothing".to_owned(), ..new_copy("b") };
        let of_nothing = dropped(db, async |write| copies::register(write, &of_nothing, NOW).await).await;
        refused!(of_nothing, Error::Database(_));
    })
    .await;
}

#[tokio::test]
async fn a_training_that_is_given_up_ends_as_no_model_until_it_begins_again() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        kept(db, async |write| {
            models::create(write, new_model("kea-2")).await.unwrap();
            models::refuse_training(write, "kea-2").await.unwrap();
        })
        .await;
        assert_eq!(models::get(db, "kea-2").await.unwrap().unwrap().status, ModelStatus::Refused);
        let late = dropped(db, async |write| {
            let done = trained(write, "kea-2").await;
            models::finish_training(write, "kea-2", &done).await
        })
        .await;
        refused!(late, Error::State { what: "model", found, .. } if found == "refused");
        kept(db, async |write| models::begin_training_again(write, "kea-2").await.unwrap()).await;
        let twice = dropped(db, async |write| models::begin_training_again(write, "kea-2").await).await;
        refused!(twice, Error::State { what: "model", found, .. } if found == "training");
    })
    .await;
}
