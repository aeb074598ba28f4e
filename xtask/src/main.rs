//! `cargo xtask`: set-up, demonstration, tests and checks of this repository.
//!
//! It drives other programs (cargo, pip, the built `obelus`) and reads the source tree. It holds nothing of the
//! product and depends on no crate of the workspace, so that it builds in seconds on a machine that has no libtorch.

mod bench;
mod ci;
mod demo;
mod figures;
mod folder;
mod fuzz;
mod libtorch;
mod outsiders;
mod prerequisites;
mod project;
mod python;
mod setup;
mod source;
mod tests;
mod tidy;
mod transformers;
mod wheel;

use std::process::ExitCode;

use project::Project;

const USAGE: &str = "\
cargo xtask setup            fetch libtorch, check or install what the tests need
cargo xtask demo [ARGS]      set up, build in release mode, run `obelus demo ARGS`
cargo xtask test [ARGS]      set up, run every test (ARGS go to `cargo nextest run`)
cargo xtask tidy             check the rules of the house: who may use whom, names, lengths, invariants
cargo xtask fuzz [ARGS]      run every fuzz target for a minute (--seconds N and names of targets narrow it)
cargo xtask bench STUDY      run a study that takes too long for a test; without a name: which there are
cargo xtask ci               format, tidy, clippy and tests: what the gate runs
";

fn main() -> ExitCode {
    match dispatch() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> anyhow::Result<ExitCode> {
    let mut args = std::env::args().skip(1);
    let command = args.next().unwrap_or_default();
    let mut rest: Vec<String> = args.collect();
    if rest.first().is_some_and(|first| first == "--") {
        rest.remove(0);
    }
    let project = Project::find()?;
    match command.as_str() {
        "demo" => return demo::run(&project, &rest),
        "test" => tests::run(&project, &rest)?,
        "bench" => bench::run(&project, &rest)?,
        "fuzz" => fuzz::run(&project, &rest)?,
        "setup" | "tidy" | "ci" if !rest.is_empty() => {
            anyhow::bail!("`cargo xtask {command}` takes no arguments, but got: {}\n\n{USAGE}", rest.join(" "))
        }
        "setup" => setup::for_tests(&project)?,
        "tidy" => tidy::run(&project)?,
        "ci" => ci::run(&project)?,
        "" | "help" | "--help" | "-h" => eprint!("{USAGE}"),
        other => anyhow::bail!("there is no `cargo xtask {other}`\n\n{USAGE}"),
    }
    Ok(ExitCode::SUCCESS)
}
