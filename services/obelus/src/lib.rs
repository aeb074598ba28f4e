//! The command line: reads arguments, opens the installation, runs one command, says how it went.
//!
//! Exit: 0 done, 1 the answer is no, 2 wrong use or unreadable input, 3 could not be done. Not here: what a command
//! does to a case or a model (`obelus-auditor`, `obelus-trainer`).
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report"))]

mod arguments;
mod commands;
mod failure;
mod installation;
mod output;
mod progress;

use std::process::ExitCode;

use clap::Parser;

use crate::{arguments::Arguments, output::Output};

/// Runs the command that the process was started with.
pub fn start() -> ExitCode {
    let arguments = Arguments::parse();
    progress::log_to_stderr(arguments.quiet);
    let output = Output { json: arguments.json };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::report(&anyhow::Error::new(error).context("cannot start")),
    };
    match runtime.block_on(commands::run(&arguments, &output)) {
        Ok(answer) => answer.exit_code(),
        Err(error) => failure::report(&error),
    }
}
