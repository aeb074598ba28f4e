//! Work that is ordered on a case's page, and how far it is. Not here: the work, which takes a model (the journeys).

use obelus_casework::{case, orders};
use obelus_core::Timestamp;
use obelus_store::jobs::{self, JobKind, JobState};

use crate::{
    browser::Browser,
    house::{House, on_each},
    requests::{asked, with_model},
};

/// Does what a worker does to a job, without its work.
async fn taken(house: &House) -> jobs::Lease {
    let write = house.deps.work.db.write().await.unwrap();
    let until = Timestamp::from_micros(house.now().as_micros() + 60_000_000);
    let lease = jobs::claim(&write, "token", house.now(), until).await.unwrap().unwrap();
    jobs::note(&write, &lease, "erasing 1 of 2: <b>checkpoint</b>").await.unwrap();
    write.commit().await.unwrap();
    lease
}

async fn ended(house: &House, lease: &jobs::Lease, outcome: &str) {
    let write = house.deps.work.db.write().await.unwrap();
    jobs::finish(&write, lease, outcome, house.now()).await.unwrap();
    write.commit().await.unwrap();
}

#[actix_web::test]
async fn a_plan_is_ordered_once_and_its_page_says_how_far_it_is() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let (_, reference) = asked(&service).await;
        let case = format!("/cases/{reference}");
        let id = house.person("lea", &["legal_reviewer", "intake"]).await;
        let mut lea = Browser::new(&service).with_session(&house.session(id).await);
        let page = lea.get(&case).await.is(200).says("Make the plan").never_says("<script");
        assert!(!page.header("content-security-policy").contains("script-src"));
        let plan = format!("{case}/plan");
        lea.post(&plan, &[("protocol", "thorough")]).await.is(409).says("standard, quick, deep");
        lea.post(&plan, &[("protocol", "quick")]).await.leads_to(&case);
        let job = orders::of_case(&house.deps.work, &reference).await.unwrap().remove(0);
        assert_eq!(
            (job.kind, job.state, job.ordered_by.as_deref(), job.argument.as_deref()),
            (JobKind::PlanTakedown, JobState::Queued, Some("lea"), Some("quick"))
        );
        let page = lea.get(&case).await.is(200).says("waits for a worker").never_says("Make the plan</summary>");
        assert!(page.header("content-security-policy").contains("script-src 'self'; connect-src 'self'"));
        lea.post(&plan, &[("protocol", "quick")]).await.is(409).says("ordered already");
        let lease = taken(&house).await;
        lea.get(&case).await.is(200).says("goes on").says("erasing 1 of 2: &#60;b&#62;checkpoint");
        lea.post(&plan, &[("protocol", "")]).await.is(409).says("ordered already");
        ended(&house, &lease, "not-done the model <i>is gone</i>").await;
        // Why it was not done stays to be read, and it can be ordered again.
        let page =
            lea.get(&case).await.is(200).says("not done").says("the model &#60;i&#62;is gone").says("Make the plan");
        assert!(!page.header("content-security-policy").contains("script-src"));
        lea.post(&plan, &[("protocol", "")]).await.leads_to(&case);
        let trail = case::trail(&house.deps.work, &reference).await.unwrap();
        assert_eq!(trail.iter().filter(|event| event.action == "order").count(), 2);
    })
    .await;
}

#[actix_web::test]
async fn whoever_may_not_and_whatever_cannot_be_is_not_ordered() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let (_, reference) = asked(&service).await;
        let case = format!("/cases/{reference}");
        for (role, act) in
            [("executor", "plan"), ("legal_reviewer", "execute"), ("executor", "verify"), ("admin", "execute")]
        {
            let id = house.person(&format!("{role} who tries to {act}"), &[role]).await;
            let mut browser = Browser::new(&service).with_session(&house.session(id).await);
            browser.get("/account").await.is(200);
            browser.post(&format!("{case}/{act}"), &[("protocol", "")]).await.is(403);
        }
        let id = house.person("emil", &["executor"]).await;
        let mut emil = Browser::new(&service).with_session(&house.session(id).await);
        emil.get(&case).await.is(200).never_says("Execute the takedown");
        emil.post(&format!("{case}/execute"), &[]).await.is(409).says("there is no execution now");
        house.pass_minutes(11);
        emil.get(&case).await.is(200);
        let late = emil.post(&format!("{case}/execute"), &[]).await.is(303);
        assert!(late.header("location").starts_with("/step-up"), "what cannot be undone asks for the password");
        let id = house.person("vera", &["verifier"]).await;
        let mut vera = Browser::new(&service).with_session(&house.session(id).await);
        vera.get(&case).await.is(200);
        vera.post(&format!("{case}/verify"), &[]).await.is(409).says("there is no verification now");
        assert_eq!(orders::of_case(&house.deps.work, &reference).await.unwrap(), []);
    })
    .await;
}

#[actix_web::test]
async fn an_open_page_is_told_how_far_work_is_until_it_ends() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let (mut stranger, reference) = asked(&service).await;
        let progress = format!("/cases/{reference}/progress");
        stranger.get(&progress).await.leads_to(&format!("/sign-in?next=%2Fcases%2F{reference}%2Fprogress"));
        let id = house.person("adam", &["admin"]).await;
        let mut adam = Browser::new(&service).with_session(&house.session(id).await);
        adam.get(&progress).await.is(403);
        let id = house.person("lea", &["legal_reviewer", "intake"]).await;
        let mut lea = Browser::new(&service).with_session(&house.session(id).await);
        lea.get(&progress).await.is(200).says("event: end");
        lea.get(&format!("/cases/{reference}")).await.is(200);
        lea.post(&format!("/cases/{reference}/plan"), &[("protocol", "")]).await.is(303);
        let lease = taken(&house).await;
        let done = async {
            tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
            ended(&house, &lease, "planned 00").await;
        };
        let (told, ()) = tokio::join!(lea.get(&progress), done);
        let told = told.is(200).says("event: work\ndata: {").says("event: end\ndata: {}\n\n");
        assert_eq!(told.header("content-type"), "text/event-stream");
        assert!(told.body.contains(r#""said":"erasing 1 of 2: <b>checkpoint</b>""#), "{}", told.body);
    })
    .await;
}
