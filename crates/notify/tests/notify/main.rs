//! Letters from their words to the bytes that a mail server gets.
//!
//! Not here: the outbox itself (`crates/store/tests/store/outbox.rs`).
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

mod case;
mod delivery;
mod directory;
mod hostile;
mod letters;
mod mail_server;
mod settings;
mod smtp;
