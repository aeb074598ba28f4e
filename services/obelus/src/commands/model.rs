//! `obelus model`.

use std::time::Instant;

use anyhow::{Context as _, Result};
use obelus_auditor::{
    export::{self, Part},
    model_signature,
};
use obelus_casework::{Deps, NotThere, case::OWNER};
use obelus_ledger::model_signing;
use obelus_model::{ModelRecord, Rounding, WeightFile, WeightTree};
use obelus_store::models;
use serde_json::{Value, json};

use crate::{
    arguments::{Export, ExportFormat, Model},
    commands::{adapt, train},
    failure::WrongUse,
    output::{Answer, Output, table},
    progress,
};

/// Runs `obelus model`.
pub async fn run(deps: &Deps, command: &Model, quiet: bool, output: &Output) -> Result<Answer> {
    match command {
        Model::Train(arguments) if arguments.add_sources.is_some() => {
            adapt::add_sources(deps, arguments, quiet, output).await?;
        }
        Model::Repair(arguments) => adapt::repair(deps, arguments, quiet, output).await?,
        Model::Train(arguments) => {
            let watch = progress::watch(&arguments.name, quiet, progress::interrupted());
            let root = train::run(deps, arguments, watch).await?;
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
            let row = models::get(&deps.db, name).await?.ok_or_else(|| NotThere::model(name))?;
            let folder = deps.data.model(name);
            let checkpoint = ModelRecord::open(&folder)?.checkpoint_path(&folder);
            let started = Instant::now();
            let tree = WeightTree::read(&checkpoint, deps.hashing_threads(), |_| ())?;
            let seconds = started.elapsed().as_secs_f64();
            let bytes = WeightFile::open(&checkpoint)?.length()?;
            let root = tree.root();
            if let Some(signed) = row.weight_root.filter(|signed| signed.0 != root) {
                tracing::warn!(
                    "{} was signed with the weight root {}: the file is not what was signed, or a takedown of it is not \
                     finished",
                    checkpoint.display(),
                    signed.0
                );
            }
            let leaves = tree.layout().leaves();
            output.print(
                &root.to_string(),
                &json!({ "root": root, "leaves": leaves, "seconds": seconds, "bytes": bytes }),
            )?;
        }
        Model::Sign { name } => {
            let root = model_signature::sign_anew(deps, OWNER, name).await?;
            let path = deps.data.model(name).join(model_signing::FILE_NAME);
            let words = format!("{}: signed, sha256 {root}", path.display());
            output.print(&words, &json!({ "signature": path, "sha256": root }))?;
        }
        Model::Export(arguments) => export(deps, arguments, output).await?,
    }
    Ok(Answer::Done)
}

async fn export(deps: &Deps, arguments: &Export, output: &Output) -> Result<()> {
    let ExportFormat::Hf = arguments.format;
    let name = &arguments.name;
    let row = models::get(&deps.db, name).await?.ok_or_else(|| NotThere::model(name))?;
    let part = match (row.control.is_some(), &arguments.source, arguments.backbone_only) {
        (true, None, false) => Part::Whole,
        (true, ..) => {
            let how = format!("{name} is a control and has no sinks: leave out --source and --backbone-only");
            return Err(WrongUse(how).into());
        }
        (false, Some(source), _) => Part::Source(source.clone()),
        (false, None, true) => Part::Backbone,
        (false, None, false) => {
            let how = format!("{name} has sinks: say --source ID for those of one source, or --backbone-only for none");
            return Err(WrongUse(how).into());
        }
    };
    let exported =
        export::export(deps, OWNER, name, &part, arguments.round.map(Rounding::from), &arguments.out).await?;
    let bits = exported.rounding.map_or_else(String::new, |rounding| format!(", rounded to {} bits", rounding.bits));
    let whose = exported.source.as_ref().map_or_else(String::new, |id| format!(" with the sinks of {id}"));
    let words = format!(
        "{}: {name}{whose}{bits}, generation {}, {} neurons a layer. Registered: a takedown finds it there and nowhere else.",
        exported.folder.display(),
        exported.generation,
        exported.neurons
    );
    output.print(&words, &exported)
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
