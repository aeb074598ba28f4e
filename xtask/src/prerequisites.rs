//! The outside programs that set-up needs, and the command that installs each. It installs a program itself only
//! for the tests, and only where that asks for no password.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::bail;

use crate::project::{succeed, works};

/// The version that the settings in `.config/nextest.toml` were written for.
const NEXTEST: &str = "cargo-nextest@0.9.143";

/// Something that is not there.
struct Missing {
    what: &'static str,
    why: &'static str,
    install: String,
}

/// What any build needs.
pub(crate) fn for_building() -> anyhow::Result<()> {
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let mut missing = Vec::new();
    if !works(&compiler, &["--version"]) {
        missing.push(Missing { what: "a C++ compiler", why: "builds the binding to libtorch", install: apt("g++") });
    }
    refuse(missing)
}

/// What fetching libtorch needs.
pub(crate) fn for_fetching() -> anyhow::Result<()> {
    let mut missing = Vec::new();
    if !works("python3", &["-m", "pip", "--version"]) {
        missing.push(Missing {
            what: "python3 with pip",
            why: "fetches and unpacks what set-up installs",
            install: apt("python3 python3-pip"),
        });
    }
    refuse(missing)
}

/// What formatting and linting need.
pub(crate) fn for_linting() -> anyhow::Result<()> {
    let mut missing = Vec::new();
    for (what, component) in [("cargo fmt", "rustfmt"), ("cargo clippy", "clippy")] {
        if !works("cargo", &[component.trim_start_matches("rust"), "--version"]) {
            missing.push(Missing {
                what,
                why: "is a step of the gate",
                install: format!("rustup component add {component}"),
            });
        }
    }
    refuse(missing)
}

/// Where Debian's golang-golang-x-mod-dev keeps the part that the tests use.
const GO_LOG_PACKAGE: &str = "/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog";

/// Finds or installs what the tests need: cargo-nextest always; the system's programs as root, else they are named.
pub(crate) fn for_testing() -> anyhow::Result<()> {
    if !works("cargo", &["nextest", "--version"]) {
        // Into cargo's own home and not beside the project: only there does a plain `cargo nextest run` find it.
        eprintln!("setup: cargo-nextest is missing: building it, which takes some minutes, once");
        // From `/`, so that the linker settings of this checkout do not apply to it.
        succeed(Command::new("cargo").args(["install", "--locked", NEXTEST]).current_dir("/"))?;
    }
    let wanted = programs_of_tests();
    let packages: Vec<&str> = wanted.iter().map(|(package, _)| *package).collect();
    if packages.is_empty() {
        return Ok(());
    }
    if is_root() && works("apt-get", &["--version"]) {
        eprintln!("setup: installing {} for the tests", packages.join(", "));
        if install(&packages).is_err() {
            succeed(Command::new("apt-get").args(["-q", "update"]))?; // a fresh machine has no package lists yet
            install(&packages)?;
        }
        return Ok(());
    }
    let missing: Vec<Missing> = wanted.into_iter().map(|(_, missing)| missing).collect();
    if under_ci() {
        return refuse(missing);
    }
    for Missing { what, why, install } in missing {
        eprintln!("setup: {what} is MISSING; it {why}: tests that need it fail or show nothing. {install}");
    }
    Ok(())
}

/// The Debian packages that the tests need and that are not there.
fn programs_of_tests() -> Vec<(&'static str, Missing)> {
    let verifies = "checks in tests what we sign";
    let wanted = [
        ("postgresql", "PostgreSQL (initdb)", "is one of the two databases", postgres_programs().is_some()),
        // PostgreSQL refuses to run as root: the tests start it through sudo as another user.
        ("sudo", "sudo", "runs PostgreSQL as another user", !is_root() || works("sudo", &["--version"])),
        ("golang-go", "go", verifies, works("go", &["version"])),
        ("golang-golang-x-mod-dev", "Go's x/mod", verifies, Path::new(GO_LOG_PACKAGE).is_dir()),
        ("openssl", "openssl", verifies, works("openssl", &["version"])),
        ("qpdf", "qpdf", verifies, works("qpdf", &["--version"])),
        // pdfdetach, which comes with it, ends with an error when it is asked for its version.
        ("poppler-utils", "pdfdetach", verifies, works("pdfinfo", &["-v"])),
        ("unzip", "unzip", verifies, works("unzip", &["-v"])),
        ("nodejs", "node", verifies, works("node", &["--version"])),
        ("chromium", "chromium", "shows in tests what a page says", works("chromium", &["--version"])),
        ("chromium-driver", "chromedriver", "drives chromium in tests", works("chromedriver", &["--version"])),
        ("npm", "npm", "installs what checks in tests what we sign", works("npm", &["--version"])),
    ];
    let absent = wanted.into_iter().filter(|(_, _, _, there)| !there);
    absent.map(|(package, what, why, _)| (package, Missing { what, why, install: apt(package) })).collect()
}

/// The folder of PostgreSQL's server programs: where PATH finds `initdb`, or the newest one of a Debian system, which
/// keeps them out of PATH.
fn postgres_programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(dir) = std::env::split_paths(&path).find(|dir| dir.join("initdb").is_file()) {
        return Some(dir);
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").is_file())
        .max()
        .map(|(_, bin)| bin)
}

/// True where a check that cannot run must fail instead of being left out.
pub(crate) fn under_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false" && value != "0")
}

fn install(packages: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new("apt-get");
    command.args(["-qq", "-o", "Dpkg::Use-Pty=0", "install", "-y", "--no-install-recommends"]).args(packages);
    command.stdout(Stdio::null());
    succeed(command.env("DEBIAN_FRONTEND", "noninteractive"))
}

fn apt(packages: &str) -> String {
    let sudo = if is_root() { "" } else { "sudo " };
    format!("On Debian or Ubuntu: {sudo}apt-get install -y {packages}")
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn refuse(missing: Vec<Missing>) -> anyhow::Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> =
        missing.iter().map(|one| format!("{} is missing; it {}.\n    {}", one.what, one.why, one.install)).collect();
    bail!("{}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_missing_is_no_error() {
        assert!(refuse(Vec::new()).is_ok());
    }

    #[test]
    fn every_missing_program_is_named_with_its_command() {
        let one = |what| Missing { what, why: "is needed", install: format!("install {what}") };
        let text = refuse(vec![one("alpha"), one("beta")]).unwrap_err().to_string();
        for wanted in ["alpha is missing; it is needed.", "install alpha", "install beta"] {
            assert!(text.contains(wanted), "{text}");
        }
    }
}
