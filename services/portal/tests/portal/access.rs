//! Every route with every role and with none: who is let through is what the table says, and nothing else decides.
//!
//! Not here: what is answered to whoever is let through.

use obelus_core::{Clock as _, SystemClock};
use obelus_policy::{Action, Actor, Case, Rules};
use obelus_portal::{Route, Token, Who, routes};

use crate::{
    browser::Browser,
    house::{House, on_each},
};

/// A case in which nothing has happened.
pub const EMPTY: Case<'_> = Case { reference: "", history: &[], held: false };

/// What becomes of somebody at a route.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    LetThrough,
    NotSignedIn,
    NotPermitted,
    PasswordNeeded,
}

fn expected(route: &Route, role: Option<&str>, stale: bool) -> Fate {
    match (route.who, role) {
        (Who::Public, _) => Fate::LetThrough,
        (Who::Monitor, _) => Fate::NotPermitted,
        (Who::Requester, _) | (_, None) => Fate::NotSignedIn,
        (Who::May(action), Some(role)) if !permitted(action, role, None) => Fate::NotPermitted,
        (Who::MayInCases(action), Some(role)) if !permitted(action, role, Some(&EMPTY)) => Fate::NotPermitted,
        (_, Some(_)) if route.fresh && stale => Fate::PasswordNeeded,
        (_, Some(_)) => Fate::LetThrough,
    }
}

/// Whether a role alone permits it: a regulator has a grant for some cases, or nothing.
pub fn permitted(action: Action, role: &str, case: Option<&Case<'_>>) -> bool {
    let roles = [role.to_owned()];
    let somebody = Actor { name: "somebody", roles: &roles, grant: None };
    Rules::shipped().unwrap().permit(somebody, action, case, SystemClock.now()).is_ok()
}

/// The address of a route, with something in the place of what differs.
fn path(route: &Route) -> String {
    let token = Token::random().unwrap().reveal();
    route.path.replace("{token}", &token).replace("{path:.*}", "0/000").replace(['{', '}'], "")
}

async fn check(house: &House, role: Option<&str>, session: Option<&Token>, stale: bool) {
    let service = house.service().await;
    for route in routes() {
        let mut program = Browser::program(&service).with(session);
        let page =
            if route.is_unsafe() { program.post(&path(&route), &[]).await } else { program.get(&path(&route)).await };
        let context = format!("{route:?} as {role:?}: {}", page.body);
        let fate = match page.status {
            401 => {
                assert_eq!(page.problem(), "not-signed-in", "{context}");
                Fate::NotSignedIn
            }
            403 => match page.problem().as_str() {
                "not-permitted" => Fate::NotPermitted,
                "password-needed" => Fate::PasswordNeeded,
                // The rule is kept before the form is looked at; and no route that changes something takes one without a code.
                "form-not-ours" if route.is_unsafe() => Fate::LetThrough,
                other => panic!("{other}: {context}"),
            },
            status => {
                assert!(!route.is_unsafe(), "a form without a code was accepted: {context}");
                assert!(status < 500, "{context}");
                Fate::LetThrough
            }
        };
        assert_eq!(fate, expected(&route, role, stale), "{context}");
        // A browser is led to where it can do what is missing.
        let mut browser = Browser::new(&service).with(session);
        let page =
            if route.is_unsafe() { browser.post(&path(&route), &[]).await } else { browser.get(&path(&route)).await };
        let leads_to = match fate {
            Fate::NotSignedIn if route.who == Who::Requester => "/open/",
            Fate::NotSignedIn => "/sign-in",
            Fate::PasswordNeeded => "/step-up",
            _ => continue,
        };
        assert_eq!(page.status, 303, "{context}");
        assert!(page.header("location").starts_with(leads_to), "{context}");
    }
}

#[actix_web::test]
async fn the_table_says_who_is_let_through_and_nothing_else_does() {
    on_each(async |database| {
        let house = House::on(database).await;
        check(&house, None, None, false).await;
        check(&house, None, Some(&Token::random().unwrap()), false).await;
        let rules = Rules::shipped().unwrap();
        let mut sessions = Vec::new();
        for role in rules.roles() {
            let person = house.person(&format!("a person who is {role}"), &[role]).await;
            sessions.push((role, house.session(person).await));
        }
        for (role, session) in &sessions {
            check(&house, Some(role), Some(session), false).await;
        }
        house.pass_minutes(11);
        for (role, session) in &sessions {
            check(&house, Some(role), Some(session), true).await;
        }
    })
    .await;
}

#[test]
fn no_two_lines_of_the_table_are_alike() {
    let mut lines: Vec<String> = routes().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    lines.sort();
    let all = lines.len();
    lines.dedup();
    assert_eq!(lines.len(), all);
}
