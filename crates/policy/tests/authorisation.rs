//! What the shipped authorisation rules permit: the cases of `policies/cases`, and what holds of every person and case.
//!
//! A case says who tries what, in which case (`REQ-1`; without the key `case`, in none), and what is to come of it:
//! `permitted`, or the kind of the refusal, with the step after a colon where one excludes it.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

use std::{fs, path::Path};

use obelus_core::Timestamp;
use obelus_policy::{Action, Actor, Case, Grant, Refusal, Rules};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    case: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    says: String,
    who: Who,
    case: Option<InCase>,
    #[serde(default)]
    now_us: i64,
    tries: Action,
    expect: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Who {
    name: String,
    roles: Vec<String>,
    grant: Option<Granted>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Granted {
    cases: Vec<String>,
    from_us: i64,
    until_us: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InCase {
    #[serde(default)]
    history: Vec<(Action, String)>,
    #[serde(default)]
    held: bool,
}

fn granted(cases: &[String], from_us: i64, until_us: i64) -> Grant {
    let (from, until) = (Timestamp::from_micros(from_us), Timestamp::from_micros(until_us));
    Grant { cases: cases.to_vec(), from, until }
}

fn kind(answer: Result<(), Refusal>) -> String {
    match answer {
        Ok(()) => "permitted".to_owned(),
        Err(Refusal::Role { .. }) => "role".to_owned(),
        Err(Refusal::Apart { taken, .. }) => format!("apart: {taken}"),
        Err(Refusal::Held { .. }) => "held".to_owned(),
        Err(Refusal::Scope { .. }) => "scope".to_owned(),
        Err(Refusal::Foreign { .. }) => "foreign".to_owned(),
        Err(Refusal::Place { .. }) => "place".to_owned(),
        Err(refusal @ Refusal::Undecided { .. }) => refusal.to_string(),
    }
}

fn answer(row: &Row) -> String {
    let grant = row.who.grant.as_ref().map(|g| granted(&g.cases, g.from_us, g.until_us));
    let actor = Actor { name: &row.who.name, roles: &row.who.roles, grant: grant.as_ref() };
    let case = row.case.as_ref().map(|case| Case { reference: "REQ-1", history: &case.history, held: case.held });
    kind(Rules::shipped().unwrap().permit(actor, row.tries, case.as_ref(), Timestamp::from_micros(row.now_us)))
}

#[test]
fn every_case_of_the_folder_is_decided_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/cases");
    let mut wrong = Vec::new();
    let mut cases = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let file: File = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        for row in &file.case {
            cases += 1;
            let answer = answer(row);
            if answer != row.expect {
                wrong.push(format!("{}: {}: {} is {answer}, not {}", path.display(), row.says, row.tries, row.expect));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases >= 50, "{cases} cases were found");
}

fn roles() -> impl Strategy<Value = Vec<String>> {
    let all: Vec<String> = Rules::shipped().unwrap().roles().map(str::to_owned).collect();
    prop::sample::subsequence(all.clone(), 0..=all.len())
}

fn action() -> impl Strategy<Value = Action> {
    prop::sample::select(Action::ALL.to_vec())
}

fn history() -> impl Strategy<Value = Vec<(Action, String)>> {
    prop::collection::vec((action(), prop::sample::select(vec!["ana".to_owned(), "ben".to_owned()])), 0..8)
}

/// What ana may do in a case, with a grant for it that runs from 100 to 200.
fn ana(roles: &[String], action: Action, history: &[(Action, String)], held: bool, now_us: i64) -> Result<(), Refusal> {
    let grant = granted(&["REQ-1".to_owned()], 100, 200);
    let actor = Actor { name: "ana", roles, grant: Some(&grant) };
    let case = Case { reference: "REQ-1", history, held };
    Rules::shipped().unwrap().permit(actor, action, Some(&case), Timestamp::from_micros(now_us))
}

proptest! {
    #[test]
    fn no_role_overcomes_a_hold(roles in roles(), history in history()) {
        prop_assert!(ana(&roles, Action::Execute, &history, true, 150).is_err());
    }

    /// Nor does a hold stop anything that can be taken back.
    #[test]
    fn a_hold_stops_nothing_else(roles in roles(), action in action(), history in history()) {
        prop_assume!(action != Action::Execute);
        prop_assert_eq!(
            ana(&roles, action, &history, true, 150).is_ok(),
            ana(&roles, action, &history, false, 150).is_ok()
        );
    }

    #[test]
    fn a_grant_shows_something_exactly_while_it_runs(now_us in prop_oneof![0..300i64, any::<i64>()], action in action()) {
        let regulator = ["regulator".to_owned()];
        let shown = [Action::ReadCase, Action::ReadAudit, Action::HandOut].contains(&action);
        let runs = (100..200).contains(&now_us);
        prop_assert_eq!(ana(&regulator, action, &[], false, now_us).is_ok(), shown && runs);
        let grant = granted(&[], 100, 200);
        let actor = Actor { name: "ana", roles: &regulator, grant: Some(&grant) };
        let sampled = Rules::shipped().unwrap().permit(actor, action, None, Timestamp::from_micros(now_us));
        prop_assert_eq!(sampled.is_ok(), action == Action::SampleCases && runs);
    }

    #[test]
    fn an_admin_never_touches_a_case(action in action(), history in history(), held: bool) {
        prop_assert!(ana(&["admin".to_owned()], action, &history, held, 150).is_err());
    }

    /// Whoever looks from outside reads personal data only if another role of theirs lets them.
    #[test]
    fn looking_from_outside_shows_no_personal_data(roles in roles(), history in history()) {
        let others: Vec<String> =
            roles.iter().filter(|role| !["auditor", "regulator"].contains(&role.as_str())).cloned().collect();
        let outside = ["auditor".to_owned(), "regulator".to_owned()];
        prop_assert!(ana(&outside, Action::ReadPersonalData, &history, false, 150).is_err());
        prop_assert_eq!(
            ana(&roles, Action::ReadPersonalData, &history, false, 150).is_ok(),
            ana(&others, Action::ReadPersonalData, &history, false, 150).is_ok()
        );
    }
}
