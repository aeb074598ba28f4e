//! How an outside verifier is found, started and understood. Not here: what it is given.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// What the tests use of Go's golang.org/x/mod, as Debian's golang-golang-x-mod-dev installs it.
const GO_PATH: &str = "/usr/share/gocode";

/// The root of the checkout.
fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn script(name: &str) -> PathBuf {
    checkout().join("tests/outsiders").join(name)
}

/// A folder that set-up made of exactly these pins, which are the end of its stamp.
fn installed(folder: &str, pins: &str) -> Option<PathBuf> {
    let folder = checkout().join(".outsiders").join(folder);
    if fs::read_to_string(folder.join("stamp")).is_ok_and(|stamp| stamp.ends_with(pins)) {
        return Some(folder);
    }
    missing(&format!("{} is missing or older", folder.display()))
}

/// Says that a verifier is missing; under CI that is a failure.
fn missing<T>(what: &str) -> Option<T> {
    let must = std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "false" | "0"));
    let missing = format!("{what}. Install it: cargo xtask setup");
    assert!(!must, "{missing}");
    eprintln!("SKIPPED, nothing is shown: {missing}");
    None
}

fn works(program: &str, argument: &str) -> bool {
    Command::new(program).arg(argument).output().is_ok_and(|output| output.status.success())
}

/// One of the Python scripts, with the pinned packages and no others.
pub fn python(name: &str) -> Option<Command> {
    let packages = installed("python", include_str!("../../../../tests/outsiders/requirements.txt"))?;
    let mut command = Command::new("python3");
    command.arg(script(name)).env("PYTHONPATH", packages).env("PYTHONNOUSERSITE", "1");
    Some(command)
}

/// One of the JavaScript programs, with the pinned packages.
pub fn node(name: &str) -> Option<Command> {
    let packages = installed("npm", include_str!("../../../../tests/outsiders/package-lock.json"))?;
    let mut command = Command::new("node");
    command.arg(script(name)).current_dir(packages);
    Some(command)
}

/// The Go program, built into `folder`; Go's own cache makes that quick from the second time on.
pub fn go(name: &str, folder: &Folder) -> Option<Command> {
    if !works("go", "version") || !Path::new(GO_PATH).join("src/golang.org/x/mod/sumdb/tlog").is_dir() {
        return missing("go or its package golang.org/x/mod is missing");
    }
    let program = folder.path("check");
    let mut build = Command::new("go");
    // Offline: what Debian installed is used, and nothing is fetched.
    build.env("GO111MODULE", "off").env("GOPATH", GO_PATH).env("GOFLAGS", "").env("GOPROXY", "off");
    let built = build.args(["build", "-o"]).arg(&program).arg(script(name)).output().unwrap();
    assert!(built.status.success(), "{}", said(&built));
    Some(Command::new(program))
}

/// OpenSSL's program.
pub fn openssl() -> Option<Command> {
    if works("openssl", "version") { Some(Command::new("openssl")) } else { missing("openssl is missing") }
}

/// Everything that a program printed.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// A folder of one test, removed at the end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("outsiders-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file, its folders too.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays behind harms nobody and must not hide the failure of a test.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs a verifier on files or folders by their names, and compares whether it accepts each with what is expected; gives
/// what it printed.
pub fn check(mut command: Command, folder: &Folder, expected: &[(String, bool)]) -> String {
    let output = command.args(expected.iter().map(|(name, _)| folder.path(name))).output().unwrap();
    let said = said(&output);
    let mut wrong = Vec::new();
    for (name, accepted) in expected {
        let path = folder.path(name);
        let begins = |word: &str| format!("{word} {}", path.display());
        let lines = |word: &str| {
            said.lines().find(|line| **line == begins(word) || line.starts_with(&format!("{} ", begins(word))))
        };
        // Exactly one of the two: a verifier that fell over has said nothing about the file.
        let (ok, refused) = (lines("ok"), lines("REFUSED"));
        if ok.is_some() != *accepted || refused.is_some() == *accepted {
            let wanted = if *accepted { "accepted" } else { "refused" };
            wrong.push(format!("{name} must be {wanted}: {}", ok.or(refused).unwrap_or("nothing was said")));
        }
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}\n{errors}", wrong.len(), expected.len());
    let all = expected.iter().all(|(_, accepted)| *accepted);
    assert_eq!(output.status.code(), Some(if all { 0 } else { 1 }), "{errors}");
    said
}

/// The bytes with one bit turned.
pub fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[at] ^= 1 << (at % 8);
    changed
}
