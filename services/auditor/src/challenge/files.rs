//! The files of a challenge for outsiders: the signed deposit and the signed result, each with its place in the log, and the
//! results. Never the probes, sealed or open. Written once and kept, so that the same case gives the same files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use obelus_core::Digest;
use obelus_ledger::{
    bundle::Bundle,
    canonical,
    statement::{BlindChallenge as Deposited, BlindChallengeResult, Predicate},
};
use obelus_store::blind_challenges::{self, BlindChallenge};

use super::stored;
use crate::standing;
use obelus_casework::{Deps, durable::write_durably, exhibits};

/// The files of a challenge beside each other, each named after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeFiles {
    /// The signed deposit, a Sigstore bundle.
    pub deposit: PathBuf,
    /// The signed result, a Sigstore bundle; there once the challenge was opened.
    pub result: PathBuf,
    /// The results that it cites; there once the challenge was opened.
    pub results: PathBuf,
}

impl ChallengeFiles {
    /// The files of the challenge `id` in a folder.
    pub fn of(folder: &Path, id: &str) -> Self {
        let file = |end: &str| folder.join(format!("{id}{end}"));
        Self { deposit: file(".deposit.json"), result: file(".result.json"), results: file(".results.json") }
    }

    /// Those that a challenge has.
    pub fn all(&self, opened: bool) -> Vec<&Path> {
        let all: [&Path; 3] = [&self.deposit, &self.result, &self.results];
        all.into_iter().take(if opened { 3 } else { 1 }).collect()
    }
}

/// Writes the files of a challenge that are missing, or lead to a checkpoint that no longer counts. Gives why a statement
/// among them does not count any more, if one does not.
///
/// # Errors
/// When a statement is missing or not in the log.
pub(crate) async fn hand_out(deps: &Deps, row: &BlindChallenge) -> Result<(ChallengeFiles, Option<String>)> {
    let files = ChallengeFiles::of(&deps.data.certificates(), &row.id);
    let mut objection = write::<Deposited>(deps, &files.deposit, &row.deposit.0).await?;
    if let Some(result) = row.result {
        stored(row)?;
        let results = row.results.as_deref().with_context(|| format!("{} has no results", row.id))?;
        if !fs::read(&files.results).is_ok_and(|written| written == results) {
            write_durably(&files.results, results)?;
        }
        let of_result = write::<BlindChallengeResult>(deps, &files.result, &result.0).await?;
        objection = objection.or(of_result);
    }
    Ok((files, objection))
}

/// Writes one statement with its place in the log, unless it is there and counts.
async fn write<P: Predicate>(deps: &Deps, path: &Path, digest: &Digest) -> Result<Option<String>> {
    if path.is_file() {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let of_it = |kept: Bundle| kept.dsse_envelope.digest().is_ok_and(|kept| kept == *digest);
        if canonical::from_bytes::<Bundle>(&bytes).is_ok_and(of_it)
            && standing::objection(deps, &bytes, None)?.is_none()
        {
            return Ok(None);
        }
    }
    let bytes = exhibits::bundled::<P>(deps, digest).await?;
    write_durably(path, &bytes)?;
    standing::objection(deps, &bytes, None)
}

/// The files of every challenge of a request whose statements count; of the others a warning says why they do not. A
/// certificate does not rest on them, so it is handed out without.
///
/// # Errors
/// As [`hand_out`].
pub(crate) async fn countable(deps: &Deps, request: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for row in blind_challenges::all(&deps.db, Some(request)).await? {
        let (files, objection) = hand_out(deps, &row).await?;
        match objection {
            None => found.extend(files.all(row.opened_at.is_some()).into_iter().map(Path::to_owned)),
            Some(objection) => tracing::warn!("the challenge {} does not count any more: {objection}", row.id),
        }
    }
    Ok(found)
}
