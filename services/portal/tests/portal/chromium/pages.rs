//! Every page of the table of routes, and of its refusals. A route without parts that differ is visited by itself; one with
//! such parts needs an example in [`examples`], or a line in [`NOT_PAGES`]. Not here: what is done on them.

use std::collections::BTreeSet;

use actix_web::http::Method;
use obelus_casework::{
    decision, notices,
    orders::{self, Order},
    sampling::{self, Wanted},
    schedules::{self, What},
    triage,
};
use obelus_core::Digest;
use obelus_policy::Rules;
use obelus_portal::{Route, Scope, Token, Who, routes, setup_link};
use obelus_store::{case_questions::QuestionKind, outbox};

use super::Visitor;
use crate::{
    access::{EMPTY, permitted},
    browser::Browser,
    case,
    cases::plan,
    house::ORIGIN,
    requests::asked,
};

/// What answers with a file and differs in its address.
const NOT_PAGES: [&str; 8] = [
    "/static/{name}",
    "/c/{id}/files/{name}",
    "/log-files/tile/{path:.*}",
    "/r/{reference}/receipt",
    "/cases/{reference}/progress",
    "/audit/sample/{id}/files/{name}",
    "/audit/sample/{id}/export",
    "/cases/{reference}/export",
];

/// Whether browsers show what a route answers. Programs read the rest.
/// A plan with everything that the page of its impact shows.
const IMPACT: &str = r#"{
  "neurons_per_layer": [32, 30],
  "survivors": [
    {"source": "c", "lost": 3, "lost_fraction": "0.046875"},
    {"source": "d<b>", "lost": 1, "lost_fraction": "0.015625"},
    {"source": "e", "lost": 0, "lost_fraction": "0.000000"}
  ],
  "forecast": {
    "kept_before": {"mean": "0.900000", "least": "0.850000"},
    "kept_after": {"mean": "0.880000", "least": "0.450000"},
    "budget": {"whole": 55, "before": 46, "after": 45},
    "groups": [{"who": "hit_hardest", "sources": 3, "losses": [
      {"metric": "specific_known", "items": 12, "before": "0.750000", "after": "0.500000",
       "interval": ["-0.400000", "-0.100000"], "margin": "0.050000", "outcome": "fail"},
      {"metric": "text_loss", "items": 9, "before": "2.100000", "after": "2.150000",
       "interval": null, "margin": "0.100000", "outcome": "inconclusive"}
    ]}],
    "advice": [{"what": "repair", "why": "survivors would lose more than the protocol allows (specific_known)"}]
  }
}"#;

fn is_page(route: &Route) -> bool {
    !NOT_PAGES.contains(&route.path) && !route.path.starts_with("/api/")
}

/// An address of a route, and whose browser goes there.
struct Example {
    route: &'static str,
    session: Option<Token>,
    address: String,
}

/// One for each route with parts that differ; several where pages of one route look unlike each other.
async fn examples(visitor: &Visitor) -> Vec<Example> {
    let (house, work) = (&visitor.house, &visitor.house.deps.work);
    let service = house.service().await;
    let session = async |name: &str, roles: &[&str]| {
        let person = house.person(name, roles).await;
        house.session(person).await
    };
    let mut all = Vec::new();
    let mut add = |route, session: Option<&Token>, address: String| {
        let session = session.map(|token| token.reveal().parse().unwrap());
        all.push(Example { route, session, address });
    };

    let certificate = case::certificate(house).await;
    add("/c/{id}", None, format!("/c/{}", certificate.id));

    let legal = session("Lea of the legal department", &["legal_reviewer", "intake", "hold_officer"]).await;
    let approver = session("abe", &["legal_approver"]).await;
    let auditor = session("ute", &["auditor"]).await;
    // Without one there is nobody to give a grant to, and no form.
    session("Nina of the supervisory authority", &["regulator"]).await;
    let (mut ada, first) = asked(&service).await;
    let requester: Token = ada.cookies["session"].parse().unwrap();
    let entrance = format!("/open/{first}");
    ada.get(&entrance).await.is(200);
    ada.post(&entrance, &[("email", "ada@example.org")]).await.is(200);
    let letters = outbox::of_request(&work.db, &first).await.unwrap();
    let letter = letters.into_iter().rfind(|letter| letter.kind == outbox::LetterKind::OneTimeLink).unwrap();
    let link = letter.body.split_once(ORIGIN).unwrap().1.split_whitespace().next().unwrap().to_owned();
    add("/open/{reference}", None, entrance);
    add("/open/{reference}/{token}", None, link);
    triage::ask(work, "rita", &first, QuestionKind::Scope, "Which letters are meant: those to her daughter?")
        .await
        .unwrap();
    add("/r/{reference}", Some(&requester), format!("/r/{first}"));
    add("/r/{reference}/sent", Some(&requester), format!("/r/{first}/sent"));
    add("/cases/{reference}", Some(&legal), format!("/cases/{first}"));
    add("/log/{index}", None, "/log/0".to_owned());

    let (_, planned) = asked(&service).await;
    add("/cases/{reference}/find", Some(&legal), format!("/cases/{planned}/find"));
    triage::match_sources(work, "rita", &planned, &["a".to_owned(), "b".to_owned()]).await.unwrap();
    add("/cases/{reference}", Some(&legal), format!("/cases/{planned}"));
    let (_, ordered) = asked(&service).await;
    orders::place(work, "rita", &ordered, &Order::Plan(None)).await.unwrap();
    notices::complaint(work, "rita", &ordered, "", "Nobody answers me.").await.unwrap();
    add("/cases/{reference}", Some(&legal), format!("/cases/{ordered}"));
    plan(house, &planned, IMPACT.as_bytes()).await;
    add("/cases/{reference}/impact", Some(&legal), format!("/cases/{planned}/impact"));
    for session in [&legal, &approver, &auditor] {
        add("/cases/{reference}", Some(session), format!("/cases/{planned}"));
    }
    let (ben, refused) = asked(&service).await;
    decision::refuse(work, "rita", &refused, "not_rights_holder", "The letters are another's.").await.unwrap();
    let requester: Token = ben.cookies["session"].parse().unwrap();
    add("/r/{reference}", Some(&requester), format!("/r/{refused}"));

    for (seed, is_revealed) in [("one", false), ("two", true)] {
        let seed_digest = Digest::sha256(seed);
        let wanted = Wanted { seed_digest, size: 2, closed: false, from: None, until: None };
        let sample = sampling::commit(work, "ute", &wanted).await.unwrap().id;
        if is_revealed {
            sampling::reveal(work, "ute", &sample, seed).await.unwrap();
        }
        add("/audit/sample/{id}", Some(&auditor), format!("/audit/sample/{sample}"));
    }

    let admin = session("ana", &["admin"]).await;
    let mut ana = Browser::new(&service).with_session(&admin);
    ana.get("/settings/people/invite").await.is(200);
    let invitation = ana.post("/settings/people/invite", &[("name", "mara"), ("role", "verifier")]).await.is(200);
    add("/invite/{token}", None, invitation.one_time_path());
    let abe = obelus_store::persons::named(&work.db, "abe").await.unwrap().unwrap().id;
    house.token(abe, &[Scope::Read, Scope::Decide]).await;
    schedules::add(work, "rita", &What::Model("m".to_owned()), None).await.unwrap();
    // Whoever makes schedules has a form there, which an admin has not.
    add("/settings/schedules", Some(&legal), "/settings/schedules".to_owned());
    let reset = ana.post(&format!("/settings/people/{abe}/link"), &[]).await.is(200).one_time_path();
    add("/reset/{token}", None, reset);
    all
}

/// Somebody whom a route lets through.
async fn let_through(visitor: &Visitor, route: &Route) -> Option<Token> {
    let rules = Rules::shipped().unwrap();
    let may = |role: &&str| match route.who {
        Who::May(action) => permitted(action, role, None),
        Who::MayEither(one, other) => permitted(one, role, None) || permitted(other, role, None),
        Who::MayInCases(action) => permitted(action, role, Some(&EMPTY)),
        _ => true,
    };
    let role = match route.who {
        Who::Public | Who::Monitor | Who::Requester => return None,
        _ => rules.roles().into_iter().find(may).unwrap_or_else(|| panic!("no role may do {route:?}")),
    };
    let name = format!("somebody who is {} at {}", role.replace('_', " "), route.path);
    let person = visitor.house.person(&name, &[role]).await;
    Some(visitor.house.session(person).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_open_to_everybody_and_fits_a_telephone() {
    let Some(visitor) = Visitor::start("pages").await else { return };
    // There is a first account once, before any other.
    let link = setup_link(&visitor.house.deps).await.unwrap().unwrap();
    visitor.browser.open(&link);
    visitor.look();
    let mut visited = BTreeSet::from(["/setup/{token}"]);
    visitor.visit(&link.strip_prefix(ORIGIN).unwrap().replace(|c: char| c.is_ascii_digit(), "x"));
    assert_eq!(visitor.status(), 410);

    let mut all = examples(&visitor).await;
    let whole = |route: &Route| route.method == Method::GET && is_page(route) && !route.path.contains('{');
    for route in routes().into_iter().filter(whole) {
        let session = let_through(&visitor, &route).await;
        all.push(Example { route: route.path, session, address: route.path.to_owned() });
    }
    let service = visitor.house.service().await;
    let mut holder = None;
    for Example { route, session, address } in &all {
        let mut browser = Browser::new(&service).with(session.as_ref());
        browser.peer = "127.0.0.1:5".parse().unwrap();
        let page = browser.get(address).await.is(200);
        visited.insert(route);
        // What answers with text or a file is for programs.
        if !page.header("content-type").starts_with("text/html") {
            continue;
        }
        let now = session.as_ref().map(Token::reveal);
        if holder != Some(now.clone()) {
            visitor.become_holder_of(session.as_ref());
            holder = Some(now);
        }
        visitor.visit(address);
        assert_eq!(visitor.status(), 200, "{address}");
    }
    for route in routes().iter().filter(|route| route.method == Method::GET && is_page(route)) {
        let missing = "nobody looks at it: add an example of it in this file, or a line to NOT_PAGES";
        assert!(visited.contains(route.path), "{}: {missing}", route.path);
    }

    // Whoever may read everything has the longest line of links.
    let roles = ["admin", "auditor", "legal_reviewer"];
    let person = visitor.house.person("Wilhelmina Featherstonehaugh-Cholmondeley of the records office", &roles).await;
    visitor.become_holder_of(Some(&visitor.house.session(person).await));
    for (path, status) in [("/", 200), ("/settings/sessions", 200), ("/nowhere", 404)] {
        visitor.visit(path);
        assert_eq!(visitor.status(), status, "{path}");
    }
    // A form whose page was open in a browser that has lost its cookies.
    visitor.become_holder_of(None);
    visitor.open("/sign-in");
    visitor.browser.forget();
    visitor.press("Sign in");
    assert_eq!(visitor.status(), 403);
    visitor.look();
}
