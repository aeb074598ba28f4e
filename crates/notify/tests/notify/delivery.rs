//! From the outbox to whoever takes letters: each is sent, by one sender at a time, and again when it is not sure that it
//! was.
//!
//! Not here: the states of a letter (`crates/store/tests/store/outbox.rs`), and what a server is told (`smtp.rs`).

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use obelus_notify::{
    DeliverOptions, Delivered, Directory, Letter, LetterKind, NewLetter, Notify, NotifyError, Sending, Trouble,
    deliver_due,
};
use obelus_store::{
    Db,
    outbox::{self, LetterState, MOST_ATTEMPTS},
};
use obelus_testkit::{ManualClock, TestDatabase, databases};
use sea_orm::{ConnectionTrait as _, Database};

use crate::{
    case::{FROM, NOW, USUAL, letters},
    mail_server::{Answers, MailServer, Step, WILLING, parts, undoubled},
    smtp::settings,
};

const OPTIONS: DeliverOptions = DeliverOptions { patience: Duration::from_secs(5), most_in_a_row: 3 };
/// Longer than every lease, and than the wait after a failure.
const LATER_US: i64 = 24 * 60 * 60 * 1_000_000;

/// Answers as it is told to, and remembers who was sent what.
struct Scripted {
    answer: Result<(), NotifyError>,
    takes: Duration,
    under_way: Mutex<BTreeMap<i64, usize>>,
    sent: Mutex<Vec<i64>>,
    together: AtomicUsize,
}

impl Scripted {
    fn new(answer: Result<(), NotifyError>, takes: Duration) -> Self {
        let (under_way, sent, together) = Default::default();
        Self { answer, takes, under_way, sent, together }
    }

    fn sent(&self) -> Vec<i64> {
        self.sent.lock().unwrap().clone()
    }
}

impl Notify for Scripted {
    fn send<'a>(&'a self, letter: &'a Letter) -> Sending<'a> {
        Box::pin(async move {
            let before = self.under_way.lock().unwrap().insert(letter.id, 1);
            assert_eq!(before, None, "letter {} is sent by two", letter.id);
            self.together.fetch_max(self.under_way.lock().unwrap().len(), Ordering::SeqCst);
            tokio::time::sleep(self.takes).await;
            self.under_way.lock().unwrap().remove(&letter.id);
            self.sent.lock().unwrap().push(letter.id);
            self.answer
        })
    }
}

async fn on_each(test: impl AsyncFn(&TestDatabase)) {
    for database in databases().await {
        eprintln!("on {:?}", database.backend());
        test(&database).await;
    }
}

/// Puts letters into the outbox; they are about no request, which would have to be there.
async fn enqueue(db: &Db, letters: Vec<NewLetter>) -> Vec<Letter> {
    let write = db.write().await.unwrap();
    let mut rows = Vec::new();
    for letter in letters {
        rows.push(outbox::enqueue(&write, NewLetter { request: None, ..letter }, NOW).await.unwrap());
    }
    write.commit().await.unwrap();
    rows
}

async fn get(db: &Db, id: i64) -> Letter {
    outbox::get(db, id).await.unwrap().unwrap()
}

async fn deliver(db: &Db, notify: &dyn Notify, clock: &ManualClock) -> Delivered {
    deliver_due(db, notify, clock, OPTIONS).await.unwrap()
}

#[tokio::test]
async fn everything_that_is_due_is_sent_once() {
    on_each(async |database| {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::new(folder.path(), FROM.parse().unwrap());
        let clock = ManualClock::new(NOW);
        let rows = enqueue(&database.db, letters(&USUAL)).await;
        let all = Delivered { sent: 17, ..Delivered::default() };
        assert_eq!(deliver(&database.db, &directory, &clock).await, all);
        assert_eq!(deliver(&database.db, &directory, &clock).await, Delivered::default());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), rows.len());
        for row in rows {
            let row = get(&database.db, row.id).await;
            assert_eq!(row.state, LetterState::Sent);
            assert_eq!(row.body.is_empty(), row.kind == LetterKind::OneTimeLink);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_senders_never_send_one_letter_at_the_same_time() {
    on_each(async |database| {
        let rows = enqueue(&database.db, letters(&USUAL)).await;
        let (other, clock) = (obelus_store::connect(&database.url).await.unwrap(), ManualClock::new(NOW));
        let slow = Scripted::new(Ok(()), Duration::from_millis(20));
        let (one, two) = tokio::join!(deliver(&database.db, &slow, &clock), deliver(&other, &slow, &clock));
        let mut sent = slow.sent();
        sent.sort_unstable();
        assert_eq!(sent, rows.iter().map(|row| row.id).collect::<Vec<_>>(), "each once");
        assert_eq!((one.sent + two.sent, slow.together.load(Ordering::SeqCst)), (17, 2), "both had work");
        other.close().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_letter_whose_sender_died_is_sent_again_under_the_same_name() {
    on_each(async |database| {
        // The server takes the letter and dies before it says so; then so does the sender.
        let dies = Answers { hangs_up: Some(Step::End), ..WILLING };
        let server = MailServer::start(vec![dies, WILLING]).await;
        let smtp = settings(server.port).open().unwrap();
        let clock = ManualClock::new(NOW);
        let id = enqueue(&database.db, letters(&USUAL).drain(..1).collect()).await[0].id;
        assert_eq!(deliver(&database.db, &smtp, &clock).await, Delivered { put_back: 1, ..Delivered::default() });
        let row = get(&database.db, id).await;
        assert!(row.last_error.is_some_and(|why| !why.contains("anna")));

        clock.advance_us(LATER_US);
        let cut_off = Scripted::new(Ok(()), Duration::from_secs(60));
        let sending = tokio::time::timeout(Duration::from_secs(2), deliver(&database.db, &cut_off, &clock)).await;
        assert!(sending.is_err(), "cut off while it is sending");
        assert_eq!(get(&database.db, id).await.state, LetterState::Sending);
        assert_eq!(deliver(&database.db, &smtp, &clock).await, Delivered::default(), "the lease holds");

        clock.advance_us(LATER_US);
        assert_eq!(deliver(&database.db, &smtp, &clock).await, Delivered { sent: 1, ..Delivered::default() });
        let copies = server.heard().letters;
        assert_eq!(copies.len(), 2);
        assert_eq!(copies[0], copies[1], "byte for byte");
        let (headers, _) = parts(&undoubled(&copies[0]));
        let name = &headers.iter().find(|(name, _)| name == "Message-ID").unwrap().1;
        assert_eq!(name, &format!("<{id}.{}@operator.example>", row.digest));
    })
    .await;
}

#[tokio::test]
async fn what_the_server_never_takes_is_given_up_at_once_and_the_rest_is_sent() {
    on_each(async |database| {
        let refuses = Answers { rcpt: "550 5.1.1 <anna.berg@example.org>: no such user", ..WILLING };
        let server = MailServer::start(vec![refuses, WILLING]).await;
        let smtp = settings(server.port).open().unwrap();
        let clock = ManualClock::new(NOW);
        let rows = enqueue(&database.db, letters(&USUAL).drain(..3).collect()).await;
        let delivered = deliver(&database.db, &smtp, &clock).await;
        assert_eq!(delivered, Delivered { sent: 2, dead: 1, ..Delivered::default() });
        let dead = get(&database.db, rows[0].id).await;
        let why = dead.last_error.unwrap();
        assert!(dead.state == LetterState::Dead && why.contains("550") && !why.contains("anna"), "{why}");
    })
    .await;
}

#[tokio::test]
async fn when_no_letter_goes_through_the_rest_waits_and_days_later_they_are_dead() {
    on_each(async |database| {
        let clock = ManualClock::new(NOW);
        let down = Scripted::new(Err(NotifyError::Temporary(Trouble::Connection)), Duration::ZERO);
        let rows = enqueue(&database.db, letters(&USUAL).drain(..4).collect()).await;
        let delivered = deliver(&database.db, &down, &clock).await;
        assert_eq!(delivered, Delivered { put_back: 3, stopped: true, ..Delivered::default() });
        assert_eq!(get(&database.db, rows[3].id).await.attempts, 0);
        let mut dead = 0;
        for _ in 0..4 * MOST_ATTEMPTS {
            dead += deliver(&database.db, &down, &clock).await.dead;
            clock.advance_us(LATER_US);
        }
        assert_eq!(dead, 4);
        assert_eq!(down.sent().len(), 4 * usize::try_from(MOST_ATTEMPTS).unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_letter_that_was_changed_in_the_outbox_is_not_sent() {
    on_each(async |database| {
        let clock = ManualClock::new(NOW);
        let willing = Scripted::new(Ok(()), Duration::ZERO);
        let rows = enqueue(&database.db, letters(&USUAL).drain(..2).collect()).await;
        let shell = Database::connect(&database.superuser_url).await.unwrap();
        let change = "UPDATE outbox SET recipient = 'eve@example.org' WHERE id = (SELECT min(id) FROM outbox)";
        shell.execute_unprepared(change).await.unwrap();
        shell.close().await.unwrap();
        let delivered = deliver(&database.db, &willing, &clock).await;
        assert_eq!(delivered, Delivered { sent: 1, dead: 1, ..Delivered::default() });
        assert_eq!(willing.sent(), [rows[1].id]);
        let dead = get(&database.db, rows[0].id).await;
        assert_eq!(dead.last_error, Some(Trouble::Changed.to_string()));
    })
    .await;
}

#[tokio::test]
async fn a_letter_that_takes_too_long_is_put_back() {
    on_each(async |database| {
        let clock = ManualClock::new(NOW);
        let slow = Scripted::new(Ok(()), Duration::from_secs(60));
        enqueue(&database.db, letters(&USUAL).drain(..1).collect()).await;
        let options = DeliverOptions { patience: Duration::from_millis(20), ..OPTIONS };
        let delivered = deliver_due(&database.db, &slow, &clock, options).await.unwrap();
        assert_eq!(delivered, Delivered { put_back: 1, ..Delivered::default() });
        let row = outbox::page(&database.db, None, 0, 9).await.unwrap().remove(0);
        assert_eq!((row.state, row.last_error), (LetterState::Waiting, Some(Trouble::TimedOut.to_string())));
    })
    .await;
}
