//! Why an act is refused, in words for whoever wanted to act. Not here: the decision (`rules.rs`).

use crate::Action;

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
    /// It cannot be taken back, and a legal hold stands.
    #[error("{actor} may not {action} in this case: it is frozen by a hold, which ends when two persons release it")]
    Held {
        /// Who.
        actor: String,
        /// What.
        action: Action,
    },
    /// The actor's role shows what a grant covers, and no grant of theirs covers this now.
    #[error(
        "{actor} may not {action} here: no grant of theirs covers it at this time; one must name the case and a period"
    )]
    Scope {
        /// Who.
        actor: String,
        /// What.
        action: Action,
    },
    /// The actor's role permits it in cases of their own.
    #[error("{actor} may not {action} in a case that somebody else has filed: intake or whoever filed it must")]
    Foreign {
        /// Who.
        actor: String,
        /// What.
        action: Action,
    },
    /// It was asked about the wrong kind of thing.
    #[error("{actor} may not {action} so: {place}")]
    Place {
        /// Who.
        actor: String,
        /// What.
        action: Action,
        /// Where it is done.
        place: &'static str,
    },
    /// The rules gave no answer, and so no permission.
    #[error("{actor} may not {action}: the rules could not be evaluated: {why}; try again, and report it if it stays")]
    Undecided {
        /// Who.
        actor: String,
        /// What.
        action: Action,
        /// What went wrong.
        why: String,
    },
}
