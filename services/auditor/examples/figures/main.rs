//! The paper's figures from what `cargo xtask bench figures FOLDER` has measured: `cargo run --example figures -- FOLDER`.
//! Prints tables in Markdown and draws the curves into the folder. Intervals are 90 % percentile bootstraps over sources and,
//! apart from them, over the seeds of the trainings. Judges nothing.
#![allow(clippy::print_stdout, reason = "what it prints is what it is for")]

mod asked;
mod read_off;
mod scored;
mod table;

use std::{env, fs, path::Path};

use anyhow::{Context as _, Result, ensure};

/// One seed's folder.
struct Seed {
    number: usize,
    folder: std::path::PathBuf,
}

impl Seed {
    /// A file of it as JSON; none where that was not measured.
    fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let path = self.folder.join(name);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&bytes).map(Some).with_context(|| format!("{} is damaged", path.display()))
    }
}

fn main() -> Result<()> {
    let folder = env::args().nth(1).context("name the folder of the study")?;
    let mut folders = fs::read_dir(&folder)
        .with_context(|| format!("cannot read {folder}"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    folders.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("seed-")));
    folders.sort();
    ensure!(!folders.is_empty(), "{folder} has no seed-N in it: cargo xtask bench figures makes them");
    let seeds: Vec<Seed> = folders.into_iter().enumerate().map(|(number, folder)| Seed { number, folder }).collect();
    println!("{} seeds\n", seeds.len());
    asked::tables(&seeds)?;
    read_off::tables(&seeds, Path::new(&folder))?;
    scored::tables(&seeds)
}
