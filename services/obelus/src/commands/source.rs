//! `obelus source`.

use anyhow::{Context as _, Result};
use obelus_auditor::registration::Assigned;
use obelus_casework::{Deps, NotThere, provenance};
use obelus_corpus::{Library, clusters};
use obelus_ledger::manifest_proof::presence_file;
use obelus_model::ModelRecord;
use obelus_store::{models, sources};
use serde_json::json;

use crate::{
    arguments::Source,
    commands::corpus::{TERMS, clustered},
    failure::WrongUse,
    output::{Answer, Output},
};

/// Runs `obelus source`.
pub async fn run(deps: &Deps, command: &Source, output: &Output) -> Result<Answer> {
    match command {
        Source::Show { corpus, id, model } => {
            let opened = Library::new(deps.data.corpora()).open(corpus)?;
            let info = opened.source(id).ok_or_else(|| NotThere::source(id))?;
            let row = match model {
                Some(name) => models::get(&deps.db, name).await?.ok_or_else(|| NotThere::model(name))?,
                None => only_model(deps, corpus).await?,
            };
            let source = sources::get(&deps.db, &row.lineage, id).await?.ok_or_else(|| NotThere::source(id))?;
            let record = ModelRecord::open(&deps.data.model(&row.name))
                .with_context(|| format!("the masks of {} follow from its configuration", row.name))?;
            let mask = Assigned::from(&source).key.mask(&record.config)?;
            let (seed, revoked) = (hex::encode(source.seed.0), source.revoked_at.is_some());
            let state = match (revoked, source.suppressed_at.is_some()) {
                (true, _) => "revoked: its neurons are zero",
                (_, true) => "suppressed: its sinks are not lit",
                _ => "active",
            };
            let lists: Vec<String> = (0..)
                .zip(&mask.per_layer)
                .map(|(layer, neurons): (usize, _)| format!("  layer {layer}: {neurons:?}"))
                .collect();
            let terms =
                if clustered(&opened) { clusters::terms(opened.documents(), TERMS).remove(id.as_str()) } else { None };
            let about = terms.as_ref().map_or_else(String::new, |terms| format!("\nabout: {}", terms.join(" ")));
            let words = format!(
                "{id} in the lineage {}: {state}{about}\npublisher: {}\nlicence: {}\ndocuments: {} ({})\nseed: {seed}\n\
                 neurons:\n{}",
                row.lineage,
                info.publisher.as_deref().unwrap_or("unknown"),
                info.license.as_deref().unwrap_or("unknown"),
                info.documents,
                info.content_digest,
                lists.join("\n")
            );
            let mut document = json!({
                "id": id,
                "lineage": row.lineage,
                "seed": seed,
                "neurons": mask.per_layer,
                "revoked": revoked,
                "suppressed": source.suppressed_at.is_some(),
                "record": String::from_utf8_lossy(&source.record),
            });
            if let Some(terms) = terms {
                document["terms"] = json!(terms);
            }
            output.print(&words, &document)?;
        }
        Source::Statement { model, id, out } => {
            let name = out.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| WrongUse(format!("{} is no name of a file", out.display())))?;
            let beside = out.with_file_name(presence_file(name));
            if beside == *out {
                return Err(
                    WrongUse(format!("{} is the name of the file beside it; choose another", out.display())).into()
                );
            }
            let made = provenance::of_source(deps, model, id).await?;
            for (path, bytes) in [(&beside, made.presence), (out, made.statement)] {
                std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
            }
            let words = format!(
                "{}: signed provenance of {id}, with its record in {}; obelus verify checks them",
                out.display(),
                beside.display()
            );
            output.print(&words, &json!({ "source": id, "file": out, "presence": beside }))?;
        }
        Source::Absence { model, id, out } => {
            let Some(bytes) = provenance::absence(deps, model, id).await? else {
                let words =
                    format!("{id} is registered for {model}, so its absence cannot be shown; nothing was written");
                output.print(&words, &json!({ "source": id, "registered": true }))?;
                return Ok(Answer::No);
            };
            std::fs::write(out, bytes).with_context(|| format!("cannot write {}", out.display()))?;
            let words = format!(
                "{}: {model} has no source {id}; obelus verify checks it. The file shows the manifest key: give it to \
                 nobody who may not test names against the manifest",
                out.display()
            );
            output.print(&words, &json!({ "source": id, "registered": false, "file": out }))?;
        }
    }
    Ok(Answer::Done)
}

/// The only lineage trained on a corpus; a seed is a lineage's.
async fn only_model(deps: &Deps, corpus: &str) -> Result<models::Model> {
    let all = models::list(&deps.db).await?;
    let mut own = all.into_iter().filter(|m| m.corpus == corpus && m.baseline_of.is_none());
    match (own.next(), own.next()) {
        (Some(row), None) => Ok(row),
        (None, _) => {
            Err(WrongUse(format!("no model was trained on {corpus}, and a seed belongs to a model; train one")).into())
        }
        _ => Err(WrongUse(format!("several models were trained on {corpus}; say which with --model")).into()),
    }
}
