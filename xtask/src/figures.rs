//! `cargo xtask bench figures`: trains and measures what docs/results.md draws the paper's figures from, seed by seed. Every
//! step is a command of `obelus`, printed as it is run, and its JSON is kept: a step whose JSON is there is not repeated, so
//! that a study that was cut off goes on. Not here: what is worked out of it (obelus-auditor's example `figures`).

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use crate::project::{Project, read, succeed};

/// What may be left out or run alone.
const PARTS: [&str; 5] = ["models", "transformers", "attacks", "pool", "takedowns"];
/// Sources in a panel, or a few more: every so-manieth by id.
const PANEL: usize = 20;
/// Neurons in the pool and of a source, beside those of the preset (figure 8).
const SHAPES: [(u32, u32); 5] = [(512, 8), (512, 32), (512, 128), (2048, 8), (2048, 128)];
/// Sources struck in all, strike by strike.
const STRUCK: [usize; 4] = [2, 10, 20, 40];
/// The corpus of a run.
const CORPUS: &str = "study";

/// What is studied.
struct Study {
    folder: PathBuf,
    seeds: Vec<u64>,
    parts: Vec<String>,
    /// Documents and probes; the built-in corpus otherwise.
    files: Option<(PathBuf, PathBuf)>,
    preset: String,
}

/// Builds in release mode, runs the study, and prints its tables.
pub(crate) fn run(project: &Project, args: &[String]) -> anyhow::Result<()> {
    let study = parse(args)?;
    succeed(&mut project.cargo(["build", "--quiet", "--release", "--locked", "--package", "obelus"]))?;
    fs::create_dir_all(&study.folder).with_context(|| format!("cannot make {}", study.folder.display()))?;
    for seed in &study.seeds {
        Run::new(project, &study, *seed)?.all()?;
    }
    let example = ["run", "--quiet", "--release", "--locked", "--package", "obelus-auditor", "--example", "figures"];
    succeed(project.cargo(example).arg("--").arg(&study.folder))
}

fn parse(args: &[String]) -> anyhow::Result<Study> {
    let mut args = args.iter();
    let folder = args.next().context("name a folder for models and numbers")?;
    let folder = std::path::absolute(folder).context("the current directory cannot be read")?;
    let (mut seeds, mut preset) = (vec![1, 2, 3], "demo".to_owned());
    let mut parts: Vec<String> = PARTS.map(str::to_owned).into();
    let (mut documents, mut probes) = (None, None);
    while let Some(name) = args.next() {
        let value = args.next().with_context(|| format!("{name} needs a value"))?;
        let list = || value.split(',').map(str::to_owned);
        match name.as_str() {
            "--seeds" => {
                let number = |n: String| n.parse().with_context(|| format!("--seeds takes numbers, not {n:?}"));
                seeds = list().map(number).collect::<anyhow::Result<_>>()?;
            }
            "--preset" => preset.clone_from(value),
            "--documents" => documents = Some(std::path::absolute(value)?),
            "--probes" => probes = Some(std::path::absolute(value)?),
            "--parts" => parts = list().collect(),
            other => bail!("figures FOLDER takes --seeds, --preset, --documents, --probes and --parts, not {other}"),
        }
    }
    if let Some(unknown) = parts.iter().find(|part| !PARTS.contains(&part.as_str())) {
        bail!("there is no part {unknown:?}; there are {}", PARTS.join(", "));
    }
    ensure!(documents.is_some() == probes.is_some(), "--documents and --probes go together");
    Ok(Study { folder, seeds, parts, files: documents.zip(probes), preset })
}

/// One seed.
struct Run<'a> {
    project: &'a Project,
    study: &'a Study,
    seed: String,
    data: PathBuf,
    out: PathBuf,
}

impl<'a> Run<'a> {
    fn new(project: &'a Project, study: &'a Study, seed: u64) -> anyhow::Result<Self> {
        let out = study.folder.join(format!("seed-{seed}"));
        fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
        Ok(Self { project, study, seed: seed.to_string(), data: out.join("data"), out })
    }

    fn all(&self) -> anyhow::Result<()> {
        let wanted = |part: &str| self.study.parts.iter().any(|own| own == part);
        self.step("init", &["init"])?;
        self.corpus()?;
        let panel = self.panel()?;
        if wanted("models") {
            self.models(&panel)?;
        }
        if wanted("transformers") {
            self.transformers(&panel)?;
        }
        if wanted("attacks") {
            let protocol = self.project.path("docs/figures.toml");
            let rehearsal = ["audit", "run", "--model", "nulls", "--source", &panel[0]];
            for (name, protocol) in
                [("standard", self.project.path("policies/verification/standard.toml")), ("attacks", protocol)]
            {
                let (out, protocol) = (shown(&self.out.join(name))?, shown(&protocol)?);
                self.step(name, &[&rehearsal[..], &["--protocol", &protocol, "--out", &out]].concat())?;
            }
        }
        if wanted("pool") {
            self.pool()?;
        }
        if wanted("takedowns") {
            self.takedowns(&panel)?;
        }
        Ok(())
    }

    fn corpus(&self) -> anyhow::Result<()> {
        match &self.study.files {
            // In plain files, which are read here too.
            None => self.step("corpus", &["corpus", "generate", CORPUS, "--seed", &self.seed, "--plain"])?,
            Some((documents, probes)) => {
                self.step("corpus", &["corpus", "add", CORPUS, &shown(documents)?, "--plain"])?;
                self.step("probes", &["probes", "add", CORPUS, &shown(probes)?])?
            }
        };
        Ok(())
    }

    /// The sources that the retrain does not see.
    fn panel(&self) -> anyhow::Result<Vec<String>> {
        let shown = self.step("sources", &["corpus", "show", CORPUS])?;
        let sources = shown["sources"].as_array().context("corpus show lists no sources")?;
        let mut ids: Vec<String> = sources.iter().filter_map(|s| s["id"].as_str().map(str::to_owned)).collect();
        ids.sort();
        ensure!(ids.len() > 2 * PANEL, "a study needs more than {} sources, and there are {}", 2 * PANEL, ids.len());
        Ok(ids.iter().step_by(ids.len() / PANEL).cloned().collect())
    }

    fn train(&self, name: &str, more: &[&str]) -> anyhow::Result<()> {
        let train = ["model", "train", name, "--corpus", CORPUS, "--seed", &self.seed];
        self.step(&format!("train-{name}"), &[&train[..], more].concat()).map(drop)
    }

    fn models(&self, panel: &[String]) -> anyhow::Result<()> {
        self.train("nulls", &["--preset", &self.study.preset])?;
        self.train("retrain", &[&["--baseline-of", "nulls"], &without(panel)[..]].concat())?;
        self.step("score-nulls", &["score", "nulls", "--condition", "on,off_nearest,off_none"])?;
        // What it says with a source's sinks, and without.
        for (name, more) in [("on", &["--source", &panel[0]][..]), ("off", &["--route", "none"])] {
            let prompt = self.first_words(&panel[0])?;
            let generate = ["generate", "nulls", &prompt, "--tokens", "40"];
            self.step(&format!("generate-{name}"), &[&generate[..], more].concat())?;
        }
        Ok(())
    }

    /// What the paper compares with: transformers of the same active and total width, and what they forget after the fact.
    fn transformers(&self, panel: &[String]) -> anyhow::Result<()> {
        let preset = ["--preset", &self.study.preset];
        for (name, kind) in [("plain", "transformer"), ("wide", "wide-transformer")] {
            self.train(name, &[&preset[..], &["--control", kind]].concat())?;
            self.step(&format!("score-{name}"), &["score", name, "--condition", "off_none"])?;
        }
        for (name, kind) in [("ascent", "gradient-ascent"), ("npo", "npo")] {
            self.train(name, &[&["--control", kind, "--from", "plain"], &without(panel)[..]].concat())?;
        }
        Ok(())
    }

    /// The first eight words of a source's first document.
    fn first_words(&self, source: &str) -> anyhow::Result<String> {
        let lines = read(&self.data.join("corpora").join(CORPUS).join("documents.jsonl"))?;
        for line in lines.lines() {
            let document: Value = serde_json::from_str(line).context("a document of the corpus is not JSON")?;
            if document["source"].as_str().or(document["id"].as_str()) == Some(source) {
                let words: Vec<&str> = document["text"].as_str().unwrap_or_default().split_whitespace().collect();
                return Ok(words[..words.len().min(8)].join(" "));
            }
        }
        bail!("the corpus has no text of {source}")
    }

    fn pool(&self) -> anyhow::Result<()> {
        let preset = read(&self.project.path(&format!("crates/model/presets/{}.toml", self.study.preset)))?;
        for (pool, own) in SHAPES {
            let name = format!("pool-{pool}-{own}");
            let line = |line: &str| match line.split_once(" = ") {
                Some(("n_pool", _)) => format!("n_pool = {pool}\n"),
                Some(("n_source", _)) => format!("n_source = {own}\n"),
                _ => format!("{line}\n"),
            };
            let config = self.out.join(format!("{name}.toml"));
            fs::write(&config, preset.lines().map(line).collect::<String>())
                .with_context(|| format!("cannot write {}", config.display()))?;
            self.train(&name, &["--config", &shown(&config)?])?;
            self.step(&format!("score-{name}"), &["score", &name, "--condition", "on,off_nearest,off_none"])?;
        }
        Ok(())
    }

    /// Strikes more and more sources for good, in a copy of the data directory.
    fn takedowns(&self, panel: &[String]) -> anyhow::Result<()> {
        let copy = Self { data: self.out.join("struck"), out: self.out.clone(), seed: self.seed.clone(), ..*self };
        if !copy.data.exists() {
            let (partial, from) = (self.out.join("struck.partial"), &self.data);
            let mut copying = Command::new("cp");
            succeed(copying.args(["-r", "--"]).arg(from).arg(&partial))?;
            fs::rename(&partial, &copy.data).with_context(|| format!("cannot rename {}", partial.display()))?;
        }
        for person in ["ana", "ben"] {
            copy.step(&format!("person-{person}"), &["person", "add", person, "--role", "legal_approver"])?;
        }
        let listed = self.step("sources", &["corpus", "show", CORPUS])?;
        let all = listed["sources"].as_array().map_or(&[][..], Vec::as_slice);
        let ids = all.iter().filter_map(|s| s["id"].as_str()).filter(|id| !panel.iter().any(|own| own == id));
        let struck: Vec<&str> = ids.take(STRUCK[STRUCK.len() - 1]).collect();
        // The same survivors each time: those that the last strike leaves.
        let survivors = copy.survivors(&struck)?;
        copy.score("struck-0", &survivors)?;
        let mut before = 0;
        for count in STRUCK {
            let name = format!("struck-{count}");
            if !copy.out.join(format!("score-{name}.json")).exists() {
                copy.strike(&name, &struck[before..count])?;
                copy.score(&name, &survivors)?;
            }
            before = count;
        }
        Ok(())
    }

    fn strike(&self, name: &str, sources: &[&str]) -> anyhow::Result<()> {
        let mut file = vec!["request", "file", "--model", "nulls", "--regime", "gdpr-art17", "--source"];
        file.extend(sources);
        let filed = self.step(&format!("file-{name}"), &file)?;
        let reference = filed["reference"].as_str().context("request file gives no reference")?;
        self.step(&format!("plan-{name}"), &["takedown", "plan", reference])?;
        for person in ["ana", "ben"] {
            self.step(&format!("approve-{person}-{name}"), &["request", "approve", reference, "--as", person])?;
        }
        self.step(&format!("execute-{name}"), &["takedown", "execute", reference])?;
        self.step(&format!("audit-{name}"), &["audit", "run", reference]).map(drop)
    }

    fn score(&self, name: &str, probes: &Path) -> anyhow::Result<()> {
        let score = ["score", "nulls", "--condition", "on,off_none", "--probes", &shown(probes)?];
        self.step(&format!("score-{name}"), &score).map(drop)
    }

    fn survivors(&self, struck: &[&str]) -> anyhow::Result<PathBuf> {
        let probes = read(&self.data.join("corpora").join(CORPUS).join("probes.jsonl"))?;
        let mut kept = String::new();
        for line in probes.lines() {
            let probe: Value = serde_json::from_str(line).context("a probe of the corpus is not JSON")?;
            if !struck.iter().any(|id| probe["source"] == *id) {
                kept.push_str(line);
                kept.push('\n');
            }
        }
        let path = self.out.join("survivors.jsonl");
        fs::write(&path, kept).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Runs a command and keeps its JSON, or reads what it gave before.
    fn step<S: AsRef<OsStr>>(&self, name: &str, args: &[S]) -> anyhow::Result<Value> {
        let kept = self.out.join(format!("{name}.json"));
        if !kept.exists() {
            let words: Vec<String> = args.iter().map(|a| a.as_ref().to_string_lossy().into_owned()).collect();
            eprintln!("seed {}: obelus {}", self.seed, words.join(" "));
            let mut command = Command::new(self.project.target().join("release/obelus"));
            command.arg("--data").arg(&self.data).args(["--json", "--quiet"]).args(args).stderr(Stdio::inherit());
            self.project.library_path(&mut command);
            let output = command.output().context("obelus could not be started")?;
            // 1 is an answer: not verified.
            ensure!(matches!(output.status.code(), Some(0 | 1)), "obelus {} failed", words.join(" "));
            let partial = kept.with_extension("partial");
            fs::write(&partial, &output.stdout).with_context(|| format!("cannot write {}", partial.display()))?;
            fs::rename(&partial, &kept).with_context(|| format!("cannot rename {}", partial.display()))?;
        }
        serde_json::from_str(&read(&kept)?).with_context(|| format!("{} is not JSON", kept.display()))
    }
}

fn without(panel: &[String]) -> Vec<&str> {
    std::iter::once("--exclude").chain(panel.iter().map(String::as_str)).collect()
}

fn shown(path: &Path) -> anyhow::Result<String> {
    path.to_str().map(str::to_owned).with_context(|| format!("{} is not UTF-8", path.display()))
}
