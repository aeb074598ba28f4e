//! `cargo xtask fuzz`: gives every fuzz target of `fuzz/` some time, on stable Rust and without cargo-fuzz. What the
//! targets read, and what must hold, is in `fuzz/src/lib.rs`.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::project::{Project, read, succeed};

/// Built for a named target, so that the flags below reach neither build scripts nor macros.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// What libFuzzer needs to see which input reaches new code. Both options are stable; the sanitizers that cargo-fuzz adds
/// are not, and would find little in code without `unsafe`.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
                        -Cllvm-args=-sanitizer-coverage-pc-table \
                        -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

/// Seconds that each target runs where nothing else is said.
const USUAL_SECONDS: u64 = 60;

/// An input that takes longer than this is a finding.
const LONGEST_SECONDS: u64 = 20;

/// Memory at which a target is ended.
const LARGEST_MEGABYTES: u64 = 2_048;

/// Builds the targets, writes the seeds and runs each target in turn; stops at the first finding.
pub(crate) fn run(project: &Project, args: &[String]) -> anyhow::Result<()> {
    let (seconds, chosen) = arguments(args)?;
    let targets = targets(&read(&project.path("fuzz/Cargo.toml"))?);
    if let Some(unknown) = chosen.iter().find(|name| !targets.contains(name)) {
        bail!("there is no fuzz target {unknown:?}; there are: {}", targets.join(", "));
    }
    let chosen = if chosen.is_empty() { targets } else { chosen };
    let corpus = project.path("fuzz/corpus");
    succeed(cargo(project).args(["run", "--quiet", "--bin", "seeds", "--"]).arg(&corpus))
        .context("the seeds could not be written")?;
    let mut build = cargo(project);
    // By name: `seeds` has no libFuzzer in it and could not be linked with these flags.
    build.args(["build", "--release", "--target", TARGET]).env("RUSTFLAGS", COVERAGE);
    build.args(chosen.iter().map(|name| format!("--bin={name}")));
    succeed(&mut build).context("the targets could not be built")?;
    let built = project.path("fuzz/target").join(TARGET).join("release");
    let mut executions = 0;
    for name in &chosen {
        executions += fuzz(&built.join(name), name, &project.path("fuzz"), seconds)?;
    }
    eprintln!("fuzz: {} targets, {executions} executions, nothing found", chosen.len());
    Ok(())
}

/// Cargo in the folder of the targets, with a target directory of its own: its flags differ from everything else's.
fn cargo(project: &Project) -> Command {
    let mut command = project.cargo::<&str>([]);
    command.current_dir(project.path("fuzz")).env("CARGO_TARGET_DIR", project.path("fuzz/target"));
    command
}

/// Runs one target; an input that breaks it stays in `fuzz/artifacts`. Gives the number of executions.
fn fuzz(program: &Path, name: &str, home: &Path, seconds: u64) -> anyhow::Result<u64> {
    let (corpus, artifacts) = (home.join("corpus").join(name), home.join("artifacts").join(name));
    for folder in [&corpus, &artifacts] {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    eprintln!("fuzz: {name} for {seconds} s");
    let mut command = Command::new("nice");
    command.args(["-n", "15"]).arg(program).arg(&corpus).args([
        format!("-artifact_prefix={}/", artifacts.display()),
        format!("-max_total_time={seconds}"),
        format!("-timeout={LONGEST_SECONDS}"),
        format!("-rss_limit_mb={LARGEST_MEGABYTES}"),
        "-print_final_stats=1".to_owned(),
    ]);
    let output = command.stdin(Stdio::null()).output().context("`nice` could not be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let end: Vec<&str> = said.lines().rev().take(40).collect();
        let end: Vec<&str> = end.into_iter().rev().collect();
        bail!(
            "{}\n{name} found something; the input is in {}. Run it again: {} INPUT",
            end.join("\n"),
            artifacts.display(),
            program.display()
        );
    }
    let executions = executions(&said).with_context(|| format!("{name} does not say how often it ran"))?;
    eprintln!("fuzz: {name}: {executions} executions");
    Ok(executions)
}

/// The number in libFuzzer's last words.
fn executions(said: &str) -> Option<u64> {
    said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:")?.trim().parse().ok())
}

/// Reads `[--seconds N] [TARGET...]`.
fn arguments(args: &[String]) -> anyhow::Result<(u64, Vec<String>)> {
    let (mut seconds, mut chosen) = (USUAL_SECONDS, Vec::new());
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        if arg == "--seconds" {
            let number = rest.next().and_then(|number| number.parse().ok()).filter(|number| *number > 0);
            seconds = number.context("--seconds takes a whole number of seconds, at least 1")?;
        } else if arg.starts_with('-') {
            bail!("`cargo xtask fuzz` takes --seconds N and names of targets, but got: {arg}");
        } else {
            chosen.push(arg.clone());
        }
    }
    Ok((seconds, chosen))
}

/// The fuzz targets that a manifest names.
fn targets(manifest: &str) -> Vec<String> {
    let path = |line: &str| Some(line.strip_prefix("path = \"fuzz_targets/")?.strip_suffix(".rs\"")?.to_owned());
    manifest.lines().filter_map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn seconds_and_targets_are_read() {
        assert_eq!(arguments(&[]).unwrap(), (60, vec![]));
        assert_eq!(arguments(&words("--seconds 5 tile key")).unwrap(), (5, words("tile key")));
        for bad in ["--seconds", "--seconds 0", "--seconds x", "--jobs 2"] {
            assert!(arguments(&words(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_target_of_the_manifest_has_its_file() {
        let project = Project::find().unwrap();
        let mut named = targets(&read(&project.path("fuzz/Cargo.toml")).unwrap());
        let entries = std::fs::read_dir(project.path("fuzz/fuzz_targets")).unwrap();
        let mut files: Vec<String> =
            entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
        named.sort();
        files.sort();
        assert_eq!(named, files);
    }

    #[test]
    fn executions_are_read_from_the_last_words() {
        assert_eq!(executions("Done\nstat::number_of_executed_units: 1234\nstat::new_units_added: 5"), Some(1234));
        assert_eq!(executions("Done"), None);
    }
}
