//! Retrains that somebody asked for: one of a name, one end, and a job that can be taken back.
//!
//! Not here: how one is trained, and what a job is (`jobs.rs`).

use obelus_store::{
    Error,
    baselines::{self, BaselineEnd},
    jobs::{self, JobKind, JobState, NewJob},
};

use crate::{
    case::new_baseline,
    support::{LATER, NOW, dropped, house, kept, on_each, refused},
};

const NAME: &str = "kea-1-matched-s2";

fn job() -> NewJob {
    NewJob {
        kind: JobKind::TrainBaseline,
        subject: NAME.to_owned(),
        reason: "asked for".to_owned(),
        schedule: None,
        due_at: NOW,
        order: None,
    }
}

#[tokio::test]
async fn a_retrain_is_recorded_once_as_it_was_asked_for() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        assert!(kept(db, async |write| baselines::add(write, new_baseline(NAME), NOW).await.unwrap()).await);
        assert!(!kept(db, async |write| baselines::add(write, new_baseline(NAME), LATER).await.unwrap()).await);
        let found = baselines::get(db, NAME).await.unwrap().unwrap();
        let asked = new_baseline(NAME);
        assert_eq!((found.excluded.0, found.seed, found.steps), (asked.excluded, asked.seed, asked.steps));
        assert_eq!((found.requested_at.0, found.ended), (NOW, None));
        kept(db, async |write| baselines::record_progress(write, NAME, 4, 9).await.unwrap()).await;
        assert_eq!(baselines::all(db).await.unwrap()[0].steps_done, 4);
        let none = dropped(db, async |write| baselines::record_progress(write, "nobody", 4, 9).await).await;
        refused!(none, Error::Missing { what: "baseline", .. });
        let mut of_none = new_baseline("other");
        of_none.model = "nothing".to_owned();
        assert!(dropped(db, async |write| baselines::add(write, of_none, NOW).await).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn the_first_end_stands_but_a_kept_training_can_still_be_refused() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        kept(db, async |write| baselines::add(write, new_baseline(NAME), NOW).await.unwrap()).await;
        let end = async |end, why: &str| kept(db, async |write| baselines::end(write, NAME, end, why, NOW).await).await;
        assert!(!kept(db, async |write| baselines::reopen(write, NAME, "ben", LATER).await.unwrap()).await);
        assert!(end(BaselineEnd::Cancelled, "by mara").await.unwrap());
        assert!(!end(BaselineEnd::Cancelled, "by ben").await.unwrap());
        assert_eq!(baselines::get(db, NAME).await.unwrap().unwrap().why.as_deref(), Some("by mara"));
        assert!(end(BaselineEnd::Refused, "anna is revoked").await.unwrap());
        assert!(!end(BaselineEnd::Cancelled, "by ben").await.unwrap());
        let found = baselines::get(db, NAME).await.unwrap().unwrap();
        assert_eq!((found.ended, found.why.as_deref()), (Some(BaselineEnd::Refused), Some("anna is revoked")));
        assert!(kept(db, async |write| baselines::reopen(write, NAME, "ben", LATER).await.unwrap()).await);
        let found = baselines::get(db, NAME).await.unwrap().unwrap();
        assert_eq!((found.ended, found.why, found.requested_by.as_str()), (None, None, "ben"));
        assert_eq!((found.requested_at.0, found.ended_at), (LATER, None));
    })
    .await;
}

#[tokio::test]
async fn a_job_that_waits_is_taken_back_and_one_that_is_done_is_not() {
    on_each(async |database| {
        let db = &database.db;
        let cancel = async |id| kept(db, async |write| jobs::cancel(write, id, "by mara", NOW).await.unwrap()).await;
        let newest = async || jobs::of_subject(db, JobKind::TrainBaseline, NAME).await.unwrap().unwrap();
        assert_eq!(jobs::of_subject(db, JobKind::TrainBaseline, NAME).await.unwrap(), None);
        kept(db, async |write| assert!(jobs::enqueue(write, job(), NOW).await.unwrap())).await;
        let first = newest().await;
        assert_eq!(jobs::of_subject(db, JobKind::ReverifyCase, NAME).await.unwrap(), None);
        assert!(cancel(first.id).await);
        assert!(!cancel(first.id).await);
        assert_eq!((newest().await.state, newest().await.outcome.as_deref()), (JobState::Done, Some("by mara")));
        kept(db, async |write| {
            assert!(jobs::claim(write, "a", NOW, LATER).await.unwrap().is_none());
            assert!(jobs::enqueue(write, job(), NOW).await.unwrap());
            assert!(jobs::claim(write, "a", NOW, LATER).await.unwrap().is_some());
        })
        .await;
        assert!(newest().await.id > first.id);
        assert!(!cancel(newest().await.id).await, "whoever does it looks by itself");
    })
    .await;
}
