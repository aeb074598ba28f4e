//! What stands in the way of a takedown, and what is ordered when nothing does: counter-notices, complaints, orders. Not here:
//! the work that is ordered (the journeys).

use obelus_policy::Refusal;
use obelus_store::outbox::{self, LetterKind};
use obelus_testkit::databases;
use tempfile::TempDir;

use super::{DAY_US, approved, assert_chain, filed, house::house, zero};
use crate::{
    case, clocks, decision, notices,
    orders::{self, Order},
};

#[tokio::test]
async fn nothing_is_zeroed_while_a_counter_notice_is_open() {
    for database in databases().await {
        let folder = TempDir::new().unwrap();
        let (deps, clock) = house(&database, &folder).await;
        let reference = approved(&deps, "dmca-512").await;
        let running = async || {
            let request = case::existing(&deps, &reference).await.unwrap();
            clocks::of(&deps, &request).await.unwrap().unwrap().running
        };
        assert!(running().await.iter().all(|clock| clock.clock != "put_back"));
        let objects = async |by, sender, words| notices::counter_notice(&deps, by, &reference, sender, words).await;
        assert!(objects("ana", "Bob", " ").await.unwrap_err().to_string().contains("in words"));
        assert!(objects("ana", "", "mine").await.unwrap_err().to_string().contains("who sent"));
        objects("ana", "Bob", "It is <b>mine</b>.").await.unwrap();
        let clocks = running().await;
        let put_back = clocks.iter().find(|clock| clock.clock == "put_back").unwrap();
        assert_eq!(put_back.in_words(), "put_back: not before 2026-07-16, by 2026-07-22", "July 3 is observed");
        let letters = outbox::of_request(&deps.db, &reference).await.unwrap();
        assert!(letters.iter().any(|letter| letter.kind == LetterKind::CounterNoticeReceived));
        clock.advance_us(22 * DAY_US);
        let refused = zero(&deps, "ben", &reference).await.unwrap_err();
        assert!(format!("{refused:#}").contains("open counter-notice"), "{refused:#}");
        assert!(notices::settle(&deps, "ben", &reference, 2, "gone").await.is_err(), "there is one notice");
        notices::settle(&deps, "ben", &reference, 1, "the claimant has gone to court").await.unwrap();
        assert!(notices::settle(&deps, "ben", &reference, 1, "again").await.is_err());
        assert!(running().await.iter().all(|clock| clock.clock != "put_back"), "what is settled is due no more");
        zero(&deps, "ben", &reference).await.unwrap();
        assert!(objects("ana", "Bob", "too late").await.unwrap_err().to_string().contains("nothing left"));
        let steps = assert_chain(&deps, &reference).await;
        assert_eq!(steps.iter().filter(|step| step.action == "counter_notice").count(), 1);
    }
}

#[tokio::test]
async fn an_execution_is_ordered_when_nothing_forbids_it_and_once() {
    for database in databases().await {
        let folder = TempDir::new().unwrap();
        let (deps, clock) = house(&database, &folder).await;
        let reference = approved(&deps, "dmca-512").await;
        let order = async |by| orders::place(&deps, by, &reference, &Order::Execute).await;
        let refused = async || order("ben").await.unwrap_err().to_string();
        assert!(order("cem").await.unwrap_err().is::<Refusal>(), "who approved does not execute");
        assert!(refused().await.contains("until 2026-07-23"), "{}", refused().await);
        clock.advance_us(22 * DAY_US);
        notices::counter_notice(&deps, "ana", &reference, "Bob", "It is mine.").await.unwrap();
        assert!(refused().await.contains("open counter-notice"));
        notices::settle(&deps, "ben", &reference, 1, "taken back").await.unwrap();
        decision::hold(&deps, "ana", &reference).await.unwrap();
        // What the rules refuse while a hold stands, they refuse first.
        assert!(order("ben").await.unwrap_err().is::<Refusal>());
        for person in ["cem", "dee"] {
            decision::release(&deps, person, &reference).await.unwrap();
        }
        let (one, other) = tokio::join!(order("ben"), order("ben"));
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
        assert!(refused().await.contains("ordered already"));
        assert_eq!(orders::of_case(&deps, &reference).await.unwrap().len(), 1);
        assert!(orders::place(&deps, "ben", &reference, &Order::Verify).await.is_err(), "nothing was executed");
    }
}

#[tokio::test]
async fn a_complaint_has_its_clock_and_may_follow_a_refusal() {
    for database in databases().await {
        let folder = TempDir::new().unwrap();
        let (deps, _) = house(&database, &folder).await;
        let reference = case::file(&deps, "ana", &filed(&deps, "uk-gdpr", &["a"])).await.unwrap().reference;
        decision::refuse(&deps, "ben", &reference, "other", "not ours").await.unwrap();
        notices::complaint(&deps, "ana", &reference, "", "nobody asked me").await.unwrap();
        assert!(notices::complaint(&deps, "ana", &reference, "", "still").await.is_err(), "one at a time");
        let request = case::existing(&deps, &reference).await.unwrap();
        let running = clocks::of(&deps, &request).await.unwrap().unwrap().running;
        let clock = running.iter().find(|clock| clock.clock == "acknowledge_complaint").unwrap();
        assert_eq!(clock.statutory.as_deref(), Some("2026-07-30"), "the day of receipt counts");
        let letters = outbox::of_request(&deps.db, &reference).await.unwrap();
        assert!(letters.iter().any(|letter| letter.kind == LetterKind::ComplaintReceived));
        notices::settle(&deps, "ben", &reference, 1, "answered by letter").await.unwrap();
        notices::complaint(&deps, "ana", &reference, "", "the answer is no answer").await.unwrap();
        assert_chain(&deps, &reference).await;
    }
}
