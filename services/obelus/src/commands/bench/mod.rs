//! `obelus bench`: figures of this machine, one file for each thing measured. Needs no data directory.

mod decode;
mod erase;
mod log;
mod register;
mod train;

use std::{num::NonZero, path::Path};

use anyhow::{Context as _, Result};
use obelus_trainer::peak_memory_bytes;
use tempfile::TempDir;

use crate::{
    arguments::Bench,
    output::{Answer, Output},
};

/// Runs `obelus bench`.
///
/// # Errors
/// When the shape fits no model or the machine has no room for it.
pub async fn run(bench: &Bench, quiet: bool, output: &Output) -> Result<Answer> {
    match bench {
        Bench::Train(arguments) => train::run(arguments, output),
        Bench::Decode(arguments) => decode::run(arguments, output),
        Bench::Erase(arguments) => erase::run(arguments, quiet, output),
        Bench::Register(arguments) => register::run(arguments, quiet, output).await,
        Bench::Log(arguments) => log::run(arguments, quiet, output).await,
    }
}

/// A folder that is removed again: in `under`, or where the system has such.
fn temporary_folder(under: Option<&Path>) -> Result<TempDir> {
    let folder = match under {
        Some(under) => TempDir::with_prefix_in("obelus-bench-", under),
        None => TempDir::with_prefix("obelus-bench-"),
    };
    folder.context("cannot create a temporary folder")
}

/// The threads asked for, or one for each core, set for every tensor operation.
fn set_threads(asked: Option<NonZero<u32>>) -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX));
    let threads = asked.map_or(cores, NonZero::get);
    obelus_model::set_threads(threads);
    threads
}
