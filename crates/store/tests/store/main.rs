//! The store on every database there is: what its queries promise, and what the tables refuse whatever the queries do.
//!
//! Not here: signatures, proofs, tiles and files, which the store only names. One binary, because linking takes longer
//! than most of the tests.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

mod accounts;
mod adaptations;
mod api_tokens;
mod approvals;
mod baselines;
mod blind_challenges;
mod case;
mod cases;
mod certificates;
mod erasures;
mod hostile;
mod hosts;
mod incidents;
mod jobs;
mod log;
mod models;
mod one_time_links;
mod outbox;
mod oversight;
mod privileges;
mod registers;
mod registrations;
mod request_drafts;
mod requests;
mod schedules;
mod sessions;
mod sources;
mod support;
mod tables;
mod verifications;
