//! A case from the first account to the second approval, and everybody in it kept to what is theirs. Not here: the rules
//! themselves (`obelus-policy`).

use std::collections::BTreeMap;

use obelus_casework::{
    case,
    filing::{FORMAT, Filing},
};
use obelus_portal::{Token, setup_link};
use obelus_store::requests::RequestState;
use obelus_testkit::databases;

use super::Visitor;
use crate::{
    cases::plan,
    house::PASSWORD,
    requests::{TEXT, asked},
};

/// The first admin, by the link that the first start prints.
pub async fn set_up(visitor: &Visitor) {
    // The server makes a link of its own once it listens, and the newest counts.
    for _ in 0..5 {
        // It may be making its own at this very moment, and then refuses ours.
        let Ok(link) = setup_link(&visitor.house.deps).await else { continue };
        let link = link.unwrap();
        visitor.browser.open(&link);
        visitor.look();
        visitor.fill(&[("name", "ana"), ("new_password", PASSWORD), ("again", PASSWORD)]);
        visitor.press("Make the account");
        if visitor.status() != 410 {
            break;
        }
    }
    visitor.is_at("/account");
    visitor.look();
}

/// The admin invites somebody, who chooses a password. Gives the session of whoever came.
pub fn invite(visitor: &Visitor, admin: &Token, name: &str, roles: &[&str]) -> Token {
    visitor.become_holder_of(Some(admin));
    visitor.open("/settings/people");
    visitor.follow("Invite somebody");
    visitor.fill(&[("name", name)]);
    for role in roles {
        visitor.browser.click(&format!("label[for=role-{role}]"));
    }
    visitor.press("Make a link for them");
    let link = visitor.browser.wait_for("return document.querySelector('.copy code')?.innerText");
    // Once is enough to look at what is the same for everybody.
    let looks = name == "lea";
    if looks {
        visitor.look();
    }
    visitor.become_holder_of(None);
    visitor.browser.open(&link);
    if looks {
        visitor.look();
    }
    visitor.fill(&[("new_password", PASSWORD), ("again", PASSWORD)]);
    visitor.press("Keep this password");
    visitor.is_at("/account");
    visitor.session()
}

/// Somebody approves the plan; their password was last entered too long ago.
fn approve(visitor: &Visitor, case: &str) {
    visitor.house.pass_minutes(11);
    visitor.open(case);
    visitor.act("Approve the plan", &[], "Approve");
    assert!(visitor.path().starts_with("/step-up?next="), "{}", visitor.path());
    visitor.look();
    visitor.fill(&[("password", "not the password")]);
    visitor.press("Go on");
    assert_eq!(visitor.status(), 422);
    visitor.look();
    visitor.fill(&[("password", PASSWORD)]);
    visitor.press("Go on");
    visitor.is_at(case);
    visitor.act("Approve the plan", &[], "Approve");
    visitor.is_at(case);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_is_led_to_its_second_approval_and_everybody_is_kept_to_what_is_theirs() {
    for database in databases().await {
        let Some(visitor) = Visitor::on("working", database).await else { return };
        lead_a_case(&visitor).await;
    }
}

async fn lead_a_case(visitor: &Visitor) {
    set_up(visitor).await;
    let admin = visitor.session();
    let mut sessions = BTreeMap::new();
    for (name, roles) in [
        ("lea", &["legal_reviewer", "intake"][..]),
        ("abe", &["legal_approver"]),
        ("bea", &["legal_approver"]),
        ("eli", &["executor"]),
        ("nora", &["intake", "legal_approver"]),
    ] {
        sessions.insert(name, invite(visitor, &admin, name, roles));
    }
    let become_person = |name: &str| visitor.become_holder_of(Some(&sessions[name]));
    visitor.become_holder_of(Some(&admin));
    visitor.visit("/settings/people");
    let service = visitor.house.service().await;
    let (_, reference) = asked(&service).await;
    let case = format!("/cases/{reference}");

    // The lawyer signs in where she wanted to go, and finds the case.
    visitor.become_holder_of(None);
    visitor.open("/cases");
    assert!(visitor.path().starts_with("/sign-in?next="));
    visitor.fill(&[("name", "lea"), ("password", "not the password")]);
    visitor.press("Sign in");
    assert_eq!(visitor.status(), 422);
    visitor.look();
    visitor.fill(&[("password", PASSWORD)]);
    visitor.press("Sign in");
    visitor.is_at("/cases");
    visitor.look();
    visitor.follow(&reference);
    visitor.is_at(&case);
    visitor.says("Ada Lovelace");
    visitor.look();
    visitor.act("It is to be done for the sources above", &[], "It is to be done");
    assert_eq!(visitor.status(), 409, "it is not said yet which sources are meant");
    visitor.look();
    visitor.follow("Back to the case");
    visitor.is_at(&case);
    visitor.follow("Look for the sources that are meant");
    visitor.look();
    visitor.browser.run("document.getElementById('words').value = ''");
    visitor.fill(&[("words", TEXT)]);
    visitor.press("Look");
    visitor.says("words in a row");
    visitor.look();
    visitor.press("Add the ticked sources");
    visitor.is_at(&case);
    visitor.act("It is to be done for the sources above", &[], "It is to be done");
    visitor.act("Switch the sources off", &[], "Switch them off");
    visitor.is_at(&case);
    visitor.says("Suppressed");
    let impact = br#"{"neurons_per_layer":[32,30],"survivors":[{"source":"b","lost_fraction":"0.046875"}]}"#;
    plan(&visitor.house, &reference, impact).await;
    visitor.visit(&case);
    visitor.never_says("Approve the plan");

    // Who filed a request does not approve it.
    let filing = Filing {
        format: FORMAT.to_owned(),
        regime: "gdpr-art17".to_owned(),
        model: "m".to_owned(),
        sources: vec!["b".to_owned()],
        requester: None,
        statement: String::new(),
        subject: String::new(),
        passage: String::new(),
        declarations: Vec::new(),
        received_at: visitor.house.now(),
    };
    let filed = case::file(&visitor.house.deps.work, "nora", &filing).await.unwrap().reference;
    plan(&visitor.house, &filed, impact).await;
    become_person("nora");
    visitor.open(&format!("/cases/{filed}"));
    visitor.says("impact assessed");
    visitor.never_says("Approve the plan");
    visitor.open(&case);
    visitor.says("Approve the plan");

    // One person is one approval, also from a second window in which the form is still open.
    become_person("abe");
    visitor.visit(&case);
    let first = visitor.browser.open_window();
    approve(visitor, &case);
    visitor.says("Approved once");
    visitor.never_says("Approve the plan");
    visitor.look();
    visitor.browser.go_to_window(&first);
    visitor.act("Approve the plan", &[], "Approve");
    assert_eq!(visitor.status(), 403);
    // Whoever is refused is still signed in, and sees it.
    visitor.says("Sign out");
    visitor.look();
    become_person("bea");
    approve(visitor, &case);
    let request = case::existing(&visitor.house.deps.work, &reference).await.unwrap();
    assert_eq!(request.state, RequestState::WindowOpen);

    // Whoever zeroes is shown what is to be done, and nobody's name.
    become_person("eli");
    visitor.visit("/cases");
    visitor.follow(&reference);
    visitor.says("Window open");
    for hidden in ["Ada Lovelace", "ada@example.org", "Approve the plan", "Refuse it"] {
        visitor.never_says(hidden);
    }
    visitor.look();

    // Everybody who types another's address reads that it is not theirs.
    let find = format!("{case}/find");
    for (name, path, because) in [
        ("eli", find.as_str(), "match_sources"),
        ("eli", "/audit", "read_audit"),
        ("lea", "/settings/people", "manage_people"),
        ("abe", find.as_str(), "match_sources"),
        ("bea", "/settings/people/invite", "manage_people"),
    ] {
        become_person(name);
        visitor.is_refused(path, because);
    }
    visitor.become_holder_of(Some(&admin));
    for path in ["/cases", case.as_str(), find.as_str()] {
        visitor.is_refused(path, "");
    }
    visitor.look();
    visitor.open(&format!("/r/{reference}"));
    visitor.is_at(&format!("/open/{reference}"));
    visitor.press("Sign out");
    visitor.is_at("/");
    visitor.open("/account");
    assert!(visitor.path().starts_with("/sign-in"));
}
