//! Installs the verifiers that others wrote into `.outsiders`, for the tests that hand them what we sign or show.
//!
//! Python packages in `python/`, Node packages in `npm/`: pinned versions, checked by digest. Each folder appears whole,
//! and a stamp in it says what it was made from. Go, OpenSSL and the PDF tools come from the system
//! (`prerequisites.rs`). What is asked of them is in `tests/outsiders/`.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::folder::{need_space, put_in_place, remove, write};
use crate::project::{Project, read, succeed};
use crate::{prerequisites, python};

/// The Pythons that the wheels in the list of requirements are for.
const PYTHONS: [&str; 4] = ["3.11", "3.12", "3.13", "3.14"];

/// The Python packages, with digests.
const REQUIREMENTS: &str = include_str!("../../tests/outsiders/requirements.txt");

/// The Node packages, with digests; how npm is to read them.
const PACKAGE: &str = include_str!("../../tests/outsiders/package.json");
const PACKAGE_LOCK: &str = include_str!("../../tests/outsiders/package-lock.json");
const NPMRC: &str = include_str!("../../tests/outsiders/.npmrc");

/// Show that what was installed works.
const PYTHON_TRIAL: &str = "import in_toto_attestation.v1.statement, model_signing.verifying, securesystemslib.dsse";
const NODE_TRIAL: &str = "require('@sigstore/bundle'); require('@sigstore/protobuf-specs'); require('@sigstore/verify'); require('axe-core')";

/// Both folders, and what is downloaded for them.
const NEEDED_MEGABYTES: u64 = 150;

/// Makes sure that both folders are complete and of the pinned versions. The caller holds the set-up lock.
pub(crate) fn ensure(project: &Project) -> anyhow::Result<()> {
    let home = project.outsiders();
    std::fs::create_dir_all(&home).with_context(|| format!("{} cannot be made", home.display()))?;
    // The one does not wait for the other: where Node is missing the Python tools are there all the same.
    let python = ensure_python(project, &home.join("python"));
    let node = ensure_node(project, &home.join("npm"));
    python.and(node)
}

fn ensure_python(project: &Project, home: &Path) -> anyhow::Result<()> {
    prerequisites::for_fetching()?;
    let version = python::version(&PYTHONS)?;
    let stamp = python_stamp(version);
    if is_complete(home, &stamp) {
        return Ok(());
    }
    need_space(&project.tools(), NEEDED_MEGABYTES)?;
    eprintln!("setup: installing outside verifiers for Python");
    let fresh = project.tools().join("outsiders-python-new");
    python::install(project, REQUIREMENTS, &fresh)?;
    python::try_out(PYTHON_TRIAL, &fresh)?;
    write(&fresh.join("stamp"), &stamp)?;
    put_in_place(&fresh, home, &project.tools().join("outsiders-python-old"))
}

fn ensure_node(project: &Project, home: &Path) -> anyhow::Result<()> {
    if is_complete(home, PACKAGE_LOCK) {
        return Ok(());
    }
    eprintln!("setup: installing outside verifiers for Node");
    let fresh = project.tools().join("outsiders-npm-new");
    remove(&fresh)?;
    std::fs::create_dir_all(&fresh).with_context(|| format!("{} cannot be made", fresh.display()))?;
    for (name, text) in [("package.json", PACKAGE), ("package-lock.json", PACKAGE_LOCK), (".npmrc", NPMRC)] {
        write(&fresh.join(name), text)?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&fresh);
    succeed(npm.stdin(Stdio::null()).stdout(Stdio::null())).context("its message is above; check the network")?;
    succeed(Command::new("node").args(["-e", NODE_TRIAL]).current_dir(&fresh))
        .context("what was installed does not load; its message is above")?;
    write(&fresh.join("stamp"), PACKAGE_LOCK)?;
    put_in_place(&fresh, home, &project.tools().join("outsiders-npm-old"))
}

/// What a finished folder of Python packages was made from; the tests look for its end.
fn python_stamp(version: &str) -> String {
    format!("Python {version}\n{REQUIREMENTS}")
}

fn is_complete(home: &Path, stamp: &str) -> bool {
    read(&home.join("stamp")).is_ok_and(|found| found == stamp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::of_test;

    #[test]
    fn a_folder_of_another_python_or_of_other_versions_is_not_complete() {
        let dir = of_test("outsiders");
        let wanted = python_stamp("3.11");
        assert!(!is_complete(&dir, &wanted));
        for other in [python_stamp("3.12"), format!("{wanted}more==1\n")] {
            write(&dir.join("stamp"), &other).unwrap();
            assert!(!is_complete(&dir, &wanted));
        }
        write(&dir.join("stamp"), &wanted).unwrap();
        assert!(is_complete(&dir, &wanted));
        remove(&dir).unwrap();
    }

    #[test]
    fn every_python_package_is_pinned_and_has_a_digest() {
        let text = REQUIREMENTS.replace("\\\n", "");
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        for name in ["securesystemslib", "in-toto-attestation", "model-signing"] {
            assert!(lines.iter().any(|line| line.starts_with(&format!("{name}=="))), "{name}");
        }
        assert!(lines.iter().all(|line| line.contains("==") && line.contains("--hash=sha256:")), "{text}");
    }

    #[test]
    fn every_node_package_is_pinned_has_a_digest_and_names_no_address() {
        let lock: serde_json::Value = serde_json::from_str(PACKAGE_LOCK).unwrap();
        let packages = lock["packages"].as_object().unwrap();
        assert!(
            packages.contains_key("node_modules/@sigstore/verify") && packages.contains_key("node_modules/axe-core")
        );
        for (place, package) in packages.iter().filter(|(place, _)| !place.is_empty()) {
            assert!(package["integrity"].as_str().is_some_and(|digest| digest.starts_with("sha512-")), "{place}");
            assert!(package.get("resolved").is_none(), "{place}");
        }
    }
}
