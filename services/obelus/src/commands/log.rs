//! `obelus log`.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use obelus_casework::{Deps, durable::write_durably, transparency};
use obelus_ledger::{tlog_proof::TlogProof, verify};
use obelus_store::log::leaf;
use serde_json::json;

use crate::{
    arguments::Log,
    failure::WrongUse,
    output::{Answer, Output},
};

/// Runs `obelus log`.
pub async fn run(deps: &Deps, command: &Log, output: &Output) -> Result<Answer> {
    match command {
        Log::Checkpoint => {
            let published = transparency::checkpoint(deps).await?;
            let published = published.ok_or_else(|| WrongUse("the log is empty and has no checkpoint yet".to_owned()));
            let (checkpoint, note) = published?;
            let document = json!({ "size": checkpoint.size, "root": checkpoint.root, "checkpoint": note });
            output.print(&note, &document)?;
        }
        Log::Prove { index } => {
            let size = transparency::checkpoint(deps).await?.map_or(0, |(checkpoint, _)| checkpoint.size);
            let entry = leaf(&deps.db, *index).await?.filter(|leaf| leaf.index < size);
            let entry = entry.ok_or_else(|| {
                WrongUse(format!("the log has {size} entries, numbered from 0; there is no entry {index}"))
            })?;
            let mut proofs = transparency::prove(deps, &[*index]).await?;
            let path = proofs.paths.pop().context("one leaf has one path")?;
            let proof = TlogProof { body: entry.body, index: *index, path, checkpoint: proofs.note };
            let text = proof.to_text();
            let document = json!({
                "index": index,
                "entry": String::from_utf8_lossy(&proof.body),
                "leaf": entry.leaf_hash,
                "path": proof.path,
                "checkpoint": proof.checkpoint,
                "tlog_proof": text,
            });
            output.print(text.trim_end(), &document)?;
        }
        Log::Check(_) => {
            let checkpoint = transparency::check(deps).await?;
            if checkpoint.size > 0 {
                // As an outsider sees it, from the public folder alone.
                let folder = deps.data.log();
                let trust = deps.keys.trusted_root(&deps.settings.log_origin)?;
                let public = verify::follow(&mut |path| fs::read(folder.join(path)), None, &trust);
                if !public.ok {
                    output.print(&obelus_verify::describe(&public, &folder), &public)?;
                    return Ok(Answer::No);
                }
            }
            let words = format!("{} entries give the signed root {}", checkpoint.size, checkpoint.root);
            output.print(&words, &json!({ "ok": true, "size": checkpoint.size, "root": checkpoint.root }))?;
        }
    }
    Ok(Answer::Done)
}

/// Follows a copy of a log's public folder; what it found is kept in `remember` only when everything agreed.
pub fn follow(folder: &Path, trust: &Path, remember: Option<&Path>, output: &Output) -> Result<Answer> {
    let seen = remember.filter(|path| path.exists());
    let report = obelus_verify::run_log(folder, seen, trust)?;
    output.print(&obelus_verify::describe(&report, folder), &report)?;
    if !report.ok {
        return Ok(Answer::No);
    }
    if let Some(path) = remember {
        let from = folder.join("checkpoint");
        let note = fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?;
        write_durably(path, &note)?;
    }
    Ok(Answer::Done)
}
