//! Every route with every role and with none: who is let through is what the table says, and nothing else decides.
//!
//! Not here: what is answered to whoever is let through.

use obelus_core::{Clock as _, SystemClock};
use obelus_policy::{Action, Actor, Case, Rules};
use obelus_portal::{Route, Scope, Token, Who, routes};

use crate::{
    browser::{Browser, Page},
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
    ScopeNeeded,
    NotByToken,
}

fn expected(route: &Route, role: Option<&str>, stale: bool) -> Fate {
    match (route.who, role) {
        (Who::Public, _) => Fate::LetThrough,
        (Who::Monitor, _) => Fate::NotPermitted,
        (Who::Requester, _) | (_, None) => Fate::NotSignedIn,
        (Who::Program | Who::ProgramMay(..) | Who::ProgramMayInCases(..), _) => Fate::NotSignedIn,
        (Who::May(action), Some(role)) if !permitted(action, role, None) => Fate::NotPermitted,
        (Who::MayEither(one, other), Some(role)) if !permitted(one, role, None) && !permitted(other, role, None) => {
            Fate::NotPermitted
        }
        (Who::MayInCases(action), Some(role)) if !permitted(action, role, Some(&EMPTY)) => Fate::NotPermitted,
        (_, Some(_)) if route.fresh && stale => Fate::PasswordNeeded,
        (_, Some(_)) => Fate::LetThrough,
    }
}

/// The same for a program with a token.
fn expected_of_program(route: &Route, role: &str, scopes: &[Scope]) -> Fate {
    let (scope, permits) = match route.who {
        Who::Program => return Fate::LetThrough,
        Who::ProgramMay(scope, action) => (scope, permitted(action, role, None)),
        Who::ProgramMayInCases(scope, action) => (scope, permitted(action, role, Some(&EMPTY))),
        // A token is nobody's session.
        _ => return expected(route, None, false),
    };
    match (scopes.contains(&scope), permits) {
        (false, _) => Fate::ScopeNeeded,
        (true, false) => Fate::NotPermitted,
        (true, true) if route.fresh => Fate::NotByToken,
        (true, true) => Fate::LetThrough,
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

/// What became of somebody who came with no form's code and nothing of a body.
fn fate(route: &Route, page: &Page, context: &str) -> Fate {
    match page.status {
        401 => {
            let problem = page.problem();
            assert_eq!(problem, if route.is_api() { "token-needed" } else { "not-signed-in" }, "{context}");
            Fate::NotSignedIn
        }
        403 => match page.problem().as_str() {
            "not-permitted" => Fate::NotPermitted,
            "password-needed" => Fate::PasswordNeeded,
            "scope-needed" => Fate::ScopeNeeded,
            "not-by-token" => Fate::NotByToken,
            // The rule is kept before the form is looked at; and no route that changes something takes one without a code.
            "form-not-ours" if route.is_unsafe() && !route.is_api() => Fate::LetThrough,
            other => panic!("{other}: {context}"),
        },
        // The same for what a program sends.
        415 if route.is_unsafe() && route.is_api() => Fate::LetThrough,
        status => {
            assert!(!route.is_unsafe(), "a form without a code was accepted: {context}");
            assert!(status < 500, "{context}");
            Fate::LetThrough
        }
    }
}

async fn check(house: &House, role: Option<&str>, session: Option<&Token>, stale: bool) {
    let service = house.service().await;
    for route in routes() {
        let mut program = Browser::program(&service).with(session);
        let page =
            if route.is_unsafe() { program.post(&path(&route), &[]).await } else { program.get(&path(&route)).await };
        let context = format!("{route:?} as {role:?}: {}", page.body);
        let fate = fate(&route, &page, &context);
        assert_eq!(fate, expected(&route, role, stale), "{context}");
        if route.is_api() && role.is_some() {
            continue;
        }
        // A browser is led to where it can do what is missing.
        let mut browser = Browser::new(&service).with(session);
        let page =
            if route.is_unsafe() { browser.post(&path(&route), &[]).await } else { browser.get(&path(&route)).await };
        let leads_to = match fate {
            // Nobody is led from a program's address to a page.
            _ if route.is_api() => {
                assert_eq!(page.status, if fate == Fate::NotSignedIn { 401 } else { page.status }, "{context}");
                assert!(page.status != 303 && !page.header("content-type").starts_with("text/html"), "{context}");
                continue;
            }
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

async fn check_program(house: &House, role: &str, person: i64) {
    let service = house.service().await;
    let lone = Scope::ALL.map(|scope| vec![scope]);
    for scopes in lone.into_iter().chain([Vec::new(), Scope::ALL.to_vec()]) {
        let token = house.token(person, &scopes).await;
        // A page looks at no token, whatever its scopes are.
        let all = scopes.len() == Scope::ALL.len();
        for route in routes().into_iter().filter(|route| all || route.is_api()) {
            let mut program = Browser::with_token(&service, &token);
            let page = if route.is_unsafe() {
                program.post(&path(&route), &[]).await
            } else {
                program.get(&path(&route)).await
            };
            let context = format!("{route:?} as {role:?} with {scopes:?}: {}", page.body);
            assert_eq!(fate(&route, &page, &context), expected_of_program(&route, role, &scopes), "{context}");
        }
    }
}

#[actix_web::test]
async fn a_token_opens_what_its_scopes_and_its_owners_role_permit_and_no_page() {
    on_each(async |database| {
        let house = House::on(database).await;
        for role in Rules::shipped().unwrap().roles() {
            let person = house.person(&format!("a person who is {role}"), &[role]).await;
            check_program(&house, role, person).await;
        }
    })
    .await;
}

#[test]
fn programs_have_addresses_of_their_own_and_take_no_cookie() {
    for route in routes() {
        assert_eq!(route.is_api(), route.path.starts_with("/api/"), "{route:?}");
        let by_token = matches!(route.who, Who::Program | Who::ProgramMay(..) | Who::ProgramMayInCases(..));
        if route.is_api() {
            assert!(by_token || route.who == Who::Public && !route.is_unsafe(), "{route:?}");
        } else {
            assert!(!by_token, "{route:?}");
        }
    }
    // What takes a fresh password on a page takes a scope of its own here, or is refused.
    let pages: Vec<Route> = routes().into_iter().filter(|route| !route.is_api() && route.fresh).collect();
    for page in pages.iter().filter(|route| route.path.starts_with("/cases/")) {
        let same = format!("/api/v1{}", page.path);
        let Some(route) = routes().into_iter().find(|route| route.path == same) else {
            assert_eq!(page.path, "/cases/{reference}/execute", "no program does what cannot be undone");
            continue;
        };
        let decides = matches!(route.who, Who::ProgramMayInCases(Scope::Decide, _));
        assert!(
            decides && (route.fresh || matches!(page.path.rsplit_once('/').unwrap().1, "refuse" | "undo")),
            "{route:?}"
        );
    }
}

#[test]
fn no_two_lines_of_the_table_are_alike() {
    let mut lines: Vec<String> = routes().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    lines.sort();
    let all = lines.len();
    lines.dedup();
    assert_eq!(lines.len(), all);
}
