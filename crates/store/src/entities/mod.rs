//! One file per table: its columns as sea-orm entities, documented where the rows are used. Queries stand beside, in the
//! files named after what they are about.

pub(crate) mod adaptations;
pub(crate) mod approvals;
pub(crate) mod audit_events;
pub(crate) mod audit_schedules;
pub(crate) mod baselines;
pub(crate) mod blind_challenges;
pub(crate) mod campaigns;
pub(crate) mod certificates;
pub(crate) mod copies;
pub(crate) mod corpora;
pub(crate) mod erasure_targets;
pub(crate) mod erasures;
pub(crate) mod incidents;
pub(crate) mod jobs;
pub(crate) mod log_checkpoint;
pub(crate) mod log_leaves;
pub(crate) mod log_pending;
pub(crate) mod manifests;
pub(crate) mod models;
pub(crate) mod outbox;
pub(crate) mod person_roles;
pub(crate) mod persons;
pub(crate) mod pool_extensions;
pub(crate) mod registrations;
pub(crate) mod request_sources;
pub(crate) mod requests;
pub(crate) mod sources;
pub(crate) mod statements;
pub(crate) mod status_lists;
pub(crate) mod verification_runs;
