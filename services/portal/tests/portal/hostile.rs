//! Text that is meant to do harm, in every field and every part of an address.
//!
//! Not here: who may call what.

use std::{collections::BTreeSet, fs, path::Path};

use actix_web::{http::Method, test::TestRequest};
use obelus_portal::{Route, Scope, api_document, routes};
use serde_json::{Value, json};

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
pub const ROLES: &[&str] =
    &["admin", "auditor", "intake", "legal_reviewer", "legal_approver", "hold_officer", "executor", "requester"];

/// Fails if the page is our fault, or holds the text in a form that does something.
#[track_caller]
fn harmless(page: &Page, text: &str) {
    assert!(page.status < 500, "{text:?}: {}", page.body);
    // What is saved is not shown, as long as no browser guesses otherwise.
    if page.header("content-disposition").starts_with("attachment") {
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{text:?}");
        return;
    }
    for bad in ["<script>alert", "<img src=x", "\u{202e}", "\0", "\u{feff}"] {
        assert!(!page.body.contains(bad), "{text:?}: {bad:?} is in\n{}", page.body);
    }
    assert_eq!(page.headers.get_all("set-cookie").filter(|c| c.to_str().unwrap().starts_with("session=x")).count(), 0);
}

/// The names of all fields, as the code of the pages reads them.
pub fn fields() -> BTreeSet<String> {
    let (mut folders, mut names) = (vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")], BTreeSet::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let code = fs::read_to_string(path).unwrap();
            for reads in [
                ".get(\"",
                ".all(\"",
                ".text(\"",
                ".query(\"",
                ".take(\"",
                "field(\"",
                "line(\"",
                "(text(\"",
                " text(\"",
            ] {
                let found = code.split(reads).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
                // Other words in quotation marks follow such brackets too.
                let found = found.filter(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
                names.extend(found);
            }
        }
    }
    for known in ["passage", "question", "sender", "matter", "seed", "scope", "new_password", "source"] {
        assert!(names.contains(known), "{known} is read in another way: {names:?}");
    }
    names
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[actix_web::test]
async fn every_field_of_every_form_takes_any_text() {
    let fields = fields();
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let (_, reference) = asked(&service).await;
        let mallory = house.person("mallory", ROLES).await;
        let mut browser = Browser::new(&service).with_session(&house.session(mallory).await);
        for text in TEXTS {
            for route in routes().into_iter().filter(|route| !route.is_api()) {
                // Some forms end the session that they are sent with.
                if browser.get("/account").await.status != 200 {
                    browser = Browser::new(&service).with_session(&house.session(mallory).await);
                    browser.get("/account").await.is(200);
                }
                let path = route.path.replace("{path:.*}", "{path}").replace("{reference}", &reference);
                let path = path.replace(['{', '}'], "");
                let page = if route.method == Method::GET {
                    let query: Vec<String> = fields.iter().map(|field| format!("{field}={}", encoded(text))).collect();
                    browser.get(&format!("{path}?{}", query.join("&"))).await
                } else {
                    let fields: Vec<_> =
                        fields.iter().filter(|f| *f != "form_code").map(|f| (f.as_str(), *text)).collect();
                    browser.post(&path, &fields).await
                };
                harmless(&page, text);
            }
        }
    })
    .await;
}

/// A value of a schema with `text` in every place where there can be any.
fn filled(document: &Value, schema: &Value, text: &str) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        return filled(document, document.pointer(name.strip_prefix('#').unwrap()).unwrap(), text);
    }
    match schema["type"].as_str() {
        Some("object") => {
            let fields = schema["properties"].as_object().into_iter().flatten();
            fields.map(|(name, schema)| (name.clone(), filled(document, schema, text))).collect()
        }
        Some("array") => json!([filled(document, &schema["items"], text)]),
        _ => json!(text),
    }
}

/// What a program may send to a route, with `text` in every field.
fn body(document: &Value, route: &Route, text: &str) -> Value {
    let operation = &document["paths"][route.path]["post"];
    filled(document, &operation["requestBody"]["content"]["application/json"]["schema"], text)
}

#[actix_web::test]
async fn every_field_of_every_body_takes_any_text() {
    let document = api_document();
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let (_, reference) = asked(&service).await;
        let id = house.person("mallory", ROLES).await;
        for text in TEXTS {
            let token = house.token(id, &Scope::ALL).await;
            for route in routes().into_iter().filter(Route::is_api) {
                let mut program = Browser::with_token(&service, &token);
                let path = route.path.replace("{reference}", &reference).replace(['{', '}'], "");
                let statuses = &document["paths"][route.path][route.method.as_str().to_lowercase()]["responses"];
                let mut pages = Vec::new();
                if route.is_unsafe() {
                    let mut body = body(&document, &route, text);
                    pages.push(program.post_json(&path, &body).await);
                    body[*text] = json!(text);
                    pages.push(program.post_json(&path, &body).await);
                    // One field is as it should be, so that others are looked at.
                    let mut body = self::body(&document, &route, text);
                    for (name, good) in
                        [("kind", "scope"), ("code", "other"), ("of", &reference), ("regime", "ccpa"), ("model", "m")]
                    {
                        if let Some(value) = body.get_mut(name) {
                            *value = json!(good);
                        }
                    }
                    if let Some(who) = body.get_mut("requester") {
                        (who["email"], who["capacity"]) = (json!("a@example.org"), json!("person"));
                        body["sources"] = json!([]);
                    }
                    pages.push(program.post_json(&path, &body).await);
                } else {
                    pages.push(program.get(&format!("{path}?after={}", encoded(text))).await);
                    pages.push(program.get(&format!("{path}?{}=1", encoded(text))).await);
                    pages.push(program.get(&path).await);
                }
                for page in pages {
                    harmless(&page, text);
                    let kind = page.header("content-type");
                    let expected = if page.status < 400 { "application/json" } else { "application/problem+json" };
                    assert_eq!(kind, expected, "{route:?}: {}", page.body);
                    assert!(!statuses[page.status.to_string()].is_null(), "{route:?}: {}: {}", page.status, page.body);
                }
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
        let id = house.person("mallory", &["admin", "auditor", "intake"]).await;
        let session = house.session(id).await;
        let token = house.token(id, &Scope::ALL).await;
        for text in TEXTS {
            for route in routes().into_iter().filter(|route| route.path.contains('{') && !route.is_unsafe()) {
                let mut browser = if route.is_api() {
                    Browser::with_token(&service, &token)
                } else {
                    Browser::new(&service).with_session(&session)
                };
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
