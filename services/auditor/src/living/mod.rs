//! What becomes of certificates after they were issued: they are verified again, on a schedule and whenever something
//! changed that they rest on, and then renewed or suspended; or they end.
//!
//! Here: whether one has ended or rests on a key that was revoked. `program.rs` notices other attacks, `schedules.rs` of
//! `obelus-casework` says when it is due, `worker.rs` does it, `reverification.rs` is the work, `status.rs` tells everybody. The worker also
//! trains the retrains that verifications compare with (`baseline.rs`), and does what people order from pages (`ordered.rs`). Not here: the
//! first verification of a takedown (`verification.rs`).

mod baseline;
mod circumstances;
mod incident;
mod ordered;
mod program;
mod reverification;
mod status;
mod worker;

use anyhow::{Context as _, Result};
use obelus_core::Timestamp;
use obelus_ledger::statement;
use obelus_store::{
    Micros, audit, certificates,
    certificates::{Certificate, CertificateStatus},
};

pub use self::{
    baseline::Steps,
    incident::close,
    status::{Settled, document, settle, today},
    worker::{Done, Options, Outcome, run},
};
pub(crate) use self::{circumstances::Circumstances, reverification::Attempt};
pub use obelus_casework::schedules::{BadSchedule, What, add, next_due, remove, tick};
use obelus_casework::{Deps, case::SERVICE, exhibits};

/// Certificates read at once.
const PAGE: u64 = 1000;

/// Every certificate that was issued, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn all(deps: &Deps) -> Result<Vec<Certificate>> {
    let mut rows: Vec<Certificate> = Vec::new();
    loop {
        let after = rows.last().map(|row| row.id.clone());
        let page = certificates::page(&deps.db, after.as_deref(), PAGE).await?;
        if page.is_empty() {
            return Ok(rows);
        }
        rows.extend(page);
    }
}

/// Until when a certificate is valid, as its statement says.
///
/// # Errors
/// When the statement is missing or damaged.
pub async fn valid_until(deps: &Deps, row: &Certificate) -> Result<Timestamp> {
    match row.valid_until {
        Some(Micros(until)) => Ok(until),
        None => {
            let said = exhibits::statement::<statement::Certificate>(deps, &row.statement.0).await?;
            Ok(said.predicate.valid_until)
        }
    }
}

/// Notes of certificates that reached their end that they did. Gives their ids.
///
/// # Errors
/// When a statement is missing, or the database fails.
pub async fn expire(deps: &Deps) -> Result<Vec<String>> {
    let (mut ended, now) = (Vec::new(), deps.now());
    for row in all(deps).await? {
        if row.status != CertificateStatus::Valid || valid_until(deps, &row).await? > now {
            continue;
        }
        let write = deps.db.write().await?;
        // Read again where nobody else writes: it may have been renewed meanwhile.
        let row = certificates::get(&write, &row.id).await?.context("certificates are never removed")?;
        if row.status == CertificateStatus::Valid {
            certificates::set_status(&write, &row.id, CertificateStatus::Expired, now).await?;
            audit::append(&write, now, SERVICE, "expire", &row.request, &format!("{{\"certificate\":\"{}\"}}", row.id))
                .await?;
            write.commit().await?;
            ended.push(row.id);
        }
    }
    Ok(ended)
}
