//! `cargo xtask tidy`: the rules of the house that neither the compiler nor clippy checks. Each rule is a function from
//! what was read to findings, so that a test can show it a house that breaks it.

mod deployment;
mod files;
mod prose;
mod rooms;

use std::fmt;

use anyhow::{Context, bail};

use crate::project::{Project, read};
use crate::source;

/// A place where a rule is broken, or nearly so.
#[derive(Debug, PartialEq)]
struct Finding {
    /// A warning is printed and does not fail the run.
    warning: bool,
    place: String,
    message: String,
}

impl Finding {
    fn error(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { warning: false, place: place.into(), message: message.into() }
    }

    fn warning(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { warning: true, ..Self::error(place, message) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.warning { "warning: " } else { "" };
        write!(out, "tidy: {kind}{}: {}", self.place, self.message)
    }
}

/// Checks the checkout and prints every finding; an error if any is more than a warning.
pub(crate) fn run(project: &Project) -> anyhow::Result<()> {
    let findings = inspect(project)?;
    for finding in &findings {
        eprintln!("{finding}");
    }
    let errors = findings.iter().filter(|finding| !finding.warning).count();
    if errors > 0 {
        bail!("{errors} rules of the house are broken (STYLE.md and ARCHITECTURE.md say why they exist)");
    }
    eprintln!("tidy: the house is in order ({} warnings)", findings.len());
    Ok(())
}

fn inspect(project: &Project) -> anyhow::Result<Vec<Finding>> {
    let house = rooms::read(&metadata(project)?)?;
    let mut findings = rooms::check(&house);
    for room in house.members() {
        let manifest = format!("{}/Cargo.toml", room.directory);
        findings.extend(files::check_manifest(&manifest, &read(&project.path(&manifest))?));
    }
    let mut sources = Vec::new();
    for path in source::rust_files(project)? {
        let text = read(&project.path(&path))?;
        sources.push(files::SourceFile::new(path, text));
    }
    findings.extend(files::check(&sources, &files::UNSAFE_ALLOWED));
    findings.extend(prose::check_invariants(&read(&project.path("ARCHITECTURE.md"))?, &sources));
    findings.extend(prose::check_readme(&read(&project.path("README.md"))?));
    findings.extend(deployment::check_compose(&read(&project.path("docker-compose.yml"))?));
    findings.extend(prose::check_gate(&project.path(".ci/run"))?);
    Ok(findings)
}

/// The packages and who uses whom, as cargo resolves them.
fn metadata(project: &Project) -> anyhow::Result<serde_json::Value> {
    let output = project
        .cargo(["metadata", "--format-version", "1"])
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("`cargo metadata` could not be started")?;
    if !output.status.success() {
        bail!("`cargo metadata` failed ({}): its message is above", output.status);
    }
    serde_json::from_slice(&output.stdout).context("`cargo metadata` printed something that is not JSON")
}
