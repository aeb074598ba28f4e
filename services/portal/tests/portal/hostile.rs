//! Text that is meant to do harm, in every field and every part of an address.
//!
//! Not here: who may call what.

use actix_web::{http::Method, test::TestRequest};
use obelus_portal::routes;

use crate::{
    browser::{Browser, Page},
    house::{House, PASSWORD, on_each, set_up},
    requests::{asked, with_model},
};

const TEXTS: &[&str] = &[
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "exe.\u{202e}fdp",
    "a\0b",
    "' OR 1=1 --",
    "{{ 7*7 }}",
    "../../etc/passwd",
    "\u{feff}\u{200b}",
    "\r\nSet-Cookie: session=x",
    "%00%ff%c0%af",
];

/// Enough for every form of a case.
const ROLES: &[&str] =
    &["admin", "auditor", "intake", "legal_reviewer", "legal_approver", "hold_officer", "executor", "requester"];

/// Fails if the page is our fault, or holds the text in a form that does something.
#[track_caller]
fn harmless(page: &Page, text: &str) {
    assert!(page.status < 500, "{text:?}: {}", page.body);
    for bad in ["<script>alert", "<img src=x", "\u{202e}", "\0", "\u{feff}"] {
        assert!(!page.body.contains(bad), "{text:?}: {bad:?} is in\n{}", page.body);
    }
    assert_eq!(page.headers.get_all("set-cookie").filter(|c| c.to_str().unwrap().starts_with("session=x")).count(), 0);
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[actix_web::test]
async fn every_field_of_every_form_takes_any_text() {
    const FIELDS: &[&str] = &[
        "name",
        "password",
        "new_password",
        "again",
        "next",
        "session",
        "role",
        "subject",
        "after",
        "form_code",
        "regime",
        "model",
        "passage",
        "statement",
        "capacity",
        "authority",
        "email",
        "kind",
        "question",
        "answer",
        "sources",
        "source",
        "by",
        "words",
        "code",
        "reason",
        "reasons",
        "plan",
        "other",
    ];
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let (_, reference) = asked(&service).await;
        for text in TEXTS {
            for route in routes() {
                let person = house.deps.work.db.clone();
                let id = match obelus_store::persons::named(&person, "mallory").await.unwrap() {
                    Some(person) => person.id,
                    None => house.person("mallory", ROLES).await,
                };
                let mut browser = Browser::new(&service).with_session(&house.session(id).await);
                browser.get("/account").await.is(200);
                let path = route.path.replace("{path:.*}", "{path}").replace("{reference}", &reference);
                let path = path.replace(['{', '}'], "");
                let page = if route.method == Method::GET {
                    let query: Vec<String> = FIELDS.iter().map(|field| format!("{field}={}", encoded(text))).collect();
                    browser.get(&format!("{path}?{}", query.join("&"))).await
                } else {
                    let fields: Vec<_> = FIELDS.iter().filter(|f| **f != "form_code").map(|f| (*f, *text)).collect();
                    browser.post(&path, &fields).await
                };
                harmless(&page, text);
            }
        }
    })
    .await;
}

#[actix_web::test]
async fn every_part_of_an_address_takes_any_text() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let id = house.person("mallory", &["admin", "auditor"]).await;
        let session = house.session(id).await;
        for text in TEXTS {
            for route in routes().into_iter().filter(|route| route.path.contains('{') && !route.is_unsafe()) {
                let mut browser = Browser::new(&service).with_session(&session);
                let mut path = String::new();
                for part in route.path.split('/').skip(1) {
                    path += "/";
                    path += &if part.starts_with('{') { encoded(text) } else { part.to_owned() };
                }
                let page = browser.get(&path).await;
                harmless(&page, text);
                assert!(page.status >= 400, "{path} is {}", page.status);
            }
        }
        let page = Browser::new(&service).get(&format!("/{}", encoded(TEXTS[0]))).await.is(404);
        harmless(&page, TEXTS[0]);
    })
    .await;
}

#[actix_web::test]
async fn ten_megabytes_are_refused_and_nothing_is_kept() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut browser = Browser::new(&service);
        browser.get("/sign-in").await;
        let large = "a".repeat(10 << 20);
        browser.post("/sign-in", &[("name", &large), ("password", PASSWORD)]).await.is(413);
        let many =
            TestRequest::post().uri("/sign-in").insert_header(("content-type", "application/x-www-form-urlencoded"));
        browser.send(many.set_payload("a=b&".repeat(100_000))).await.is(400);
        let long_name = "a".repeat(900_000);
        let page = browser.post("/sign-in", &[("name", &long_name), ("password", PASSWORD)]).await;
        assert!(page.is(422).body.len() < 10_000, "the name is sent back whole");
    })
    .await;
}

#[actix_web::test]
async fn what_a_browser_calls_itself_is_shown_as_text() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        set_up(&house, &service).await;
        let mut browser = Browser::new(&service);
        browser.get("/sign-in").await;
        let form = [("form_code", browser.code.as_str()), ("name", "ana"), ("password", PASSWORD)];
        let request = TestRequest::post().uri("/sign-in").insert_header(("user-agent", TEXTS[0])).set_form(form);
        browser.send(request).await.leads_to("/account");
        let page = browser.get("/settings/sessions").await.is(200).says("alert(1)");
        harmless(&page, TEXTS[0]);
    })
    .await;
}
