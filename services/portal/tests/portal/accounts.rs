//! The way to an account: set-up, invitation, signing in, another password.
//!
//! Not here: sessions once they are there (`sessions.rs`).

use obelus_portal::setup_link;
use obelus_store::audit;

use crate::{
    browser::Browser,
    house::{House, PASSWORD, on_each, set_up},
};

#[actix_web::test]
async fn the_set_up_link_makes_one_admin_and_is_over() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let replaced = setup_link(&house.deps).await.unwrap().unwrap();
        let replaced = replaced.strip_prefix("http://localhost:8080").unwrap();
        let link = setup_link(&house.deps).await.unwrap().unwrap();
        let path = link.strip_prefix("http://localhost:8080").unwrap();
        let mut browser = Browser::new(&service);
        browser.get(replaced).await.is(410).says("does not work any more").never_says(&replaced[7..]);
        browser.get(path).await.is(200);
        for (name, password, again, wrong) in [
            ("", PASSWORD, PASSWORD, "Enter a name"),
            ("ana", "too short", "too short", "Use at least 12 characters"),
            ("ana", PASSWORD, "another", "Enter the same password in both fields"),
            ("ana ana ana ana", "Ana Ana Ana Ana", "Ana Ana Ana Ana", "not your name"),
        ] {
            let fields = [("name", name), ("new_password", password), ("again", again)];
            let page = browser.post(path, &fields).await.is(422).says(wrong).says("There is a problem");
            assert!(password.len() < 5 || !page.body.contains(password), "a password is in a page");
        }
        let fields = [("name", "ana"), ("new_password", PASSWORD), ("again", PASSWORD)];
        browser.post(path, &fields).await.leads_to("/account");
        browser.get("/account").await.is(200).says("ana").says("admin");
        let mut other = Browser::new(&service);
        other.get(path).await.is(410);
        other.get("/sign-in").await.is(200);
        other.post(path, &[("name", "eve"), ("new_password", PASSWORD), ("again", PASSWORD)]).await.is(410);
        assert_eq!(setup_link(&house.deps).await.unwrap(), None);
        let events = audit::page(&house.deps.work.db, Some("ana"), 0, 10).await.unwrap();
        assert_eq!(events.iter().map(|event| event.action.as_str()).collect::<Vec<_>>(), ["set_up"]);
    })
    .await;
}

#[actix_web::test]
async fn of_two_who_follow_the_set_up_link_at_once_one_is_admin() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let link = setup_link(&house.deps).await.unwrap().unwrap();
        let path = link.strip_prefix("http://localhost:8080").unwrap();
        let (mut one, mut two) = (Browser::new(&service), Browser::new(&service));
        one.get(path).await.is(200);
        two.get(path).await.is(200);
        let form = |name| [("name", name), ("new_password", PASSWORD), ("again", PASSWORD)];
        let (ana, eve) = (form("ana"), form("eve"));
        let (one, two) = tokio::join!(one.post(path, &ana), two.post(path, &eve));
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 410]);
    })
    .await;
}

#[actix_web::test]
async fn the_set_up_link_is_over_after_a_day() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let link = setup_link(&house.deps).await.unwrap().unwrap();
        house.pass_minutes(24 * 60);
        Browser::new(&service).get(link.strip_prefix("http://localhost:8080").unwrap()).await.is(410);
    })
    .await;
}

#[actix_web::test]
async fn an_unknown_name_and_a_wrong_password_get_the_same_answer() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        set_up(&house, &service).await;
        let mut browser = Browser::new(&service);
        let wrong = browser.sign_in("ana", "a wrong password").await.is(422);
        let unknown = browser.sign_in("eve", "a wrong password").await.is(422);
        assert_eq!(wrong.without_code().replace("\"ana\"", "\"eve\""), unknown.without_code());
        assert!(!browser.cookies.contains_key("session"));
        browser.sign_in("ana", PASSWORD).await.leads_to("/account");
        browser.get("/account").await.is(200);
        browser.post("/sign-out", &[]).await.leads_to("/");
        browser.get("/account").await.leads_to("/sign-in?next=%2Faccount");
    })
    .await;
}

#[actix_web::test]
async fn whoever_signs_in_goes_on_to_where_they_wanted_and_to_no_other_site() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        set_up(&house, &service).await;
        for (next, leads_to) in [
            ("/settings/people", "/settings/people"),
            ("//evil.example", "/account"),
            ("https://evil.example", "/account"),
        ] {
            let mut browser = Browser::new(&service);
            browser.get("/sign-in").await;
            let fields = [("name", "ana"), ("password", PASSWORD), ("next", next)];
            browser.post("/sign-in", &fields).await.leads_to(leads_to);
        }
    })
    .await;
}

#[actix_web::test]
async fn guessing_is_stopped_for_a_name_and_for_a_machine() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut tried = 0;
        let stopped = loop {
            // A machine of its own each time.
            let page = Browser::new(&service).sign_in("ana", "a wrong password").await;
            if page.status == 429 || tried == 20 {
                break page;
            }
            tried += 1;
        };
        assert_eq!(stopped.is(429).header("retry-after"), "60");
        assert!((10..=12).contains(&tried), "{tried}");
        let mut machine = Browser::program(&service);
        let mut last = 0;
        for _ in 0..40 {
            last = machine.post("/sign-in", &[]).await.status;
        }
        assert_eq!(last, 429);
    })
    .await;
}

#[actix_web::test]
async fn a_changed_password_ends_the_other_browsers() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut browser = set_up(&house, &service).await;
        let mut other = Browser::new(&service);
        other.sign_in("ana", PASSWORD).await.leads_to("/account");
        browser.get("/account").await.is(200);
        let new = "another good password";
        let wrong = [("password", "not the password"), ("new_password", new), ("again", new)];
        browser.post("/account/password", &wrong).await.is(422).says("is wrong");
        let right = [("password", PASSWORD), ("new_password", new), ("again", new)];
        browser.post("/account/password", &right).await.leads_to("/account?done=password");
        browser.get("/account").await.is(200);
        other.get("/account").await.is(303);
        other.sign_in("ana", PASSWORD).await.is(422);
        other.sign_in("ana", new).await.leads_to("/account");
    })
    .await;
}
