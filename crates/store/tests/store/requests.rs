//! Requests from filing to the end: references, steps, holds, refusals.
//!
//! Not here: plans and their approvals (`approvals.rs`). Which steps there are at all is tested beside the states.

use obelus_core::Timestamp;
use obelus_store::{
    Error, Micros,
    requests::{self, NewRequest, RequestState, RequestState::*},
};

use crate::support::{
    LATER, MODEL, NOW, approved_request, dropped, file, house, kept, on_each, person, refused, request, zeroing_request,
};

/// Microseconds of a year that is not a leap year.
const YEAR_US: i64 = 365 * 24 * 60 * 60 * 1_000_000;

fn new_request(filed_by: i64, sources: &[&str]) -> NewRequest {
    let sources = sources.iter().map(|source| (*source).to_owned()).collect();
    NewRequest {
        regime: "gdpr-art17".to_owned(),
        regime_file: Some("name = \"gdpr-art17\"\n".to_owned()),
        calendar_file: Some("name = \"weekends\"\n".to_owned()),
        model: MODEL.to_owned(),
        filed_by,
        sources,
    }
}

#[tokio::test]
async fn a_filed_request_is_read_as_it_was_filed_and_its_sources_once_each() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let filed = kept(db, async |write| {
            let filed_by = person(write, "nils").await;
            file(write, new_request(filed_by, &["zoe", "anna", "zoe", "Émile", "Zoe"]), NOW).await
        })
        .await;
        assert_eq!((filed.reference.as_str(), filed.state), ("OB-2026-000001", Received));
        assert_eq!(
            (filed.model.as_str(), filed.regime.as_str(), filed.received_at),
            (MODEL, "gdpr-art17", Micros(NOW))
        );
        assert_eq!(filed.regime_file.as_deref(), Some("name = \"gdpr-art17\"\n"));
        assert_eq!(filed.calendar_file.as_deref(), Some("name = \"weekends\"\n"));
        assert_eq!((&filed.plan, filed.plan_digest, filed.held_at, &filed.refusal_code), (&None, None, None, &None));
        assert_eq!(requests::get(db, &filed.reference).await.unwrap(), Some(filed.clone()));
        // By bytes, on both databases: capitals first, accents last.
        assert_eq!(requests::sources(db, &filed.reference).await.unwrap(), ["Zoe", "anna", "zoe", "Émile"]);
        assert_eq!(requests::get(db, "OB-2026-000002").await.unwrap(), None);
        assert!(requests::sources(db, "OB-2026-000002").await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_request_about_an_unknown_model_or_by_an_unknown_person_is_not_filed() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let nils = kept(db, async |write| person(write, "nils").await).await;
        let by_nobody =
            dropped(db, async |write| requests::file(write, "OB-1".to_owned(), new_request(nils + 1, &[]), NOW).await)
                .await;
        refused!(by_nobody, Error::Database(_));
        let about_nothing = NewRequest { model: "moa-1".to_owned(), ..new_request(nils, &[]) };
        let about_nothing =
            dropped(db, async |write| requests::file(write, "OB-1".to_owned(), about_nothing, NOW).await).await;
        refused!(about_nothing, Error::Database(_));
        assert!(requests::page(db, None, 10).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn references_ascend_and_none_is_given_twice_while_eight_file_at_once() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let nils = kept(db, async |write| person(write, "nils").await).await;
        let mut clerks = Vec::new();
        for _ in 0..8 {
            let db = db.clone();
            clerks.push(tokio::spawn(async move {
                let mut references = Vec::new();
                for _ in 0..5 {
                    let write = db.write().await.unwrap();
                    references.push(file(&write, new_request(nils, &[]), NOW).await.reference);
                    write.commit().await.unwrap();
                    // A number that a dropped transaction took is nobody's.
                    let write = db.write().await.unwrap();
                    file(&write, new_request(nils, &[]), NOW).await;
                }
                references
            }));
        }
        let mut references = Vec::new();
        for clerk in clerks {
            let own = clerk.await.unwrap();
            assert!(own.is_sorted(), "{own:?}");
            references.extend(own);
        }
        references.sort_unstable();
        let expected: Vec<String> = (1..=40).map(|number| format!("OB-2026-{number:06}")).collect();
        assert_eq!(references, expected);
        let stored: Vec<String> =
            requests::page(db, None, 100).await.unwrap().into_iter().map(|request| request.reference).collect();
        assert_eq!(stored, expected);
    })
    .await;
}

#[tokio::test]
async fn every_year_counts_from_one() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let next_year = Timestamp::from_micros(NOW.as_micros() + YEAR_US);
        let references = kept(db, async |write| {
            let nils = person(write, "nils").await;
            let mut references = Vec::new();
            for now in [NOW, next_year, NOW, next_year] {
                references.push(file(write, new_request(nils, &[]), now).await.reference);
            }
            references
        })
        .await;
        assert_eq!(references, ["OB-2026-000001", "OB-2027-000001", "OB-2026-000002", "OB-2027-000002"]);
    })
    .await;
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        kept(db, async |write| {
            for _ in 0..5 {
                request(write).await;
            }
        })
        .await;
        let all = requests::page(db, None, u64::MAX).await.unwrap();
        assert_eq!(all.len(), 5);
        let first = requests::page(db, None, 2).await.unwrap();
        assert_eq!(first, all[..2]);
        assert_eq!(requests::page(db, Some(&first[1].reference), 2).await.unwrap(), all[2..4]);
        assert_eq!(requests::page(db, Some(&all[3].reference), 2).await.unwrap(), all[4..]);
        assert_eq!(requests::page(db, Some(&all[4].reference), 2).await.unwrap(), []);
        assert_eq!(requests::page(db, None, 0).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn a_request_is_led_from_filing_to_its_certificate() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, async |write| {
            let reference = zeroing_request(write).await;
            requests::advance(write, &reference, Zeroing, Verifying).await.unwrap();
            requests::advance(write, &reference, Verifying, VerificationFailed).await.unwrap();
            requests::advance(write, &reference, VerificationFailed, Verifying).await.unwrap();
            requests::advance(write, &reference, Verifying, Certified).await.unwrap();
            reference
        })
        .await;
        assert_eq!(requests::get(db, &reference).await.unwrap().unwrap().state, Certified);
    })
    .await;
}

#[tokio::test]
async fn a_step_from_another_state_than_the_request_is_in_changes_nothing() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, request).await;
        let late = dropped(db, async |write| requests::advance(write, &reference, Acknowledged, Triaged).await).await;
        let (expected, found) = match late {
            Err(Error::State { expected, found, .. }) => (expected, found),
            other => panic!("{other:?}"),
        };
        assert_eq!((expected.as_str(), found.as_str()), ("acknowledged", "received"));
        let nobody = dropped(db, async |write| requests::advance(write, "OB-1", Received, Acknowledged).await).await;
        refused!(nobody, Error::Missing { .. });
        assert_eq!(requests::get(db, &reference).await.unwrap().unwrap().state, Received);
    })
    .await;
}

#[tokio::test]
async fn no_request_takes_a_step_that_there_is_not_or_one_that_must_carry_something() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, request).await;
        for to in RequestState::ALL.iter().copied() {
            if [Acknowledged, Withdrawn].contains(&to) {
                continue;
            }
            let step = dropped(db, async |write| requests::advance(write, &reference, Received, to).await).await;
            refused!(step, Error::NoSuchStep { from: Received, to: found } if found == to);
        }
        assert_eq!(requests::get(db, &reference).await.unwrap().unwrap().state, Received);
    })
    .await;
}

#[tokio::test]
async fn a_hold_forbids_zeroing_until_it_is_released_and_nothing_else() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, approved_request).await;
        kept(db, async |write| {
            assert!(requests::hold(write, &reference, NOW).await.unwrap());
            assert!(!requests::hold(write, &reference, LATER).await.unwrap(), "the first hold stands");
        })
        .await;
        let held = requests::get(db, &reference).await.unwrap().unwrap();
        assert_eq!((held.held_at, held.state), (Some(Micros(NOW)), ApprovedTwice));
        assert_eq!(held.shown_state(), "frozen");
        kept(db, async |write| requests::open_window(write, &reference, NOW).await.unwrap()).await;
        let zero = dropped(db, async |write| requests::begin_zeroing(write, &reference, NOW).await).await;
        refused!(zero, Error::Held(found) if found == reference);
        // A request in another state is told so, not that it is held.
        let elsewhere = dropped(db, async |write| {
            requests::advance(write, &reference, WindowOpen, Withdrawn).await.unwrap();
            requests::begin_zeroing(write, &reference, NOW).await
        })
        .await;
        refused!(elsewhere, Error::State { .. });
        kept(db, async |write| {
            assert!(requests::release(write, &reference).await.unwrap());
            assert!(!requests::release(write, &reference).await.unwrap());
            requests::begin_zeroing(write, &reference, NOW).await.unwrap();
        })
        .await;
        assert_eq!(requests::get(db, &reference).await.unwrap().unwrap().shown_state(), "zeroing");
        dropped(db, async |write| {
            refused!(requests::hold(write, "OB-1", NOW).await, Error::Missing { .. });
            refused!(requests::release(write, "OB-1").await, Error::Missing { .. });
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_refusal_keeps_its_code_and_reason_and_ends_the_request() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, request).await;
        kept(db, async |write| requests::refuse(write, &reference, "not-a-source", "it is not in the corpus").await)
            .await
            .unwrap();
        let request = requests::get(db, &reference).await.unwrap().unwrap();
        assert_eq!(request.state, Refused);
        assert_eq!(request.refusal_code.as_deref(), Some("not-a-source"));
        assert_eq!(request.refusal_reason.as_deref(), Some("it is not in the corpus"));
        dropped(db, async |write| {
            let again = requests::refuse(write, &reference, "other", "other").await;
            refused!(again, Error::NoSuchStep { from: Refused, to: Refused });
            let plan = requests::set_plan(write, &reference, b"plan".to_vec()).await;
            refused!(plan, Error::NoSuchStep { from: Refused, to: ImpactAssessed });
            refused!(requests::refuse(write, "OB-1", "other", "other").await, Error::Missing { .. });
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn what_is_being_zeroed_is_not_refused_or_planned_again() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, zeroing_request).await;
        dropped(db, async |write| {
            let refusal = requests::refuse(write, &reference, "late", "too late").await;
            refused!(refusal, Error::NoSuchStep { from: Zeroing, to: Refused });
            let plan = requests::set_plan(write, &reference, b"another plan".to_vec()).await;
            refused!(plan, Error::NoSuchStep { from: Zeroing, to: ImpactAssessed });
            let protocol = requests::set_protocol(write, &reference, Some("name = \"own\"")).await;
            refused!(protocol, Error::NoSuchStep { from: Zeroing, to: ImpactAssessed });
        })
        .await;
        let request = requests::get(db, &reference).await.unwrap().unwrap();
        assert_eq!((request.state, request.refusal_code, request.protocol), (Zeroing, None, None));
    })
    .await;
}

#[tokio::test]
async fn the_chosen_protocol_is_kept_as_it_is_until_another_one_is() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, request).await;
        for chosen in [Some("name = \"own\"\n# ä\n"), Some("name = \"other\""), None] {
            kept(db, async |write| requests::set_protocol(write, &reference, chosen).await.unwrap()).await;
            let request = requests::get(db, &reference).await.unwrap().unwrap();
            assert_eq!((request.state, request.protocol.as_deref()), (Received, chosen));
        }
        dropped(db, async |write| {
            refused!(requests::set_protocol(write, "OB-1", None).await, Error::Missing { .. });
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn nothing_is_zeroed_before_the_dispute_window_has_ended() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, approved_request).await;
        let closed = dropped(db, async |write| requests::begin_zeroing(write, &reference, LATER).await).await;
        refused!(closed, Error::State { .. });
        kept(db, async |write| requests::open_window(write, &reference, LATER).await.unwrap()).await;
        let early = dropped(db, async |write| requests::begin_zeroing(write, &reference, NOW).await).await;
        refused!(early, Error::WindowOpen { until: LATER, .. });
        // Another plan closes the window: the next one opens with the next approvals.
        let planned = dropped(db, async |write| {
            requests::set_plan(write, &reference, b"another plan".to_vec()).await.unwrap();
            requests::get(write, &reference).await.unwrap().unwrap()
        })
        .await;
        assert_eq!((planned.state, planned.window_until), (ImpactAssessed, None));
        kept(db, async |write| requests::begin_zeroing(write, &reference, LATER).await.unwrap()).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_refused_of_a_request_is_not_struck_by_it() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, request).await;
        let refused = [("anna".to_owned(), "not_rights_holder".to_owned(), "it is not theirs".to_owned())];
        let early = dropped(db, async |write| requests::grant_partially(write, &reference, &refused).await).await;
        refused!(early, Error::State { .. });
        kept(db, async |write| {
            requests::add_sources(write, &reference, &["anna".to_owned(), "bert".to_owned()]).await.unwrap();
            requests::advance(write, &reference, Received, Acknowledged).await.unwrap();
            requests::advance(write, &reference, Acknowledged, Triaged).await.unwrap();
        })
        .await;
        assert_eq!(requests::sources(db, &reference).await.unwrap(), ["anna", "bert"]);
        let stranger = [("carl".to_owned(), "other".to_owned(), "who".to_owned())];
        let unknown = dropped(db, async |write| requests::grant_partially(write, &reference, &stranger).await).await;
        refused!(unknown, Error::Missing { .. });
        kept(db, async |write| requests::grant_partially(write, &reference, &refused).await.unwrap()).await;
        assert_eq!(requests::sources(db, &reference).await.unwrap(), ["bert"]);
        let request = requests::get(db, &reference).await.unwrap().unwrap();
        assert_eq!(request.state, PartiallyGranted);
    })
    .await;
}

#[tokio::test]
async fn a_duplicate_names_another_request_that_there_is() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let (one, other) = kept(db, async |write| (request(write).await, request(write).await)).await;
        dropped(db, async |write| {
            let itself = requests::mark_duplicate(write, &one, &one).await;
            refused!(itself, Error::NoSuchStep { to: DuplicateOf, .. });
            refused!(requests::mark_duplicate(write, &one, "OB-1").await, Error::Missing { .. });
        })
        .await;
        kept(db, async |write| requests::mark_duplicate(write, &one, &other).await.unwrap()).await;
        let closed = requests::get(db, &one).await.unwrap().unwrap();
        assert_eq!((closed.state, closed.duplicate_of), (DuplicateOf, Some(other)));
    })
    .await;
}
