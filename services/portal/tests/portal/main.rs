//! The portal as browsers and programs see it, in this process and on every database there is.
//!
//! Not here: what a role permits, and whether a certificate is right.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

mod access;
mod accounts;
mod api;
mod browser;
mod case;
mod cases;
mod chromium;
mod exports;
mod forgery;
mod hostile;
mod house;
mod openapi;
mod oversight;
mod oversized;
mod people;
mod public;
mod requests;
mod server;
mod sessions;
mod settings;
mod tokens;
mod wizard;
mod work;
