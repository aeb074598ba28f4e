//! How a verifier that others wrote is found, started and understood. Not here: what it is given, and what it is asked
//! (`tests/outsiders/` of the checkout).
//!
//! Functions that look for one give none where it is missing, after saying so; under CI that is a failure.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

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
pub(crate) fn missing<T>(what: &str) -> Option<T> {
    let must = env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "false" | "0"));
    let missing = format!("{what}. Install it: cargo xtask setup");
    assert!(!must, "{missing}");
    // A test that cannot be told why nothing was shown has nothing else to say either.
    let _ = writeln!(io::stderr(), "SKIPPED, nothing is shown: {missing}");
    None
}

fn works(program: &str, argument: &str) -> bool {
    Command::new(program).arg(argument).output().is_ok_and(|output| output.status.success())
}

/// One of the Python scripts, with the pinned packages and no others.
pub fn python(name: &str) -> Option<Command> {
    let packages = installed("python", include_str!("../../../tests/outsiders/requirements.txt"))?;
    let mut command = Command::new("python3");
    command.arg(script(name)).env("PYTHONPATH", packages).env("PYTHONNOUSERSITE", "1");
    Some(command)
}

/// One of the JavaScript programs, with the pinned packages.
pub fn node(name: &str) -> Option<Command> {
    let packages = installed("npm", include_str!("../../../tests/outsiders/package-lock.json"))?;
    let mut command = Command::new("node");
    command.arg(script(name)).current_dir(packages);
    Some(command)
}

/// A file of one of the pinned Node packages, for another program than node.
///
/// # Panics
/// When the package is there without the file.
pub fn node_file(name: &str) -> Option<String> {
    let packages = installed("npm", include_str!("../../../tests/outsiders/package-lock.json"))?;
    let path = packages.join("node_modules").join(name);
    Some(fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
}

/// The Go program, built into `folder`; Go's own cache makes that quick from the second time on.
///
/// # Panics
/// When it does not build.
pub fn go(name: &str, folder: &Folder) -> Option<Command> {
    if !works("go", "version") || !Path::new(GO_PATH).join("src/golang.org/x/mod/sumdb/tlog").is_dir() {
        return missing("go or its package golang.org/x/mod is missing");
    }
    let program = folder.path("check");
    let mut build = Command::new("go");
    // Offline: what Debian installed is used, and nothing is fetched.
    build.env("GO111MODULE", "off").env("GOPATH", GO_PATH).env("GOFLAGS", "").env("GOPROXY", "off");
    let built =
        build.args(["build", "-o"]).arg(&program).arg(script(name)).output().expect("go was there a moment ago");
    assert!(built.status.success(), "{}", said(&built));
    Some(Command::new(program))
}

/// OpenSSL's program.
pub fn openssl() -> Option<Command> {
    program("openssl", "version")
}

/// A program of the system, if it does `trial`.
pub fn program(name: &str, trial: &str) -> Option<Command> {
    if works(name, trial) { Some(Command::new(name)) } else { missing(&format!("{name} is missing")) }
}

/// The script that hands PDF files to qpdf and poppler.
pub fn pdf() -> Option<Command> {
    program("qpdf", "--version")?;
    // pdfdetach, which comes with it, ends with an error when it is asked for its version.
    program("pdfinfo", "-v")?;
    let mut command = Command::new("sh");
    command.arg(script("check_pdf.sh"));
    Some(command)
}

/// One of our own verifiers that share no code with the product, as `python/check_mask.py`; it needs nothing but the
/// language.
pub fn independent(interpreter: impl AsRef<OsStr>, name: &str) -> Option<Command> {
    let interpreter = interpreter.as_ref();
    let mut command = program(&interpreter.to_string_lossy(), "--version")?;
    command.arg(checkout().join("verifiers").join(name));
    Some(command)
}

/// Everything that a program printed.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// A folder of one test, removed at the end.
#[derive(Debug)]
pub struct Folder(TempDir);

impl Folder {
    /// An empty one, with a name that says whose it is.
    ///
    /// # Panics
    /// When the system has no room for temporary files.
    pub fn new(name: &str) -> Self {
        let folder = TempDir::with_prefix(format!("outsiders-{name}-"));
        Self(folder.expect("a test needs a temporary directory"))
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, its folders too.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        let folder = path.parent().expect("a file lies in a folder");
        fs::create_dir_all(folder).expect("a test may write into its folder");
        fs::write(&path, bytes).expect("a test may write into its folder");
        path
    }
}

/// Runs a verifier on files or folders by their names, and compares whether it accepts each with what is expected; gives
/// what it printed.
///
/// # Panics
/// When it judges otherwise, or says nothing about a file.
pub fn check(mut command: Command, folder: &Folder, expected: &[(String, bool)]) -> String {
    command.args(expected.iter().map(|(name, _)| folder.path(name)));
    judges(command, folder, expected)
}

/// As [`check`], of a command that has its arguments already.
///
/// # Panics
/// When it judges otherwise, or says nothing about a file.
pub fn judges(mut command: Command, folder: &Folder, expected: &[(String, bool)]) -> String {
    let output = command.output().expect("a verifier that was found can be started");
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
///
/// # Panics
/// When there is no such byte.
pub fn flipped(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[at] ^= 1 << (at % 8);
    changed
}
