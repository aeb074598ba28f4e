//! Whether a person may do something: the one place that asks `obelus-policy`. Not here: what a role permits.

use obelus_core::Timestamp;
use obelus_policy::{Action, Actor, Case, Refusal, Rules, RulesError};

/// To read the trail of who did what. Of everything that happened; a grant for some cases does not reach it.
pub(crate) const READ_AUDIT: Action = Action::ReadAudit;
/// To invite people, and to let them in or not.
pub(crate) const MANAGE_PEOPLE: Action = Action::ManagePeople;

/// To see which cases there are, and how they stand.
pub(crate) const READ_CASE: Action = Action::ReadCase;

/// The rules in force.
#[derive(Debug)]
pub(crate) struct Permissions {
    rules: Rules,
}

impl Permissions {
    pub(crate) fn shipped() -> Result<Self, RulesError> {
        Rules::shipped().map(|rules| Self { rules })
    }

    /// Whether a person may do something that is about no case.
    pub(crate) fn permit(&self, name: &str, roles: &[String], action: Action, now: Timestamp) -> Result<(), Refusal> {
        self.rules.permit(Actor { name, roles, grant: None }, action, None, now)
    }

    /// Whether a person may do something in a case in which nothing has happened yet.
    pub(crate) fn permit_in_cases(
        &self,
        name: &str,
        roles: &[String],
        action: Action,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let case = Case { reference: "", history: &[], held: false };
        self.rules.permit(Actor { name, roles, grant: None }, action, Some(&case), now)
    }

    /// The roles that there are.
    pub(crate) fn roles(&self) -> Vec<&str> {
        self.rules.roles().collect()
    }
}
