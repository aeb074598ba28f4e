//! Changes that make certificates be verified again at once: a job each, in the transaction of the change. Not here: what
//! is due by the calendar, and the work itself (`obelus-auditor`).

use anyhow::Result;
use obelus_core::Timestamp;
use obelus_store::{
    Write, certificates, jobs,
    jobs::{JobKind, NewJob},
};

/// Puts the certified cases of a model into the queue; one that waits there already is there once. Gives how many were
/// new.
///
/// # Errors
/// When the database fails.
pub async fn changed(write: &Write, model: &str, what: &str, now: Timestamp) -> Result<usize> {
    let mut new = 0;
    for certificate in certificates::standing_of_model(write, model).await? {
        new += usize::from(case_changed(write, &certificate.request, what, now).await?);
    }
    Ok(new)
}

/// Puts one certified case into the queue. False when it waits there already.
///
/// # Errors
/// When the database fails.
pub async fn case_changed(write: &Write, request: &str, what: &str, now: Timestamp) -> Result<bool> {
    let job = NewJob {
        kind: JobKind::ReverifyCase,
        subject: request.to_owned(),
        reason: what.to_owned(),
        schedule: None,
        due_at: now,
        order: None,
    };
    Ok(jobs::enqueue(write, job, now).await?)
}
