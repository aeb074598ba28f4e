//! Ten megabytes in every field of every form, and in every field that programs send: refused with words that help, nothing
//! kept, nothing held in memory. Not here: text that is short and means harm (`hostile.rs`).

use std::{fs, time::Instant};

use actix_web::{test::TestRequest, web::Bytes};
use obelus_portal::{Route, Scope, Who, api_document, routes};
use obelus_store::{audit, requests};
use obelus_testkit::sqlite;

use crate::{
    browser::Browser,
    hostile::{ROLES, fields},
    house::House,
    requests::{asked, with_model},
};

const LARGE: usize = 10 << 20;

/// Ten megabytes after some bytes, and others after them. It is shared and not copied by whoever sends it.
fn large(before: &str, after: &str) -> Bytes {
    [before.as_bytes(), &vec![b'a'; LARGE], after.as_bytes()].concat().into()
}

/// The most memory that this process has had, in KiB; none where the system does not say it.
fn peak_kib() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// What there is to be changed: requests, and acts in the trail.
async fn kept(house: &House) -> (usize, usize) {
    let db = &house.deps.work.db;
    let requests = requests::page(db, None, 1000).await.unwrap().len();
    (requests, audit::page(db, None, 0, 1000).await.unwrap().len())
}

/// Fails where more memory was needed than a few bodies have, or more was kept than before.
async fn check_untouched(house: &House, before: (usize, usize), peak_before: Option<u64>) {
    assert_eq!(kept(house).await, before);
    if let Some((before, now)) = peak_before.zip(peak_kib()) {
        assert!(now - before < 96 << 10, "{before} KiB have become {now}");
    }
}

#[actix_web::test]
async fn ten_megabytes_in_any_field_of_any_form_are_refused_and_nothing_is_kept() {
    let names = fields();
    // Nothing of it comes as far as a query, so that one database is enough.
    let database = sqlite().await;
    let house = with_model(&database).await;
    let service = house.service().await;
    let (ada, reference) = asked(&service).await;
    let roles: Vec<&str> = ROLES.iter().copied().chain(["regulator", "verifier", "registrar"]).collect();
    let id = house.person("mallory", &roles).await;
    let session = house.session(id).await;
    let (before, peak, began) = (kept(&house).await, peak_kib(), Instant::now());
    for name in &names {
        let body = large(&format!("{name}="), "");
        for route in routes().into_iter().filter(|route| route.is_unsafe() && !route.is_api()) {
            let mut browser = match route.who {
                Who::Requester => ada.twin(),
                Who::Public => Browser::new(&service),
                _ => Browser::new(&service).with_session(&session),
            };
            browser.move_to_another_machine();
            let path = route.path.replace("{reference}", &reference).replace(['{', '}'], "");
            let form = ("content-type", "application/x-www-form-urlencoded");
            let request = TestRequest::post().uri(&path).insert_header(form).set_payload(body.clone());
            let page = browser.send(request).await;
            assert_eq!(page.status, 413, "{name} of {route:?}: {}", page.body);
            for says in ["What was sent is too large", "Nothing was kept.", "Shorten the longest text"] {
                assert!(page.body.contains(says), "{says:?}: {}", page.body);
            }
            assert!(page.body.len() < 20_000);
        }
    }
    eprintln!("{} fields in {:?}", names.len(), began.elapsed());
    check_untouched(&house, before, peak).await;
    // It goes on answering, and takes what is of a usual length.
    asked(&service).await;
}

/// The fields of a route's body, each as what stands around its text.
fn around(document: &serde_json::Value, route: &Route) -> Vec<(String, &'static str)> {
    let schema = &document["paths"][route.path]["post"]["requestBody"]["content"]["application/json"]["schema"];
    let resolved = |schema: &serde_json::Value| match schema["$ref"].as_str() {
        Some(name) => document.pointer(name.strip_prefix('#').unwrap()).unwrap().clone(),
        None => schema.clone(),
    };
    let mut all = vec![("\"".to_owned(), "\"")];
    for (name, inner) in resolved(schema)["properties"].as_object().into_iter().flatten() {
        all.push((format!("{{\"{name}\":\""), "\"}"));
        all.push((format!("{{\"{name}\":[\""), "\"]}"));
        for (part, _) in resolved(inner)["properties"].as_object().into_iter().flatten() {
            all.push((format!("{{\"{name}\":{{\"{part}\":\""), "\"}}"));
        }
    }
    all
}

#[actix_web::test]
async fn ten_megabytes_in_any_field_for_programs_are_refused_and_nothing_is_kept() {
    let document = api_document();
    // Nothing of it comes as far as a query, so that one database is enough.
    let database = sqlite().await;
    let house = with_model(&database).await;
    let service = house.service().await;
    let (_, reference) = asked(&service).await;
    let id = house.person("mallory", ROLES).await;
    let (before, peak) = (kept(&house).await, peak_kib());
    let mut tried = 0;
    for route in routes().into_iter().filter(|route| route.is_unsafe() && route.is_api()) {
        let token = house.token(id, &Scope::ALL).await;
        let path = route.path.replace("{reference}", &reference);
        for (start, end) in around(&document, &route) {
            let mut program = Browser::with_token(&service, &token);
            let json = ("content-type", "application/json");
            let request = TestRequest::post().uri(&path).insert_header(json);
            let page = program.send(request.set_payload(large(&start, end))).await;
            // What a person alone may do is refused before anything is read.
            let expected = if route.fresh { (403, "not-by-token") } else { (413, "too-large") };
            assert_eq!((page.status, page.problem().as_str()), expected, "{start} of {route:?}: {}", page.body);
            tried += 1;
        }
    }
    assert!(tried > 40, "{tried}");
    check_untouched(&house, before, peak).await;
    let token = house.token(id, &Scope::ALL).await;
    Browser::with_token(&service, &token).get("/api/v1/me").await.is(200);
}
