//! The demonstration's two trainings: child processes side by side, one thread each.
//!
//! A process a training, because at this size two threads in one are far slower, and because an abort in libtorch must
//! not take anything else with it.

use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};
use obelus_casework::Deps;
use obelus_store::{models, models::ModelStatus};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use super::{NAME, RETRAIN};
use crate::{
    arguments::{Arguments, Demo, RowsKind, Train},
    commands::train,
    output::Output,
};

/// Trains the model and its retrain, unless they are there.
pub async fn run(arguments: &Arguments, deps: &Deps, demo: &Demo, panel: &[String], output: &Output) -> Result<()> {
    let model = order(NAME, demo);
    let retrain = Train { baseline_of: Some(NAME.to_owned()), exclude: panel.to_vec(), ..order(RETRAIN, demo) };
    if ready(deps, NAME).await? && ready(deps, RETRAIN).await? {
        output.tell("Both models are trained already.");
        return Ok(());
    }
    // Campaign and manifest first: the retrain shares them, and the two processes start at once.
    if models::get(&deps.db, NAME).await?.is_none() {
        train::register_only(deps, &model).await?;
    }
    output.tell(&format!(
        "Training {NAME}, and {RETRAIN} without {} held-out sources, side by side with the preset {}.",
        panel.len(),
        demo.preset
    ));
    let mut children = Vec::new();
    for training in [model, retrain] {
        if !ready(deps, &training.name).await? {
            children.push((training.name.clone(), start(arguments, &training)?));
        }
    }
    let mut relays = Vec::new();
    for (name, child) in &mut children {
        let lines = child.stderr.take().context("the child's standard error is piped")?;
        let (name, quiet) = (name.clone(), arguments.quiet);
        relays.push(tokio::spawn(async move {
            let mut lines = BufReader::new(lines).lines();
            let mut last = String::new();
            while let Ok(Some(line)) = lines.next_line().await {
                if !quiet {
                    eprintln!("[{name}] {line}");
                }
                last = line;
            }
            last
        }));
    }
    for ((name, mut child), relay) in children.into_iter().zip(relays) {
        let status = child.wait().await.with_context(|| format!("cannot wait for the training of {name}"))?;
        let last = relay.await.unwrap_or_default();
        if !status.success() {
            bail!("the training of {name} ended with {status}: {last}");
        }
    }
    ensure!(ready(deps, NAME).await? && ready(deps, RETRAIN).await?, "a training ended without a model");
    Ok(())
}

fn order(name: &str, demo: &Demo) -> Train {
    Train {
        name: name.to_owned(),
        corpus: NAME.to_owned(),
        preset: Some(demo.preset.clone()),
        config: None,
        seed: demo.seed,
        steps: None,
        device: "cpu".to_owned(),
        dtype: None,
        threads: 1,
        baseline_of: None,
        exclude: vec![],
        control: None,
        from: None,
        learning_rate: None,
        add_sources: None,
        rows: RowsKind::Fresh,
        salt: None,
    }
}

async fn ready(deps: &Deps, name: &str) -> Result<bool> {
    Ok(models::get(&deps.db, name).await?.is_some_and(|row| row.status == ModelStatus::Ready))
}

fn start(arguments: &Arguments, training: &Train) -> Result<Child> {
    let program = std::env::current_exe().context("cannot find the running program")?;
    let mut command = Command::new(program);
    command
        .arg("--data")
        .arg(&arguments.data)
        .args(["model", "train", &training.name, "--corpus", &training.corpus])
        .args(["--seed", &training.seed.to_string(), "--threads", &training.threads.to_string()]);
    if let Some(preset) = &training.preset {
        command.args(["--preset", preset]);
    }
    if let Some(base) = &training.baseline_of {
        command.args(["--baseline-of", base]);
    }
    if !training.exclude.is_empty() {
        command.arg("--exclude").args(&training.exclude);
    }
    // Killed with this process, which would otherwise leave them training for nobody.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    command.spawn().with_context(|| format!("cannot start the training of {}", training.name))
}
