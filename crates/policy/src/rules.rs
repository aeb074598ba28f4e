//! The rules as read from their file, and the one question that is asked of them.

use std::collections::{BTreeMap, BTreeSet};

use obelus_core::Digest;
use serde::Deserialize;

use crate::Action;

const SHIPPED: &str = include_str!("../../../policies/authz/roles.toml");

/// Roles with what they may do, and which acts on one case exclude each other.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    version: u32,
    roles: BTreeMap<String, BTreeSet<Action>>,
    apart: BTreeMap<Action, BTreeSet<Action>>,
}

/// Somebody who wants to act.
#[derive(Clone, Copy, Debug)]
pub struct Actor<'a> {
    /// Name, unique.
    pub name: &'a str,
    /// Roles. One that the rules do not know permits nothing.
    pub roles: &'a [String],
}

/// The rules cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("authorisation rules: {0}")]
pub struct RulesError(String);

/// Why an act is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No role of the actor permits it.
    #[error("{actor} may not {action}: that takes the role {roles}; obelus person add {actor} --role ROLE gives one")]
    Role {
        /// Who.
        actor: String,
        /// What.
        action: Action,
        /// Roles that permit it.
        roles: String,
    },
    /// The actor has taken part in the case in a way that excludes it.
    #[error("{actor} may not {action} in this case after having taken the step `{taken}` in it: somebody else must")]
    Apart {
        /// Who.
        actor: String,
        /// What.
        action: Action,
        /// What they have done.
        taken: Action,
    },
}

impl Rules {
    /// The shipped rules.
    ///
    /// # Errors
    /// Never for a program whose tests passed.
    pub fn shipped() -> Result<Self, RulesError> {
        toml::from_str(SHIPPED).map_err(|e| RulesError(e.to_string()))
    }

    /// SHA-256 of the shipped rules.
    pub fn digest() -> Digest {
        Digest::sha256(SHIPPED)
    }

    /// Version of the rules.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The roles that exist.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.roles.keys().map(String::as_str)
    }

    /// The roles that permit an act.
    pub fn roles_for(&self, action: Action) -> Vec<&str> {
        self.roles.iter().filter(|(_, may)| may.contains(&action)).map(|(role, _)| role.as_str()).collect()
    }

    /// Whether `actor` may act on a case in which `history` says who did what.
    ///
    /// # Errors
    /// The refusal, which says what would be needed.
    pub fn permit<'h>(
        &self,
        actor: Actor<'_>,
        action: Action,
        history: impl IntoIterator<Item = (Action, &'h str)>,
    ) -> Result<(), Refusal> {
        let may = actor.roles.iter().filter_map(|role| self.roles.get(role)).any(|may| may.contains(&action));
        if !may {
            let roles = self.roles_for(action).join(" or ");
            return Err(Refusal::Role { actor: actor.name.to_owned(), action, roles });
        }
        let excludes = self.apart.get(&action);
        let taken = history
            .into_iter()
            .find(|(taken, who)| *who == actor.name && excludes.is_some_and(|excludes| excludes.contains(taken)));
        match taken {
            Some((taken, _)) => Err(Refusal::Apart { actor: actor.name.to_owned(), action, taken }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn all_roles() -> Vec<String> {
        Rules::shipped().unwrap().roles().map(str::to_owned).collect()
    }

    #[test]
    fn every_act_is_open_to_some_role_and_none_to_a_stranger() {
        let rules = Rules::shipped().unwrap();
        for action in Action::ALL {
            assert!(!rules.roles_for(action).is_empty(), "nobody may {action}");
            let roles = ["emperor".to_owned()];
            let refusal = rules.permit(Actor { name: "eve", roles: &roles }, action, []).unwrap_err();
            assert!(matches!(refusal, Refusal::Role { .. }));
        }
        let admin = ["admin".to_owned()];
        assert!(rules.permit(Actor { name: "root", roles: &admin }, Action::Execute, []).is_err());
    }

    #[test]
    fn a_refusal_says_what_would_be_needed() {
        let rules = Rules::shipped().unwrap();
        let refusal = rules.permit(Actor { name: "ana", roles: &[] }, Action::Approve, []).unwrap_err();
        assert!(refusal.to_string().contains("legal_approver"));
    }

    #[test]
    fn keys_are_in_other_hands_than_cases() {
        let rules = Rules::shipped().unwrap();
        assert_eq!(rules.roles_for(Action::ManageKeys), ["key_custodian"]);
        assert_eq!(rules.roles_for(Action::HandOut), ["auditor", "legal_reviewer", "verifier"]);
        let custodian = ["key_custodian".to_owned()];
        let may = |action: &Action| rules.permit(Actor { name: "kim", roles: &custodian }, *action, []).is_ok();
        assert_eq!(Action::ALL.into_iter().filter(may).collect::<Vec<_>>(), [Action::ManageKeys]);
    }

    #[test]
    fn an_incident_is_closed_by_somebody_who_neither_struck_nor_measured() {
        let rules = Rules::shipped().unwrap();
        assert_eq!(rules.roles_for(Action::CloseIncident), ["legal_approver"]);
        let roles = all_roles();
        let ana = Actor { name: "ana", roles: &roles };
        for taken in [Action::Execute, Action::Verify, Action::Reverify] {
            let refusal = rules.permit(ana, Action::CloseIncident, [(taken, "ana")]).unwrap_err();
            assert!(matches!(refusal, Refusal::Apart { .. }), "{refusal}");
            assert!(rules.permit(ana, Action::CloseIncident, [(taken, "ben")]).is_ok());
        }
        assert!(rules.permit(ana, Action::Reverify, [(Action::Execute, "ana")]).is_err());
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
        let ana = Actor { name: "ana", roles: &roles };
        for (action, taken) in [(Action::Execute, Action::DepositChallenge), (Action::OpenChallenge, Action::Execute)] {
            let refusal = rules.permit(ana, action, [(taken, "ana")]).unwrap_err();
            assert!(matches!(refusal, Refusal::Apart { .. }), "{refusal}");
            assert!(rules.permit(ana, action, [(taken, "ben")]).is_ok());
        }
        assert!(rules.permit(ana, Action::OpenChallenge, [(Action::DepositChallenge, "ana")]).is_ok());
    }

    proptest! {
        /// Where nobody has acted yet, roles add up: one that permits is enough, and none takes anything away.
        #[test]
        fn a_person_may_do_exactly_what_one_of_their_roles_permits(
            held in prop::sample::subsequence(all_roles(), 0..=all_roles().len()),
            action in prop::sample::select(Action::ALL.to_vec()),
        ) {
            let rules = Rules::shipped().unwrap();
            let permitted = rules.permit(Actor { name: "ana", roles: &held }, action, []);
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
            let rules = Rules::shipped().unwrap();
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
                if in_order && rules.permit(Actor { name, roles: &roles }, act, history.iter().copied()).is_ok() {
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
