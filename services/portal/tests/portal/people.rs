//! What an admin does with people: inviting, a new link, locking out.
//!
//! Not here: who may (`access.rs`).

use obelus_casework::case::{OWNER, PORTAL, SERVICE};
use obelus_store::persons;

use crate::{
    browser::Browser,
    house::{House, PASSWORD, on_each, set_up},
};

#[actix_web::test]
async fn somebody_who_is_invited_gets_their_roles_and_no_more() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut admin = set_up(&house, &service).await;
        admin.get("/settings/people/invite").await.is(200);
        let nobody = admin.post("/settings/people/invite", &[("name", "mara")]).await;
        nobody.is(422).says("Choose at least one of the roles");
        let emperor = admin.post("/settings/people/invite", &[("name", "mara"), ("role", "emperor")]).await;
        emperor.is(422).says("Choose at least one of the roles");
        let fields = [("name", "mara"), ("role", "auditor"), ("role", "verifier")];
        let lost = admin.post("/settings/people/invite", &fields).await.is(200).one_time_path();
        let link = admin.post("/settings/people/invite", &fields).await.is(200).one_time_path();
        let mut mara = Browser::new(&service);
        mara.get(&lost).await.is(410);
        mara.get(&link).await.is(200).says("mara");
        mara.post(&link, &[("new_password", PASSWORD), ("again", PASSWORD)]).await.leads_to("/account");
        mara.get("/account").await.says("auditor, verifier");
        mara.get("/audit").await.is(200);
        mara.get("/settings/people").await.is(403).says("You may not do this");
        Browser::new(&service).get(&link).await.is(410);
        admin.post("/settings/people/invite", &fields).await.is(422).says("Somebody of this name has an account");
        let mut again = Browser::new(&service);
        again.sign_in("mara", PASSWORD).await.leads_to("/account");
    })
    .await;
}

#[actix_web::test]
async fn nobody_becomes_the_program_or_the_owner_of_the_data_directory() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut admin = set_up(&house, &service).await;
        let own = persons::named(&house.deps.work.db, PORTAL).await.unwrap().unwrap();
        admin.get("/settings/people").await.is(200).never_says(PORTAL);
        assert_eq!(admin.post(&format!("/settings/people/{}/link", own.id), &[]).await.status, 404);
        for name in [PORTAL, SERVICE, OWNER] {
            admin.get("/settings/people/invite").await.is(200);
            let refused = admin.post("/settings/people/invite", &[("name", name), ("role", "intake")]).await;
            refused.is(422).says("Choose another name");
        }
    })
    .await;
}

#[actix_web::test]
async fn somebody_who_is_locked_out_is_out_at_once_and_comes_back_when_let_in() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut admin = set_up(&house, &service).await;
        admin.get("/settings/people/invite").await;
        let fields = [("name", "mara"), ("role", "auditor")];
        let link = admin.post("/settings/people/invite", &fields).await.one_time_path();
        let mut mara = Browser::new(&service);
        mara.get(&link).await;
        mara.post(&link, &[("new_password", PASSWORD), ("again", PASSWORD)]).await.leads_to("/account");
        let id = persons::named(&house.deps.work.db, "mara").await.unwrap().unwrap().id;
        let own = persons::named(&house.deps.work.db, "ana").await.unwrap().unwrap().id;
        admin.get("/settings/people").await.says("May sign in");
        admin.post(&format!("/settings/people/{own}/disable"), &[]).await.is(403).says("Nobody locks themselves out");
        admin.post("/settings/people/999999/disable", &[]).await.is(404);
        admin.post("/settings/people/x/disable", &[]).await.is(404);
        admin.post(&format!("/settings/people/{id}/disable"), &[]).await.leads_to("/settings/people");
        admin.get("/settings/people").await.says("Disabled");
        mara.get("/account").await.is(303);
        mara.sign_in("mara", PASSWORD).await.is(422).says("The name or the password is wrong");
        admin.post(&format!("/settings/people/{id}/enable"), &[]).await.leads_to("/settings/people");
        mara.sign_in("mara", PASSWORD).await.leads_to("/account");
    })
    .await;
}

#[actix_web::test]
async fn a_lost_password_is_replaced_by_a_link_and_the_old_one_is_over() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let mut admin = set_up(&house, &service).await;
        admin.get("/settings/people/invite").await;
        let link =
            admin.post("/settings/people/invite", &[("name", "mara"), ("role", "auditor")]).await.one_time_path();
        let mut mara = Browser::new(&service);
        mara.get(&link).await;
        mara.post(&link, &[("new_password", PASSWORD), ("again", PASSWORD)]).await.leads_to("/account");
        let id = persons::named(&house.deps.work.db, "mara").await.unwrap().unwrap().id;
        let link = admin.post(&format!("/settings/people/{id}/link"), &[]).await.is(200).one_time_path();
        assert!(link.starts_with("/reset/"), "{link}");
        // It is no invitation, and no way to set up.
        Browser::new(&service).get(&link.replace("/reset/", "/invite/")).await.is(410);
        Browser::new(&service).get(&link.replace("/reset/", "/setup/")).await.is(410);
        let mut elsewhere = Browser::new(&service);
        elsewhere.get(&link).await.is(200);
        let new = "another good password";
        elsewhere.post(&link, &[("new_password", new), ("again", new)]).await.leads_to("/account");
        mara.get("/account").await.is(303);
        mara.sign_in("mara", PASSWORD).await.is(422);
        mara.sign_in("mara", new).await.leads_to("/account");
    })
    .await;
}
