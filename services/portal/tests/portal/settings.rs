//! The pages about the machine: jobs, schedules and keys. Not here: who may open which (`access.rs`), and doing the work
//! (`obelus-auditor`).

use obelus_core::Timestamp;
use obelus_portal::Token;
use obelus_store::{
    audit,
    jobs::{self, JobKind, JobState, MOST_ATTEMPTS, NewJob, Ordered},
    schedules,
};

use crate::{
    browser::Browser,
    house::{House, on_each},
    requests::with_model,
};

async fn session(house: &House, name: &str, roles: &[&str]) -> Token {
    let person = house.person(name, roles).await;
    house.session(person).await
}

/// A job of Rita's that failed as often as one may. Gives its number.
async fn dead_job(house: &House, subject: &str) -> i64 {
    let (db, now) = (&house.deps.work.db, house.now());
    let write = db.write().await.unwrap();
    let order = Some(Ordered { by: "rita".to_owned(), argument: None });
    let (subject, reason) = (subject.to_owned(), "ordered by rita".to_owned());
    let new = NewJob { kind: JobKind::ExecuteTakedown, subject, reason, schedule: None, due_at: now, order };
    assert!(jobs::enqueue(&write, new, now).await.unwrap());
    let until = Timestamp::from_micros(now.as_micros() + 1);
    let mut id = 0;
    for attempt in 1..=MOST_ATTEMPTS {
        let lease = jobs::claim(&write, "somebody", now, until).await.unwrap().unwrap();
        id = lease.job.id;
        let state = jobs::fail(&write, &lease, "<b>the disk</b> is full\u{202e}", now, now).await.unwrap();
        assert_eq!(state == JobState::Dead, attempt == MOST_ATTEMPTS);
    }
    write.commit().await.unwrap();
    id
}

#[actix_web::test]
async fn a_dead_job_is_seen_with_its_error_and_tried_again() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let id = dead_job(&house, "OB-2026-000001").await;
        let mut ana = Browser::new(&service).with_session(&session(&house, "ana", &["admin"]).await);
        ana.get("/settings").await.is(200).says("/settings/jobs").says("/settings/keys").says("/settings/people");
        ana.get("/settings/jobs?state=waiting").await.is(200).says("There are no such jobs");
        let page = ana.get("/settings/jobs?state=dead").await.is(200);
        let page = page.says("&#60;b&#62;the disk&#60;/b&#62; is full⟨U+202E⟩").says("5 of 5").says("Last error");
        page.says("execution of").says("OB-2026-000001").says("<bdi>rita</bdi>");
        let retry = format!("/settings/jobs/{id}/retry");
        ana.post(&retry, &[]).await.leads_to("/settings/jobs?state=waiting");
        ana.get("/settings/jobs?state=waiting").await.is(200).says("execution of").says("0 of 5");
        // It is still for the one who ordered it, whom the worker asks about, that it is done.
        let job = jobs::get(&house.deps.work.db, id).await.unwrap().unwrap();
        assert_eq!((job.state, job.ordered_by.as_deref()), (JobState::Queued, Some("rita")));
        ana.post(&retry, &[]).await.is(409);
        ana.post("/settings/jobs/999999/retry", &[]).await.is(404);
        ana.post("/settings/jobs/x/retry", &[]).await.is(404);
        let events = audit::page(&house.deps.work.db, Some("OB-2026-000001"), 0, 20).await.unwrap();
        let done: Vec<_> = events.iter().map(|e| (e.actor.as_str(), e.action.as_str(), e.detail.as_str())).collect();
        assert_eq!(done, [("ana", "retry", format!("{{\"job\":{id}}}").as_str())]);
        let mut ina = Browser::new(&service).with_session(&session(&house, "ina", &["intake"]).await);
        ina.get("/settings").await.is(200).never_says("/settings/jobs").says("/settings/tokens");
    })
    .await;
}

#[actix_web::test]
async fn a_list_of_jobs_goes_on_where_its_page_ends() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let write = house.deps.work.db.write().await.unwrap();
        for number in 1..=51 {
            let (subject, reason) = (format!("m-{number}."), "it is due".to_owned());
            let (kind, due_at) = (JobKind::ReverifyModel, house.now());
            let new = NewJob { kind, subject, reason, schedule: None, due_at, order: None };
            assert!(jobs::enqueue(&write, new, house.now()).await.unwrap());
        }
        write.commit().await.unwrap();
        let mut vera = Browser::new(&service).with_session(&session(&house, "vera", &["verifier"]).await);
        let first =
            vera.get("/settings/jobs?state=waiting").await.is(200).says("m-51.").says("m-2.").never_says("m-1.");
        let (_, next) = first.body.split_once("/settings/jobs?state=waiting&#38;before=").unwrap();
        let before = next.split_once('"').unwrap().0;
        let last = vera.get(&format!("/settings/jobs?state=waiting&before={before}")).await.is(200);
        last.says("m-1.").never_says("m-2.").never_says("Earlier jobs");
    })
    .await;
}

#[actix_web::test]
async fn schedules_are_made_and_ended_by_those_who_may_and_seen_by_admins() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let mut vera = Browser::new(&service).with_session(&session(&house, "vera", &["verifier"]).await);
        vera.get("/settings/schedules").await.is(200).says("There is no schedule yet");
        for (subject, cron, says) in [
            ("", "", "Say what is verified again"),
            ("m", "every day", "is no cron expression with seconds"),
            ("m", "0 0 0 31 2 *", "is never due"),
            ("nothing", "", "there is no model"),
            ("OB-1999-000001", "", "there is no request"),
        ] {
            let fields = [("subject", subject), ("cron", cron)];
            let page = vera.post("/settings/schedules", &fields).await;
            assert!(
                page.body.contains(says) || page.status == 404 && subject.starts_with("OB-1999"),
                "{subject} {cron}: {}",
                page.body
            );
            assert!(schedules::all(&house.deps.work.db).await.unwrap().is_empty());
            vera.get("/settings/schedules").await.is(200);
        }
        let made = vera.post("/settings/schedules", &[("subject", "m"), ("cron", "0 17 3 1 * *")]).await;
        made.leads_to("/settings/schedules");
        let id = schedules::all(&house.deps.work.db).await.unwrap()[0].id.clone();
        let mut ana = Browser::new(&service).with_session(&session(&house, "ana", &["admin"]).await);
        let page = ana.get("/settings/schedules").await.is(200).says("0 17 3 1 * *").says("03:17 UTC").says(&id);
        page.says("it was not due yet").never_says("Make a schedule").never_says("End it");
        let end = format!("/settings/schedules/{id}/end");
        assert_eq!(ana.post(&end, &[]).await.status, 403, "an admin has no power over cases");
        assert_eq!(ana.post("/settings/schedules", &[("subject", "m"), ("cron", "")]).await.status, 403);
        house.pass_minutes(32 * 24 * 60);
        assert_eq!(obelus_casework::schedules::tick(&house.deps.work).await.unwrap(), 1);
        let mut vera = Browser::new(&service).with_session(&session(&house, "vesna", &["verifier"]).await);
        vera.get("/settings/schedules").await.is(200).says("verification again, due").says("queued");
        vera.post(&end, &[]).await.leads_to("/settings/schedules");
        vera.get("/settings/schedules").await.is(200).never_says(&id);
        vera.post(&end, &[]).await.is(404);
        let events = audit::page(&house.deps.work.db, Some("m"), 0, 20).await.unwrap();
        let done: Vec<_> = events.iter().map(|event| (event.actor.as_str(), event.action.as_str())).collect();
        assert_eq!(done, [("vera", "add_schedule"), ("vesna", "remove_schedule")]);
    })
    .await;
}

#[actix_web::test]
async fn the_keys_of_the_register_are_shown_and_nothing_secret() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut ana = Browser::new(&service).with_session(&session(&house, "ana", &["admin"]).await);
        let page = ana.get("/settings/keys").await.is(200).says("in use").says("Ed25519").says("the beginning");
        let register = house.deps.work.keys.register().unwrap();
        assert_eq!(register.keys.len(), 4);
        for key in register.trusted() {
            assert!(page.body.contains(&key.keyid.to_string()) && page.body.contains(&key.role.to_string()));
        }
        page.never_says("PRIVATE").never_says("<form method=\"post\" action=\"/settings/keys");
    })
    .await;
}
