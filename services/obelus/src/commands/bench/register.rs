//! `obelus bench register`: sources with made-up records registered in a temporary installation, signed for and proved, and
//! what each part takes. Not here: corpora and training, which a registration comes before.

use std::{
    cell::Cell,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use obelus_auditor::registration::register_sources;
use obelus_casework::{Deps, provenance};
use obelus_core::Digest;
use obelus_corpus::SourceInfo;
use obelus_ledger::{
    trust::TrustedRoot,
    verify::{Input, verify},
};
use obelus_model::Preset;
use serde::Serialize;

use crate::{
    arguments::Register,
    commands::bench::{peak_memory_bytes, temporary_folder},
    installation,
    output::{Answer, Output},
    progress,
};

const LINEAGE: &str = "bench";
/// Sources that are proved, far from each other in the manifest.
const PROVED: u32 = 200;

/// What was measured. Times are in seconds where nothing else is said.
#[derive(Debug, Serialize)]
struct Figures {
    sources: u32,
    /// Everything from the first source to the published checkpoint that covers the manifest.
    seconds: f64,
    /// Deriving seeds, making records, writing rows.
    seconds_rows: f64,
    /// Reading the order back, hashing, writing the tree, signing, logging.
    seconds_manifest: f64,
    /// One record with its proof, from the database and the tree to the bytes of the document.
    record_proof_ms_median: f64,
    record_proof_ms_max: f64,
    /// The absence of a source, likewise.
    absence_proof_ms_median: f64,
    absence_proof_ms_max: f64,
    /// Making the tree again from the rows, when it is lost.
    seconds_tree_again: f64,
    database_bytes: u64,
    tree_bytes: u64,
    presence_document_bytes: usize,
    /// Whether the offline verifier accepts every document that was made.
    verified: bool,
    peak_memory_bytes: u64,
}

/// Runs `obelus bench register`; the answer is no when a proof does not hold.
pub async fn run(arguments: &Register, quiet: bool, output: &Output) -> Result<Answer> {
    let folder = temporary_folder(arguments.under.as_deref())?;
    let deps = installation::temporary(folder.path()).await?;
    let figures = measure(&deps, arguments.sources.get(), folder.path(), quiet).await?;
    deps.db.close().await?;
    output.print(&words(&figures), &figures)?;
    Ok(if figures.verified { Answer::Done } else { Answer::No })
}

async fn measure(deps: &Deps, sources: u32, folder: &Path, quiet: bool) -> Result<Figures> {
    let mut config = Preset::named("tiny")?.model;
    config.complete()?;
    let mut progress = progress::counted("registering", "sources", u64::from(sources), quiet);
    let written = Cell::new(None);
    let infos = (0..sources).map(|i| {
        progress(1);
        info(i)
    });
    // The iterator is asked once more after the last source, when all before it are made.
    let infos = infos.chain(std::iter::from_fn(|| {
        written.set(Some(Instant::now()));
        None
    }));
    let trust = deps.keys.trusted_root(&deps.settings.log_origin)?;
    let started = Instant::now();
    register_sources(deps, LINEAGE, &config, Digest::sha256(b"no tokenizer"), infos).await?;
    let seconds = started.elapsed();
    let rows = written.get().map_or(seconds, |at: Instant| at - started);

    let step = (sources / PROVED).max(1);
    let (mut proofs, mut absences, mut verified, mut document_bytes) = (vec![], vec![], true, 0);
    for i in (0..sources).step_by(step as usize).take(PROVED as usize) {
        let (document, took) = timed(provenance::presence(deps, LINEAGE, &info(i).id)).await?;
        document_bytes = document_bytes.max(document.len());
        verified &= holds(&document, &trust);
        proofs.push(took);
        let (document, took) = timed(provenance::absence_in(deps, LINEAGE, &format!("stranger-{i}"))).await?;
        verified &= document.is_some_and(|document| holds(&document, &trust));
        absences.push(took);
    }
    let tree = deps.data.manifests(LINEAGE).join("1.tree");
    let bytes = |path: &Path| Ok::<_, anyhow::Error>(fs::metadata(path)?.len());
    let tree_bytes = bytes(&tree).with_context(|| format!("cannot examine {}", tree.display()))?;
    fs::remove_file(&tree).with_context(|| format!("cannot remove {}", tree.display()))?;
    let (again, tree_again) = timed(provenance::presence(deps, LINEAGE, &info(sources - 1).id)).await?;
    ensure!(holds(&again, &trust), "the tree that was made again gives no proof");
    Ok(Figures {
        sources,
        seconds: seconds.as_secs_f64(),
        seconds_rows: rows.as_secs_f64(),
        seconds_manifest: (seconds - rows).as_secs_f64(),
        record_proof_ms_median: median_ms(&mut proofs),
        record_proof_ms_max: last_ms(&proofs),
        absence_proof_ms_median: median_ms(&mut absences),
        absence_proof_ms_max: last_ms(&absences),
        seconds_tree_again: tree_again.as_secs_f64(),
        database_bytes: bytes(&deps.data.database()).with_context(|| format!("cannot examine {}", folder.display()))?,
        tree_bytes,
        presence_document_bytes: document_bytes,
        verified,
        peak_memory_bytes: peak_memory_bytes()?,
    })
}

/// What a corpus would say of a source.
fn info(i: u32) -> SourceInfo {
    SourceInfo {
        id: format!("source-{i:010}"),
        documents: 1 + i as usize % 5,
        text_bytes: 4096,
        publisher: Some(format!("Publisher {}", i % 10_007)),
        license: Some("CC-BY-SA-4.0".to_owned()),
        content_digest: Digest::sha256(i.to_be_bytes()),
    }
}

fn holds(document: &[u8], trust: &TrustedRoot) -> bool {
    verify(&Input { file: document, ..Input::default() }, trust).is_ok_and(|report| report.ok)
}

async fn timed<T>(work: impl Future<Output = Result<T>>) -> Result<(T, Duration)> {
    let started = Instant::now();
    Ok((work.await?, started.elapsed()))
}

/// Sorts them.
fn median_ms(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, Duration::as_secs_f64) * 1e3
}

fn last_ms(sorted: &[Duration]) -> f64 {
    sorted.last().map_or(0.0, Duration::as_secs_f64) * 1e3
}

fn words(f: &Figures) -> String {
    let mb = |bytes: u64| bytes as f64 / 1e6;
    let told = if f.verified { "hold" } else { "DO NOT HOLD" };
    [
        format!("sources            {}, registered, signed and logged in {:.1} s", f.sources, f.seconds),
        format!("rows               {:.1} s, database {:.0} MB", f.seconds_rows, mb(f.database_bytes)),
        format!(
            "manifest           {:.1} s, tree {:.0} MB; made again from the rows in {:.1} s",
            f.seconds_manifest,
            mb(f.tree_bytes),
            f.seconds_tree_again
        ),
        format!(
            "one record         {:.2} ms with its proof (at most {:.2}), {} bytes",
            f.record_proof_ms_median, f.record_proof_ms_max, f.presence_document_bytes
        ),
        format!("one absence        {:.2} ms (at most {:.2})", f.absence_proof_ms_median, f.absence_proof_ms_max),
        format!("proofs             {told}"),
        format!("peak memory        {:.0} MB", mb(f.peak_memory_bytes)),
    ]
    .join("\n")
}
