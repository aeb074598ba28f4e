//! Whether a person may do something: the one place that asks `obelus-policy`. Not here: what a role permits.

use obelus_core::Timestamp;
use obelus_policy::{Action, Actor, Case, Refusal, Rules, RulesError};

use crate::{api::Program, caller::SignedIn};

/// To read the trail of who did what: of everything that happened, or of the cases of a grant.
pub(crate) const READ_AUDIT: Action = Action::ReadAudit;
/// To invite people, and to let them in or not.
pub(crate) const MANAGE_PEOPLE: Action = Action::ManagePeople;
/// To see which cases there are, and how they stand.
pub(crate) const READ_CASE: Action = Action::ReadCase;
/// To let regulators look at cases.
pub(crate) const GRANT_ACCESS: Action = Action::GrantAccess;
/// To keep the machine running.
pub(crate) const MANAGE_SETTINGS: Action = Action::ManageSettings;
/// To say when certificates are verified again.
pub(crate) const SCHEDULE: Action = Action::Schedule;
/// To replace keys, and to take the trust from them.
pub(crate) const MANAGE_KEYS: Action = Action::ManageKeys;
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
    pub(crate) fn permit<'a>(&self, who: impl Into<Actor<'a>>, action: Action, now: Timestamp) -> Result<(), Refusal> {
        self.rules.permit(who.into(), action, None, now)
    }

    /// Whether a person may do something in a case in which nothing has happened yet: in any, or in one of those that a grant
    /// names.
    pub(crate) fn permit_in_cases<'a>(
        &self,
        who: impl Into<Actor<'a>>,
        action: Action,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let who = who.into();
        let granted = who.grant.and_then(|grant| grant.cases.first());
        let of_a_grant = |reference: &String| self.permit_in(who, action, reference, now).is_ok();
        self.permit_in_any(who, action, now)
            .or_else(|refusal| granted.is_some_and(of_a_grant).then_some(()).ok_or(refusal))
    }

    /// Whether a person may do something in every case in which nothing has happened yet, whichever it is.
    pub(crate) fn permit_in_any<'a>(
        &self,
        who: impl Into<Actor<'a>>,
        action: Action,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.permit_in(who, action, "", now)
    }

    /// Whether a person may do something in this case, had nothing happened in it yet.
    pub(crate) fn permit_in<'a>(
        &self,
        who: impl Into<Actor<'a>>,
        action: Action,
        reference: &str,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.rules.permit(who.into(), action, Some(&Case { reference, history: &[], held: false }), now)
    }

    /// The roles that there are.
    pub(crate) fn roles(&self) -> Vec<&str> {
        self.rules.roles().collect()
    }
}

impl<'a> From<&'a SignedIn> for Actor<'a> {
    fn from(person: &'a SignedIn) -> Self {
        Self { name: &person.name, roles: &person.roles, grant: person.grant.as_ref() }
    }
}

impl<'a> From<&'a Program> for Actor<'a> {
    /// What a grant shows is shown on pages alone, which note who read it.
    fn from(program: &'a Program) -> Self {
        Self { name: &program.name, roles: &program.roles, grant: None }
    }
}
