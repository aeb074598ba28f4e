//! The targets of an erasure: how each kind of copy is erased, and what is said of it afterwards. When, and in which
//! order, is in `zeroing.rs`.
//!
//! Checkpoints and moments are zeroed in place. An export with a struck source's sinks is destroyed; any other one keeps
//! what is its own, and what it shares with a struck source is zeroed in place.

use std::{
    fmt, fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use obelus_core::{Digest, Timestamp};
use obelus_ledger::{canonical, statement::ErasureTarget};
use obelus_model::{Llama, ModelRecord, SourceMask, WeightTree, zero_rows};
use obelus_store::{
    Write, copies,
    copies::{Copy, CopyKind},
    erasures::Target,
    models, sources,
};
use serde::{Deserialize, Serialize};

use crate::{
    export::{WEIGHTS, discard, partial},
    hosts::{self, InMemory},
    model_signature,
    registration::Assigned,
    strike::LEVEL,
};
use obelus_casework::{Deps, durable::write_durably, fault::point};

/// What statements call the exports that were looked for in vain.
pub(crate) const NOT_FOUND: &str = "exports-not-found";
/// The level of what was not found: nothing is known of it.
const NO_LEVEL: &str = "none";
/// Left in the folder of a destroyed export.
const MARK: &str = "struck.json";

/// A strike, as its targets need to know it.
pub(crate) struct Strike<'a> {
    /// The request.
    pub(crate) reference: &'a str,
    /// The model.
    pub(crate) model: &'a str,
    /// The sources.
    pub(crate) sources: &'a [String],
    /// Their neurons together.
    pub(crate) union: &'a SourceMask,
    /// Numbers of a row.
    pub(crate) width: u32,
}

/// The weight tree of the checkpoint: as it is, until the checkpoint is struck, and as it is from then on.
pub(crate) struct Trees {
    pub(crate) before: Option<WeightTree>,
    pub(crate) after: Option<WeightTree>,
}

impl Trees {
    /// Zeroes the rows of a stored file. Where it is the tree's own checkpoint, the tree follows.
    fn strike(&mut self, path: &Path, union: &SourceMask) -> Result<u64> {
        let Some(tree) = self.before.take_if(|tree| tree.checkpoint() == path) else {
            return Ok(zero_rows(path, union)?.rows);
        };
        let (report, followed) = tree.strike(union)?;
        let said = |why: &_| tracing::warn!("the weight tree of {}: {why}; it is hashed anew", path.display());
        self.after = followed.inspect_err(said).ok();
        Ok(report.rows)
    }
}

/// How a target ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// Its rows of the struck neurons were overwritten with zeros, and read back.
    #[default]
    Zeroed,
    /// All of it was overwritten with zeros, read back and removed.
    Destroyed,
    /// It was not in its place.
    NotFound,
    /// Its rows are zero in the memory of a process that answers.
    ZeroedInMemory,
    /// The process has ended, or answers nothing any more.
    Ended,
}

/// What was done to one target, as kept with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Evidence {
    // Evidence from before there were other outcomes does not name one.
    #[serde(default)]
    outcome: Outcome,
    /// Rows of struck neurons that were overwritten.
    rows: u64,
    at: Timestamp,
    /// SHA-256 over the rows as they are in memory now, where a host told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    memory: Option<Digest>,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.outcome {
            Outcome::Zeroed if self.rows == 0 => f.write_str("holds none of the neurons"),
            Outcome::Zeroed => write!(f, "{} rows zeroed and read back", self.rows),
            Outcome::Destroyed => f.write_str("overwritten and removed"),
            Outcome::NotFound => f.write_str("not found in its place, so neither zeroed nor destroyed"),
            Outcome::ZeroedInMemory => write!(f, "{} rows are zero in its memory", self.rows),
            Outcome::Ended => f.write_str("ended, or answers nothing any more"),
        }
    }
}

/// What is left in the folder of a destroyed export.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    request: String,
    at: Timestamp,
    note: String,
}

/// Erases one target. Done twice it ends the same.
///
/// # Errors
/// When it cannot be read or written, or is not what was registered.
pub(crate) async fn erase(deps: &Deps, strike: &Strike<'_>, target: &Target, trees: &mut Trees) -> Result<Evidence> {
    if target.kind == hosts::HOST {
        let (outcome, rows, memory) =
            match hosts::zeroed(deps, strike.reference, &target.path, strike.union, strike.width).await? {
                InMemory::Zeroed(rows, digest) => (Outcome::ZeroedInMemory, rows, Some(digest)),
                InMemory::Gone => (Outcome::Ended, 0, None),
            };
        return Ok(Evidence { outcome, rows, at: deps.now(), memory });
    }
    let (outcome, rows) = match target.kind.parse::<CopyKind>()? {
        // Everything stored neuron by neuron has the same rows.
        CopyKind::Checkpoint | CopyKind::Optimizer => {
            let path = deps.data.resolve(&target.path)?;
            if gone(deps, strike.model, &target.path, &path).await? {
                return Ok(Evidence { outcome: Outcome::Destroyed, rows: 0, at: deps.now(), memory: None });
            }
            (Outcome::Zeroed, trees.strike(&path, strike.union)?)
        }
        CopyKind::Export | CopyKind::Quantised => {
            let all = copies::of_model(&deps.db, strike.model).await?;
            let copy = all.iter().find(|copy| copy.path == target.path).context("the export is not registered")?;
            let own = copy.source_id.as_ref().is_some_and(|id| strike.sources.contains(id));
            let export = Export { folder: deps.data.place(&copy.path)?, llama: llama(deps, copy).await? };
            if own { export.destroy(strike, deps.now())? } else { export.zero(deps, strike)? }
        }
    };
    if outcome == Outcome::NotFound {
        tracing::warn!("{} was not found: if it was moved, erase it by hand", target.path);
    }
    Ok(Evidence { outcome, rows, at: deps.now(), memory: None })
}

/// Whether a copy was destroyed since the takedown listed it: an adaptation that gave way to it removes what it had
/// begun to write.
async fn gone(deps: &Deps, model: &str, stored: &str, path: &Path) -> Result<bool> {
    let there = path.try_exists().with_context(|| format!("cannot examine {}", path.display()))?;
    Ok(!there && !copies::of_model(&deps.db, model).await?.iter().any(|copy| copy.path == stored))
}

/// The LLaMA that an export was written as.
async fn llama(deps: &Deps, copy: &Copy) -> Result<Llama> {
    let config = ModelRecord::open(&deps.data.model(&copy.model))?.config;
    let Some(id) = &copy.source_id else { return Ok(Llama::new(&config, None)?) };
    let row = models::get(&deps.db, &copy.model).await?.context("a copy is of a model")?;
    let source = sources::get(&deps.db, &row.lineage, id).await?.context("an export is of a registered source")?;
    Ok(Llama::new(&config, Some(&Assigned::from(&source).key.mask(&config)?))?)
}

/// A registered export.
struct Export {
    folder: PathBuf,
    llama: Llama,
}

impl Export {
    fn weights(&self) -> PathBuf {
        self.folder.join(WEIGHTS)
    }

    /// Overwrites and removes the weights, after a mark is left that says so.
    fn destroy(&self, strike: &Strike<'_>, now: Timestamp) -> Result<(Outcome, u64)> {
        let rows = self.llama.rows_of(strike.union);
        if !self.present()? {
            // Either nobody knows where it is, or an execution that was cut off has removed it.
            let removed = mark(&self.folder)?.is_some_and(|mark| mark.request == strike.reference);
            return Ok(if removed { (Outcome::Destroyed, rows) } else { (Outcome::NotFound, 0) });
        }
        // Before anything is overwritten: a file that is something else is left alone, without a mark.
        self.llama.zeroed(&self.weights(), strike.union)?;
        let mark = Mark {
            request: strike.reference.to_owned(),
            at: now,
            note: format!("{WEIGHTS} was overwritten with zeros and removed: its source was struck from the model."),
        };
        write_durably(&self.folder.join(MARK), format!("{:#}\n", serde_json::to_value(mark)?).as_bytes())?;
        point("export-marked");
        model_signature::remove(&self.folder)?;
        self.llama.destroy(&self.weights())?;
        point("export-destroyed");
        Ok((Outcome::Destroyed, rows))
    }

    /// Zeroes what it shares with the struck sources, and signs it again. An export without any of their neurons is only
    /// looked at.
    fn zero(&self, deps: &Deps, strike: &Strike<'_>) -> Result<(Outcome, u64)> {
        if !self.present()? {
            return Ok((Outcome::NotFound, 0));
        }
        // Before its signature is touched: a file that is something else is left alone.
        self.llama.zeroed(&self.weights(), strike.union)?;
        if self.llama.rows_of(strike.union) == 0 {
            return Ok((Outcome::Zeroed, 0));
        }
        model_signature::set_aside(&self.folder)?;
        point("export-signature-aside");
        let rows = self.llama.zero(&self.weights(), strike.union)?.rows;
        point("export-zeroed");
        model_signature::sign_again(deps, &self.folder, WEIGHTS)?;
        point("export-signed-again");
        Ok((Outcome::Zeroed, rows))
    }

    /// Whether its weights are in their place. What an export that was cut off has left is removed.
    fn present(&self) -> Result<bool> {
        discard(&partial(&self.folder))?;
        let weights = self.weights();
        match fs::symlink_metadata(&weights) {
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e).with_context(|| format!("cannot examine {}", weights.display())),
            Ok(found) => {
                ensure!(found.is_file(), "{} is not a file, so it is not touched; remove it", weights.display());
                Ok(true)
            }
        }
    }
}

fn mark(folder: &Path) -> Result<Option<Mark>> {
    let path = folder.join(MARK);
    match fs::read(&path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).with_context(|| format!("cannot read {}", path.display())),
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()))?),
    }
}

/// The targets as a statement lists them. A statement must stay small and goes to outsiders, who have no business with
/// the places of exports: these are one entry for each outcome, and a file that stays here lists them.
///
/// # Errors
/// When the list of exports cannot be written.
pub(crate) fn stated(deps: &Deps, reference: &str, done: &[(Target, Evidence)]) -> Result<Vec<ErasureTarget>> {
    let is_export = |target: &Target| target.kind.parse().is_ok_and(CopyKind::is_export);
    let mut stated: Vec<ErasureTarget> = done
        .iter()
        .filter(|(target, _)| !is_export(target))
        .map(|(target, evidence)| ErasureTarget {
            kind: target.kind.clone(),
            path: target.path.clone(),
            level: LEVEL.to_owned(),
            rows: evidence.rows,
            at: evidence.at,
        })
        .collect();
    let exports: Vec<_> = done.iter().filter(|(target, _)| is_export(target)).collect();
    if exports.is_empty() {
        return Ok(stated);
    }
    let entries: Vec<_> = exports
        .iter()
        .map(|(target, e)| serde_json::json!({ "path": target.path, "outcome": e.outcome, "rows": e.rows, "at": e.at }))
        .collect();
    let list = serde_json::json!({ "format": "obelus-erased-exports/v1", "request": reference, "exports": entries });
    let bytes = canonical::to_bytes(&list)?;
    let path = deps.data.certificates().join(format!("{reference}.exports.json"));
    write_durably(&path, &bytes)?;
    let (digest, path) =
        (Digest::sha256(&bytes), deps.data.relative(&path).context("lists lie in the data directory")?);
    for (outcome, kind, level) in [
        (Outcome::Zeroed, "exports-zeroed", LEVEL),
        (Outcome::Destroyed, "exports-destroyed", LEVEL),
        (Outcome::NotFound, NOT_FOUND, NO_LEVEL),
    ] {
        let ended: Vec<&Evidence> = exports.iter().map(|(_, e)| e).filter(|e| e.outcome == outcome).collect();
        let Some(at) = ended.iter().map(|e| e.at).max() else { continue };
        stated.push(ErasureTarget {
            kind: kind.to_owned(),
            path: format!("{} of {path} sha256:{digest}", ended.len()),
            level: level.to_owned(),
            rows: ended.iter().map(|e| e.rows).sum(),
            at,
        });
    }
    Ok(stated)
}

/// Records with every copy what has become of it. One that was not found stays registered: the next strike looks again.
///
/// # Errors
/// When the database fails.
pub(crate) async fn record(
    write: &Write,
    model: &str,
    done: &[(Target, Evidence)],
    root_after: &Digest,
    now: Timestamp,
) -> Result<()> {
    for copy in copies::of_model(write, model).await? {
        let evidence = done.iter().find(|(target, _)| target.path == copy.path).map(|(_, evidence)| evidence);
        match evidence.map(|e| e.outcome) {
            Some(Outcome::Zeroed) => {
                let root = (copy.kind == CopyKind::Checkpoint).then_some(root_after);
                copies::record_zeroing(write, copy.id, root, now).await?;
            }
            Some(Outcome::Destroyed) => copies::record_destruction(write, copy.id, now).await?,
            Some(Outcome::NotFound | Outcome::ZeroedInMemory | Outcome::Ended) | None => {}
        }
    }
    Ok(())
}
