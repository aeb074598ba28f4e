//! Work on a model that people order from a page: plans, takedowns and their verification. A worker does it, because it takes
//! minutes and libtorch. Whoever orders must be permitted it now, and still when it is begun. Not here: the work
//! (`obelus-auditor`).

use anyhow::{Result, ensure};
use obelus_policy::{Action, Refusal};
use obelus_store::{
    audit, jobs,
    jobs::{Job, JobKind, JobState, NewJob, Ordered},
    requests::{RequestState, is_reversible},
};
use obelus_verdict::Protocol;
use serde_json::json;

use crate::{
    Deps, NotThere,
    case::{existing, permitted},
    decision::unhindered,
};

/// The protocols that a takedown can be judged by, where it is planned from a page.
pub const PROTOCOLS: &[&str] = &Protocol::SHIPPED;

/// Jobs of a case that are shown.
const SHOWN: u64 = 10;

/// What is ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// To suppress the sources and make the plan, to be judged by the protocol that ships under this name; none for the
    /// one chosen before.
    Plan(Option<String>),
    /// To execute the takedown that was approved, or go on with one that was cut off.
    Execute,
    /// To judge the takedown that was executed, and certify it.
    Verify,
}

impl Order {
    /// The jobs that orders make.
    pub const KINDS: [JobKind; 3] = [JobKind::PlanTakedown, JobKind::ExecuteTakedown, JobKind::VerifyTakedown];

    /// What is to be done.
    pub fn kind(&self) -> JobKind {
        match self {
            Self::Plan(_) => JobKind::PlanTakedown,
            Self::Execute => JobKind::ExecuteTakedown,
            Self::Verify => JobKind::VerifyTakedown,
        }
    }

    fn action(&self) -> Action {
        match self {
            Self::Plan(_) => Action::Plan,
            Self::Execute => Action::Execute,
            Self::Verify => Action::Verify,
        }
    }

    /// Whether a case in this state can have it done.
    pub fn fits(&self, state: RequestState) -> bool {
        use RequestState::{ApprovedTwice, Verifying, WindowOpen, Zeroing};
        match self {
            Self::Plan(_) => is_reversible(state),
            Self::Execute => matches!(state, ApprovedTwice | WindowOpen | Zeroing),
            Self::Verify => state == Verifying,
        }
    }
}

/// Puts the work where a worker finds it.
///
/// # Errors
/// When the person may not, the case is not where it can be done, or it is ordered already.
pub async fn place(deps: &Deps, by: &str, reference: &str, order: &Order) -> Result<()> {
    let person = permitted(deps, by, order.action(), Some(reference)).await?;
    let now = deps.now();
    let (kind, request) = (order.kind(), existing(deps, reference).await?);
    ensure!(order.fits(request.state), "{reference} is {}: there is no {} now", request.state, what(kind));
    // One that has begun must end, whatever came in between.
    if *order == Order::Execute && request.state != RequestState::Zeroing {
        unhindered(deps, &request).await?;
    }
    if let Order::Plan(Some(name)) = order {
        let known = Protocol::SHIPPED.join(", ");
        ensure!(Protocol::shipped(name).is_some(), "there is no protocol {name:?}; there are {known}");
    }
    let argument = match order {
        Order::Plan(protocol) => protocol.clone(),
        Order::Execute | Order::Verify => None,
    };
    let job = NewJob {
        kind,
        subject: reference.to_owned(),
        reason: format!("ordered by {}", person.name),
        schedule: None,
        due_at: now,
        order: Some(Ordered { by: person.name.clone(), argument: argument.clone() }),
    };
    let write = deps.db.write().await?;
    let last = jobs::of_subject(&write, kind, reference).await?;
    // One that fails is tried again: a second would only wait behind it.
    let is_running = last.is_some_and(|job| job.state == JobState::Running);
    let is_new = !is_running && jobs::enqueue(&write, job, now).await?;
    ensure!(is_new, "{reference}: {} is ordered already; its page says how far it is", what(kind));
    let detail = json!({ "work": kind.to_string(), "argument": argument }).to_string();
    audit::append(&write, now, &person.name, "order", reference, &detail).await?;
    Ok(write.commit().await?)
}

/// The work in words.
pub fn what(kind: JobKind) -> &'static str {
    match kind {
        JobKind::PlanTakedown => "making the plan",
        JobKind::ExecuteTakedown => "execution",
        JobKind::VerifyTakedown => "verification",
        JobKind::ReverifyCase | JobKind::ReverifyModel => "verification again",
        JobKind::TrainBaseline => "training of a retrain",
    }
}

/// What was ordered in a case, newest first.
///
/// # Errors
/// When the database fails.
pub async fn of_case(deps: &Deps, reference: &str) -> Result<Vec<Job>> {
    let kinds = [JobKind::ReverifyCase].into_iter().chain(Order::KINDS).collect::<Vec<_>>();
    Ok(jobs::about(&deps.db, &kinds, reference, SHOWN).await?)
}

/// Lets a job that failed too often be tried again: for those who say when work is done, and those who keep the machine running.
/// It gives nobody what they may not do: of an ordered job the worker asks again whether the one who ordered it still may.
///
/// # Errors
/// When it is not dead, or the person may not.
pub async fn retry(deps: &Deps, by: &str, id: i64) -> Result<()> {
    let person = match permitted(deps, by, Action::ManageSettings, None).await {
        Err(error) if error.is::<Refusal>() => permitted(deps, by, Action::Schedule, None).await?,
        other => other?,
    };
    let job = jobs::get(&deps.db, id).await?.ok_or_else(|| NotThere::job(id))?;
    let write = deps.db.write().await?;
    jobs::revive(&write, id, deps.now()).await?;
    let detail = json!({ "job": id }).to_string();
    audit::append(&write, deps.now(), &person.name, "retry", &job.subject, &detail).await?;
    Ok(write.commit().await?)
}
