//! Cases as programs handle them, by tokens.
//!
//! Not here: who is let through (`access.rs`), and text that is meant to do harm (`hostile.rs`).

use actix_web::test::TestRequest;
use obelus_casework::case;
use obelus_portal::{Scope, Token};
use obelus_store::requests::{self, RequestState};
use serde_json::{Value, json};

use crate::{
    browser::{Browser, Page},
    case::{SOURCE, certificate, log},
    house::{House, on_each},
    requests::{asked, with_model},
};

/// A request as a program files it.
fn filed() -> Value {
    json!({
        "regime": "gdpr-art17",
        "model": "m",
        "requester": { "name": "Ada Lovelace", "email": "ada@example.org", "capacity": "person" },
        "subject": "Her notes",
        "passage": "It was a dark\r\nand stormy night.",
    })
}

/// Files a request with a key.
async fn file<S, B>(program: &mut Browser<'_, S>, key: &str, body: &Value) -> Page
where
    S: actix_web::dev::Service<
            actix_http::Request,
            Response = actix_web::dev::ServiceResponse<B>,
            Error = actix_web::Error,
        >,
    B: actix_web::body::MessageBody,
{
    let request = TestRequest::post().uri("/api/v1/requests").insert_header(("content-type", "application/json"));
    program.send(request.insert_header(("idempotency-key", key)).set_payload(body.to_string())).await
}

async fn token(house: &House, name: &str, roles: &[&str], scopes: &[Scope]) -> Token {
    let id = house.person(name, roles).await;
    house.token(id, scopes).await
}

#[actix_web::test]
async fn a_case_is_filed_and_led_to_its_refusal_by_programs() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let ina = token(&house, "ina", &["intake"], &Scope::ALL).await;
        let lea = token(&house, "lea", &["legal_reviewer", "hold_officer"], &Scope::ALL).await;
        let (mut ina, mut lea) = (Browser::with_token(&service, &ina), Browser::with_token(&service, &lea));
        let page = ina.post_json("/api/v1/requests", &filed()).await.is(201);
        let made = page.json();
        let reference = made["reference"].as_str().unwrap();
        assert_eq!(page.header("location"), format!("/api/v1/cases/{reference}"));
        assert_eq!((&made["state"], &made["held"]), (&json!("acknowledged"), &json!(false)));
        let at = |act: &str| format!("/api/v1/cases/{reference}{act}");
        let seen = lea.get(&at("")).await.is(200).json();
        assert_eq!(seen["personal"]["passage"], "It was a dark\nand stormy night.");
        assert_eq!(seen["due"], seen["clocks"][0]["conservative"]);
        let steps: Vec<&Value> = seen["steps"].as_array().unwrap().iter().map(|step| &step["action"]).collect();
        assert_eq!(steps, ["file", "acknowledge"]);
        assert!(seen["steps"][0]["log_index"].is_u64() && seen["steps"][0]["actor"] == "ina", "{seen}");
        lea.post_json(&at("/triage"), &json!({})).await.is(409).says("names no source");
        let question = json!({ "kind": "scope", "question": "Which notes?" });
        let asked = lea.post_json(&at("/ask"), &question).await.is(200).json();
        assert_eq!(asked["state"], "scope_pending");
        ina.post_json(&at("/answer"), &json!({ "answer": "All of them." })).await.is(200);
        lea.post_json(&at("/sources"), &json!({ "sources": ["a", "b"] })).await.is(200);
        assert_eq!(lea.post_json(&at("/triage"), &json!({})).await.is(200).json()["state"], "triaged");
        let part = json!({ "sources": ["b"], "code": "not_rights_holder", "reason": "It is not hers." });
        lea.post_json(&at("/partially"), &part).await.is(200);
        let off = lea.post_json(&at("/suppress"), &json!({})).await.is(200).json();
        assert_eq!(off["state"], "suppressed");
        lea.post_json(&at("/extend"), &json!({ "reasons": "There are many." })).await.is(200);
        let held = lea.post_json(&at("/hold"), &json!({})).await.is(200).json();
        assert_eq!(held["held"], true);
        for act in ["/approve", "/release"] {
            let refused = lea.post_json(&at(act), &json!({})).await.is(403);
            let expected = if act == "/release" { "not-by-token" } else { "not-permitted" };
            assert_eq!(refused.problem(), expected);
        }
        let refusal = json!({ "code": "other", "reason": "It was a test." });
        assert_eq!(lea.post_json(&at("/refuse"), &refusal).await.is(200).json()["state"], "refused");
        let seen = lea.get(&at("")).await.is(200).json();
        assert_eq!(seen["refusal_code"], "other");
        assert_eq!(seen["sources"][1], json!({ "id": "b", "refusal_code": "not_rights_holder" }));
        assert_eq!(seen["questions"][0]["answer"], "All of them.");
        assert_eq!((&seen["due"], seen["steps"].as_array().unwrap().len()), (&Value::Null, 11));
    })
    .await;
}

#[actix_web::test]
async fn a_case_is_undone_closed_as_a_duplicate_and_taken_back_by_programs() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let lea = token(&house, "lea", &["intake", "legal_reviewer"], &Scope::ALL).await;
        let mut lea = Browser::with_token(&service, &lea);
        let mut references = Vec::new();
        for _ in 0..3 {
            let made = lea.post_json("/api/v1/requests", &filed()).await.is(201).json();
            references.push(made["reference"].as_str().unwrap().to_owned());
        }
        let at = |i: usize, act: &str| format!("/api/v1/cases/{}/{act}", references[i]);
        let sources = json!({ "sources": ["a"] });
        for (path, body) in
            [(at(0, "sources"), &sources), (at(0, "triage"), &json!({})), (at(0, "suppress"), &json!({}))]
        {
            lea.post_json(&path, body).await.is(200);
        }
        assert_eq!(lea.post_json(&at(0, "undo"), &json!({})).await.is(200).json()["state"], "restored");
        let same = json!({ "of": references[0] });
        assert_eq!(lea.post_json(&at(1, "duplicate"), &same).await.is(200).json()["state"], "duplicate_of");
        assert_eq!(lea.get(&format!("/api/v1/cases/{}", references[1])).await.json()["duplicate_of"], references[0]);
        assert_eq!(lea.post_json(&at(2, "withdraw"), &json!({})).await.is(200).json()["state"], "withdrawn");
        // The list, a page at a time, has each once.
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = lea.get(&format!("/api/v1/cases?limit=2{after}")).await.is(200).json();
            seen.extend(page["cases"].as_array().unwrap().iter().map(|c| c["reference"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(seen, references);
        for bad in ["limit=0", "limit=201", "limit=x", "limit=-1", "after=%27", "lmit=2", "limit=1&limit="] {
            let page = lea.get(&format!("/api/v1/cases?{bad}")).await;
            assert!(page.status == 400 || bad == "limit=1&limit=", "{bad}: {}", page.body);
        }
    })
    .await;
}

#[actix_web::test]
async fn the_same_key_files_once_and_another_tokens_key_is_another() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let id = house.person("ina", &["intake"]).await;
        let (one, two) = (house.token(id, &[Scope::File]).await, house.token(id, &[Scope::File]).await);
        let (mut one, mut two) = (Browser::with_token(&service, &one), Browser::with_token(&service, &two));
        let first = file(&mut one, "k-1", &filed()).await.is(201).json();
        house.pass_minutes(5);
        let again = file(&mut one, "k-1", &filed()).await.is(200).json();
        assert_eq!(again, first);
        let mut other = filed();
        other["subject"] = json!("Other notes");
        assert_eq!(file(&mut one, "k-1", &other).await.is(422).problem(), "key-reused");
        let second = file(&mut two, "k-1", &filed()).await.is(201).json();
        assert_ne!(second["reference"], first["reference"]);
        file(&mut one, "k-2", &filed()).await.is(201);
        // Without a key, each time is another.
        one.post_json("/api/v1/requests", &filed()).await.is(201);
        assert_eq!(requests::page(&house.deps.work.db, None, 10).await.unwrap().len(), 4);
        for bad in ["", "a b", "é", &"a".repeat(201)] {
            file(&mut one, bad, &filed()).await.is(400);
        }
        // What was not filed has not used its key.
        let mut wrong = filed();
        wrong["model"] = json!("no-such-model");
        file(&mut one, "k-3", &wrong).await.is(422).says("no-such-model");
        file(&mut one, "k-3", &filed()).await.is(201);
    })
    .await;
}

#[actix_web::test]
async fn of_many_who_file_with_one_key_at_once_one_request_is_made() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let token = token(&house, "ina", &["intake"], &[Scope::File]).await;
        let mut programs: Vec<_> = (0..4).map(|_| Browser::with_token(&service, &token)).collect();
        let body = filed();
        let [a, b, c, d] = &mut programs[..] else { unreachable!() };
        let (a, b, c, d) =
            tokio::join!(file(a, "k", &body), file(b, "k", &body), file(c, "k", &body), file(d, "k", &body));
        let mut statuses: Vec<u16> = [&a, &b, &c, &d].map(|page| page.status).to_vec();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 200, 200, 201], "{} {} {} {}", a.body, b.body, c.body, d.body);
        assert!([&b, &c, &d].iter().all(|page| page.json()["reference"] == a.json()["reference"]));
        assert_eq!(requests::page(&house.deps.work.db, None, 10).await.unwrap().len(), 1);
    })
    .await;
}

#[actix_web::test]
async fn a_body_that_cannot_be_is_refused_and_nothing_is_filed() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let token = token(&house, "ina", &["intake"], &Scope::ALL).await;
        let mut ina = Browser::with_token(&service, &token);
        let with = |pointer: &str, value: Value| {
            let mut body = filed();
            let (of, name) = pointer.rsplit_once('/').unwrap();
            body.pointer_mut(of).unwrap()[name] = value;
            body
        };
        for (body, status, says) in [
            (with("/regime", json!("no-such-law")), 422, "no-such-law"),
            (with("/regime", json!("")), 422, "Choose the law"),
            (with("/model", json!("m\0")), 422, "a character that is none"),
            (with("/requester/name", json!("a\nb")), 422, "a line break or control character"),
            (with("/requester/name", json!("a".repeat(321))), 422, "at most 320"),
            (with("/requester/email", json!("ada")), 422, "one plain address"),
            (with("/requester/capacity", json!("agent")), 422, "for whom you act"),
            (with("/requester/nick", json!("x")), 422, "a field too many"),
            (with("/sources", json!(["no-such-source"])), 422, "no-such-source"),
            (with("/sources", json!("a")), 422, "of another type"),
            (with("/received_at", json!("1999-01-01")), 422, "a field too many"),
            (with("/requester", json!(["Ada", "ada@example.org", "person"])), 422, "of another type"),
            (json!([]), 422, "is no object"),
            (json!({}), 422, "Missing field"),
            (with("/passage", json!("a".repeat(3 << 20))), 422, "at most 2097152"),
            (with("/passage", json!("a".repeat(5 << 20))), 413, "larger than"),
        ] {
            let page = ina.post_json("/api/v1/requests", &body).await;
            assert_eq!(page.status, status, "{}", page.body);
            page.problem();
            page.says(says);
        }
        let named = ina.post_json("/api/v1/requests", &with("/requester/email", json!("ada"))).await;
        let problem: Value = serde_json::from_str(&named.body).unwrap();
        assert_eq!(problem["errors"][0]["field"], "email");
        let sent = async |kind: &str, text: &str| {
            let request = TestRequest::post().uri("/api/v1/requests").insert_header(("content-type", kind));
            Browser::with_token(&service, &token).send(request.set_payload(text.to_owned())).await.status
        };
        let good = filed().to_string();
        assert_eq!(sent("text/plain", &good).await, 415);
        assert_eq!(sent("application/x-www-form-urlencoded", &good).await, 415);
        assert_eq!(sent("application/jsonx", &good).await, 415);
        assert_eq!(sent("application/json", &good[1..]).await, 400);
        assert_eq!(sent("application/json", "").await, 400);
        assert!(requests::page(&house.deps.work.db, None, 1).await.unwrap().is_empty());
        assert_eq!(sent("Application/JSON; charset=utf-8", &good).await, 201);
    })
    .await;
}

#[actix_web::test]
async fn personal_data_takes_the_scope_and_the_right_to_read_it() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let (_, reference) = asked(&service).await;
        for (role, scopes, status, personal) in [
            ("intake", &[Scope::Read, Scope::Personal][..], 200, true),
            ("intake", &[Scope::Read], 200, false),
            ("intake", &[Scope::Personal], 403, false),
            ("auditor", &[Scope::Read, Scope::Personal], 200, false),
            ("admin", &Scope::ALL, 403, false),
        ] {
            let token = token(&house, &format!("{role} with {scopes:?}"), &[role], scopes).await;
            let page = Browser::with_token(&service, &token).get(&format!("/api/v1/cases/{reference}")).await;
            assert_eq!(page.status, status, "{role} {scopes:?}: {}", page.body);
            for secret in ["Ada Lovelace", "ada@example.org", "stormy night"] {
                assert_eq!(page.body.contains(secret), personal, "{role} {scopes:?}: {secret}");
            }
        }
    })
    .await;
}

#[actix_web::test]
async fn no_token_approves_a_plan() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let (_, reference) = asked(&service).await;
        let abe = token(&house, "abe", &["legal_approver", "hold_officer"], &Scope::ALL).await;
        let mut abe = Browser::with_token(&service, &abe);
        let refused = abe.post_json(&format!("/api/v1/cases/{reference}/approve"), &json!({})).await.is(403);
        assert_eq!(refused.problem(), "not-by-token");
        refused.says("who has just entered their password");
        let request = case::existing(&house.deps.work, &reference).await.unwrap();
        assert_eq!(request.state, RequestState::Acknowledged);
    })
    .await;
}

#[actix_web::test]
async fn what_is_public_is_told_to_programs_without_a_token() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut nobody = Browser::program(&service);
        assert_eq!(nobody.get("/api/v1/log").await.is(404).problem(), "not-found");
        assert_eq!(nobody.get("/api/v1/certificates").await.is(200).json()["certificates"], json!([]));
        let made = certificate(&house).await;
        log(&house, 7).await;
        let list = nobody.get("/api/v1/certificates?limit=1").await.is(200).json();
        assert_eq!((&list["certificates"][0]["id"], &list["next"]), (&json!(made.id), &Value::Null));
        let one = nobody.get(&format!("/api/v1/certificates/{}", made.id)).await.is(200).never_says("<b>").json();
        assert_eq!((&one["standing"], &one["source"]), (&json!("valid"), &json!(SOURCE)));
        assert_eq!(one["files"].as_array().unwrap().len(), 5);
        for file in one["files"].as_array().unwrap() {
            nobody.get(file["path"].as_str().unwrap()).await.is(200);
        }
        house.pass_minutes(61);
        let late = nobody.get(&format!("/api/v1/certificates/{}", made.id)).await.json();
        assert_eq!(late["standing"], "expired");
        nobody.get("/api/v1/certificates/CT-1999-000001").await.is(404);
        let log = nobody.get("/api/v1/log").await.is(200).json();
        assert_eq!((&log["size"], &log["origin"]), (&json!(7), &json!("obelus.example/log")));
        let note = nobody.get("/log-files/checkpoint").await.is(200).body;
        assert_eq!(log["checkpoint"], note);
        assert_eq!(log["root"].as_str().unwrap(), note.lines().nth(2).unwrap());
        let other = TestRequest::delete().uri("/api/v1/log");
        let refused = nobody.send(other).await.is(405);
        assert_eq!((refused.header("allow"), refused.problem()), ("GET, HEAD", "method".to_owned()));
        assert_eq!(nobody.get("/api/v1/nothing").await.is(404).problem(), "not-found");
    })
    .await;
}
