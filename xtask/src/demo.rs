//! `cargo xtask demo`: from a fresh checkout to the finished story with one command. The story itself is `obelus demo`.

use std::process::{Command, ExitCode};

use anyhow::Context;

use crate::project::{Project, succeed};
use crate::setup;

/// Sets up, builds in release mode, and runs `obelus demo` with `args` in the caller's directory. Everything printed
/// here goes to standard error, so that `--json` leaves one document on standard output.
pub(crate) fn run(project: &Project, args: &[String]) -> anyhow::Result<ExitCode> {
    setup::for_building(project)?;
    eprintln!("demo: building in release mode (the first time takes minutes)");
    succeed(&mut project.cargo(["build", "--release", "--package", "obelus"]))?;
    let program = project.target().join("release/obelus");
    let mut command = Command::new(&program);
    command.arg("demo").args(args);
    project.library_path(&mut command);
    let status = command.status().with_context(|| format!("{} could not be started", program.display()))?;
    // Ended by a signal: 3, "could not be done", as the command line itself would say.
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(3)))
}
