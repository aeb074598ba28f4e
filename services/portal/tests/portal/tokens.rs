//! Issuing tokens for programs, and taking them back.
//!
//! Not here: what programs do with them (`api.rs`).

use obelus_portal::{Scope, Token};
use obelus_store::{accounts, api_tokens, audit, persons};

use crate::{
    browser::{Browser, Page},
    house::{House, PASSWORD, on_each, set_up},
};

/// The token that a page shows once.
fn shown(page: &Page) -> Token {
    let (_, after) = page.body.split_once("<p class=\"copy\"><code>").unwrap();
    after.split_once('<').unwrap().0.parse().unwrap()
}

#[actix_web::test]
async fn a_token_is_shown_once_works_and_is_taken_back() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut ana = set_up(&house, &service).await;
        ana.get("/settings/tokens").await.is(200).says("Issue a token");
        ana.get("/settings/tokens/new").await.is(200);
        for (name, scope, days, says) in [
            ("", "read", "30", "Enter a name"),
            ("a\u{202e}b", "read", "30", "Leave out characters that cannot be seen"),
            ("queue", "", "30", "Choose what it is for"),
            ("queue", "everything", "30", "Choose what it is for"),
            ("queue", "read", "366", "Choose how long it works"),
            ("queue", "read", "", "Choose how long it works"),
        ] {
            let fields = [("name", name), ("scope", scope), ("days", days)];
            ana.post("/settings/tokens/new", &fields).await.is(422).says(says).says("There is a problem");
        }
        let fields = [("name", "<i>queue</i>"), ("scope", "work"), ("scope", "read"), ("days", "30")];
        let page = ana.post("/settings/tokens/new", &fields).await.is(200).says("&#60;i&#62;queue");
        let token = shown(&page);
        ana.get("/settings/tokens").await.is(200).says("read, work").says("never").never_says(&token.reveal());
        let mut program = Browser::with_token(&service, &token);
        let me = program.get("/api/v1/me").await.is(200).json();
        assert_eq!(me["name"], "ana");
        assert_eq!(me["token"]["scopes"], serde_json::json!(["read", "work"]));
        assert_eq!(me["token"]["name"], "<i>queue</i>");
        ana.get("/settings/tokens").await.is(200).never_says("never");
        let id = persons::named(&house.deps.work.db, "ana").await.unwrap().unwrap().id;
        let own = api_tokens::of_person(&house.deps.work.db, id).await.unwrap();
        let revoke = format!("/settings/tokens/{}/revoke", own[0].id);
        // Among one's own nobody else's is listed, or taken back.
        let eve = house.person("eve", &["admin"]).await;
        let mut eves = Browser::new(&service).with_session(&house.session(eve).await);
        eves.get("/settings/tokens").await.is(200).never_says("queue");
        eves.post(&revoke, &[]).await.is(404);
        program.get("/api/v1/me").await.is(200);
        ana.post(&revoke, &[]).await.leads_to("/settings/tokens");
        ana.get("/settings/tokens").await.is(200).says("Revoked");
        ana.post(&revoke, &[]).await.leads_to("/settings/tokens");
        assert_eq!(program.get("/api/v1/me").await.is(401).problem(), "token-not-accepted");
        let events = audit::page(&house.deps.work.db, Some("ana"), 0, 20).await.unwrap();
        let ours: Vec<_> = events.iter().filter(|event| event.action.ends_with("_token")).collect();
        assert_eq!(ours.iter().map(|event| event.action.as_str()).collect::<Vec<_>>(), ["issue_token", "revoke_token"]);
        assert!(ours[0].detail.contains("\"work\"") && !ours[0].detail.contains(&token.reveal()));
        assert!(!ours[0].detail.contains(&token.hash().to_string()));
    })
    .await;
}

#[actix_web::test]
async fn issuing_takes_a_password_that_was_just_entered() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut ana = set_up(&house, &service).await;
        house.pass_minutes(11);
        let late = ana.get("/settings/tokens/new").await.is(303);
        assert_eq!(late.header("location"), "/step-up?next=%2Fsettings%2Ftokens%2Fnew");
        ana.get("/settings/tokens").await.is(200);
        let fields = [("name", "queue"), ("scope", "read"), ("days", "30")];
        assert!(ana.post("/settings/tokens/new", &fields).await.header("location").starts_with("/step-up"));
        ana.get("/step-up").await.is(200);
        ana.post("/step-up", &[("password", PASSWORD), ("next", "/settings/tokens/new")])
            .await
            .leads_to("/settings/tokens/new");
        ana.get("/settings/tokens/new").await.is(200);
        ana.post("/settings/tokens/new", &fields).await.is(200).says("Copy the token now");
    })
    .await;
}

#[actix_web::test]
async fn an_admin_sees_whose_tokens_there_are_and_takes_one_back() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut ana = set_up(&house, &service).await;
        let ina = house.person("ina", &["intake"]).await;
        let (token, other) = (house.token(ina, &[Scope::Read]).await, house.token(ina, &[Scope::File]).await);
        let mut program = Browser::with_token(&service, &token);
        program.get("/api/v1/me").await.is(200);
        let page = ana.get("/settings/people/tokens").await.is(200).says("<bdi>ina</bdi>").says("read").says("never");
        page.never_says(&token.reveal()).never_says(&token.hash().to_string());
        let own = api_tokens::of_person(&house.deps.work.db, ina).await.unwrap();
        let id = own.iter().find(|row| row.token_hash.0 == token.hash()).unwrap().id;
        let revoke = format!("/settings/people/tokens/{id}/revoke");
        let mut inas = Browser::new(&service).with_session(&house.session(ina).await);
        inas.get("/settings/tokens").await.is(200);
        assert_eq!(inas.get("/settings/people/tokens").await.status, 403);
        assert_eq!(inas.post(&revoke, &[]).await.status, 403);
        program.get("/api/v1/me").await.is(200);
        ana.post(&revoke, &[]).await.leads_to("/settings/people/tokens");
        assert_eq!(program.get("/api/v1/me").await.is(401).problem(), "token-not-accepted");
        Browser::with_token(&service, &other).get("/api/v1/me").await.is(200);
        ana.get("/settings/people/tokens").await.is(200).says("Revoked");
        ana.post(&revoke, &[]).await.leads_to("/settings/people/tokens");
        ana.post("/settings/people/tokens/999999/revoke", &[]).await.is(404);
        let events = audit::page(&house.deps.work.db, Some("ina"), 0, 20).await.unwrap();
        let ended: Vec<_> = events.iter().filter(|event| event.action == "revoke_token").collect();
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].actor, "ana");
        assert_eq!(ended[0].detail, format!("{{\"token\":{id},\"name\":\"a program\"}}"));
        // It takes a password that was just entered.
        house.pass_minutes(11);
        assert!(ana.post(&revoke, &[]).await.header("location").starts_with("/step-up"));
    })
    .await;
}

#[actix_web::test]
async fn a_token_ends_with_its_time_and_with_its_owners_account() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let id = house.person("ina", &["intake"]).await;
        let token = house.token(id, &[Scope::Read]).await;
        let status = async |authorization: &str| {
            let request = actix_web::test::TestRequest::get().uri("/api/v1/me");
            let mut program = Browser::program(&service);
            let page = program.send(request.insert_header(("authorization", authorization))).await;
            assert!(page.status == 200 || page.header("www-authenticate").starts_with("Bearer realm="), "{page:?}");
            page.status
        };
        let bearer = format!("Bearer {}", token.reveal());
        assert_eq!(status(&bearer).await, 200);
        assert_eq!(status(&token.reveal()).await, 401);
        assert_eq!(status(&format!("Basic {}", token.reveal())).await, 401);
        assert_eq!(status(&format!("Bearer {}", Token::random().unwrap().reveal())).await, 401);
        assert_eq!(status("Bearer é").await, 401);
        let write = house.deps.work.db.write().await.unwrap();
        assert!(accounts::disable(&write, id, house.now()).await.unwrap());
        write.commit().await.unwrap();
        assert_eq!(status(&bearer).await, 401);
        let write = house.deps.work.db.write().await.unwrap();
        assert!(accounts::enable(&write, id).await.unwrap());
        write.commit().await.unwrap();
        assert_eq!(status(&bearer).await, 200);
        house.pass_minutes(61);
        assert_eq!(status(&bearer).await, 401);
    })
    .await;
}

#[actix_web::test]
async fn whoever_tries_tokens_is_slowed_down() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut stranger = Browser::with_token(&service, &Token::random().unwrap());
        let mut slowed = 0;
        for _ in 0..40 {
            slowed += usize::from(stranger.get("/api/v1/me").await.status == 429);
        }
        assert!(slowed >= 5, "{slowed}");
    })
    .await;
}
