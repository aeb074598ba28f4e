//! What regulators and auditors do: grants, what they show and for how long, and samples that nobody can steer.
//!
//! Not here: who may call which address (`access.rs`), and how cases are drawn (`obelus-casework`).

use actix_http::Request;
use actix_web::{
    Error,
    body::MessageBody,
    dev::{Service, ServiceResponse},
};
use obelus_casework::{sampling, triage};
use obelus_core::Digest;
use obelus_store::{access_grants, audit, case_questions::QuestionKind, persons, samples};

use crate::{
    browser::Browser,
    house::{House, on_each},
    requests::{asked, with_model},
};

const DAY_MINUTES: i64 = 24 * 60;
/// What is personal in a case of [`asked`].
const PERSONAL: [&str; 4] = ["Ada Lovelace", "ada@example.org", "stormy night", "Which Ada"];

async fn browser<'s, S, B>(house: &House, service: &'s S, name: &str, roles: &[&str]) -> Browser<'s, S>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let id = match persons::named(&house.deps.work.db, name).await.unwrap() {
        Some(person) => person.id,
        None => house.person(name, roles).await,
    };
    Browser::new(service).with_session(&house.session(id).await)
}

fn day(house: &House, later: i64) -> String {
    let at = house.now().as_micros() + later * DAY_MINUTES * 60_000_000;
    obelus_core::Timestamp::from_micros(at).to_string()[..10].to_owned()
}

/// A grant from today for two days, given by Abe to Dora.
async fn give<S, B>(house: &House, service: &S, cases: &str, draws: &str)
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let mut abe = browser(house, service, "abe", &["legal_approver"]).await;
    abe.get("/settings/grants/new").await.is(200).says("dora");
    let (from, until) = (day(house, 0), day(house, 1));
    let fields = [
        ("person", "dora"),
        ("matter", "File 7 <b>of</b> the authority"),
        ("cases", cases),
        ("from", &from),
        ("until", &until),
        ("draws", draws),
    ];
    abe.post("/settings/grants/new", &fields).await.leads_to("/settings/grants");
}

/// What was noted of Dora's reading, oldest first.
async fn read_by_dora(house: &House) -> Vec<String> {
    let events = audit::page(&house.deps.work.db, None, 0, 10_000).await.unwrap();
    let own = events.into_iter().filter(|event| event.actor == "dora" && event.action.starts_with("read_"));
    own.map(|event| format!("{} {}", event.action, event.subject)).collect()
}

#[actix_web::test]
async fn a_regulator_sees_the_cases_of_a_grant_while_it_runs_and_nothing_personal() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let (_, granted) = asked(&service).await;
        let (_, other) = asked(&service).await;
        triage::ask(&house.deps.work, "rita", &granted, QuestionKind::Identity, "Which Ada are you?").await.unwrap();
        let mut dora = browser(&house, &service, "dora", &["regulator"]).await;
        for page in ["/cases", &format!("/cases/{granted}"), "/audit", "/audit/sample"] {
            assert_eq!(dora.get(page).await.status, 403, "{page} before a grant");
        }
        give(&house, &service, &format!("{granted}\r\n"), "").await;
        let list = dora.get("/cases").await.is(200).says(&granted);
        list.never_says(&other);
        let page = dora.get(&format!("/cases/{granted}")).await.is(200);
        for secret in PERSONAL {
            assert!(!page.body.contains(secret), "{secret}");
        }
        assert!(!page.body.contains("<details class=\"act\""), "a regulator is offered an act");
        assert_eq!(dora.get(&format!("/cases/{other}")).await.status, 403);
        let trail = dora.get("/audit").await.is(200).says(&granted);
        trail.never_says(&other).never_says("give grant").never_says("filed&#34;");
        dora.get(&format!("/audit?subject={other}")).await.is(200).says("No events were found");
        assert_eq!(dora.get("/audit/access").await.status, 403);
        // What was refused was not read.
        let expected = ["read_cases dora".to_owned(), format!("read_case {granted}"), "read_audit dora".to_owned()];
        assert_eq!(read_by_dora(&house).await[..3], expected);
        let mut nina = browser(&house, &service, "nina", &["auditor"]).await;
        nina.get("/cases").await.is(200).says(&granted).says(&other);
        nina.get("/audit/access")
            .await
            .is(200)
            .says("dora")
            .says("read case")
            .says(&granted)
            .never_says("<bdi>nina</bdi></td>");
        nina.get(&format!("/audit/access?subject={other}")).await.is(200).says("Nothing was read");
        // It is over when its last day is.
        house.pass_minutes(2 * DAY_MINUTES);
        let mut dora = browser(&house, &service, "dora", &[]).await;
        for page in ["/cases", &format!("/cases/{granted}"), "/audit"] {
            assert_eq!(dora.get(page).await.status, 403, "{page} after the grant");
        }
    })
    .await;
}

#[actix_web::test]
async fn a_grant_that_was_taken_back_shows_nothing_and_who_may_not_gives_none() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let (_, reference) = asked(&service).await;
        let mut dora = browser(&house, &service, "dora", &["regulator"]).await;
        give(&house, &service, &reference, "").await;
        dora.get(&format!("/cases/{reference}")).await.is(200);
        let id = access_grants::all(&house.deps.work.db, None).await.unwrap()[0].id;
        for role in ["admin", "auditor", "legal_reviewer"] {
            let mut somebody = browser(&house, &service, role, &[role]).await;
            somebody.get("/account").await.is(200);
            let tried = somebody.post(&format!("/settings/grants/{id}/revoke"), &[]).await;
            assert_eq!(tried.status, 403, "{role}");
            assert_eq!(somebody.get("/settings/grants/new").await.status, 403, "{role}");
        }
        let mut abe = browser(&house, &service, "abe", &[]).await;
        let page = abe.get("/settings/grants").await.is(200).says("Runs");
        page.says("File 7 &#60;b&#62;of&#60;/b&#62; the authority");
        let revoke = format!("/settings/grants/{id}/revoke");
        abe.post(&revoke, &[]).await.leads_to("/settings/grants");
        abe.get("/settings/grants").await.is(200).says("Taken back").never_says("Runs");
        assert_eq!(abe.post(&revoke, &[]).await.status, 409);
        assert_eq!(abe.post("/settings/grants/999999/revoke", &[]).await.status, 404);
        assert_eq!(dora.get(&format!("/cases/{reference}")).await.status, 403);
        assert_eq!(dora.get("/cases").await.status, 403);
        let events = audit::page(&house.deps.work.db, Some("dora"), 0, 100).await.unwrap();
        let done: Vec<_> = events.iter().map(|event| (event.actor.as_str(), event.action.as_str())).collect();
        assert_eq!(done, [("abe", "give_grant"), ("abe", "revoke_grant")]);
    })
    .await;
}

#[actix_web::test]
async fn a_grant_that_cannot_be_is_refused_with_what_is_wrong() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let (_, reference) = asked(&service).await;
        house.person("dora", &["regulator"]).await;
        let (today, tomorrow, late) = (day(&house, 0), day(&house, 1), day(&house, 400));
        let (past, longer) = (day(&house, -9), day(&house, -8));
        let mut abe = browser(&house, &service, "abe", &["legal_approver", "regulator"]).await;
        let right = [
            ("person", "dora"),
            ("matter", "File 7"),
            ("cases", reference.as_str()),
            ("from", &today),
            ("until", &tomorrow),
            ("draws", ""),
        ];
        for (changes, said) in [
            (vec![("person", "")], "Choose to whom"),
            (vec![("person", "rita")], "has not the role regulator"),
            (vec![("person", "abe")], "Nobody gives a grant to themselves"),
            (vec![("person", "nobody")], "there is no person"),
            (vec![("matter", " ")], "Say in words"),
            (vec![("cases", "OB-1999-000001")], "there is no request"),
            (vec![("cases", "../x")], "Write one reference on each line"),
            (vec![("cases", "")], "The grant shows nothing"),
            (vec![("from", "tomorrow")], "Write a day as"),
            (vec![("until", "2026-02-30")], "Write a day as"),
            (vec![("from", late.as_str())], "ends before it begins"),
            (vec![("until", late.as_str())], "more than a year"),
            (vec![("from", past.as_str()), ("until", longer.as_str())], "over already"),
            (vec![("draws", "-1")], "Write a number"),
            (vec![("draws", "1001")], "At most 1000"),
        ] {
            let fields: Vec<(&str, &str)> = right
                .iter()
                .map(|(name, value)| (*name, changes.iter().find(|(of, _)| of == name).map_or(*value, |(_, to)| to)))
                .collect();
            abe.get("/settings/grants/new").await.is(200);
            abe.post("/settings/grants/new", &fields).await.is(422).says(said);
        }
        assert!(access_grants::all(&house.deps.work.db, None).await.unwrap().is_empty());
        // It takes a fresh password.
        house.pass_minutes(11);
        assert!(abe.post("/settings/grants/new", &right).await.is(303).header("location").starts_with("/step-up"));
        assert!(access_grants::all(&house.deps.work.db, None).await.unwrap().is_empty());
    })
    .await;
}

#[actix_web::test]
async fn a_sample_is_drawn_from_what_was_there_when_its_seed_was_committed_to() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let mut all = Vec::new();
        for _ in 0..4 {
            all.push(asked(&service).await.1);
        }
        let mut dora = browser(&house, &service, "dora", &["regulator"]).await;
        give(&house, &service, "", "2").await;
        let seed = "6f".repeat(32);
        let digest = Digest::sha256(&seed).to_string();
        dora.get("/audit/sample").await.is(200);
        let tried = async |dora: &mut Browser<'_, _>, size: &str, digest: &str, said: &str| {
            dora.post("/audit/sample", &[("size", size), ("seed_digest", digest)]).await.is(422).says(said);
        };
        tried(&mut dora, "2", "seed", "64 hexadecimal digits").await;
        tried(&mut dora, "0", &digest, "at least one").await;
        tried(&mut dora, "3", &digest, "lets 2 more cases be drawn").await;
        assert!(samples::all(&house.deps.work.db, None).await.unwrap().is_empty());
        let committed = dora.post("/audit/sample", &[("size", "2"), ("seed_digest", &digest)]).await.is(303);
        let page = committed.header("location").to_owned();
        let sample = samples::all(&house.deps.work.db, None).await.unwrap().remove(0);
        dora.get(&page).await.is(200).says(&digest).says(&sample.population_digest.to_string()).says("Reveal and draw");
        tried(&mut dora, "1", &Digest::sha256("more").to_string(), "lets 0 more cases be drawn").await;
        let population = dora.get(&format!("{page}/files/population.json")).await.is(200);
        assert_eq!(Digest::sha256(&population.body), sample.population_digest.0);
        assert_eq!(dora.get(&format!("{page}/files/sample.json")).await.status, 404);
        // Another case comes in, and another goes; neither counts.
        let (mut ada, late) = asked(&service).await;
        ada.get(&format!("/r/{late}")).await.is(200);
        ada.post(&format!("/r/{late}/withdraw"), &[]).await.is(303);
        dora.get(&page).await.is(200);
        let reveal = format!("{page}/reveal");
        dora.post(&reveal, &[("seed", "another")]).await.is(422).says("not the seed that was committed to");
        dora.post(&reveal, &[("seed", "")]).await.is(422).says("A seed has 1 to 200 characters");
        assert_eq!(dora.get(&format!("/cases/{}", all[0])).await.status, 403);
        dora.get(&page).await.is(200);
        dora.post(&reveal, &[("seed", &seed)]).await.leads_to(&page);
        // Recomputed here from the formula, and from nothing that the portal says.
        let mut ranked: Vec<_> =
            all.iter().map(|case| (Digest::sha256(format!("{seed}\0{case}")).to_string(), case)).collect();
        ranked.sort();
        let drawn: Vec<&str> = ranked.iter().take(2).map(|(_, case)| case.as_str()).collect();
        let document = dora.get(&format!("{page}/files/sample.json")).await.is(200);
        let document: serde_json::Value = serde_json::from_str(&document.body).unwrap();
        assert_eq!(document["drawn"], serde_json::json!(drawn));
        assert_eq!(document["populationDigest"], sample.population_digest.to_string());
        let shown = dora.get(&page).await.is(200);
        for case in &all {
            assert_eq!(shown.body.contains(&format!("/cases/{case}")), drawn.contains(&case.as_str()), "{case}");
            let read = dora.get(&format!("/cases/{case}")).await;
            assert_eq!(read.status, if drawn.contains(&case.as_str()) { 200 } else { 403 }, "{case}");
            assert!(PERSONAL.iter().all(|secret| !read.body.contains(secret)));
        }
        // Once is once.
        dora.get("/audit/sample").await.is(200).says("Drawn");
        assert_eq!(dora.post(&reveal, &[("seed", &seed)]).await.status, 409);
        let again = dora.post("/audit/sample", &[("size", "1"), ("seed_digest", &digest)]).await;
        again.is(422).says("lets 0 more cases be drawn");
        let events = audit::page(&house.deps.work.db, Some(&sample.id), 0, 100).await.unwrap();
        let done: Vec<&str> =
            events.iter().map(|event| event.action.as_str()).filter(|a| !a.starts_with("read")).collect();
        assert_eq!(done, ["commit_sample", "draw_sample"]);
    })
    .await;
}

#[actix_web::test]
async fn an_auditor_draws_without_a_grant_and_nobody_elses_sample_is_revealed_or_shown() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        asked(&service).await;
        let mut nina = browser(&house, &service, "nina", &["auditor"]).await;
        nina.get("/audit/sample").await.is(200);
        let digest = Digest::sha256("seed").to_string();
        let none = [("size", "1"), ("seed_digest", digest.as_str()), ("closed", "yes")];
        nina.post("/audit/sample", &none).await.is(422).says("There are 0 such cases");
        let yesterday = day(&house, -1);
        let none = [("size", "1"), ("seed_digest", digest.as_str()), ("until", yesterday.as_str())];
        nina.post("/audit/sample", &none).await.is(422).says("There are 0 such cases");
        let one = [("size", "1"), ("seed_digest", digest.as_str())];
        let page = nina.post("/audit/sample", &one).await.is(303).header("location").to_owned();
        nina.get("/audit/sample").await.is(200);
        nina.post("/audit/sample", &one).await.is(422).says("This seed was used before");
        let mut dora = browser(&house, &service, "dora", &["regulator"]).await;
        give(&house, &service, "", "5").await;
        assert_eq!(dora.get(&page).await.status, 404);
        assert_eq!(dora.get(&format!("{page}/files/population.json")).await.status, 404);
        let mut olga = browser(&house, &service, "olga", &["auditor"]).await;
        olga.get(&page).await.is(200).says("nina").never_says("Reveal and draw");
        assert_eq!(olga.post(&format!("{page}/reveal"), &[("seed", "seed")]).await.status, 404);
        nina.get(&page).await.is(200);
        nina.post(&format!("{page}/reveal"), &[("seed", "seed")]).await.leads_to(&page);
        let mut root = browser(&house, &service, "root", &["admin"]).await;
        assert_eq!(root.get("/audit/sample").await.status, 403);
        // A regulator whose grant ends meanwhile draws nothing from it.
        dora.get("/audit/sample").await.is(200);
        let own = [("size", "1"), ("seed_digest", &Digest::sha256("doras").to_string())];
        let own = dora.post("/audit/sample", &own).await.is(303).header("location").to_owned();
        let grant = access_grants::all(&house.deps.work.db, None).await.unwrap()[0].id;
        obelus_casework::grants::revoke(&house.deps.work, "abe", grant).await.unwrap();
        dora.get("/account").await.is(200);
        assert_eq!(dora.post(&format!("{own}/reveal"), &[("seed", "doras")]).await.status, 403);
        give(&house, &service, "", "5").await;
        dora.get(&own).await.is(200);
        dora.post(&format!("{own}/reveal"), &[("seed", "doras")]).await.is(422).says("is over");
        let all = samples::all(&house.deps.work.db, None).await.unwrap();
        assert_eq!(all.iter().map(|sample| sample.seed.is_some()).collect::<Vec<_>>(), [true, false]);
        assert_eq!(sampling::drawn(&all[1]).unwrap(), None);
    })
    .await;
}
