//! The rules that ship, and the one question that is asked of them. Not here: how Cedar decides (`cedar.rs`).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::{Arc, OnceLock},
};

use obelus_core::{Digest, Timestamp};

use crate::{
    Action, Refusal,
    cedar::{Answer, Ground, Policies},
};

/// Any change of a file is another version: plans that await approval under the old one are made again.
const VERSION: u32 = 7;

const SCHEMA: (&str, &str) = ("obelus.cedarschema", include_str!("../../../policies/authz/obelus.cedarschema"));

const POLICIES: [(&str, &str); 6] = [
    ("holds.cedar", include_str!("../../../policies/authz/holds.cedar")),
    ("installation.cedar", include_str!("../../../policies/authz/installation.cedar")),
    ("oversight.cedar", include_str!("../../../policies/authz/oversight.cedar")),
    ("reading.cedar", include_str!("../../../policies/authz/reading.cedar")),
    ("requests.cedar", include_str!("../../../policies/authz/requests.cedar")),
    ("separation.cedar", include_str!("../../../policies/authz/separation.cedar")),
];

/// What roles permit, which acts on one case exclude each other, and what a hold stops. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Rules(Arc<Parsed>);

#[derive(Debug)]
struct Parsed {
    policies: Policies,
    roles: BTreeMap<String, BTreeSet<Action>>,
    digest: Digest,
}

/// Somebody who wants to act.
#[derive(Clone, Copy, Debug)]
pub struct Actor<'a> {
    /// Name, unique.
    pub name: &'a str,
    /// Roles. One that the rules do not know permits nothing.
    pub roles: &'a [String],
    /// What a regulator may see; without one, nothing.
    pub grant: Option<&'a Grant>,
}

/// What a regulator may see, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// References of cases.
    pub cases: Vec<String>,
    /// The first moment of it.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

/// A case in which somebody wants to act.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// Its reference.
    pub reference: &'a str,
    /// Who took which step in it, oldest first.
    pub history: &'a [(Action, String)],
    /// Whether a legal hold stands.
    pub held: bool,
}

/// The rules cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("authorisation rules: {0}")]
pub struct RulesError(pub(crate) String);

impl Rules {
    /// The shipped rules. They are read once.
    ///
    /// # Errors
    /// Never for a program whose tests passed.
    pub fn shipped() -> Result<Self, RulesError> {
        static SHIPPED: OnceLock<Result<Rules, RulesError>> = OnceLock::new();
        let read = || {
            let policies = Policies::parse(SCHEMA, &POLICIES)?;
            let roles = policies.roles();
            Ok(Self(Arc::new(Parsed { policies, roles, digest: digest(Self::files()) })))
        };
        SHIPPED.get_or_init(read).clone()
    }

    /// The shipped files, sorted: name and text.
    pub fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
        let mut files = POLICIES.to_vec();
        files.push(SCHEMA);
        files.sort_unstable();
        files.into_iter()
    }

    /// Version of the rules.
    pub fn version(&self) -> u32 {
        VERSION
    }

    /// SHA-256 over the shipped files: what `sha256sum * | sha256sum` says in `policies/authz`.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// The roles that exist.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.0.roles.keys().map(String::as_str)
    }

    /// The roles that permit an act, some of them in certain cases alone.
    pub fn roles_for(&self, action: Action) -> Vec<&str> {
        self.0.roles.iter().filter(|(_, may)| may.contains(&action)).map(|(role, _)| role.as_str()).collect()
    }

    /// Whether `actor` may act, in a case or on the installation, at the moment `now`.
    ///
    /// # Errors
    /// The refusal, which says what would be needed.
    pub fn permit(
        &self,
        actor: Actor<'_>,
        action: Action,
        case: Option<&Case<'_>>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let who = || actor.name.to_owned();
        let (in_cases, in_none) = self.0.policies.places(action);
        if case.is_some() && !in_cases {
            return Err(Refusal::Place { actor: who(), action, place: "it is done in no case" });
        } else if case.is_none() && !in_none {
            return Err(Refusal::Place { actor: who(), action, place: "it is done in a case, and none is named" });
        }
        let answer = self.0.policies.ask(actor, action, case, now.as_micros());
        let grounds = match answer.map_err(|why| Refusal::Undecided { actor: who(), action, why })? {
            Answer::Permitted => return Ok(()),
            Answer::NotPermitted(None) => {
                return Err(Refusal::Role { actor: who(), action, roles: self.roles_for(action).join(" or ") });
            }
            Answer::NotPermitted(Some(ground)) => vec![ground],
            Answer::Forbidden(grounds) => grounds,
        };
        // A hold ends for everybody, a step that was taken for nobody: whoever took one is told that first, and of several
        // the oldest.
        let history = case.map_or(&[][..], |case| case.history);
        let mut own = history.iter().filter(|(_, who)| who == actor.name).map(|(taken, _)| *taken);
        if let Some(taken) = own.find(|taken| grounds.contains(&Ground::Apart(*taken))) {
            return Err(Refusal::Apart { actor: who(), action, taken });
        }
        Err(match grounds.first() {
            Some(Ground::Held) => Refusal::Held { actor: who(), action },
            Some(Ground::Scope) => Refusal::Scope { actor: who(), action },
            Some(Ground::Foreign) => Refusal::Foreign { actor: who(), action },
            Some(Ground::Apart(taken)) => Refusal::Apart { actor: who(), action, taken: *taken },
            None => Refusal::Undecided { actor: who(), action, why: "no policy says why".to_owned() },
        })
    }
}

fn digest<'a>(files: impl Iterator<Item = (&'a str, &'a str)>) -> Digest {
    let mut lines = String::new();
    for (name, text) in files {
        writeln!(lines, "{}  {name}", Digest::sha256(text)).expect("a string takes what is written to it");
    }
    Digest::sha256(lines)
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, fs, path::Path};

    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000);

    fn all_roles() -> Vec<String> {
        Rules::shipped().unwrap().roles().map(str::to_owned).collect()
    }

    fn steps(history: &[(Action, &str)]) -> Vec<(Action, String)> {
        history.iter().map(|(action, who)| (*action, (*who).to_owned())).collect()
    }

    fn grant() -> Grant {
        Grant { cases: vec!["REQ-1".to_owned()], from: NOW, until: Timestamp::from_micros(2_000) }
    }

    /// Asks about the place where the action is done: a case with this history, or none.
    fn may(name: &str, roles: &[String], action: Action, history: &[(Action, &str)]) -> Result<(), Refusal> {
        let rules = Rules::shipped().unwrap();
        let (grant, history) = (grant(), steps(history));
        let case = Case { reference: "REQ-1", history: &history, held: false };
        let (in_cases, _) = rules.0.policies.places(action);
        rules.permit(Actor { name, roles, grant: Some(&grant) }, action, in_cases.then_some(&case), NOW)
    }

    #[test]
    fn every_act_is_open_to_some_role_and_none_to_a_stranger() {
        let rules = Rules::shipped().unwrap();
        for action in Action::ALL {
            assert!(!rules.roles_for(action).is_empty(), "nobody may {action}");
            let refusal = may("eve", &["emperor".to_owned()], action, &[]).unwrap_err();
            assert!(matches!(refusal, Refusal::Role { .. }), "{refusal}");
        }
        assert!(may("root", &["admin".to_owned()], Action::Execute, &[]).is_err());
    }

    #[test]
    fn every_action_is_in_the_schema_and_nothing_else() {
        let rules = Rules::shipped().unwrap();
        let own: BTreeSet<String> = Action::ALL.iter().map(|action| action.name().to_owned()).collect();
        assert_eq!(rules.0.policies.actions(), own);
        for action in Action::ALL {
            assert_ne!(rules.0.policies.places(action), (false, false), "{action} is done nowhere");
        }
    }

    #[test]
    fn every_file_ships_and_another_text_is_another_version() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies/authz");
        let names: BTreeSet<String> =
            fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(names, Rules::files().map(|(name, _)| name.to_owned()).collect::<BTreeSet<_>>());
        // Whoever changes a file sees this fail, and raises the version with the digest.
        let rules = Rules::shipped().unwrap();
        let expected = "39a7851fad40081fd5a55bb787f725bfafa21a8379568b09d01c063167bf11dc";
        assert_eq!((rules.version(), rules.digest().to_string().as_str()), (7, expected));
    }

    #[test]
    fn policies_that_say_less_than_they_must_are_refused() {
        let check = |policy: &str, expected: &str| {
            let error = Policies::parse(SCHEMA, &[("some.cedar", policy)]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        let admin = "principal in Role::\"admin\", action == Action::\"manage_keys\", resource";
        check(&format!("permit ({admin});"), "some.cedar: policy0 has no @id");
        check("permit (", "some.cedar: ");
        check("@id(\"a\") permit (principal, action == Action::\"file\", resource);", "must say `principal in Role::`");
        check("@id(\"a\") permit (principal in Role::\"admin\", action, resource);", "must name its actions");
        check(&format!("@id(\"a\") permit ({admin}) when {{ context.now_us > 0 }};"), "if, and only if");
        check(&format!("@id(\"a\") forbid ({admin});"), "has no @refusal");
        check(&format!("@id(\"a\") @refusal(\"apart\") forbid ({admin});"), "means nothing");
        check(&format!("@id(\"a\") permit ({admin}); @id(\"a\") permit ({admin});"), "duplicate");
        check(&format!("@id(\"a\") permit ({});", admin.replace("admin", "emperor")), "emperor");
        check(&format!("@id(\"a\") @refusal(\"held\") forbid ({admin}) when {{ resource.held }};"), "held");
    }

    #[test]
    fn a_refusal_says_what_would_be_needed() {
        let refusal = may("ana", &[], Action::Approve, &[]).unwrap_err();
        assert!(refusal.to_string().contains("legal_approver"));
    }

    #[test]
    fn keys_are_in_other_hands_than_cases() {
        let rules = Rules::shipped().unwrap();
        assert_eq!(rules.roles_for(Action::ManageKeys), ["key_custodian"]);
        assert_eq!(rules.roles_for(Action::HandOut), ["auditor", "legal_reviewer", "regulator", "verifier"]);
        let custodian = ["key_custodian".to_owned()];
        let permitted = |action: &Action| may("kim", &custodian, *action, &[]).is_ok();
        assert_eq!(Action::ALL.into_iter().filter(permitted).collect::<Vec<_>>(), [Action::ManageKeys]);
    }

    #[test]
    fn authorities_are_let_in_by_those_who_answer_for_cases() {
        let rules = Rules::shipped().unwrap();
        assert_eq!(rules.roles_for(Action::GrantAccess), ["legal_approver"]);
        assert_eq!(rules.roles_for(Action::SampleCases), ["auditor", "regulator"]);
    }

    #[test]
    fn an_incident_is_closed_by_somebody_who_neither_struck_nor_measured() {
        let rules = Rules::shipped().unwrap();
        assert_eq!(rules.roles_for(Action::CloseIncident), ["legal_approver"]);
        let roles = all_roles();
        for taken in [Action::Execute, Action::Verify, Action::Reverify] {
            let refusal = may("ana", &roles, Action::CloseIncident, &[(taken, "ana")]).unwrap_err();
            assert!(matches!(refusal, Refusal::Apart { taken: told, .. } if told == taken), "{refusal}");
            assert!(may("ana", &roles, Action::CloseIncident, &[(taken, "ben")]).is_ok());
        }
        assert!(may("ana", &roles, Action::Reverify, &[(Action::Execute, "ana")]).is_err());
        assert_eq!(rules.roles_for(Action::Reverify), ["verifier"]);
        assert_eq!(rules.roles_for(Action::Schedule), ["legal_reviewer", "verifier"]);
    }

    #[test]
    fn a_challenge_is_blind_for_who_strikes() {
        let rules = Rules::shipped().unwrap();
        for action in [Action::DepositChallenge, Action::OpenChallenge] {
            assert_eq!(rules.roles_for(action), ["auditor", "legal_approver", "legal_reviewer", "requester"]);
        }
        let roles = all_roles();
        for (action, taken) in [(Action::Execute, Action::DepositChallenge), (Action::OpenChallenge, Action::Execute)] {
            let refusal = may("ana", &roles, action, &[(taken, "ana")]).unwrap_err();
            assert!(matches!(refusal, Refusal::Apart { .. }), "{refusal}");
            assert!(may("ana", &roles, action, &[(taken, "ben")]).is_ok());
        }
        assert!(may("ana", &roles, Action::OpenChallenge, &[(Action::DepositChallenge, "ana")]).is_ok());
    }

    proptest! {
        /// Where nothing stands against it, roles add up: one that permits is enough, and none takes anything away.
        #[test]
        fn a_person_may_do_exactly_what_one_of_their_roles_permits(
            held in prop::sample::subsequence(all_roles(), 0..=all_roles().len()),
            action in prop::sample::select(Action::ALL.to_vec()),
        ) {
            let rules = Rules::shipped().unwrap();
            // Requesters act in their own cases; filing excludes approving.
            let history: &[_] = if action == Action::Approve { &[] } else { &[(Action::File, "ana")] };
            let permitted = may("ana", &held, action, history);
            let open_to = rules.roles_for(action);
            prop_assert_eq!(permitted.is_ok(), held.iter().any(|role| open_to.contains(&role.as_str())));
            if let Err(refusal) = permitted {
                prop_assert!(open_to.iter().all(|role| refusal.to_string().contains(role)), "{}", refusal);
            }
        }

        /// Whatever a few people with every role try in whatever order, zeroing takes three of them, and a verdict is
        /// not given by whoever zeroed.
        #[test]
        fn no_single_person_drives_a_request_from_received_to_zeroed(
            attempts in prop::collection::vec((0usize..4, 0usize..4), 0..60),
        ) {
            let roles = all_roles();
            let people = ["ana", "ben", "cem", "dee"];
            let acts = [Action::File, Action::Approve, Action::Execute, Action::Verify];
            let mut history: Vec<(Action, &str)> = Vec::new();
            for (person, act) in attempts {
                let (name, act) = (people[person], acts[act]);
                let done = |a: Action| history.iter().filter(|(b, _)| *b == a).count();
                let in_order = match act {
                    Action::File => done(Action::File) == 0,
                    Action::Approve => done(Action::File) == 1 && done(Action::Approve) < 2,
                    Action::Execute => done(Action::Approve) == 2 && done(Action::Execute) == 0,
                    _ => done(Action::Execute) == 1,
                };
                if in_order && may(name, &roles, act, &history).is_ok() {
                    history.push((act, name));
                }
            }
            let who = |a: Action| history.iter().filter(|(b, _)| *b == a).map(|(_, w)| *w).collect::<HashSet<_>>();
            if let Some(executor) = who(Action::Execute).into_iter().next() {
                prop_assert_eq!(who(Action::Approve).len(), 2);
                prop_assert!(who(Action::Approve).is_disjoint(&who(Action::File)));
                prop_assert!(!who(Action::Approve).contains(executor));
                prop_assert!(!who(Action::Verify).contains(executor));
            }
        }
    }
}
