//! `obelus log`.

use anyhow::{Context as _, Result};
use obelus_auditor::{Deps, transparency};
use obelus_store::log::{head, leaf};
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
            let head = head(&deps.db).await?;
            let note = String::from_utf8(head.note).context("the stored checkpoint is not text")?;
            if head.size == 0 {
                return Err(WrongUse("the log is empty and has no checkpoint yet".to_owned()).into());
            }
            output.print(&note, &json!({ "size": head.size, "root": head.root, "checkpoint": note }))?;
        }
        Log::Prove { index } => {
            let size = head(&deps.db).await?.size;
            let entry = leaf(&deps.db, *index).await?;
            let entry = entry.ok_or_else(|| {
                WrongUse(format!("the log has {size} entries, numbered from 0; there is no entry {index}"))
            })?;
            let (path, checkpoint) = transparency::prove(deps, *index).await?;
            let body = String::from_utf8(entry.body).context("log entries are text")?;
            let shown: Vec<String> = path.iter().map(ToString::to_string).collect();
            let words = format!("{body}\nleaf {}\n{}\n\n{checkpoint}", entry.leaf_hash, shown.join("\n"));
            let document = json!({
                "index": index, "entry": body, "leaf": entry.leaf_hash, "path": path, "checkpoint": checkpoint,
            });
            output.print(&words, &document)?;
        }
        Log::Check => {
            let checkpoint = transparency::check(deps).await?;
            let words = format!("{} entries give the signed root {}", checkpoint.size, checkpoint.root);
            output.print(&words, &json!({ "ok": true, "size": checkpoint.size, "root": checkpoint.root }))?;
        }
    }
    Ok(Answer::Done)
}
