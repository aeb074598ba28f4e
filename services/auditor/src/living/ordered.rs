//! What a person has ordered from a page: plans, takedowns, and their verification. Not here: who may order what, which is asked
//! before (`obelus_casework::orders`) and again by the work itself.
//!
//! What cannot be done is not tried again: whoever ordered it reads why, and orders again. An execution that has begun is
//! the exception. It must end, so that it goes on until it does or a person has to look.

use anyhow::{Context as _, Result, ensure};
use obelus_casework::{Deps, NotThere, case};
use obelus_policy::Refusal;
use obelus_store::requests::RequestState;
use obelus_verdict::Protocol;

use super::{Attempt, Outcome};
use crate::{certificate_files, certification, plan, strike, verification};

/// Makes the plan of a case.
///
/// # Errors
/// When the lease is lost.
pub(super) async fn plan(deps: &Deps, attempt: &Attempt<'_>) -> Result<Outcome> {
    let made = async {
        let job = &attempt.lease.job;
        let protocol = match job.argument.as_deref() {
            None => None,
            Some(name) => {
                let text = Protocol::shipped(name);
                let known = Protocol::SHIPPED.join(", ");
                Some(text.with_context(|| format!("there is no protocol {name}; there are {known}"))?)
            }
        };
        attempt.progress.stage("working out what every other source loses");
        plan::set(deps, attempt.by, &job.subject, protocol).await
    };
    Ok(match made.await {
        Ok((_, digest)) => Outcome::Planned(digest.to_string()),
        Err(error) => Outcome::NotDone(format!("{error:#}")),
    })
}

/// Executes the takedown of a case.
///
/// # Errors
/// When it has begun and could not be ended: it is gone on with later.
pub(super) async fn execute(deps: &Deps, attempt: &Attempt<'_>) -> Result<Outcome> {
    let reference = &attempt.lease.job.subject;
    match strike::execute(deps, attempt.by, reference, attempt.progress).await {
        Ok(executed) => Ok(Outcome::Executed(executed.root_after.to_string())),
        Err(error) if is_begun(deps, reference).await? => Err(error),
        Err(error) => Ok(Outcome::NotDone(format!("{error:#}"))),
    }
}

async fn is_begun(deps: &Deps, reference: &str) -> Result<bool> {
    Ok(case::existing(deps, reference).await?.state == RequestState::Zeroing)
}

/// Judges the takedown of a case, and certifies it.
///
/// # Errors
/// When it could not be measured; it is tried again.
pub(super) async fn verify(deps: &Deps, attempt: &Attempt<'_>) -> Result<Outcome> {
    let reference = &attempt.lease.job.subject;
    let judged = async {
        let state = case::existing(deps, reference).await?.state;
        ensure!(is_judged_from(state), "{reference} is {state}; it is judged once its takedown has been executed");
        let (_, results) = verification::run(deps, attempt.by, reference, None, attempt.progress).await?;
        attempt.progress.stage("writing the certificate");
        let (certificate, _) = certification::certify(deps, reference).await?;
        // The page of the certificate offers what is written, and the requester's leads there.
        certificate_files::hand_out(deps, &certificate).await?;
        Ok(format!("{}, certificate {}", results.judgement.verdict, certificate.id))
    };
    match judged.await {
        Ok(judged) => Ok(Outcome::Judged(judged)),
        Err(error) if is_refused(&error) => Ok(Outcome::NotDone(format!("{error:#}"))),
        Err(error) => Err(error),
    }
}

/// A verdict that was reached but not certified yet is certified.
fn is_judged_from(state: RequestState) -> bool {
    use RequestState::{Certified, CertifiedWithResidual, VerificationFailed, Verifying};
    matches!(state, Verifying | Certified | CertifiedWithResidual | VerificationFailed)
}

/// Whether trying again would be refused again.
fn is_refused(error: &anyhow::Error) -> bool {
    error.is::<Refusal>() || error.is::<NotThere>()
}
