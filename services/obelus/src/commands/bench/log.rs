//! `obelus bench log`: statements offered at a steady rate to the log of a temporary installation, from their signature to
//! the published checkpoint that covers them, and proofs from its tiles. Not here: what a statement changes beside.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use obelus_casework::{
    Deps,
    transparency::{Signed, append, prove, sign},
};
use obelus_core::Digest;
use obelus_ledger::{
    merkle,
    statement::{SourceProvenance, Statement, Subject},
};
use obelus_store::log as store;
use serde::Serialize;
use tokio::{task::JoinSet, time::sleep_until};

use crate::{
    arguments::BenchLog,
    commands::bench::{peak_memory_bytes, temporary_folder},
    installation,
    output::{Answer, Output},
    progress,
};

/// Entries that are proved, far from each other.
const PROVED: u64 = 200;
/// Entries that are signed and logged at once before anything is measured.
const FILLED_AT_ONCE: u64 = 2048;

/// What was measured. Times are in seconds where nothing else is said.
#[derive(Debug, Serialize)]
struct Figures {
    /// Entries that were there before.
    filled: u64,
    /// Entries offered and logged while it was measured.
    entries: u64,
    /// How many a second were offered.
    offered_per_second: f64,
    /// From the first to the last published.
    seconds: f64,
    entries_per_second: f64,
    /// From the signed statement to the published checkpoint that covers it.
    entry_ms_median: f64,
    entry_ms_p99: f64,
    entry_ms_max: f64,
    /// An inclusion proof from the tiles, verified.
    proof_ms_median: f64,
    proof_ms_p99: f64,
    proof_ms_max: f64,
    peak_memory_bytes: u64,
}

/// Runs `obelus bench log`.
pub async fn run(arguments: &BenchLog, quiet: bool, output: &Output) -> Result<Answer> {
    let folder = temporary_folder(arguments.under.as_deref())?;
    let deps = Arc::new(installation::temporary(folder.path()).await?);
    fill(&deps, arguments.leaves, quiet).await?;
    let figures = measure(&deps, arguments).await?;
    deps.db.clone().close().await?;
    output.print(&words(&figures), &figures)?;
    Ok(Answer::Done)
}

/// Brings the log to a size, many entries at once.
async fn fill(deps: &Arc<Deps>, leaves: u64, quiet: bool) -> Result<()> {
    let mut progress = progress::counted("filling the log", "entries", leaves, quiet);
    let mut done = 0;
    while done < leaves {
        let more = FILLED_AT_ONCE.min(leaves - done);
        let mut offered = JoinSet::new();
        for i in done..done + more {
            let deps = deps.clone();
            offered.spawn(async move { append(&deps, statement(&deps, i)?).await });
        }
        while let Some(appended) = offered.join_next().await {
            appended.context("an entry was not logged")??;
            progress(1);
        }
        done += more;
    }
    Ok(())
}

async fn measure(deps: &Arc<Deps>, arguments: &BenchLog) -> Result<Figures> {
    let (entries, rate) = (u64::from(arguments.entries.get()), f64::from(arguments.rate.get()));
    let filled = store::head(&deps.db).await?.size;
    let started = Instant::now();
    let mut offered = JoinSet::new();
    for i in 0..entries {
        // At its time and not when the one before is done: who waits is measured too.
        let due = started + Duration::from_secs_f64(i as f64 / rate);
        let deps = deps.clone();
        offered.spawn(async move {
            sleep_until(due.into()).await;
            append(&deps, statement(&deps, filled + i)?).await?;
            Ok::<_, anyhow::Error>(due.elapsed())
        });
    }
    let mut times = Vec::with_capacity(offered.len());
    while let Some(time) = offered.join_next().await {
        times.push(time.context("an entry was not logged")??);
    }
    let seconds = started.elapsed().as_secs_f64();
    let size = store::head(&deps.db).await?.size;
    ensure!(size == filled + entries, "{entries} entries were logged, and the log has {size} after {filled}");
    let mut proofs = Vec::new();
    for i in 0..PROVED.min(size) {
        let index = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size;
        let begun = Instant::now();
        prove(deps, &[index]).await?;
        proofs.push(begun.elapsed());
    }
    Ok(Figures {
        filled,
        entries,
        offered_per_second: rate,
        seconds,
        entries_per_second: entries as f64 / seconds,
        entry_ms_median: quantile_ms(&mut times, 0.5),
        entry_ms_p99: quantile_ms(&mut times, 0.99),
        entry_ms_max: quantile_ms(&mut times, 1.0),
        proof_ms_median: quantile_ms(&mut proofs, 0.5),
        proof_ms_p99: quantile_ms(&mut proofs, 0.99),
        proof_ms_max: quantile_ms(&mut proofs, 1.0),
        peak_memory_bytes: peak_memory_bytes()?,
    })
}

/// A statement of the kind that is logged most often, with made-up contents.
fn statement(deps: &Deps, i: u64) -> Result<Signed> {
    let digest = Digest::sha256(i.to_be_bytes());
    let provenance = SourceProvenance {
        source: format!("source-{i:010}"),
        publisher: format!("Publisher {}", i % 10_007),
        license: "CC-BY-SA-4.0".to_owned(),
        documents: 1 + i % 5,
        mask_seed: digest,
        manifest: digest,
        manifest_root: digest,
        manifest_index: i,
        manifest_path: vec![merkle::leaf_hash(b"sibling"); 20],
        record: digest,
        issued_at: deps.now(),
        salt: deps.salt()?,
    };
    sign(deps, &Statement::new(Subject::sha256(&provenance.source.clone(), digest), provenance))
}

/// Sorts them; nearest rank.
fn quantile_ms(times: &mut [Duration], q: f64) -> f64 {
    times.sort_unstable();
    let rank = (q * times.len() as f64).ceil() as usize;
    times.get(rank.saturating_sub(1)).map_or(0.0, Duration::as_secs_f64) * 1e3
}

fn words(f: &Figures) -> String {
    [
        format!("entries            {} at {:.0} a second, on top of {}", f.entries, f.offered_per_second, f.filled),
        format!("sustained          {:.0} a second", f.entries_per_second),
        format!(
            "until published    {:.0} ms median, {:.0} ms p99, at most {:.0} ms",
            f.entry_ms_median, f.entry_ms_p99, f.entry_ms_max
        ),
        format!(
            "one proof          {:.1} ms median, {:.1} ms p99, at most {:.1} ms",
            f.proof_ms_median, f.proof_ms_p99, f.proof_ms_max
        ),
        format!("peak memory        {:.0} MB", f.peak_memory_bytes as f64 / 1e6),
    ]
    .join("\n")
}
