//! `cargo xtask setup`: makes plain `cargo build`, `cargo nextest run` and `cargo clippy` work in this checkout.
//! What it fetches is in `libtorch.rs`, `transformers.rs` and `outsiders.rs`, what it looks for on the machine in
//! `prerequisites.rs`.

use std::fs::{File, TryLockError};

use anyhow::{Context, bail};

use crate::project::Project;
use crate::{libtorch, outsiders, prerequisites, transformers, wheel};

/// Everything that building and running needs.
pub(crate) fn for_building(project: &Project) -> anyhow::Result<()> {
    let _lock = begin(project)?;
    libtorch::ensure(project)?;
    wheel::forget(project)
}

/// Everything that the tests need too.
pub(crate) fn for_tests(project: &Project) -> anyhow::Result<()> {
    let _lock = begin(project)?;
    libtorch::ensure(project)?;
    // First, because Node may come from there.
    prerequisites::for_testing()?;
    let transformers = transformers::ensure(project);
    wheel::forget(project)?;
    needed_by_tests("Hugging Face transformers", "hand exports to it", transformers)?;
    needed_by_tests("a verifier that others wrote", "hand it what is signed", outsiders::ensure(project))
}

/// What cannot be installed fails the gate; elsewhere it is said.
fn needed_by_tests(what: &str, tests: &str, installed: anyhow::Result<()>) -> anyhow::Result<()> {
    let Err(error) = installed else { return Ok(()) };
    if prerequisites::under_ci() {
        return Err(error.context(format!("tests {tests}, and {what} cannot be installed")));
    }
    eprintln!("setup: {what} is MISSING: tests that {tests} show nothing. {error:#}");
    Ok(())
}

fn begin(project: &Project) -> anyhow::Result<File> {
    supported()?;
    prerequisites::for_building()?;
    same_libtorch(project)?;
    lock(project)
}

fn supported() -> anyhow::Result<()> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    if (os, arch) != ("linux", "x86_64") {
        bail!("obelus builds on x86_64 Linux with glibc 2.28 or newer; this machine is {arch} {os}");
    }
    Ok(())
}

/// A LIBTORCH in the environment wins over the one in `.cargo/config.toml`: say so instead of building against it.
fn same_libtorch(project: &Project) -> anyhow::Result<()> {
    match std::env::var_os("LIBTORCH") {
        Some(other) if std::path::absolute(&other)? != std::path::absolute(project.libtorch())? => bail!(
            "the environment sets LIBTORCH={}, but this checkout builds against {}: unset LIBTORCH and run again",
            other.to_string_lossy(),
            project.libtorch().display()
        ),
        _ => Ok(()),
    }
}

/// One set-up at a time in a checkout; the lock is released when the file is closed.
fn lock(project: &Project) -> anyhow::Result<File> {
    let dir = project.tools();
    std::fs::create_dir_all(&dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    let path = dir.join("setup.lock");
    let file = File::create(&path).with_context(|| format!("{} cannot be written", path.display()))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => eprintln!("setup: waiting for another set-up of this checkout"),
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("{} cannot be locked", path.display()));
        }
    }
    file.lock().with_context(|| format!("{} cannot be locked", path.display()))?;
    Ok(file)
}
