//! Whether a person may do something: the one place that asks `obelus-policy`. Not here: what a role permits.

use obelus_core::Timestamp;
use obelus_policy::{Action, Actor, Case, Refusal, Rules, RulesError};

use crate::caller::SignedIn;

/// To read the trail of who did what: of everything that happened, or of the cases of a grant.
pub(crate) const READ_AUDIT: Action = Action::ReadAudit;
/// To invite people, and to let them in or not.
pub(crate) const MANAGE_PEOPLE: Action = Action::ManagePeople;
/// To see which cases there are, and how they stand.
pub(crate) const READ_CASE: Action = Action::ReadCase;
/// To let regulators look at cases.
pub(crate) const GRANT_ACCESS: Action = Action::GrantAccess;
/// To draw cases at random.
pub(crate) const SAMPLE_CASES: Action = Action::SampleCases;

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
    pub(crate) fn permit(&self, person: &SignedIn, action: Action, now: Timestamp) -> Result<(), Refusal> {
        self.rules.permit(actor(person), action, None, now)
    }

    /// Whether a person may do something in a case in which nothing has happened yet: in any, or in one of those that a grant
    /// names.
    pub(crate) fn permit_in_cases(&self, person: &SignedIn, action: Action, now: Timestamp) -> Result<(), Refusal> {
        let granted = person.grant.as_ref().and_then(|grant| grant.cases.first());
        let of_a_grant = |reference: &String| self.permit_in(person, action, reference, now).is_ok();
        self.permit_in_any(person, action, now)
            .or_else(|refusal| granted.is_some_and(of_a_grant).then_some(()).ok_or(refusal))
    }

    /// Whether a person may do something in every case in which nothing has happened yet, whichever it is.
    pub(crate) fn permit_in_any(&self, person: &SignedIn, action: Action, now: Timestamp) -> Result<(), Refusal> {
        self.permit_in(person, action, "", now)
    }

    /// Whether a person may do something in this case, had nothing happened in it yet.
    pub(crate) fn permit_in(
        &self,
        person: &SignedIn,
        action: Action,
        reference: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.rules.permit(actor(person), action, Some(&Case { reference, history: &[], held: false }), now)
    }

    /// The roles that there are.
    pub(crate) fn roles(&self) -> Vec<&str> {
        self.rules.roles().collect()
    }
}

fn actor(person: &SignedIn) -> Actor<'_> {
    Actor { name: &person.name, roles: &person.roles, grant: person.grant.as_ref() }
}
