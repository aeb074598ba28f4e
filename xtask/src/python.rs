//! Python packages in folders of their own, as the tests' tools need them: pinned versions, checked by digest, from wheels.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::folder::{remove, write};
use crate::project::{Project, succeed};

/// Which of the Pythons that packages are pinned for the machine has, such as `3.11`.
pub(crate) fn version<'p>(pinned: &[&'p str]) -> anyhow::Result<&'p str> {
    let said = Command::new("python3").args(["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).output();
    let said = String::from_utf8_lossy(&said.context("python3 could not be started")?.stdout).trim().to_owned();
    let Some(python) = pinned.iter().find(|python| **python == said) else {
        bail!("python3 is Python {said}, and packages are pinned for {}: put one first in PATH", pinned.join(", "));
    };
    Ok(python)
}

/// Installs a list of requirements, every one with its digest, into a new folder.
pub(crate) fn install(project: &Project, requirements: &str, fresh: &Path) -> anyhow::Result<()> {
    remove(fresh)?;
    let list = project.tools().join("requirements.txt");
    write(&list, requirements)?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-cache-dir"])
        .args(["--no-deps", "--only-binary=:all:", "--require-hashes", "--target"])
        .arg(fresh)
        .arg("--requirement")
        .arg(&list)
        // It goes into a folder of its own, whoever runs it.
        .env("PIP_ROOT_USER_ACTION", "ignore");
    succeed(pip.stdin(Stdio::null()).stdout(Stdio::null())).context("its message is above; check the network")?;
    remove(&list)
}

/// Runs a few lines that show that what was installed works.
pub(crate) fn try_out(lines: &str, fresh: &Path) -> anyhow::Result<()> {
    let mut trial = Command::new("python3");
    trial.args(["-c", lines]).env("PYTHONPATH", fresh).env("PYTHONNOUSERSITE", "1").env("CUDA_VISIBLE_DEVICES", "");
    succeed(&mut trial).context("what was installed does not load; its message is above")
}
