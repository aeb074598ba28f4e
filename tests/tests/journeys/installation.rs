//! An installation in a temporary folder, and the program run on it. A small trained installation, and one with a certified
//! case, are made once and copied for every test that needs them: a data directory may be copied and moved.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use obelus_corpus::Corpus;
use serde_json::Value;
use tempfile::TempDir;

/// Corpus, model and retrain of the small installation, and how many sources the retrain leaves out.
pub const CORPUS: &str = "small";
pub const MODEL: &str = "m";
pub const RETRAIN: &str = "r";
pub const PANEL: usize = 4;

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Exit status; none when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    fn new(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The one JSON document on standard output, after the expected exit status.
    #[track_caller]
    pub fn json(&self, code: i32) -> Value {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {:?}", self.stdout))
    }

    /// Standard error, after the expected exit status.
    #[track_caller]
    pub fn refused(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        &self.stderr
    }
}

/// A data directory of a test's own.
pub struct Installation {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

impl Installation {
    /// An empty folder.
    pub fn empty() -> Self {
        Self { folder: TempDir::with_prefix("obelus-journey-").unwrap(), environment: vec![] }
    }

    /// A folder in which `obelus init` has run.
    pub fn new() -> Self {
        let installation = Self::empty();
        installation.run(&["init"]).json(0);
        installation
    }

    /// A copy of the small trained installation.
    pub fn trained() -> Self {
        let installation = Self::empty();
        copy(&prepared("trained", train), &installation.data());
        installation
    }

    /// A copy of the trained installation after a takedown of the first of its panel: one certificate, no bundle yet.
    pub fn certified() -> Self {
        let installation = Self::empty();
        copy(&prepared("certified", certify), &installation.data());
        installation
    }

    /// Reference and certificate of the one case.
    pub fn case(&self) -> (String, String) {
        let list = self.run(&["certificate", "list"]).json(0);
        let text = |field: &str| list[0][field].as_str().unwrap().to_owned();
        (text("request"), text("id"))
    }

    /// Entries of the log.
    pub fn entries(&self) -> u64 {
        self.run(&["log", "checkpoint"]).json(0)["size"].as_u64().unwrap()
    }

    /// Adds an environment variable to every command.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A path beside the data directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file beside the data directory.
    pub fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), contents).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }

    /// The program with `--json`, not yet started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_obelus-under-test"));
        command
            .args(["--json", "--data", self.data().to_str().unwrap()])
            .args(arguments)
            .env("OMP_NUM_THREADS", "1")
            .env_remove("DATABASE_URL")
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        Ended::new(self.command(arguments).output().unwrap())
    }

    /// Runs a command that kills itself at a fault point.
    #[track_caller]
    pub fn dies_at(&self, point: &str, arguments: &[&str]) {
        let output = self.command(arguments).env("OBELUS_DIE_AT", point).output().unwrap();
        assert_eq!(output.status.code(), None, "{point}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Kills a command with SIGKILL after a while. True if it was still running.
    pub fn killed_after(&self, time: Duration, arguments: &[&str]) -> bool {
        let mut child = self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(time);
        let running = child.try_wait().unwrap().is_none();
        child.kill().unwrap();
        child.wait().unwrap();
        running
    }

    /// Kills a command with SIGKILL as soon as something is so, which it must become before the command ends.
    #[track_caller]
    pub fn killed_when(&self, so: impl Fn() -> bool, arguments: &[&str]) {
        let mut child = self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while !so() {
            assert!(child.try_wait().unwrap().is_none(), "{arguments:?} ended before it was to be killed");
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// The panel of the small installation: the sources that the retrain has not seen.
    pub fn panel(&self) -> Vec<String> {
        let record = self.run(&["model", "show", RETRAIN]).json(0);
        record["excluded"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
    }

    /// A source that the retrain was trained on.
    pub fn survivor(&self) -> String {
        let panel = self.panel();
        let corpus = self.run(&["corpus", "show", CORPUS]).json(0);
        let sources = corpus["sources"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned());
        sources.into_iter().find(|id| !panel.contains(id)).unwrap()
    }

    /// The corpus, opened.
    pub fn corpus(&self) -> Corpus {
        Corpus::open(&self.data().join("corpora").join(CORPUS)).unwrap()
    }

    /// The probes of the corpus in a file of their own.
    pub fn probes(&self) -> String {
        let corpus = self.corpus();
        let lines = corpus.probes().iter().map(|probe| serde_json::to_string(probe).unwrap() + "\n");
        self.file("probes.jsonl", lines.collect::<String>())
    }

    /// The sink neurons of a source, one list a layer.
    pub fn neurons(&self, source: &str, model: &str) -> Vec<Vec<u32>> {
        let shown = self.run(&["source", "show", CORPUS, source, "--model", model]).json(0);
        serde_json::from_value(shown["neurons"].clone()).unwrap()
    }

    /// A source that the retrain was trained on, and that shares neurons with `source`.
    pub fn neighbour(&self, source: &str) -> String {
        let own = self.neurons(source, MODEL);
        let panel = self.panel();
        let corpus = self.run(&["corpus", "show", CORPUS]).json(0);
        let mut sources = corpus["sources"].as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned());
        let shares = |id: &String| {
            let theirs = self.neurons(id, MODEL);
            own.iter().zip(&theirs).any(|(own, theirs)| own.iter().any(|n| theirs.contains(n)))
        };
        sources.find(|id| !panel.contains(id) && shares(id)).unwrap()
    }

    /// Files a request to strike a source, plans it and has it approved twice; gives its reference.
    pub fn approved(&self, source: &str) -> String {
        let filed = self.run(&["request", "file", "--source", source, "--model", MODEL, "--regime", "gdpr-art17"]);
        let reference = filed.json(0)["reference"].as_str().unwrap().to_owned();
        self.run(&["takedown", "plan", &reference]).json(0);
        for person in ["ana", "ben"] {
            self.run(&["request", "approve", &reference, "--as", person]).json(0);
        }
        reference
    }

    /// Verifies the signature in the folder of a model, and gives the `sha256` by which statements name it.
    #[track_caller]
    pub fn verified_model_sig(&self, model: &str) -> String {
        let signature = self.data().join("models").join(model).join("model.sig");
        let report = self.run(&["verify", signature.to_str().unwrap(), "--trust", &self.trust()]).json(0);
        assert_eq!(report["kind"], "model signature");
        let files = report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "files").unwrap();
        let said = files["detail"].as_str().unwrap();
        let root = said.split("sha256 ").nth(1).unwrap();
        root.chars().take_while(char::is_ascii_hexdigit).collect()
    }

    /// Exports trust and gives its folder.
    pub fn trust(&self) -> String {
        let trust = self.path("trust").to_str().unwrap().to_owned();
        self.run(&["keys", "export-trust", "--out", &trust]).json(0);
        trust
    }
}

/// An installation that is made by the first test that asks, kept beside the build, and made anew for another program.
fn prepared(kind: &str, make: fn() -> Installation) -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_obelus-under-test"));
    let built = fs::metadata(program).unwrap().modified().unwrap();
    let age = built.duration_since(std::time::UNIX_EPOCH).unwrap().as_micros();
    let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let place = root.join(format!("{kind}-{age}"));
    let lock = fs::File::create(root.join(format!("{kind}.lock"))).unwrap();
    lock.lock().unwrap();
    if !place.exists() {
        for old in fs::read_dir(root).unwrap().flatten() {
            if old.file_name().to_string_lossy().starts_with(&format!("{kind}-")) {
                fs::remove_dir_all(old.path()).unwrap();
            }
        }
        let made = make();
        let partial = root.join(format!("{kind}.partial"));
        let _ = fs::remove_dir_all(&partial);
        copy(&made.data(), &partial);
        fs::rename(&partial, &place).unwrap();
    }
    place
}

fn train() -> Installation {
    let installation = Installation::new();
    installation.run(&["corpus", "generate", CORPUS, "--sources", "40", "--seed", "7"]).json(0);
    installation.run(&["model", "train", MODEL, "--corpus", CORPUS, "--preset", "tiny"]).json(0);
    let corpus = installation.run(&["corpus", "show", CORPUS]).json(0);
    let sources = corpus["sources"].as_array().unwrap();
    let panel: Vec<&str> = sources.iter().step_by(9).take(PANEL).map(|s| s["id"].as_str().unwrap()).collect();
    let mut arguments = vec!["model", "train", RETRAIN, "--corpus", CORPUS, "--baseline-of", MODEL, "--exclude"];
    arguments.extend(&panel);
    installation.run(&arguments).json(0);
    for (name, role) in [("ana", "legal_approver"), ("ben", "legal_approver"), ("emil", "executor")] {
        installation.run(&["person", "add", name, "--role", role]).json(0);
    }
    installation
}

fn certify() -> Installation {
    let installation = Installation::trained();
    let reference = installation.approved(&installation.panel()[0]);
    installation.run(&["takedown", "execute", &reference, "--as", "emil"]).json(0);
    let audit = installation.run(&["audit", "run", &reference]);
    audit.json(audit.code.unwrap());
    installation
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
