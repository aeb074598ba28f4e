//! Jobs: each is done once, whoever does it and however often they are cut off.
//!
//! Not here: what a job does.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use obelus_core::{Clock as _, Timestamp};
use obelus_store::{
    Db, Error, audit, connect,
    jobs::{self, JobKind, JobState, Lease, MOST_ATTEMPTS, NewJob, Ordered},
};
use obelus_testkit::{ManualClock, TestDatabase};

use crate::{
    case::new_job,
    support::{LATER, NOW, dropped, kept, on_each, refused},
};

/// When a lease given at [`NOW`] runs out.
const LEASED: Timestamp = Timestamp::from_micros(NOW.as_micros() + 1_000_000);

async fn claim(db: &Db, token: &str, now: Timestamp) -> Option<Lease> {
    let until = Timestamp::from_micros(now.as_micros() + 1_000_000);
    kept(db, async |write| jobs::claim(write, token, now, until).await.unwrap()).await
}

async fn enqueue(db: &Db, subject: &str) -> bool {
    kept(db, async |write| jobs::enqueue(write, new_job(subject), NOW).await.unwrap()).await
}

async fn states(db: &Db) -> Vec<JobState> {
    let mut states: Vec<_> = jobs::newest(db, None, 99).await.unwrap().into_iter().map(|job| job.state).collect();
    states.reverse();
    states
}

#[tokio::test]
async fn two_changes_make_one_job_until_somebody_begins_it() {
    on_each(async |database| {
        let db = &database.db;
        assert!(enqueue(db, "OB-1").await);
        assert!(!enqueue(db, "OB-1").await, "nobody has begun it");
        assert!(enqueue(db, "OB-2").await);
        let lease = claim(db, "a", NOW).await.unwrap();
        assert_eq!(lease.job.subject, "OB-1");
        assert!(enqueue(db, "OB-1").await, "what changes now may have been read already");
        assert_eq!(claim(db, "b", NOW).await.unwrap().job.subject, "OB-2");
        assert_eq!(claim(db, "c", NOW).await, None, "of one case one job is done at a time");
        kept(db, async |write| jobs::finish(write, &lease, "renewed", NOW).await.unwrap()).await;
        assert_eq!(claim(db, "c", NOW).await.unwrap().job.subject, "OB-1");
        assert_eq!(states(db).await, [JobState::Done, JobState::Running, JobState::Running]);
    })
    .await;
}

#[tokio::test]
async fn a_job_is_there_only_when_what_makes_it_necessary_is() {
    on_each(async |database| {
        let db = &database.db;
        dropped(db, async |write| {
            audit::append(write, NOW, "mara", "adapt", "kea-1", "{}").await.unwrap();
            assert!(jobs::enqueue(write, new_job("OB-1"), NOW).await.unwrap());
        })
        .await;
        assert_eq!(claim(db, "a", NOW).await, None);
        assert_eq!(audit::page(db, None, 0, 9).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn who_lost_the_lease_can_neither_keep_nor_end_the_job() {
    on_each(async |database| {
        let db = &database.db;
        enqueue(db, "OB-1").await;
        let slow = claim(db, "slow", NOW).await.unwrap();
        kept(db, async |write| jobs::keep(write, &slow, LEASED).await.unwrap()).await;
        assert_eq!(claim(db, "other", NOW).await, None, "the lease holds");
        let other = claim(db, "other", LEASED).await.unwrap();
        assert_eq!(other.job.attempts, 2);
        let late = dropped(db, async |write| jobs::finish(write, &slow, "renewed", LATER).await).await;
        refused!(late, Error::State { what: "job", found, .. } if found == "another's");
        let late = dropped(db, async |write| jobs::keep(write, &slow, LATER).await).await;
        refused!(late, Error::State { what: "job", .. });
        let late = dropped(db, async |write| jobs::fail(write, &slow, "no", LATER, LATER).await).await;
        refused!(late, Error::State { what: "job", .. });
        kept(db, async |write| jobs::finish(write, &other, "renewed", LATER).await.unwrap()).await;
        let twice = dropped(db, async |write| jobs::finish(write, &other, "renewed", LATER).await).await;
        refused!(twice, Error::State { what: "job", found, .. } if found == "done");
    })
    .await;
}

#[tokio::test]
async fn work_that_fails_again_and_again_is_dead_and_seen_until_a_person_revives_it() {
    on_each(async |database| {
        let db = &database.db;
        enqueue(db, "OB-1").await;
        for attempt in 1..=MOST_ATTEMPTS {
            let lease = claim(db, &format!("a{attempt}"), NOW).await.unwrap();
            let state =
                kept(db, async |write| jobs::fail(write, &lease, "the disk is full", NOW, NOW).await.unwrap()).await;
            assert_eq!(state == JobState::Dead, attempt == MOST_ATTEMPTS);
        }
        assert_eq!(claim(db, "a", LATER).await, None);
        let dead = jobs::newest(db, Some(JobState::Dead), 9).await.unwrap();
        assert_eq!((dead.len(), dead[0].outcome.as_deref()), (1, Some("the disk is full")));
        kept(db, async |write| jobs::revive(write, dead[0].id, NOW).await.unwrap()).await;
        assert_eq!(claim(db, "a", NOW).await.unwrap().job.attempts, 1);
        let again = dropped(db, async |write| jobs::revive(write, dead[0].id, NOW).await).await;
        refused!(again, Error::State { what: "job", found, .. } if found == "running");
    })
    .await;
}

#[tokio::test]
async fn work_that_kills_its_process_every_time_ends_dead_too() {
    on_each(async |database| {
        let db = &database.db;
        enqueue(db, "OB-1").await;
        let mut now = NOW;
        for attempt in 0..MOST_ATTEMPTS {
            assert!(claim(db, &format!("a{attempt}"), now).await.is_some(), "attempt {attempt}");
            now = Timestamp::from_micros(now.as_micros() + 1_000_000);
        }
        assert_eq!(claim(db, "a", now).await, None);
        assert_eq!(states(db).await, [JobState::Dead]);
    })
    .await;
}

#[tokio::test]
async fn what_waits_for_something_else_counts_as_no_attempt() {
    on_each(async |database| {
        let db = &database.db;
        enqueue(db, "OB-1").await;
        for turn in 0..MOST_ATTEMPTS * 2 {
            let lease = claim(db, &format!("a{turn}"), LATER).await.unwrap();
            assert_eq!(lease.job.attempts, 1);
            kept(db, async |write| jobs::postpone(write, &lease, "being struck", LATER, NOW).await.unwrap()).await;
        }
        assert_eq!(claim(db, "a", NOW).await, None, "not before its time");
        // A later change waits already: one of the two is enough.
        let lease = claim(db, "b", LATER).await.unwrap();
        assert!(enqueue(db, "OB-1").await);
        kept(db, async |write| jobs::postpone(write, &lease, "being struck", LATER, NOW).await.unwrap()).await;
        assert_eq!(states(db).await, [JobState::Done, JobState::Queued]);
    })
    .await;
}

/// Claims jobs until none is left, as a process of its own would; every third attempt is cut off after it was begun. Notes
/// which jobs it has ended.
async fn work(url: String, name: usize, clock: Arc<ManualClock>, ended: Arc<Mutex<Vec<String>>>, most: i64) {
    let db = connect(&url).await.unwrap();
    let mut turn = 0;
    loop {
        turn += 1;
        // Time goes on with every turn, so that what was cut off is begun again: after forty of them.
        clock.advance_us(25_000);
        let now = clock.now();
        let until = Timestamp::from_micros(now.as_micros() + 1_000_000);
        let token = format!("{name}-{turn}");
        let write = db.write().await.unwrap();
        let lease = jobs::claim(&write, &token, now, until).await.unwrap();
        write.commit().await.unwrap();
        let Some(lease) = lease else {
            let left = jobs::newest(&db, None, most.unsigned_abs()).await.unwrap();
            if left.iter().all(|job| matches!(job.state, JobState::Done | JobState::Dead)) {
                return db.close().await.unwrap();
            }
            continue;
        };
        if turn % 3 == 0 {
            // The process is killed here: nothing is given back.
            continue;
        }
        let write = db.write().await.unwrap();
        // What the job does and its end are one transaction: who lost the lease does nothing.
        audit::append(&write, now, "worker", "done", &lease.job.subject, "{}").await.unwrap();
        match jobs::finish(&write, &lease, "done", now).await {
            Ok(()) => {
                write.commit().await.unwrap();
                ended.lock().unwrap().push(lease.job.subject);
            }
            Err(Error::State { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

async fn none_is_lost_or_doubled(database: &TestDatabase, count: usize) {
    kept(&database.db, async |write| {
        for number in 0..count {
            let job = NewJob { subject: format!("OB-{number}"), ..new_job("") };
            assert!(jobs::enqueue(write, job, NOW).await.unwrap());
        }
    })
    .await;
    let ended = Arc::new(Mutex::new(Vec::new()));
    let most = i64::try_from(count).unwrap();
    let clock = Arc::new(ManualClock::new(NOW));
    let worker = |name| work(database.url.clone(), name, Arc::clone(&clock), Arc::clone(&ended), most);
    let workers: Vec<_> = (0..4).map(|name| tokio::spawn(worker(name))).collect();
    for worker in workers {
        worker.await.unwrap();
    }
    let (ended, mut done) = (ended.lock().unwrap().len(), BTreeMap::new());
    let mut after = 0;
    loop {
        let page = audit::page(&database.db, None, after, 1000).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.id;
        for event in page {
            *done.entry(event.subject).or_insert(0) += 1;
        }
    }
    let dead = jobs::newest(&database.db, Some(JobState::Dead), u64::MAX).await.unwrap().len();
    assert!(done.values().all(|times| *times == 1), "{done:?}");
    assert_eq!((done.len(), ended), (count - dead, count - dead));
    // An attempt in three is cut off, so that five in a row are rare.
    assert!(dead <= count / 20 + 1, "{dead} of {count} are dead");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_claimers_that_are_cut_off_none_loses_or_doubles_a_job() {
    let count = std::env::var("OBELUS_TEST_JOBS").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    on_each(async |database| none_is_lost_or_doubled(database, count).await).await;
}

#[tokio::test]
async fn an_order_says_who_gave_it_and_how_far_it_is() {
    on_each(async |database| {
        let db = &database.db;
        assert!(!jobs::is_waiting(db, LATER).await.unwrap());
        let order = Some(Ordered { by: "mara".to_owned(), argument: Some("quick".to_owned()) });
        let job = NewJob { kind: JobKind::PlanTakedown, order, ..new_job("OB-1") };
        assert!(kept(db, async |write| jobs::enqueue(write, job.clone(), NOW).await.unwrap()).await);
        assert!(!kept(db, async |write| jobs::enqueue(write, job, NOW).await.unwrap()).await, "it is ordered already");
        enqueue(db, "OB-1").await;
        enqueue(db, "OB-2").await;
        assert!(jobs::is_waiting(db, NOW).await.unwrap());
        let about = async |kinds: &[JobKind]| jobs::about(db, kinds, "OB-1", 9).await.unwrap();
        let ordered = about(&[JobKind::PlanTakedown]).await.remove(0);
        assert_eq!((ordered.ordered_by.as_deref(), ordered.argument.as_deref()), (Some("mara"), Some("quick")));
        let kinds: Vec<_> =
            about(&[JobKind::ReverifyCase, JobKind::PlanTakedown]).await.iter().map(|j| j.kind).collect();
        assert_eq!(kinds, [JobKind::ReverifyCase, JobKind::PlanTakedown], "newest first");
        let lease = claim(db, "a", NOW).await.unwrap();
        kept(db, async |write| jobs::note(write, &lease, "half").await.unwrap()).await;
        assert_eq!(jobs::get(db, lease.job.id).await.unwrap().unwrap().progress.as_deref(), Some("half"));
        let other = claim(db, "b", LATER).await.unwrap();
        assert_eq!(other.job.id, lease.job.id, "its lease has run out");
        let lost = dropped(db, async |write| jobs::note(write, &lease, "whole").await).await;
        refused!(lost, Error::State { what: "job", .. });
        kept(db, async |write| jobs::finish(write, &other, "planned", LATER).await.unwrap()).await;
        assert_eq!(jobs::get(db, lease.job.id).await.unwrap().unwrap().progress, None, "what is done is not under way");
    })
    .await;
}
