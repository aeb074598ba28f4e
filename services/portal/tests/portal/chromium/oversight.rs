//! A regulator is given a grant, signs in and draws a sample that nobody can steer. Not here: what a grant shows
//! (`../oversight.rs`).

use obelus_core::Digest;
use obelus_testkit::databases;

use super::{
    Visitor,
    working::{invite, set_up},
};
use crate::{house::PASSWORD, requests::asked};

/// A seed that nobody knows before it is revealed.
const SEED: &str = "seed-of-a-regulator";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_regulator_signs_in_and_draws_a_sample() {
    for database in databases().await {
        let Some(visitor) = Visitor::on("oversight", database).await else { return };
        let house = &visitor.house;
        let service = house.service().await;
        let mut references = Vec::new();
        for _ in 0..3 {
            references.push(asked(&service).await.1);
        }
        set_up(&visitor).await;
        let admin = visitor.session();
        invite(&visitor, &admin, "nina", &["regulator"]);
        let abe = house.person("abe", &["legal_approver"]).await;
        visitor.become_holder_of(Some(&house.session(abe).await));
        visitor.open("/settings/grants/new");
        visitor.browser.click("#person option[value=nina]");
        visitor.fill(&[("matter", "File 7 of the authority"), ("draws", "2")]);
        let (from, until) = (&house.now().to_string()[..10], "2026-10-30");
        // What is typed into a field for a day depends on the browser's language.
        visitor.browser.run(&format!(
            "document.getElementById('from').value = '{from}'; document.getElementById('until').value = '{until}'"
        ));
        visitor.press("Give the grant");
        visitor.is_at("/settings/grants");
        visitor.look();

        visitor.become_holder_of(None);
        visitor.open("/audit/sample");
        assert!(visitor.path().starts_with("/sign-in?next="), "{}", visitor.path());
        visitor.fill(&[("name", "nina"), ("password", PASSWORD)]);
        visitor.press("Sign in");
        visitor.is_at("/audit/sample");
        // What the digest is of stays with her until the cases are listed.
        visitor.fill(&[("size", "2"), ("seed_digest", &Digest::sha256(SEED).to_string())]);
        visitor.press("Commit");
        visitor.says("Seed not revealed");
        visitor.look();
        for reference in &references {
            visitor.never_says(reference);
        }
        visitor.fill(&[("seed", "another-seed")]);
        visitor.press("Reveal and draw");
        assert_eq!(visitor.status(), 422);
        visitor.fill(&[("seed", SEED)]);
        visitor.press("Reveal and draw");
        assert_eq!(visitor.status(), 200, "{}", visitor.browser.text());
        visitor.says("Drawn, in this order");
        visitor.look();
        let drawn: Vec<_> = references.iter().filter(|reference| visitor.browser.text().contains(*reference)).collect();
        assert_eq!(drawn.len(), 2);
        visitor.follow(drawn[0]);
        visitor.is_at(&format!("/cases/{}", drawn[0]));
        for personal in ["Ada Lovelace", "ada@example.org", "stormy night"] {
            visitor.never_says(personal);
        }
        let other = references.iter().find(|reference| !drawn.contains(reference)).unwrap();
        visitor.is_refused(&format!("/cases/{other}"), "");
    }
}
