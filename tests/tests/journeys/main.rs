//! Journeys: the real program, real files, real databases, real kills. Not here: what a crate can test alone.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

mod adaptations;
mod baselines;
mod bench;
mod bundles;
mod case;
mod challenges;
mod clocks;
mod controls;
mod corpora;
mod crash;
mod demonstration;
mod drills;
mod exports;
mod finding;
mod hosts;
mod input;
mod installation;
mod interchange;
mod keys;
mod living;
mod log;
mod model_signatures;
mod outsiders;
mod portal;
mod postgres;
mod refusals;
mod returns;
mod server;
mod serving;
mod shredding;
mod sources;
mod training;
mod unpacked;
