//! The policies as Cedar reads them, and questions to it. Decisions are Cedar's alone; why one was made is read off the
//! policies that determined it. Not here: what callers see of that (`rules.rs`, `refusal.rs`).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use cedar_policy::{
    ActionConstraint, Authorizer, Context, Decision, Effect, Entities, Entity, EntityId, EntityTypeName, EntityUid,
    Policy, PolicyId, PolicySet, PrincipalConstraint, Request, ResourceConstraint, Response, RestrictedExpression,
    Schema, ValidationMode, Validator,
};

use crate::{
    Action,
    rules::{Actor, Case, Grant, RulesError},
};

/// The steps that the schema knows of a case: its type `Steps`. Entities that lack one or have another are refused.
const STEPS: [Action; 7] = [
    Action::File,
    Action::Approve,
    Action::DepositChallenge,
    Action::Execute,
    Action::Verify,
    Action::Reverify,
    Action::Release,
];

/// What a policy's annotation `@refusal` says of the refusals that it is the reason of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    /// `apart`; `@step` says which step excludes it.
    Apart(Action),
    /// `held`
    Held,
    /// `scope`
    Scope,
    /// `foreign`
    Foreign,
}

/// What Cedar said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Permitted,
    /// No policy permits it. With a ground: one would if its condition held.
    NotPermitted(Option<Ground>),
    /// It is permitted and forbidden as well.
    Forbidden(Vec<Ground>),
}

/// A policy that permits, in the form that all of them have: a role, some actions, and a condition that has a ground.
#[derive(Debug)]
struct Permission {
    role: String,
    actions: BTreeSet<Action>,
    unless_met: Option<Ground>,
}

/// The policies, parsed and checked.
#[derive(Debug)]
pub(crate) struct Policies {
    schema: Schema,
    all: PolicySet,
    /// Without those that forbid: says which of the two a refusal is about.
    permits: PolicySet,
    permissions: Vec<Permission>,
    grounds: BTreeMap<PolicyId, Ground>,
}

impl Policies {
    /// Parses the policies and checks them against the schema. The text before each colon of an error is a file's name.
    pub(crate) fn parse(schema: (&str, &str), files: &[(&str, &str)]) -> Result<Self, RulesError> {
        let fail = |file: &str, why: &dyn std::fmt::Display| RulesError(format!("{file}: {why}"));
        let (name, text) = schema;
        let (schema, mut warnings) = Schema::from_cedarschema_str(text).map_err(|e| fail(name, &e))?;
        if let Some(warning) = warnings.next() {
            return Err(fail(name, &warning));
        }
        let mut own = Self {
            schema,
            all: PolicySet::new(),
            permits: PolicySet::new(),
            permissions: Vec::new(),
            grounds: BTreeMap::new(),
        };
        for (file, text) in files {
            let set: PolicySet = text.parse().map_err(|e| fail(file, &e))?;
            if set.templates().next().is_some() {
                return Err(fail(file, &"a template decides nothing; write a policy"));
            }
            for policy in set.policies() {
                own.add(policy).map_err(|why| fail(file, &why))?;
            }
        }
        let checked = Validator::new(own.schema.clone()).validate(&own.all, ValidationMode::Strict);
        let errors = checked.validation_errors().map(ToString::to_string);
        match errors.chain(checked.validation_warnings().map(ToString::to_string)).next() {
            Some(error) => Err(RulesError(error)),
            None => Ok(own),
        }
    }

    fn add(&mut self, policy: &Policy) -> Result<(), String> {
        let id = policy.annotation("id").ok_or_else(|| format!("{} has no @id", policy.id()))?;
        let policy = policy.new_id(PolicyId::new(id));
        let ground = ground(&policy)?;
        if policy.effect() == Effect::Permit {
            self.permissions.push(permission(&policy, ground)?);
            self.permits.add(policy.clone()).map_err(|e| e.to_string())?;
        } else if ground.is_none() {
            return Err(format!("{id} forbids and has no @refusal"));
        }
        self.grounds.extend(ground.map(|ground| (policy.id().clone(), ground)));
        self.all.add(policy).map_err(|e| e.to_string())
    }

    /// Roles with what their policies are about.
    pub(crate) fn roles(&self) -> BTreeMap<String, BTreeSet<Action>> {
        let mut roles: BTreeMap<String, BTreeSet<Action>> = BTreeMap::new();
        for permission in &self.permissions {
            roles.entry(permission.role.clone()).or_default().extend(&permission.actions);
        }
        roles
    }

    /// Whether an action can be done in a case, and whether it can be done in none.
    pub(crate) fn places(&self, action: Action) -> (bool, bool) {
        let on: Vec<&str> = self
            .schema
            .resources_for_action(&uid("Action", action.name()))
            .into_iter()
            .flatten()
            .map(EntityTypeName::basename)
            .collect();
        (on.contains(&"Case"), on.contains(&"Installation"))
    }

    /// The names of all actions that can be asked about.
    #[cfg(test)]
    pub(crate) fn actions(&self) -> BTreeSet<String> {
        let groups: HashSet<_> = self.schema.action_groups().collect();
        self.schema.actions().filter(|a| !groups.contains(a)).map(|a| a.id().unescaped().to_owned()).collect()
    }

    /// Asks Cedar.
    pub(crate) fn ask(
        &self,
        actor: Actor<'_>,
        action: Action,
        case: Option<&Case<'_>>,
        now_us: i64,
    ) -> Result<Answer, String> {
        let entities = self.entities(actor, case)?;
        let resource = case.map_or_else(|| uid("Installation", "this"), |case| uid("Case", case.reference));
        let now = [("now_us".to_owned(), RestrictedExpression::new_long(now_us))];
        let context = Context::from_pairs(now).map_err(|e| e.to_string())?;
        let (person, act) = (uid("Person", actor.name), uid("Action", action.name()));
        let request = Request::new(person, act, resource, context, Some(&self.schema)).map_err(|e| e.to_string())?;
        let decided = decide(&request, &self.all, &entities)?;
        if decided.decision() == Decision::Allow {
            return Ok(Answer::Permitted);
        }
        // Who may not do it anyway is not told what stands against it besides.
        if decide(&request, &self.permits, &entities)?.decision() == Decision::Deny {
            return Ok(Answer::NotPermitted(self.unmet(actor, action)));
        }
        let reasons = decided.diagnostics().reason();
        Ok(Answer::Forbidden(reasons.filter_map(|id| self.grounds.get(id).copied()).collect()))
    }

    /// The ground of a policy that would permit the action to a role of the actor if its condition held.
    fn unmet(&self, actor: Actor<'_>, action: Action) -> Option<Ground> {
        let theirs = self.permissions.iter().filter(|permission| actor.roles.contains(&permission.role));
        theirs.filter(|permission| permission.actions.contains(&action)).find_map(|permission| permission.unless_met)
    }

    fn entities(&self, actor: Actor<'_>, case: Option<&Case<'_>>) -> Result<Entities, String> {
        // A role that the schema does not know would be refused as an entity; it permits nothing.
        let known = |role: &&String| self.permissions.iter().any(|permission| permission.role == **role);
        let roles: HashSet<EntityUid> = actor.roles.iter().filter(known).map(|role| uid("Role", role)).collect();
        let mut attributes = HashMap::new();
        if let Some(grant) = actor.grant {
            attributes.insert("grant".to_owned(), granted(grant)?);
        }
        let person = Entity::new(uid("Person", actor.name), attributes, roles).map_err(|e| e.to_string())?;
        let mut entities = vec![person];
        if let Some(case) = case {
            let attributes = HashMap::from([
                ("held".to_owned(), RestrictedExpression::new_bool(case.held)),
                ("taken".to_owned(), taken(case.history)?),
            ]);
            let case = Entity::new(uid("Case", case.reference), attributes, HashSet::new());
            entities.push(case.map_err(|e| e.to_string())?);
        }
        Entities::from_entities(entities, Some(&self.schema)).map_err(|e| e.to_string())
    }
}

fn decide(request: &Request, policies: &PolicySet, entities: &Entities) -> Result<Response, String> {
    let response = Authorizer::new().is_authorized(request, policies, entities);
    // Cedar passes over a policy that it cannot evaluate, such as for want of stack; one that forbids must not be.
    let error = response.diagnostics().errors().next().map(ToString::to_string);
    error.map_or(Ok(response), Err)
}

/// Names come from outside: they become identifiers as they are, and are never parsed.
fn uid(kind: &str, id: &str) -> EntityUid {
    let kind = kind.parse().expect("the name of a type in the schema is an identifier");
    EntityUid::from_type_name_and_id(kind, EntityId::new(id))
}

fn set<'a>(kind: &str, ids: impl Iterator<Item = &'a str>) -> RestrictedExpression {
    RestrictedExpression::new_set(ids.map(|id| RestrictedExpression::new_entity_uid(uid(kind, id))))
}

fn granted(grant: &Grant) -> Result<RestrictedExpression, String> {
    RestrictedExpression::new_record([
        ("cases".to_owned(), set("Case", grant.cases.iter().map(String::as_str))),
        ("from_us".to_owned(), RestrictedExpression::new_long(grant.from.as_micros())),
        ("until_us".to_owned(), RestrictedExpression::new_long(grant.until.as_micros())),
    ])
    .map_err(|e| e.to_string())
}

fn taken(history: &[(Action, String)]) -> Result<RestrictedExpression, String> {
    let who = |step: Action| history.iter().filter(move |(taken, _)| *taken == step).map(|(_, who)| who.as_str());
    let steps = STEPS.map(|step| (step.name().to_owned(), set("Person", who(step))));
    RestrictedExpression::new_record(steps).map_err(|e| e.to_string())
}

fn ground(policy: &Policy) -> Result<Option<Ground>, String> {
    let step = policy.annotation("step").and_then(Action::named);
    Ok(match (policy.annotation("refusal"), step) {
        (None, None) => None,
        (Some("apart"), Some(step)) => Some(Ground::Apart(step)),
        (Some("held"), None) => Some(Ground::Held),
        (Some("scope"), None) => Some(Ground::Scope),
        (Some("foreign"), None) => Some(Ground::Foreign),
        (other, _) => return Err(format!("{}: @refusal {other:?} with this @step means nothing", policy.id())),
    })
}

/// Reads who may do what off a policy's head, so that a refusal can name the roles.
fn permission(policy: &Policy, ground: Option<Ground>) -> Result<Permission, String> {
    let id = policy.id();
    let conditional = policy.has_non_scope_constraint() || policy.resource_constraint() != ResourceConstraint::Any;
    if conditional != ground.is_some() {
        return Err(format!("{id} permits: it has a @refusal if, and only if, it has a condition"));
    }
    let PrincipalConstraint::In(role) = policy.principal_constraint() else {
        return Err(format!("{id} permits: it must say `principal in Role::`"));
    };
    let actions = match policy.action_constraint() {
        ActionConstraint::Eq(action) => vec![action],
        ActionConstraint::In(actions) => actions,
        ActionConstraint::Any => return Err(format!("{id} permits: it must name its actions")),
    };
    let named = |action: &EntityUid| {
        let name = action.id().unescaped();
        Action::named(name).ok_or_else(|| format!("{id} permits {name:?}, which is no action"))
    };
    Ok(Permission {
        role: role.id().unescaped().to_owned(),
        actions: actions.iter().map(named).collect::<Result<_, _>>()?,
        unless_met: ground,
    })
}
