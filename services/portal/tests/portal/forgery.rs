//! Forms that another site sends in somebody's name.
//!
//! Not here: that every route which changes something refuses them (`access.rs`).

use actix_web::test::TestRequest;

use crate::{
    browser::Browser,
    house::{House, PASSWORD, on_each, set_up},
};

#[actix_web::test]
async fn a_form_needs_the_code_of_its_own_session() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut browser = set_up(&house, &service).await;
        let mut other = Browser::new(&service);
        other.sign_in("ana", PASSWORD).await.leads_to("/account");
        browser.get("/account").await;
        other.get("/account").await;
        let own = browser.code.clone();
        for code in ["", "AAAA", &other.code, &own[1..]] {
            browser.code = code.to_owned();
            browser.post("/sign-out", &[]).await.is(403).says("The form was not accepted");
        }
        browser.code = own;
        browser.get("/account").await.is(200);
        browser.post("/sign-out", &[]).await.leads_to("/");
    })
    .await;
}

#[actix_web::test]
async fn a_form_with_a_good_code_is_refused_when_it_comes_from_elsewhere() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut browser = set_up(&house, &service).await;
        browser.get("/account").await;
        let code = browser.code.clone();
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let request = TestRequest::post().uri("/sign-out").insert_header((name, value));
            browser.send(request.set_form([("form_code", code.as_str())])).await.is(403);
        }
        for kind in ["text/plain", "multipart/form-data; boundary=x", "application/json"] {
            let request = TestRequest::post().uri("/sign-out").insert_header(("content-type", kind));
            browser.send(request.set_payload(format!("form_code={code}"))).await.is(400);
        }
        browser.get("/account").await.is(200);
    })
    .await;
}

#[actix_web::test]
async fn nobody_is_signed_in_by_a_form_of_another_site() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        set_up(&house, &service).await;
        let fields = [("name", "ana"), ("password", PASSWORD)];
        // Never on the page; and on it, but with the code of another browser's visit.
        let mut browser = Browser::new(&service);
        browser.post("/sign-in", &fields).await.is(403);
        let mut other = Browser::new(&service);
        other.get("/sign-in").await.is(200);
        browser.get("/sign-in").await.is(200);
        browser.code = other.code;
        browser.post("/sign-in", &fields).await.is(403);
        assert!(!browser.cookies.contains_key("session"));
    })
    .await;
}

#[actix_web::test]
async fn what_a_browser_has_opens_nothing_that_is_for_programs() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut browser = set_up(&house, &service).await;
        browser.get("/account").await.is(200);
        let session = browser.cookies["session"].clone();
        for path in ["/api/v1/me", "/api/v1/cases"] {
            browser.get(path).await.is(401).says("Cookies count for nothing here");
            // The cookie's own token is no token of a program either.
            let request = TestRequest::get().uri(path).insert_header(("authorization", format!("Bearer {session}")));
            browser.send(request).await.is(401);
        }
        for kind in ["application/json", "text/plain", "application/x-www-form-urlencoded"] {
            let request = TestRequest::post().uri("/api/v1/requests").insert_header(("content-type", kind));
            browser.send(request.set_payload(format!("form_code={}", browser.code))).await.is(401);
        }
        // No answer lets a page of another site read it.
        let request = TestRequest::get().uri("/api/v1/log").insert_header(("origin", "https://evil.example"));
        let page = browser.send(request).await;
        assert!(!page.headers.contains_key("access-control-allow-origin"));
    })
    .await;
}
