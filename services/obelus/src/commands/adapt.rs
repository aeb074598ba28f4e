//! `obelus model train --add-sources` and `obelus model repair`: register, train the sinks, prove and sign.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use obelus_auditor::adaptation::{self, Begun, Ended, Figures, Rows};
use obelus_casework::{Deps, case::OWNER};
use obelus_corpus::{Corpus, Library, Tokenizer};
use obelus_model::ModelRecord;
use obelus_trainer::{AdaptationOrder, Length};
use serde_json::json;

use crate::{
    arguments::{Fitting, Repair, RowsKind, Train},
    output::Output,
    progress,
};

/// Passes over the texts of added sources where no number of steps is given: enough for one source alone, whose pass is
/// one step; more sources need fewer (docs/results.md).
const EPOCHS: u64 = 40;
/// Steps of a repair where no number is given.
const REPAIR_STEPS: u64 = 300;

/// Adds sources of a corpus to a model.
///
/// # Errors
/// As [`adaptation::add_sources`], or when the training fails.
pub async fn add_sources(deps: &Deps, arguments: &Train, quiet: bool, output: &Output) -> Result<()> {
    let corpus = Library::new(deps.data.corpora()).open(&arguments.corpus)?;
    let wanted: BTreeSet<String> = arguments.add_sources.iter().flatten().cloned().collect();
    let rows = match arguments.rows {
        RowsKind::Fresh => Rows::Fresh,
        RowsKind::Seeded => Rows::Seeded,
    };
    let fitting = arguments.fitting();
    obelus_trainer::device(&fitting.device)?;
    let begun = adaptation::add_sources(deps, OWNER, &arguments.name, &corpus, &wanted, rows).await?;
    tracing::info!("{} sources are registered; training their sinks", begun.sources.len());
    let length = fitting.steps.map_or(Length::Epochs(EPOCHS), Length::Steps);
    let record = match train(deps, &begun, &corpus, &fitting, length, quiet) {
        Ok(record) => record,
        Err(error) => {
            adaptation::give_up(deps, begun).await?;
            return Err(error);
        }
    };
    let ended = adaptation::finish(deps, begun, &record, None).await?;
    let whose = match rows {
        Rows::Fresh => "in rows of their own",
        Rows::Seeded => "in rows that they share",
    };
    tell(&format!("{} sources added {whose}", ended.sources), &ended, &json!(ended), output)
}

/// Repairs a model.
///
/// # Errors
/// As [`adaptation::repair`], or when the training fails.
pub async fn repair(deps: &Deps, arguments: &Repair, quiet: bool, output: &Output) -> Result<()> {
    let fitting = &arguments.fitting;
    obelus_trainer::device(&fitting.device)?;
    let begun = adaptation::repair(deps, OWNER, &arguments.name).await?;
    let renewed: usize = begun.renewed.per_layer.iter().map(Vec::len).sum();
    tracing::info!("{renewed} struck neurons begin anew; measuring the model before");
    let before = adaptation::measure(deps, &begun.opened, &begun.opened.record)?;
    let length = Length::Steps(fitting.steps.unwrap_or(REPAIR_STEPS));
    let record = match train(deps, &begun, &begun.opened.corpus, fitting, length, quiet) {
        Ok(record) => record,
        Err(error) => {
            adaptation::give_up(deps, begun).await?;
            return Err(error);
        }
    };
    tracing::info!("measuring the model after");
    let after = adaptation::measure(deps, &begun.opened, &record)?;
    let figures = json!({
        "format": "obelus-repair/v1", "model": record.name, "generation": record.generation, "renewed_neurons": renewed,
        "before": before, "after": after,
    });
    let bytes = serde_json::to_vec_pretty(&figures)?;
    let ended = adaptation::finish(deps, begun, &record, Some(&bytes)).await?;
    let mut document = json!(ended);
    document["renewed_neurons"] = json!(renewed);
    document["before"] = json!(before);
    document["after"] = json!(after);
    let words = format!("{renewed} struck neurons repaired.\n{}", table(&before, &after));
    tell(&words, &ended, &document, output)
}

fn train(
    deps: &Deps,
    begun: &Begun,
    corpus: &Corpus,
    fitting: &Fitting,
    length: Length,
    quiet: bool,
) -> Result<ModelRecord> {
    let record = &begun.opened.record;
    let folder = deps.data.model(&record.name);
    let (checkpoint, moments) = begun.files();
    let order = AdaptationOrder {
        record: record.clone(),
        config: begun.config.clone(),
        kind: begun.row.kind.to_string(),
        sources: begun.sources.clone(),
        renewed: begun.renewed.clone(),
        length,
        learning_rate: fitting.learning_rate.unwrap_or(record.training.learning_rate),
        seed: fitting.seed,
        threads: fitting.threads,
        device: fitting.device.clone(),
        checkpoint: checkpoint.to_owned(),
        moments: moments.to_owned(),
        folder: folder.clone(),
    };
    let tokenizer = Tokenizer::load(&folder.join("tokenizer.json"))?;
    let watch = progress::watch(&record.name, quiet, progress::interrupted());
    obelus_trainer::adapt(&order, corpus, &tokenizer, watch).context("the model stays as it was")
}

fn tell(words: &str, ended: &Ended, document: &serde_json::Value, output: &Output) -> Result<()> {
    let words = format!(
        "{}: {words}\nweight root {} -> {}, generation {}\n{} neurons were allowed to change; obelus verify {} --trust DIR \
         checks that nothing else did",
        ended.model,
        ended.root_before,
        ended.root_after,
        ended.generation,
        ended.neurons,
        ended.document.display()
    );
    output.print(&words, document)
}

/// Known shares before and after.
fn table(before: &Figures, after: &Figures) -> String {
    let known = |row: Option<&obelus_verdict::ConditionSummary>, metric: &str| {
        row.and_then(|row| row.get(metric)).map_or_else(|| "-".to_owned(), |e| format!("{:.2}", e.value))
    };
    let specific = obelus_verdict::Metric::SpecificKnown.name();
    let line = |what: &str, before: Option<&_>, after: Option<&_>| {
        vec![what.to_owned(), known(before, specific), known(after, specific)]
    };
    let rows = [
        line("surviving sources, own sinks", Some(&before.survivors), Some(&after.survivors)),
        line("struck sources, the masks they had", before.struck_own_mask.as_ref(), after.struck_own_mask.as_ref()),
        line("struck sources, backbone alone", before.struck_none.as_ref(), after.struck_none.as_ref()),
    ];
    crate::output::table(&["SPECIFIC FACTS KNOWN", "BEFORE", "AFTER"], &rows)
}
