//! What everybody sees: certificates, their files, the log, the verifier, and what every answer says of itself.
//!
//! Not here: pages for people with an account.

use std::fs;

use actix_web::{http::Method, test::TestRequest};
use obelus_core::Digest;
use obelus_ledger::merkle;
use obelus_portal::{Who, routes};
use obelus_store::certificates::{self, CertificateStatus};

use crate::{
    browser::Browser,
    case,
    house::{House, on_each},
};

#[actix_web::test]
async fn a_certificate_is_shown_as_it_stands_today() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut browser = Browser::new(&service);
        browser.get("/certificates").await.is(200).says("No certificate was issued yet");
        let row = case::certificate(&house).await;
        let path = format!("/c/{}", row.id);
        browser.get("/certificates").await.is(200).says(&path).says(">valid<");
        let page = browser.get(&path).await.is(200).says(">valid<").says("kea-1").says("verified with residual");
        page.says("&#60;b&#62;anna").says("⟨U+202E⟩").never_says("<b>anna").never_says("\u{202e}");
        house.pass_minutes(60);
        browser.get(&path).await.is(200).says(">expired<").says("Its time is over");
        browser.get("/certificates").await.says(">expired<");
        for (status, word) in [(CertificateStatus::Suspended, ">suspended<"), (CertificateStatus::Revoked, ">revoked<")]
        {
            let write = house.deps.work.db.write().await.unwrap();
            certificates::set_status(&write, &row.id, status, house.now()).await.unwrap();
            write.commit().await.unwrap();
            browser.get(&path).await.is(200).says(word);
        }
        browser.get("/c/CT-2020-000001").await.is(404);
    })
    .await;
}

#[actix_web::test]
async fn the_files_of_a_certificate_are_attachments_and_nothing_else_is_a_file_of_it() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut browser = Browser::new(&service);
        let row = case::certificate(&house).await;
        for (end, kind) in [
            (".pdf", "application/pdf"),
            (".json", "application/json"),
            (".evidence.json", "application/json"),
            (".tlog-proof", "text/plain; charset=utf-8"),
            (".rowproof.json", "application/json"),
        ] {
            let name = format!("{}{end}", row.id);
            let page = browser.get(&format!("/c/{}/files/{name}", row.id)).await.is(200);
            assert_eq!(page.body, format!("the bytes of {name}"));
            assert_eq!(page.header("content-disposition"), format!("attachment; filename=\"{name}\""));
            assert_eq!((page.header("content-type"), page.header("x-content-type-options")), (kind, "nosniff"));
        }
        for name in ["obelus.db", "..%2fobelus.db", "CT-2020-000001.pdf", &format!("{}.html", row.id), ".pdf", &row.id]
        {
            browser.get(&format!("/c/{}/files/{name}", row.id)).await.is(404);
        }
        fs::remove_file(house.deps.work.data.certificates().join(format!("{}.pdf", row.id))).unwrap();
        browser.get(&format!("/c/{0}/files/{0}.pdf", row.id)).await.is(404);
        browser.get(&format!("/c/{}", row.id)).await.is(200).never_says(".pdf").says(".evidence.json");
    })
    .await;
}

#[actix_web::test]
async fn the_log_is_served_exactly_as_it_lies() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut browser = Browser::new(&service);
        browser.get("/log").await.is(200).says("Nothing was logged yet");
        browser.get("/log-files/checkpoint").await.is(404);
        browser.get("/log/0").await.is(404);
        let hashes = case::log(&house, 300).await;
        let note = browser.get("/log-files/checkpoint").await.is(200);
        assert_eq!(note.body.as_bytes(), fs::read(house.deps.work.data.log().join("checkpoint")).unwrap());
        for path in ["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1"] {
            let page = browser.get(&format!("/log-files/{path}")).await.is(200);
            let lies = fs::read(house.deps.work.data.log().join(path)).unwrap();
            assert_eq!(page.body, String::from_utf8_lossy(&lies));
        }
        for path in [
            "tile/0/002",
            "tile/0/001.p/43",
            "tile/0/../../checkpoint",
            "tile/..%2f..%2fkeys%2flog",
            "tile/",
            "",
            "../keys/log",
            "%2e%2e/keys/log",
            "tile/0/000/../000",
        ] {
            browser.get(&format!("/log-files/{path}")).await.is(404).never_says("private");
        }
        assert_eq!(hashes.len(), 300);
    })
    .await;
}

#[actix_web::test]
async fn the_proof_of_an_entry_leads_to_the_published_root() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut browser = Browser::new(&service);
        let hashes = case::log(&house, 300).await;
        let root = merkle::root(&hashes);
        for index in [0_usize, 255, 256, 299] {
            let page = browser.get(&format!("/log/{index}")).await.is(200).says(&format!("entry&#34;:{index}"));
            let proof = page.body.split("Inclusion proof").nth(1).unwrap().split("Checkpoint").next().unwrap();
            let path: Vec<Digest> =
                proof.split("<code>").skip(1).map(|part| part.split_once('<').unwrap().0.parse().unwrap()).collect();
            assert!(merkle::verify_inclusion(&hashes[index], index as u64, 300, &path, &root), "{index}");
        }
        for index in ["300", "-1", "00", "+1", "x", "18446744073709551616"] {
            browser.get(&format!("/log/{index}")).await.is(404);
        }
        browser.get("/log").await.says("/log/299").says("/log?before=250").never_says("/log/249\"");
        browser.get("/log?before=50").await.says("/log/0\"").never_says("?before");
        browser.get("/log?before=nonsense").await.is(200).says("/log/299");
    })
    .await;
}

#[actix_web::test]
async fn the_verifier_may_run_its_own_script_and_send_nothing() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let page = Browser::new(&service).get("/verify").await.is(200).says("Check a certificate");
        let policy = page.header("content-security-policy");
        let in_page = policy.strip_suffix("; frame-ancestors 'none'").unwrap();
        assert!(policy.contains("connect-src 'none'") && page.body.contains(in_page), "{policy}");
    })
    .await;
}

#[actix_web::test]
async fn every_answer_says_that_nothing_may_run_in_it_and_who_may_keep_it() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let id = house.person("ana", &["admin", "auditor"]).await;
        let mut paths: Vec<(String, Who)> = routes()
            .into_iter()
            .filter(|route| route.method == Method::GET && !route.path.contains('{'))
            .map(|route| (route.path.to_owned(), route.who))
            .collect();
        paths.push(("/nowhere".to_owned(), Who::Public));
        for (path, who) in paths {
            let mut browser = Browser::new(&service).with_session(&house.session(id).await);
            let page = browser.get(&path).await;
            let policy = page.header("content-security-policy");
            assert!(
                policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
                "{path}: {policy}"
            );
            assert!(!policy.contains("unsafe"), "{path}: {policy}");
            assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(page.header("referrer-policy"), "same-origin", "{path}");
            if who != Who::Public {
                assert_eq!(page.header("cache-control"), "no-store", "{path}");
            }
            // The verifier's are covered by digests.
            let inline = ["<style", "<script", " style=", " onclick="].iter().any(|part| page.body.contains(part));
            assert!(!inline || path == "/verify", "{path}:\n{}", page.body);
        }
    })
    .await;
}

#[actix_web::test]
async fn what_is_not_there_is_said_to_browsers_in_a_page_and_to_programs_in_problem_details() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let (mut browser, mut program) = (Browser::new(&service), Browser::program(&service));
        browser.get("/nowhere").await.is(404).says("<h1>Page not found</h1>");
        assert_eq!(program.get("/nowhere").await.is(404).problem(), "not-found");
        assert_eq!(browser.get("/api/nowhere").await.is(404).problem(), "not-found");
        let page = program.post("/certificates", &[]).await.is(405);
        assert_eq!((page.header("allow"), page.problem().as_str()), ("GET, HEAD", "method"));
        program.send(TestRequest::with_uri("/").method(Method::HEAD)).await.is(200);
        program.send(TestRequest::with_uri("/").method(Method::TRACE)).await.is(405);
    })
    .await;
}

#[actix_web::test]
async fn the_stylesheet_is_kept_for_ever_under_an_address_of_its_own() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut browser = Browser::new(&service);
        let page = browser.get("/").await.is(200);
        let (_, after) = page.body.split_once("href=\"/static/").unwrap();
        let path = format!("/static/{}", after.split_once('"').unwrap().0);
        let style = browser.get(&path).await.is(200);
        assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
        assert!(style.header("cache-control").contains("immutable"));
        for path in ["/static/verify.html", "/static/..%2ftemplates%2fhome.html", "/static/", "/static/x"] {
            browser.get(path).await.is(404);
        }
    })
    .await;
}

#[actix_web::test]
async fn those_who_watch_are_told_and_nobody_else_is() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut program = Browser::program(&service);
        program.get("/health").await.is(200);
        program.get("/ready").await.is(200);
        program.get("/metrics").await.is(403);
        let here = || TestRequest::get().uri("/metrics");
        program.peer = "127.0.0.1:5".parse().unwrap();
        let page = program.send(here()).await.is(200).says("obelus_portal_requests_total");
        page.says("route=\"/ready\"").never_says("10.0.");
        // Through a proxy that stands on this machine.
        program.send(here().insert_header(("x-forwarded-for", "192.0.2.1"))).await.is(403);
    })
    .await;
}
