//! Cases on both databases, without a model's weights: every step with its entry and its place in the log. Not here: what a
//! takedown does to a model (the journeys).

mod hindrances;
mod house;
mod post;

use obelus_core::Digest;
use obelus_ledger::statement::{CaseEvent, RequestReceipt, actor_digest};
use obelus_policy::Action;
use obelus_store::{
    audit, case_events,
    case_questions::QuestionKind,
    filings, log as queue,
    models::{self, ModelStatus},
    requests,
    requests::RequestState,
    sources,
};
use obelus_testkit::databases;
use proptest::prelude::*;
use tempfile::TempDir;

use self::house::{PEOPLE, house};
use crate::{
    Deps, case, clocks, decision, exhibits,
    filing::{Filing, Requester},
    step::{Act, take},
    transparency,
    triage::{self, NotGranted},
};

const DAY_US: i64 = 86_400_000_000;

fn filed(deps: &Deps, regime: &str, sources: &[&str]) -> Filing {
    let sources: Vec<String> = sources.iter().map(|id| (*id).to_owned()).collect();
    let requester = Requester {
        name: "Ada Lovelace".to_owned(),
        email: "ada@example.org".to_owned(),
        capacity: "rightsholder".to_owned(),
        authority: String::new(),
    };
    let subject = "her notes".to_owned();
    Filing { requester: Some(requester), subject, ..Filing::internal("m", regime, &sources, deps.now()) }
}

/// What the auditor does when somebody plans.
async fn plan(deps: &Deps, by: &str, reference: &str, bytes: &[u8]) -> anyhow::Result<()> {
    case::permitted(deps, by, Action::Plan, Some(reference)).await?;
    triage::lead_to_suppressed(deps, by, reference).await?;
    let from = case::existing(deps, reference).await?.state;
    let act = Act::new("plan", by, from, RequestState::ImpactAssessed);
    take(deps, reference, &[act], vec![], async |write, _| {
        requests::set_plan(write, reference, bytes.to_vec()).await?;
        Ok(())
    })
    .await
}

/// A case about one source that two have approved.
async fn approved(deps: &Deps, regime: &str) -> String {
    let reference = case::file(deps, "ana", &filed(deps, regime, &["a"])).await.unwrap().reference;
    plan(deps, "ben", &reference, b"plan").await.unwrap();
    for person in ["cem", "dee"] {
        decision::approve(deps, person, &reference).await.unwrap();
    }
    reference
}

/// What the auditor does when somebody executes.
async fn zero(deps: &Deps, by: &str, reference: &str) -> anyhow::Result<()> {
    case::permitted(deps, by, Action::Execute, Some(reference)).await?;
    let act = Act::new("execute", by, RequestState::WindowOpen, RequestState::Zeroing);
    take(deps, reference, &[act], vec![], async |write, _| {
        requests::begin_zeroing(write, reference, deps.now()).await?;
        Ok(models::begin_strike(write, "m").await?)
    })
    .await
}

/// The steps of a case: signed, a chain without a gap, each in the log after the one before, and the audit trail says the
/// same.
async fn assert_chain(deps: &Deps, reference: &str) -> Vec<case_events::CaseEvent> {
    let steps = case_events::of_request(&deps.db, reference).await.unwrap();
    let (mut previous, mut state, mut place) = (None, None, None);
    for (number, step) in (1..).zip(&steps) {
        let said = exhibits::statement::<CaseEvent>(deps, &step.statement.0).await.unwrap();
        let event = &said.predicate;
        assert_eq!((event.sequence, event.previous, event.from.as_deref()), (number, previous, state.as_deref()));
        assert_eq!(
            (event.request.as_str(), &event.action, &event.to),
            (reference, &step.action, &step.to_state.to_string())
        );
        assert_eq!((event.detail, event.actor), (Digest::sha256(&step.detail), actor_digest(&event.salt, &step.actor)));
        let index = queue::index_of(&deps.db, &step.statement.0).await.unwrap();
        assert!(index.is_some() && index > place, "step {number} has the place {index:?} after {place:?}");
        (previous, state, place) = (Some(step.statement.0), Some(event.to.clone()), index);
    }
    let trail = audit::page(&deps.db, Some(reference), 0, 10_000).await.unwrap();
    let of_trail: Vec<_> = trail.iter().map(|event| (event.action.as_str(), event.actor.as_str())).collect();
    assert_eq!(of_trail, steps.iter().map(|step| (step.action.as_str(), step.actor.as_str())).collect::<Vec<_>>());
    let request = requests::get(&deps.db, reference).await.unwrap().unwrap();
    assert_eq!(state.as_deref(), Some(request.state.to_string().as_str()));
    steps
}

async fn is_suppressed(deps: &Deps, source: &str) -> bool {
    sources::get(&deps.db, "m", source).await.unwrap().unwrap().suppressed_at.is_some()
}

#[tokio::test]
async fn every_step_of_a_case_is_signed_logged_and_linked_to_the_one_before() {
    for database in databases().await {
        let folder = TempDir::new().unwrap();
        let (deps, _) = house(&database, &folder).await;
        let filing = filed(&deps, "uk-gdpr", &["a", "b"]);
        let reference = case::file(&deps, "ana", &filing).await.unwrap().reference;
        let kept = filings::get(&deps.db, &reference).await.unwrap().unwrap();
        assert_eq!(kept.document, Some(filing.to_bytes().unwrap()));
        let receipt = exhibits::statement::<RequestReceipt>(&deps, &kept.receipt.unwrap().0).await.unwrap();
        assert_eq!((receipt.predicate.filed, &receipt.predicate.regime), (kept.document_digest.0, &filing.regime));
        triage::ask(&deps, "ben", &reference, QuestionKind::Identity, "Who are you?").await.unwrap();
        let early = triage::triage(&deps, "ben", &reference).await.unwrap_err();
        assert!(early.to_string().contains("identity_pending"), "{early:#}");
        triage::answer(&deps, "ana", &reference, "I am Ada.").await.unwrap();
        triage::match_sources(&deps, "ben", &reference, &["c".to_owned()]).await.unwrap();
        triage::triage(&deps, "ben", &reference).await.unwrap();
        let (source, code, reason) = ("b".to_owned(), "not_rights_holder".to_owned(), "it is not hers".to_owned());
        let refused = [NotGranted { source, code, reason }];
        triage::grant_partially(&deps, "ben", &reference, &refused).await.unwrap();
        plan(&deps, "ben", &reference, b"plan").await.unwrap();
        assert!(is_suppressed(&deps, "a").await && !is_suppressed(&deps, "b").await && is_suppressed(&deps, "c").await);
        decision::approve(&deps, "cem", &reference).await.unwrap();
        assert_eq!(decision::approve(&deps, "dee", &reference).await.unwrap(), RequestState::WindowOpen);
        assert!(decision::hold(&deps, "ben", &reference).await.unwrap());
        let held = zero(&deps, "ben", &reference).await.unwrap_err();
        assert!(format!("{held:#}").contains("hold"), "{held:#}");
        assert!(!decision::release(&deps, "cem", &reference).await.unwrap());
        assert!(decision::release(&deps, "dee", &reference).await.unwrap());
        decision::withdraw(&deps, "ana", &reference).await.unwrap();
        assert!(!is_suppressed(&deps, "a").await && !is_suppressed(&deps, "c").await);
        let steps = assert_chain(&deps, &reference).await;
        let acts: Vec<&str> = steps.iter().map(|step| step.action.as_str()).collect();
        assert_eq!(
            acts,
            [
                "file",
                "acknowledge",
                "ask",
                "answer",
                "match_sources",
                "triage",
                "grant_partially",
                "suppress",
                "plan",
                "approve",
                "approve",
                "open_window",
                "hold",
                "release",
                "release",
                "withdraw"
            ]
        );
        transparency::check(&deps).await.unwrap();
    }
}

#[tokio::test]
async fn a_step_that_is_refused_leaves_no_statement_and_no_entry() {
    for database in databases().await {
        let folder = TempDir::new().unwrap();
        let (deps, _) = house(&database, &folder).await;
        let reference = case::file(&deps, "ana", &filed(&deps, "gdpr-art17", &["a"])).await.unwrap().reference;
        let size = async || transparency::checkpoint(&deps).await.unwrap().unwrap().0.size;
        let before = (size().await, assert_chain(&deps, &reference).await);
        let unnamed = filed(&deps, "gdpr-art17", &[]);
        assert!(decision::approve(&deps, "ben", &reference).await.is_err(), "there is no plan");
        assert!(decision::undo(&deps, "ben", &reference).await.is_err(), "nothing is suppressed");
        assert!(decision::refuse(&deps, "ben", &reference, "because", "x").await.is_err(), "no such code");
        assert!(decision::refuse(&deps, "ben", &reference, "other", " ").await.is_err(), "no reason");
        assert!(triage::answer(&deps, "ana", &reference, "me").await.is_err(), "nothing was asked");
        assert!(triage::suppress(&deps, "ben", &reference).await.is_err(), "it is not triaged");
        assert!(decision::mark_duplicate(&deps, "ben", &reference, &reference).await.is_err(), "it is itself");
        assert!(case::file(&deps, "ana", &filed(&deps, "gdpr-art17", &["a"])).await.is_err(), "it is open already");
        assert!(case::file(&deps, "ana", &filed(&deps, "gdpr-art17", &["z"])).await.is_err(), "no such source");
        assert!(case::file(&deps, "ana", &Filing { subject: String::new(), ..unnamed.clone() }).await.is_err());
        assert_eq!((size().await, assert_chain(&deps, &reference).await), before);
        // A request that names no source is filed, and waits for somebody to say which it means.
        let second = case::file(&deps, "ana", &unnamed).await.unwrap().reference;
        let unmatched = triage::triage(&deps, "ben", &second).await.unwrap_err();
        assert!(unmatched.to_string().contains("names no source"), "{unmatched:#}");
        decision::mark_duplicate(&deps, "ben", &second, &reference).await.unwrap();
        assert_chain(&deps, &second).await;
    }
}

#[tokio::test]
async fn clocks_stand_still_while_the_requester_is_asked_and_run_longer_when_extended() {
    for database in databases().await {
        let folder = TempDir::new().unwrap();
        let (deps, clock) = house(&database, &folder).await;
        let due = async |reference: &str| {
            let request = case::existing(&deps, reference).await.unwrap();
            clocks::of(&deps, &request).await.unwrap().unwrap().running[0].statutory.clone()
        };
        let [uk, eu] = [("uk-gdpr", "a"), ("gdpr-art17", "b")].map(|(regime, source)| filed(&deps, regime, &[source]));
        let uk = case::file(&deps, "ana", &uk).await.unwrap().reference;
        let eu = case::file(&deps, "ana", &eu).await.unwrap().reference;
        let unasked = due(&uk).await;
        for reference in [&uk, &eu] {
            triage::ask(&deps, "ben", reference, QuestionKind::Scope, "Which notes?").await.unwrap();
        }
        assert_eq!(due(&uk).await, None, "it stands still");
        assert_eq!(due(&eu).await.as_deref(), Some("2026-08-03"), "the Regulation knows no such stop");
        clock.advance_us(5 * DAY_US);
        for reference in [&uk, &eu] {
            triage::answer(&deps, "ana", reference, "All of them.").await.unwrap();
        }
        assert!(due(&uk).await > unasked);
        assert!(decision::extend(&deps, "ben", &eu, " ").await.is_err(), "no reasons");
        decision::extend(&deps, "ben", &eu, "there are many requests").await.unwrap();
        assert_eq!(due(&eu).await.as_deref(), Some("2026-10-01"));
        assert!(decision::extend(&deps, "ben", &eu, "again").await.is_err(), "once");
        clock.advance_us(60 * DAY_US);
        assert!(decision::extend(&deps, "ben", &uk, "too late").await.is_err());
        assert_chain(&deps, &eu).await;
    }
}

#[tokio::test]
async fn the_dispute_window_of_the_regime_is_waited_for() {
    for database in databases().await {
        let folder = TempDir::new().unwrap();
        let (deps, clock) = house(&database, &folder).await;
        let reference = approved(&deps, "dmca-512").await;
        let until = case::existing(&deps, &reference).await.unwrap().window_until.unwrap().0;
        assert_eq!(until.to_string(), "2026-07-23T00:00:00.000000Z", "14 business days, July 3 observed");
        let early = zero(&deps, "ben", &reference).await.unwrap_err();
        assert!(format!("{early:#}").contains("2026-07-23"), "{early:#}");
        clock.advance_us(22 * DAY_US);
        zero(&deps, "ben", &reference).await.unwrap();
        assert!(decision::undo(&deps, "ben", &reference).await.is_err(), "there is no way back");
        assert_chain(&deps, &reference).await;
    }
}

#[tokio::test]
async fn approvals_at_the_same_time_are_two_steps_one_after_the_other() {
    for database in databases().await {
        let folder = TempDir::new().unwrap();
        let (deps, _) = house(&database, &folder).await;
        let reference = case::file(&deps, "ana", &filed(&deps, "gdpr-art17", &["a"])).await.unwrap().reference;
        plan(&deps, "ana", &reference, b"plan").await.unwrap();
        let approve = async |person| decision::approve(&deps, person, &reference).await;
        let (one, same) = tokio::join!(approve("ben"), approve("ben"));
        assert!(one.is_ok() != same.is_ok(), "one person is one approval: {one:?} {same:?}");
        let (second, third) = tokio::join!(approve("cem"), approve("dee"));
        assert!(second.is_ok() != third.is_ok(), "two are enough: {second:?} {third:?}");
        let steps = assert_chain(&deps, &reference).await;
        assert_eq!(steps.iter().filter(|step| step.action == "approve").count(), 2);
        assert_eq!(case::existing(&deps, &reference).await.unwrap().state, RequestState::WindowOpen);
    }
}

#[tokio::test]
async fn two_who_agree_at_the_same_time_end_a_hold() {
    for database in databases().await {
        let folder = TempDir::new().unwrap();
        let (deps, _) = house(&database, &folder).await;
        let reference = case::file(&deps, "ana", &filed(&deps, "gdpr-art17", &["a"])).await.unwrap().reference;
        for _ in 0..4 {
            assert!(decision::hold(&deps, "ana", &reference).await.unwrap());
            let release = async |person| decision::release(&deps, person, &reference).await.unwrap();
            let (one, other) = tokio::join!(release("ben"), release("cem"));
            assert!(one != other, "one of them is the first and one the second: {one} {other}");
            assert_eq!(case::existing(&deps, &reference).await.unwrap().held_at, None);
        }
        assert_chain(&deps, &reference).await;
    }
}

#[tokio::test]
async fn a_source_that_two_ask_for_at_the_same_time_is_in_one_open_request() {
    for database in databases().await {
        let folder = TempDir::new().unwrap();
        let (deps, _) = house(&database, &folder).await;
        let file = async |by| case::file(&deps, by, &filed(&deps, "gdpr-art17", &["a"])).await;
        let (one, other) = tokio::join!(file("ana"), file("ben"));
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
        let refused = one.err().or(other.err()).unwrap();
        assert!(refused.to_string().contains("open request"), "{refused:#}");
    }
}

#[tokio::test]
async fn sources_stay_suppressed_while_any_other_request_needs_it() {
    for database in databases().await {
        let folder = TempDir::new().unwrap();
        let (deps, _) = house(&database, &folder).await;
        let mut references = Vec::new();
        for source in ["a", "b", "c"] {
            let reference = case::file(&deps, "ana", &filed(&deps, "gdpr-art17", &[source])).await.unwrap().reference;
            triage::triage(&deps, "ben", &reference).await.unwrap();
            references.push(reference);
        }
        // As it was before a source could be in one open request only.
        let write = deps.db.write().await.unwrap();
        requests::add_sources(&write, &references[1], &["a".to_owned()]).await.unwrap();
        write.commit().await.unwrap();
        for reference in &references {
            triage::suppress(&deps, "ben", reference).await.unwrap();
        }
        // The first that is found is not the one that is closed, and the other way about.
        decision::undo(&deps, "ben", &references[0]).await.unwrap();
        assert!(is_suppressed(&deps, "a").await, "the second request still needs it");
        decision::undo(&deps, "ben", &references[1]).await.unwrap();
        assert!(
            !is_suppressed(&deps, "a").await && !is_suppressed(&deps, "b").await && is_suppressed(&deps, "c").await
        );
    }
}

/// One of the things that somebody may try.
async fn attempt(deps: &Deps, act: usize, by: &str, reference: &str, plan_number: u8) -> anyhow::Result<()> {
    match act {
        0 => triage::ask(deps, by, reference, QuestionKind::Scope, "which?").await,
        1 => triage::answer(deps, by, reference, "this").await,
        2 => triage::triage(deps, by, reference).await,
        3 => triage::suppress(deps, by, reference).await,
        4 => plan(deps, by, reference, &[plan_number]).await,
        5..=8 => decision::approve(deps, by, reference).await.map(drop),
        9 => decision::hold(deps, by, reference).await.map(drop),
        10 => decision::release(deps, by, reference).await.map(drop),
        11 => decision::undo(deps, by, reference).await,
        _ => zero(deps, by, reference).await,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// Whatever four people with every role try in whatever order: zeroing takes a filer, two others who approved the plan as
    /// it was, and somebody who is none of the two; never under a hold; and the case stays a chain.
    #[test]
    fn no_sequence_of_acts_zeroes_without_three_people_or_under_a_hold(
        tries in prop::collection::vec((0usize..15, 0usize..4, 0u8..2), 10..60),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let database = databases().await.into_iter().next().unwrap();
            let folder = TempDir::new().unwrap();
            let (deps, _) = house(&database, &folder).await;
            let reference = case::file(&deps, "ana", &filed(&deps, "gdpr-art17", &["a"])).await.unwrap().reference;
            plan(&deps, "ana", &reference, b"plan").await.unwrap();
            let mut held = false;
            for (act, person, number) in tries {
                let before = case::existing(&deps, &reference).await.unwrap();
                let done = attempt(&deps, act, PEOPLE[person], &reference, number).await.is_ok();
                let after = case::existing(&deps, &reference).await.unwrap();
                prop_assert!(done || (before.state, before.held_at) == (after.state, after.held_at));
                let begins = before.state != RequestState::Zeroing && after.state == RequestState::Zeroing;
                prop_assert!(!begins || !held, "zeroed under a hold");
                held = after.held_at.is_some();
                let serves = models::get(&deps.db, "m").await.unwrap().unwrap().status == ModelStatus::Ready;
                prop_assert_eq!(serves, requests::is_whole(after.state), "a half-erased model is served");
            }
            let steps = assert_chain(&deps, &reference).await;
            let plans = steps.iter().rposition(|step| step.action == "plan").unwrap_or(0);
            if let Some(zeroed) = steps.iter().find(|step| step.action == "execute") {
                let approvers: Vec<&str> =
                    steps[plans..].iter().filter(|s| s.action == "approve").map(|s| s.actor.as_str()).collect();
                prop_assert_eq!(approvers.len(), 2);
                prop_assert!(approvers[0] != approvers[1] && !approvers.contains(&"ana"));
                prop_assert!(!approvers.contains(&zeroed.actor.as_str()));
            }
            Ok(())
        })?;
    }
}
