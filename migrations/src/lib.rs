//! The database's shape, one file per change, applied in order on SQLite and on PostgreSQL.
//!
//! Not here: queries and rows (`obelus-store`). A change that was released is never edited; the next one is a new file.
//! There is no way down: a database is taken back by restoring a copy of it.

mod append_only;
mod columns;
mod m0001_statements_and_log;
mod m0002_campaigns_and_sources;
mod m0003_corpora_and_models;
mod m0004_requests;
mod m0005_erasures;
mod m0006_verifications_and_certificates;
mod m0007_audit_events;
mod m0008_sources_of_copies;
mod m0009_adaptations;
mod m0010_log_pending;
mod m0012_registrations;
mod m0013_jobs_and_schedules;
mod m0014_living_certificates;
mod m0015_baselines;
mod m0016_blind_challenges;
mod m0017_protocol_of_a_request;
mod m0018_regime_of_a_request;
mod m0019_calendar_of_a_request;
mod m0020_steps_of_cases;
mod m0021_accounts;
mod m0022_outbox;
mod m0023_ordered_jobs;
mod m0024_oversight;
mod m0027_case_notices;
mod m0028_hosts;
mod m0032_request_drafts;

use sea_orm_migration::{
    prelude::{DbErr, MigrationTrait, MigratorTrait, async_trait},
    sea_orm::{ConnectionTrait, DatabaseTransaction},
};

/// Applies the changes that the database lacks, oldest first, in the caller's transaction.
///
/// # Errors
/// When a change fails, or the database has one that is not known here.
pub async fn up(transaction: &DatabaseTransaction) -> Result<(), DbErr> {
    Migrator::up(transaction, None).await
}

/// Names of the changes that the database lacks, oldest first. Only reads.
///
/// # Errors
/// When the database fails, or has a change that is not known here.
pub async fn missing(connection: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let pending = Migrator::get_pending_migrations_read_only(connection).await?;
    Ok(pending.iter().map(|change| change.name().to_owned()).collect())
}

struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_statements_and_log::Migration),
            Box::new(m0002_campaigns_and_sources::Migration),
            Box::new(m0003_corpora_and_models::Migration),
            Box::new(m0004_requests::Migration),
            Box::new(m0005_erasures::Migration),
            Box::new(m0006_verifications_and_certificates::Migration),
            Box::new(m0007_audit_events::Migration),
            Box::new(m0008_sources_of_copies::Migration),
            Box::new(m0009_adaptations::Migration),
            Box::new(m0010_log_pending::Migration),
            Box::new(m0012_registrations::Migration),
            Box::new(m0013_jobs_and_schedules::Migration),
            Box::new(m0014_living_certificates::Migration),
            Box::new(m0015_baselines::Migration),
            Box::new(m0016_blind_challenges::Migration),
            Box::new(m0017_protocol_of_a_request::Migration),
            Box::new(m0018_regime_of_a_request::Migration),
            Box::new(m0019_calendar_of_a_request::Migration),
            Box::new(m0020_steps_of_cases::Migration),
            Box::new(m0021_accounts::Migration),
            Box::new(m0022_outbox::Migration),
            Box::new(m0023_ordered_jobs::Migration),
            Box::new(m0024_oversight::Migration),
            Box::new(m0027_case_notices::Migration),
            Box::new(m0028_hosts::Migration),
            Box::new(m0032_request_drafts::Migration),
        ]
    }
}
