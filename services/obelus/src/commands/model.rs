//! `obelus model`.

use std::time::Instant;

use anyhow::{Context as _, Result};
use obelus_auditor::{Deps, NotThere, training::WeightTree};
use obelus_model::{ModelRecord, WeightFile};
use obelus_store::models;
use serde_json::{Value, json};

use crate::{
    arguments::Model,
    commands::train,
    output::{Answer, Output, table},
};

/// Runs `obelus model`.
pub async fn run(deps: &Deps, command: &Model, quiet: bool, output: &Output) -> Result<Answer> {
    match command {
        Model::Train(arguments) => {
            let root = train::run(deps, arguments, quiet).await?;
            let document = show(deps, &arguments.name).await?;
            let words = format!("{} is trained. Weight root {root}", arguments.name);
            output.print(&words, &document)?;
        }
        Model::List => {
            let rows = models::list(&deps.db).await?;
            let cells: Vec<Vec<String>> = rows
                .iter()
                .map(|m| {
                    let of = m.baseline_of.as_ref().map_or_else(String::new, |base| format!("baseline of {base}"));
                    vec![m.name.clone(), m.status.to_string(), m.corpus.clone(), m.preset.clone(), of]
                })
                .collect();
            let documents: Vec<Value> = rows
                .iter()
                .map(|m| {
                    json!({
                        "name": m.name, "status": m.status.to_string(), "lineage": m.lineage, "corpus": m.corpus,
                        "preset": m.preset, "baseline_of": m.baseline_of, "control": m.control,
                    })
                })
                .collect();
            output.print(&table(&["NAME", "STATUS", "CORPUS", "PRESET", ""], &cells), &documents)?;
        }
        Model::Show { name } => {
            let document = show(deps, name).await?;
            output.print(&serde_json::to_string_pretty(&document)?, &document)?;
        }
        Model::Root { name } => {
            models::get(&deps.db, name).await?.ok_or_else(|| NotThere::model(name))?;
            let folder = deps.data.model(name);
            let checkpoint = ModelRecord::open(&folder)?.checkpoint_path(&folder);
            let started = Instant::now();
            let tree = WeightTree::of(&checkpoint)?;
            let seconds = started.elapsed().as_secs_f64();
            let bytes = WeightFile::open(&checkpoint)?.length()?;
            let document =
                json!({ "root": tree.root, "leaves": tree.leaves.len(), "seconds": seconds, "bytes": bytes });
            output.print(&tree.root.to_string(), &document)?;
        }
    }
    Ok(Answer::Done)
}

async fn show(deps: &Deps, name: &str) -> Result<Value> {
    let row = models::get(&deps.db, name).await?.ok_or_else(|| NotThere::model(name))?;
    let folder = deps.data.model(name);
    let record = ModelRecord::open(&folder)
        .with_context(|| format!("model {name} is {}; its training has written nothing yet", row.status))?;
    let mut document = serde_json::to_value(&record)?;
    document["status"] = json!(row.status.to_string());
    document["checkpoint"] = json!(record.checkpoint_path(&folder));
    document["weight_root"] = json!(row.weight_root.map(|r| r.0));
    Ok(document)
}
