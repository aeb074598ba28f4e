//! The outbox: a letter is there when what it tells is, is sent by one sender at a time, and is never lost.
//!
//! Not here: what letters say and how they are sent.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use obelus_core::{Clock as _, Timestamp};
use obelus_store::{
    Db, Error, audit, connect,
    outbox::{self, Lease, Letter, LetterKind, LetterState, MOST_ATTEMPTS, wait_before},
};
use obelus_testkit::{ManualClock, TestDatabase};
use tokio::sync::RwLock;

use crate::{
    case::new_letter,
    support::{LATER, NOW, dropped, house, kept, on_each, refused, request, select, sql},
};

const LEASE_US: i64 = 1_000_000;
/// When a lease given at [`NOW`] runs out.
const LEASED: Timestamp = Timestamp::from_micros(NOW.as_micros() + LEASE_US);

async fn claim(db: &Db, token: &str, now: Timestamp) -> Option<Lease> {
    let until = Timestamp::from_micros(now.as_micros() + LEASE_US);
    kept(db, async |write| outbox::claim(write, token, now, until).await.unwrap()).await
}

async fn enqueue(db: &Db, kind: LetterKind) -> Letter {
    kept(db, async |write| outbox::enqueue(write, new_letter(kind, None), NOW).await.unwrap()).await
}

async fn get(db: &Db, id: i64) -> Letter {
    outbox::get(db, id).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_letter_is_there_only_when_what_it_tells_is() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        dropped(db, async |write| {
            let reference = request(write).await;
            outbox::enqueue(write, new_letter(LetterKind::Receipt, Some(&reference)), NOW).await.unwrap();
        })
        .await;
        assert_eq!(claim(db, "a", NOW).await, None);
        let reference = kept(db, async |write| {
            let reference = request(write).await;
            outbox::enqueue(write, new_letter(LetterKind::Receipt, Some(&reference)), NOW).await.unwrap();
            reference
        })
        .await;
        let letters = outbox::of_request(db, &reference).await.unwrap();
        assert_eq!((letters.len(), letters[0].state), (1, LetterState::Waiting));
        assert_eq!(claim(db, "a", NOW).await.unwrap().letter.request, Some(reference));
        let of_none = new_letter(LetterKind::Receipt, Some("OB-1999-000001"));
        assert!(dropped(db, async |write| outbox::enqueue(write, of_none, NOW).await).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn letters_are_taken_when_they_are_due_and_oldest_first() {
    on_each(async |database| {
        let db = &database.db;
        let later = outbox::NewLetter { not_before: LATER, ..new_letter(LetterKind::Decided, None) };
        let later = kept(db, async |write| outbox::enqueue(write, later, NOW).await.unwrap()).await;
        let first = enqueue(db, LetterKind::Receipt).await;
        let second = enqueue(db, LetterKind::Suppressed).await;
        assert_eq!(claim(db, "a", NOW).await.unwrap().letter.id, first.id);
        let lease = claim(db, "b", NOW).await.unwrap();
        assert_eq!((lease.letter.id, lease.letter.attempts, lease.letter.state), (second.id, 1, LetterState::Sending));
        assert_eq!(claim(db, "c", NOW).await, None);
        kept(db, async |write| outbox::sent(write, &lease, NOW).await.unwrap()).await;
        let sent = get(db, second.id).await;
        assert_eq!((sent.state, sent.sent_at.map(|at| at.0), sent.token), (LetterState::Sent, Some(NOW), None));
        let ids = |letters: Vec<Letter>| letters.into_iter().map(|letter| letter.id).collect::<Vec<_>>();
        assert_eq!(ids(outbox::page(db, None, 0, 9).await.unwrap()), [later.id, first.id, second.id]);
        assert_eq!(ids(outbox::page(db, None, later.id, 1).await.unwrap()), [first.id]);
        assert_eq!(ids(outbox::page(db, Some(LetterState::Waiting), 0, u64::MAX).await.unwrap()), [later.id]);
        // The first one's lease has run out too, but the later one is due before it would be tried again.
        assert_eq!(claim(db, "d", LATER).await.unwrap().letter.id, first.id);
        assert_eq!(claim(db, "e", LATER).await.unwrap().letter.id, later.id);
    })
    .await;
}

#[tokio::test]
async fn a_letter_whose_sender_died_is_sent_again_with_the_same_number_and_digest() {
    on_each(async |database| {
        let db = &database.db;
        let written = enqueue(db, LetterKind::Receipt).await;
        let slow = claim(db, "slow", NOW).await.unwrap();
        assert_eq!(claim(db, "other", NOW).await, None, "the lease holds");
        let other = claim(db, "other", LEASED).await.unwrap();
        assert_eq!((other.letter.id, other.letter.digest, other.letter.attempts), (written.id, written.digest, 2));
        assert!(other.letter.is_intact());
        let late = dropped(db, async |write| outbox::sent(write, &slow, LATER).await).await;
        refused!(late, Error::State { what: "letter", found, .. } if found == "another's");
        let late = dropped(db, async |write| outbox::failed(write, &slow, "no", LATER).await).await;
        refused!(late, Error::State { what: "letter", .. });
        let late = dropped(db, async |write| outbox::dead(write, &slow, "no").await).await;
        refused!(late, Error::State { what: "letter", .. });
        kept(db, async |write| outbox::sent(write, &other, LATER).await.unwrap()).await;
        let twice = dropped(db, async |write| outbox::sent(write, &other, LATER).await).await;
        refused!(twice, Error::State { what: "letter", found, .. } if found == "sent");
        assert_eq!(claim(db, "a", Timestamp::from_micros(i64::MAX / 2)).await, None);
    })
    .await;
}

#[tokio::test]
async fn what_fails_is_tried_later_and_later_and_is_dead_in_the_end_until_a_person_revives_it() {
    on_each(async |database| {
        let db = &database.db;
        let id = enqueue(db, LetterKind::Refused).await.id;
        let mut now = NOW;
        for attempt in 1..=MOST_ATTEMPTS {
            let lease = claim(db, &format!("a{attempt}"), now).await.unwrap();
            let state = kept(db, async |write| outbox::failed(write, &lease, "reply 451", now).await.unwrap()).await;
            assert_eq!(state == LetterState::Dead, attempt == MOST_ATTEMPTS);
            let due = Timestamp::from_micros(now.as_micros() + wait_before(attempt));
            assert_eq!(claim(db, "early", Timestamp::from_micros(due.as_micros() - 1)).await, None);
            now = due;
        }
        assert_eq!(claim(db, "a", LATER).await, None);
        let dead = outbox::page(db, Some(LetterState::Dead), 0, 9).await.unwrap();
        assert_eq!((dead.len(), dead[0].last_error.as_deref()), (1, Some("reply 451")));
        kept(db, async |write| outbox::revive(write, id, now).await.unwrap()).await;
        let lease = claim(db, "a", now).await.unwrap();
        assert_eq!((lease.letter.attempts, lease.letter.is_intact()), (1, true));
        let again = dropped(db, async |write| outbox::revive(write, id, now).await).await;
        refused!(again, Error::State { what: "letter", found, .. } if found == "sending");
        kept(db, async |write| outbox::dead(write, &lease, "reply 550").await.unwrap()).await;
        assert_eq!(get(db, id).await.last_error.as_deref(), Some("reply 550"));
        let missing = dropped(db, async |write| outbox::revive(write, id + 1, now).await).await;
        refused!(missing, Error::Missing { what: "letter", .. });
    })
    .await;
}

#[tokio::test]
async fn a_letter_that_kills_its_sender_every_time_ends_dead_too() {
    on_each(async |database| {
        let db = &database.db;
        let id = enqueue(db, LetterKind::Receipt).await.id;
        let mut now = NOW;
        for attempt in 0..MOST_ATTEMPTS {
            assert!(claim(db, &format!("a{attempt}"), now).await.is_some(), "attempt {attempt}");
            now = Timestamp::from_micros(now.as_micros() + LEASE_US);
        }
        assert_eq!(claim(db, "a", now).await, None);
        let dead = get(db, id).await;
        assert_eq!((dead.state, dead.token, dead.lease_until), (LetterState::Dead, None, None));
    })
    .await;
}

#[tokio::test]
async fn a_one_time_link_is_not_kept_once_it_was_sent() {
    on_each(async |database| {
        let db = &database.db;
        let link = enqueue(db, LetterKind::OneTimeLink).await;
        enqueue(db, LetterKind::Receipt).await;
        for token in ["a", "b"] {
            let lease = claim(db, token, NOW).await.unwrap();
            kept(db, async |write| outbox::sent(write, &lease, NOW).await.unwrap()).await;
        }
        assert_eq!(select(database, "SELECT body FROM outbox ORDER BY id").await, ["", "It was received.\n"]);
        assert_eq!(get(db, link.id).await.digest, link.digest, "what was sent can still be told");
    })
    .await;
}

#[tokio::test]
async fn a_letter_that_was_changed_in_the_table_is_noticed() {
    on_each(async |database| {
        let db = &database.db;
        let id = enqueue(db, LetterKind::Refused).await.id;
        for (column, value) in
            [("recipient", "eve@example.org"), ("body", "granted"), ("subject", "x"), ("language", "de")]
        {
            let before = select(database, &format!("SELECT {column} FROM outbox")).await.remove(0);
            sql(database, &format!("UPDATE outbox SET {column} = '{value}'")).await.unwrap();
            assert!(!get(db, id).await.is_intact(), "{column}");
            sql(database, &format!("UPDATE outbox SET {column} = '{before}'")).await.unwrap();
            assert!(get(db, id).await.is_intact(), "{column}");
        }
    })
    .await;
}

#[tokio::test]
async fn printing_a_letter_shows_no_personal_data() {
    on_each(async |database| {
        enqueue(&database.db, LetterKind::Receipt).await;
        let lease = claim(&database.db, "secret-token", NOW).await.unwrap();
        let shown = format!("{lease:?} {:?}", new_letter(LetterKind::Receipt, None));
        for hidden in ["anna", "example.org", "It was received", "secret-token"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    })
    .await;
}

/// Who sends what at this moment, and how often each letter was handed over.
#[derive(Default)]
struct Post {
    under_way: BTreeMap<i64, usize>,
    handed_over: BTreeMap<i64, usize>,
}

/// Sends letters until none is left, as a process of its own would; every third attempt is cut off after it was handed
/// over. Whoever is between claim and end holds `time` from moving on, so that no lease runs out but those of the cut off.
async fn work(url: String, name: usize, clock: Arc<ManualClock>, time: Arc<RwLock<()>>, post: Arc<Mutex<Post>>) {
    let db = connect(&url).await.unwrap();
    let mut turn = 0;
    loop {
        turn += 1;
        let stands = time.read().await;
        let now = clock.now();
        let until = Timestamp::from_micros(now.as_micros() + LEASE_US);
        let write = db.write().await.unwrap();
        let lease = outbox::claim(&write, &format!("{name}-{turn}"), now, until).await.unwrap();
        write.commit().await.unwrap();
        let Some(lease) = lease else {
            let sending = outbox::page(&db, Some(LetterState::Sending), 0, 1).await.unwrap();
            let waiting = outbox::page(&db, Some(LetterState::Waiting), 0, 1).await.unwrap();
            if sending.is_empty() && waiting.is_empty() {
                return db.close().await.unwrap();
            }
            drop(stands);
            let _moves = time.write().await;
            clock.advance_us(LEASE_US);
            continue;
        };
        let id = lease.letter.id;
        let other = post.lock().unwrap().under_way.insert(id, name);
        assert_eq!(other, None, "letter {id} is being sent by two");
        tokio::time::sleep(Duration::from_millis(2)).await;
        *post.lock().unwrap().handed_over.entry(id).or_default() += 1;
        post.lock().unwrap().under_way.remove(&id);
        if turn % 3 == 0 {
            // The process is killed here: nothing is written down.
            continue;
        }
        let write = db.write().await.unwrap();
        outbox::sent(&write, &lease, now).await.unwrap();
        audit::append(&write, now, "worker", "sent", &id.to_string(), "{}").await.unwrap();
        write.commit().await.unwrap();
    }
}

async fn none_is_lost_or_sent_by_two(database: &TestDatabase, count: usize) {
    for _ in 0..count {
        enqueue(&database.db, LetterKind::Receipt).await;
    }
    let post = Arc::new(Mutex::new(Post::default()));
    let clock = Arc::new(ManualClock::new(NOW));
    let time = Arc::new(RwLock::new(()));
    let sender = |name| work(database.url.clone(), name, Arc::clone(&clock), Arc::clone(&time), Arc::clone(&post));
    let senders: Vec<_> = (0..4).map(|name| tokio::spawn(sender(name))).collect();
    for sender in senders {
        sender.await.unwrap();
    }
    let handed_over = post.lock().unwrap().handed_over.clone();
    assert_eq!(handed_over.len(), count, "none is lost");
    let said = audit::page(&database.db, None, 0, u64::MAX).await.unwrap();
    assert_eq!(said.len(), count, "each is said to be sent once");
    for letter in outbox::page(&database.db, None, 0, u64::MAX).await.unwrap() {
        assert_eq!(letter.state, LetterState::Sent);
        assert_eq!(handed_over[&letter.id], usize::try_from(letter.attempts).unwrap(), "sent again only after a cut");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_senders_that_are_cut_off_no_two_send_one_letter_at_once_and_none_is_lost() {
    on_each(async |database| none_is_lost_or_sent_by_two(database, 40).await).await;
}
