//! `obelus challenge`.

use std::{
    ffi::OsString,
    fs::{self, OpenOptions},
    io::{ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use obelus_auditor::challenge::{self, ChallengeFiles, Results};
use obelus_casework::{Deps, case, case::OWNER};
use obelus_core::Digest;
use obelus_corpus::probe;
use obelus_ledger::sealed_probes::{self, MOST_PROBE_BYTES, MOST_SEALED_BYTES, ProbeKey};
use obelus_store::blind_challenges::{self, BlindChallenge};
use obelus_verdict::{Compared, Outcome};
use serde_json::{Value, json};

use crate::{
    arguments::Challenge,
    failure::WrongUse,
    output::{Answer, Output, table},
};

/// A key's file has a few hundred bytes.
const MOST_KEY_BYTES: usize = 4096;

/// Runs `obelus challenge`, but for `seal`.
pub async fn run(deps: &Deps, command: &Challenge, output: &Output) -> Result<Answer> {
    match command {
        Challenge::Seal { probes, out } => return seal(probes, out, output),
        Challenge::Deposit { reference, sealed, person } => {
            let bytes = read(sealed, MOST_SEALED_BYTES)?;
            let row = challenge::deposit(deps, person.as_deref().unwrap_or(OWNER), reference, &bytes).await?;
            let words = format!(
                "{}: {} is deposited for {reference}, SHA-256 {}. Its key opens it after the takedown: obelus challenge open \
                 {reference} KEY",
                row.id,
                sealed.display(),
                row.sealed_digest
            );
            output.print(&words, &document(&row)?)?;
        }
        Challenge::Open { reference, key, person } => {
            let key = ProbeKey::from_bytes(&read(key, MOST_KEY_BYTES)?)?;
            let by = person.as_deref().unwrap_or(OWNER);
            let (row, results) = challenge::open(deps, by, reference, &key).await?;
            let files = ChallengeFiles::of(&deps.data.certificates(), &row.id);
            let mut shown = document(&row)?;
            shown["files"] = json!(files.all(true));
            let words = format!("{}\n\n{}", challenge::in_words(&row)?, details(&results));
            output.print(&words, &shown)?;
            return Ok(if results.challenged.outcome == Outcome::Fail { Answer::No } else { Answer::Done });
        }
        Challenge::List { reference } => {
            if let Some(reference) = reference {
                case::existing(deps, reference).await?;
            }
            let rows = blind_challenges::all(&deps.db, reference.as_deref()).await?;
            let cells: Vec<Vec<String>> = rows
                .iter()
                .map(|row| {
                    let digest = row.sealed_digest.to_string();
                    vec![row.id.clone(), row.request.clone(), state(row), row.deposited_at.0.to_string(), digest]
                })
                .collect();
            let documents = rows.iter().map(document).collect::<Result<Vec<_>>>()?;
            output.print(&table(&["ID", "REQUEST", "OUTCOME", "DEPOSITED", "SHA-256"], &cells), &documents)?;
        }
    }
    Ok(Answer::Done)
}

/// Runs `obelus challenge seal`, which needs no data directory. What cannot be asked is refused here, because after the
/// takedown it is too late.
pub fn seal(path: &Path, out: &Path, output: &Output) -> Result<Answer> {
    let shown = path.display();
    let bytes = read(path, MOST_PROBE_BYTES)?;
    let probes = probe::parse(&bytes)
        .map_err(|bad| WrongUse(format!("{shown}:{}: {}; nothing was sealed", bad.line, bad.reason)))?;
    let (sealed, key) = sealed_probes::seal(&bytes)?;
    let mut key_path = OsString::from(out);
    key_path.push(".key");
    let key_path = PathBuf::from(key_path);
    if out.exists() {
        return Err(WrongUse(format!("{} is there already; choose another name for --out", out.display())).into());
    }
    // The key first: a sealed file without one would be lost.
    create(&key_path, &key.to_bytes()?, 0o600)?;
    create(out, &sealed, 0o644)?;
    let digest = Digest::sha256(&sealed);
    let words = format!(
        "{}: {} probes, SHA-256 {digest}. Keep {} to yourself until the takedown was executed, and {shown} for whoever is to \
         check. Next: obelus challenge deposit REF {}",
        out.display(),
        probes.len(),
        key_path.display(),
        out.display()
    );
    let document = json!({
        "sealed": out,
        "key": key_path,
        "sha256": digest,
        "commitment": sealed_probes::commitment(&sealed)?,
        "probes": probes.len(),
        "bytes": sealed.len(),
    });
    output.print(&words, &document)?;
    Ok(Answer::Done)
}

/// Writes a file that is not there yet; on the device when it returns.
fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut file = match made {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            let path = path.display();
            return Err(
                WrongUse(format!("{path} is there already; move it away, or choose another name for --out")).into()
            );
        }
        other => other.with_context(|| format!("cannot create {}", path.display()))?,
    };
    file.write_all(bytes).and_then(|()| file.sync_all()).with_context(|| format!("cannot write {}", path.display()))
}

/// A file of at most so many bytes.
fn read(path: &Path, most: usize) -> Result<Vec<u8>> {
    let shown = path.display();
    let found = fs::metadata(path).map_err(|e| WrongUse(format!("cannot read {shown}: {e}")))?;
    if !found.is_file() || found.len() > most as u64 {
        return Err(WrongUse(format!("{shown} is not a file of at most {most} bytes")).into());
    }
    fs::read(path).with_context(|| format!("cannot read {shown}"))
}

fn state(row: &BlindChallenge) -> String {
    row.outcome.clone().unwrap_or_else(|| "sealed".to_owned())
}

/// A challenge as JSON: what was compared, once it was opened, and never a probe.
pub fn document(row: &BlindChallenge) -> Result<Value> {
    let mut document = json!({
        "challenge": row.id,
        "request": row.request,
        "state": if row.opened_at.is_some() { "opened" } else { "sealed" },
        "sha256": row.sealed_digest.0,
        "commitment": row.commitment.0,
        "deposited_by": row.deposited_by,
        "deposited_at": row.deposited_at.0,
    });
    if row.opened_at.is_some() {
        let results = challenge::stored(row)?;
        document["opened_by"] = json!(row.opened_by);
        document["opened_at"] = json!(row.opened_at.map(|at| at.0));
        document["outcome"] = json!(results.challenged.outcome);
        document["probes"] = json!(results.probes);
        document["facts"] = json!(results.challenged.facts);
        document["baseline"] = json!(results.baseline);
        document["baseline_fixed_before"] = json!(results.baseline_fixed_before);
        document["compared"] = json!(results.challenged.compared);
        document["limits"] = json!(results.challenged.limits);
    }
    Ok(document)
}

/// Every comparison as a table, and what it does not prove.
fn details(results: &Results) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
    let row = |(name, c): (&String, &Compared)| {
        let interval = c.difference_interval.map_or_else(String::new, |i| format!("[{:.3}, {:.3}]", i.low, i.high));
        vec![
            name.clone(),
            c.outcome.to_string(),
            c.items.to_string(),
            number(Some(c.erased)),
            number(c.retrain),
            number(c.difference),
            interval,
            number(c.smallest_detectable),
            c.reason.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = results.challenged.compared.iter().map(row).collect();
    let headings = ["COMPARED", "OUTCOME", "FACTS", "ERASED", "RETRAIN", "DIFFERENCE", "INTERVAL", "DETECTABLE", "WHY"];
    let limits: String = results.challenged.limits.iter().map(|limit| format!("\n{limit}")).collect();
    format!("{}{limits}", table(&headings, &rows))
}
