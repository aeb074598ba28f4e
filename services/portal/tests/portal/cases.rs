//! Cases as those who work on them handle them, by forms. Not here: what becomes of models.

use obelus_casework::{
    case,
    step::{Act, take},
    triage,
};
use obelus_store::{
    requests::{self, RequestState},
    sources,
};

use crate::{
    browser::Browser,
    house::{House, on_each},
    requests::{TEXT, asked, with_model},
};

/// A plan as the command line makes it.
pub async fn plan(house: &House, reference: &str, bytes: &[u8]) {
    let work = &house.deps.work;
    triage::lead_to_suppressed(work, "rita", reference).await.unwrap();
    let from = case::existing(work, reference).await.unwrap().state;
    let act = Act::new("plan", "rita", from, RequestState::ImpactAssessed);
    take(work, reference, &[act], vec![], async |write, _| {
        requests::set_plan(write, reference, bytes.to_vec()).await?;
        Ok(())
    })
    .await
    .unwrap();
}

#[actix_web::test]
async fn a_case_is_led_from_its_request_to_its_approval() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let (_, reference) = asked(&service).await;
        let case = format!("/cases/{reference}");
        let browser = async |name: &str, roles: &[&str]| {
            let id = house.person(name, roles).await;
            Browser::new(&service).with_session(&house.session(id).await)
        };
        let mut lea = browser("lea", &["legal_reviewer", "intake"]).await;
        lea.get("/cases").await.is(200).says(&reference).says("to be safe by");
        lea.get(&case)
            .await
            .is(200)
            .says("Ada Lovelace")
            .says("Her &#60;b&#62;notes&#60;/b&#62;")
            .never_says("<b>notes");
        lea.post(&format!("{case}/triage"), &[]).await.is(409).says("names no source");
        // What was filed is looked for first, and is in no source.
        let find = format!("{case}/find");
        lea.get(&find).await.is(200).says("stormy night.");
        lea.post(&find, &[("by", "text"), ("words", "It was a dark\nand stormy night.")])
            .await
            .says("No source was found");
        lea.post(&find, &[("by", "text"), ("words", " ")]).await.is(200).says("has no letter and no digit");
        let found = lea.post(&find, &[("by", "text"), ("words", TEXT)]).await.is(200);
        found.says("value=\"a\" checked").says("words in a row");
        lea.post(&format!("{case}/sources"), &[("source", "a")]).await.leads_to(&case);
        lea.get(&case).await.is(200);
        lea.post(&format!("{case}/sources"), &[("sources", "\r\n b \r\n")]).await.leads_to(&case);
        lea.get(&case).await.is(200);
        lea.post(&format!("{case}/triage"), &[]).await.leads_to(&case);
        lea.get(&case).await.is(200).says("Refuse it for some of the sources");
        let (code, reason) = (("code", "not_rights_holder"), ("reason", "It is not hers."));
        lea.post(&format!("{case}/partially"), &[("source", "b"), code, reason]).await.leads_to(&case);
        lea.get(&case).await.is(200).says("refused: not rights holder");
        lea.post(&format!("{case}/suppress"), &[]).await.leads_to(&case);
        let source = sources::get(&house.deps.work.db, "m", "a").await.unwrap().unwrap();
        assert!(source.suppressed_at.is_some());
        let impact = br#"{"neurons_per_layer":[32,30],"survivors":[{"source":"<i>c</i>","lost_fraction":"0.046875"}]}"#;
        plan(&house, &reference, impact).await;
        lea.get(&case).await.is(200).says("62 in 2 layers").says("&#60;i&#62;c&#60;/i&#62;").says("4.7 %");
        let seen = case::existing(&house.deps.work, &reference).await.unwrap().plan_digest.unwrap().to_string();
        // Who may not approve is not offered it, and is refused.
        lea.get(&case).await.is(200).never_says("Approve the plan");
        assert_eq!(lea.post(&format!("{case}/approve"), &[("plan", &seen)]).await.status, 403);
        let mut abe = browser("abe", &["legal_approver"]).await;
        abe.get(&case).await.is(200).says("Approve the plan").says(&seen);
        plan(&house, &reference, b"{\"rows\":2}").await;
        abe.post(&format!("{case}/approve"), &[("plan", &seen)]).await.is(409).says("not the one that you have read");
        let seen = case::existing(&house.deps.work, &reference).await.unwrap().plan_digest.unwrap().to_string();
        abe.get(&case).await.is(200);
        abe.post(&format!("{case}/approve"), &[("plan", &seen)]).await.leads_to(&case);
        // One person is one approval, and after ten minutes the password is asked for again.
        abe.get(&case).await.is(200).says("approved once").never_says("Approve the plan");
        let mut bea = browser("bea", &["legal_approver"]).await;
        house.pass_minutes(11);
        bea.get(&case).await.is(200);
        let late = bea.post(&format!("{case}/approve"), &[("plan", &seen)]).await.is(303);
        assert!(late.header("location").starts_with("/step-up"));
        let request = case::existing(&house.deps.work, &reference).await.unwrap();
        assert_eq!(request.state, RequestState::ApprovedOnce);
    })
    .await;
}

#[actix_web::test]
async fn personal_data_is_shown_to_those_alone_who_may_read_it() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let (_, reference) = asked(&service).await;
        let case = format!("/cases/{reference}");
        for (role, reads, personal) in [
            ("intake", true, true),
            ("legal_approver", true, true),
            ("executor", true, false),
            ("auditor", true, false),
            ("admin", false, false),
            ("requester", false, false),
            ("regulator", false, false),
        ] {
            let id = house.person(&format!("somebody who is {role}"), &[role]).await;
            let mut browser = Browser::new(&service).with_session(&house.session(id).await);
            let page = browser.get(&case).await;
            assert_eq!(page.status, if reads { 200 } else { 403 }, "{role}: {}", page.body);
            for secret in ["Ada Lovelace", "ada@example.org", "stormy night"] {
                assert_eq!(page.body.contains(secret), personal, "{role}: {secret}");
            }
        }
        let mut nobody = Browser::new(&service);
        assert!(nobody.get(&case).await.is(303).header("location").starts_with("/sign-in"));
    })
    .await;
}

#[actix_web::test]
async fn what_the_rules_refuse_changes_nothing_and_says_why() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let (_, reference) = asked(&service).await;
        let case = format!("/cases/{reference}");
        let id = house.person("lea", &["legal_reviewer", "intake", "hold_officer"]).await;
        let mut lea = Browser::new(&service).with_session(&house.session(id).await);
        let before = case::existing(&house.deps.work, &reference).await.unwrap();
        for (act, fields, status) in [
            ("sources", vec![("sources", "no-such-source")], 404),
            ("sources", vec![("sources", " ")], 400),
            ("ask", vec![("kind", "weather"), ("question", "?")], 400),
            ("ask", vec![("kind", "scope"), ("question", " ")], 409),
            ("refuse", vec![("code", "because"), ("reason", "x")], 409),
            ("refuse", vec![("code", "other"), ("reason", " ")], 409),
            ("suppress", vec![], 409),
            ("duplicate", vec![("other", "OB-1999-000001")], 404),
            ("release", vec![], 409),
        ] {
            lea.get(&case).await.is(200);
            let page = lea.post(&format!("{case}/{act}"), &fields).await;
            assert_eq!(page.status, status, "{act} {fields:?}: {}", page.body);
        }
        let after = case::existing(&house.deps.work, &reference).await.unwrap();
        assert_eq!((after.state, after.held_at), (before.state, before.held_at));
        lea.get(&case).await.is(200);
        lea.post(&format!("{case}/hold"), &[]).await.leads_to(&case);
        lea.get(&case).await.is(200).says("Held: nothing may be zeroed");
        assert_eq!(lea.get("/cases/OB-1999-000001").await.status, 404);
    })
    .await;
}

#[actix_web::test]
async fn who_objects_and_who_complains_is_heard_on_the_cases_page() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let (mut asker, reference) = asked(&service).await;
        let (case, own) = (format!("/cases/{reference}"), format!("/r/{reference}"));
        asker.get(&own).await.is(200).says("What is wrong with how your request is treated");
        asker.post(&format!("{own}/complain"), &[("words", " ")]).await.is(409).says("say in words");
        asker.get(&own).await.is(200);
        asker.post(&format!("{own}/complain"), &[("words", "Nobody <b>answers</b>.")]).await.leads_to(&own);
        asker.get(&own).await.is(200).says("Nobody &#60;b&#62;answers").never_says("Send the complaint");
        let id = house.person("lea", &["legal_reviewer", "intake"]).await;
        let mut lea = Browser::new(&service).with_session(&house.session(id).await);
        lea.get(&case).await.is(200).says("Nobody &#60;b&#62;answers").says("Say what came of it");
        let objection = [("sender", "Bob"), ("words", "It is mine.")];
        lea.post(&format!("{case}/objection"), &objection).await.leads_to(&case);
        lea.get(&case).await.is(200).says("It is mine.");
        for (notice, status) in [("x", 400), ("9", 409), ("1", 303)] {
            lea.post(&format!("{case}/settle"), &[("notice", notice), ("outcome", "We answered.")]).await.is(status);
            lea.get(&case).await.is(200);
        }
        lea.get(&case).await.says("We answered.");
        let id = house.person("zoe", &["auditor"]).await;
        let mut zoe = Browser::new(&service).with_session(&house.session(id).await);
        zoe.get(&case)
            .await
            .is(200)
            .never_says("Nobody")
            .never_says("Bob")
            .says("for those who may read personal data");
        let refused = zoe.post(&format!("{case}/settle"), &[("notice", "2"), ("outcome", "No.")]).await;
        assert_eq!(refused.status, 403);
    })
    .await;
}
