//! Sessions: fixed, ended, left alone, stepped up.
//!
//! Not here: how somebody gets one (`accounts.rs`).

use obelus_portal::Token;
use obelus_store::sessions;

use crate::{
    browser::Browser,
    house::{House, PASSWORD, on_each, set_up},
};

#[actix_web::test]
async fn a_session_from_before_the_sign_in_is_never_gone_on_with() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        set_up(&house, &service).await;
        // One that an attacker made up, and one that is the attacker's own.
        let eve = house.person("eve", &["auditor"]).await;
        for planted in [Token::random().unwrap(), house.session(eve).await] {
            let mut browser = Browser::new(&service);
            browser.get("/sign-in").await;
            browser.cookies.insert("session".to_owned(), planted.reveal());
            // The form's code is of the visit, so that a live session that was planted cannot even send it.
            let page = browser.post("/sign-in", &[("name", "ana"), ("password", PASSWORD)]).await;
            if page.status == 303 {
                assert_ne!(browser.cookies["session"], planted.reveal());
            } else {
                page.is(403);
            }
            let own = sessions::live(&house.deps.work.db, &planted.hash(), house.now()).await.unwrap();
            assert!(own.is_none_or(|session| session.person == Some(eve)), "it became somebody else's");
        }
        let mut browser = Browser::new(&service);
        browser.sign_in("ana", PASSWORD).await.leads_to("/account");
        let first = browser.cookies["session"].parse::<Token>().unwrap();
        browser.cookies.remove("visit");
        browser.get("/account").await.is(200);
        browser.post("/sign-in", &[("name", "ana"), ("password", PASSWORD)]).await.leads_to("/account");
        let second = browser.cookies["session"].parse::<Token>().unwrap();
        assert!(!first.is(&second));
        assert_eq!(sessions::live(&house.deps.work.db, &first.hash(), house.now()).await.unwrap(), None);
    })
    .await;
}

#[actix_web::test]
async fn a_session_is_ended_from_elsewhere() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut browser = set_up(&house, &service).await;
        let mut lost = Browser::new(&service);
        lost.sign_in("ana", PASSWORD).await.leads_to("/account");
        browser.get("/settings/sessions").await.is(200).says("This browser").says("End this session");
        let hash = lost.cookies["session"].parse::<Token>().unwrap().hash().to_string();
        // Somebody else cannot end it.
        let eve = house.person("eve", &["admin"]).await;
        let mut eves = Browser::new(&service).with_session(&house.session(eve).await);
        eves.get("/settings/sessions").await.is(200);
        eves.post("/settings/sessions", &[("session", &hash)]).await.leads_to("/settings/sessions");
        lost.get("/account").await.is(200);
        browser.post("/settings/sessions", &[("session", &hash)]).await.leads_to("/settings/sessions");
        lost.get("/account").await.leads_to("/sign-in?next=%2Faccount");
        let mut another = Browser::new(&service);
        another.sign_in("ana", PASSWORD).await.leads_to("/account");
        browser.post("/settings/sessions", &[("session", "others")]).await.leads_to("/settings/sessions");
        another.get("/account").await.is(303);
        browser.get("/account").await.is(200);
        browser.post("/settings/sessions", &[("session", "nonsense")]).await.is(400);
    })
    .await;
}

#[actix_web::test]
async fn a_session_is_over_after_two_idle_hours_and_after_twelve_whatever_happens() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut browser = set_up(&house, &service).await;
        for _ in 0..12 {
            browser.get("/account").await.is(200);
            house.pass_minutes(59);
        }
        browser.get("/account").await.is(200);
        house.pass_minutes(13);
        browser.get("/account").await.is(303);
        browser.sign_in("ana", PASSWORD).await.leads_to("/account");
        house.pass_minutes(119);
        browser.get("/account").await.is(200);
        house.pass_minutes(120);
        browser.get("/account").await.is(303);
    })
    .await;
}

#[actix_web::test]
async fn what_matters_takes_the_password_again_after_ten_minutes() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut browser = set_up(&house, &service).await;
        browser.get("/settings/people/invite").await.is(200);
        house.pass_minutes(10);
        let back = "/step-up?next=%2Fsettings%2Fpeople%2Finvite";
        browser.get("/settings/people/invite").await.leads_to(back);
        browser.get("/settings/people").await.is(200);
        let invitation = [("name", "mara"), ("role", "auditor")];
        browser.post("/settings/people/invite", &invitation).await.leads_to("/step-up");
        browser.get(back).await.is(200).says("/settings/people/invite");
        let next = ("next", "/settings/people/invite");
        browser.post("/step-up", &[next, ("password", "a wrong password")]).await.is(422).says("The password is wrong");
        browser.post("/step-up", &[next, ("password", PASSWORD)]).await.leads_to("/settings/people/invite");
        browser.get("/settings/people/invite").await.is(200);
        browser.post("/settings/people/invite", &invitation).await.is(200).says("/invite/");
    })
    .await;
}

#[actix_web::test]
async fn cookies_are_bound_to_the_host_and_out_of_reach_of_scripts() {
    on_each(async |database| {
        let house = House::under(database, "https://obelus.example").await;
        let service = house.service().await;
        let page = Browser::new(&service).get("/sign-in").await.is(200);
        let cookie = page.header("set-cookie");
        assert!(cookie.starts_with("__Host-visit="), "{cookie}");
        for part in ["; HttpOnly", "; Secure", "; Path=/", "; SameSite=Lax"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!cookie.contains("Domain"), "{cookie}");
        assert_eq!(page.header("strict-transport-security"), "max-age=31536000");
    })
    .await;
}
