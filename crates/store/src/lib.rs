//! What the house remembers: rows and queries on SQLite and PostgreSQL.
//!
//! Reading functions take anything that can read ([`Db`] or [`Write`]); changing functions take a [`Write`], which is a
//! transaction, so that a change and its audit event are kept or lost together:
//!
//! ```no_run
//! # async fn example(db: &obelus_store::Db, now: obelus_core::Timestamp) -> Result<(), obelus_store::Error> {
//! use obelus_store::{audit, requests, requests::RequestState};
//! let write = db.write().await?;
//! requests::advance(&write, "OB-2026-000001", RequestState::Triaged, RequestState::Suppressed).await?;
//! audit::append(&write, now, "mara", "suppress", "OB-2026-000001", "{}").await?;
//! write.commit().await
//! # }
//! ```
//!
//! After an error the [`Write`] is dropped, which `?` does by itself: part of a change must not be committed.
//!
//! `None` always means that there is no such row; whatever else goes wrong is an error. Changes of state name the state
//! they start from, and fail when the row is in another.
//!
//! Not here: what a proof or a signature is (`obelus-ledger`), who may do what (`obelus-policy`), files and their bytes.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report"))]

mod column;
mod database;
mod entities;
mod error;
mod reference;
pub mod request_drafts;
mod request_state;

pub mod access_grants;
pub mod accounts;
pub mod adaptations;
pub mod api_tokens;
pub mod approvals;
pub mod audit;
pub mod baselines;
pub mod blind_challenges;
pub mod campaigns;
pub mod case_events;
pub mod case_extensions;
pub mod case_notices;
pub mod case_questions;
pub mod certificates;
pub mod copies;
pub mod corpora;
pub mod erasures;
pub mod filings;
pub mod hosts;
pub mod incidents;
pub mod jobs;
pub mod log;
pub mod manifests;
pub mod models;
pub mod one_time_links;
pub mod outbox;
pub mod persons;
pub mod pool_extensions;
pub mod privileges;
pub mod registrations;
pub mod requests;
pub mod samples;
pub mod schedules;
pub mod sessions;
pub mod sources;
pub mod statements;
pub mod status_lists;
pub mod verifications;

pub use column::{Bytes32, Micros, Names, Sha256};
pub use database::{Backend, Db, Read, Write, connect, connect_sqlite};
pub use error::{Error, Result};
