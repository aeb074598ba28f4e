//! `obelus corpus` and `obelus probes`.

use std::{collections::BTreeMap, num::NonZeroU64};

use anyhow::Result;
use obelus_auditor::registration::register_corpus;
use obelus_casework::Deps;
use obelus_corpus::{
    Corpus as Opened, Library, clusters, generator,
    ingest::{self, IngestOptions, Skipped, SourceBy},
    library::Origin,
    probe,
};
use obelus_store::corpora;
use serde_json::{Value, json};

use crate::{
    arguments::{Corpus, Probes},
    failure::WrongUse,
    output::{Answer, Output, table},
};

/// Words that a cluster is described by.
pub const TERMS: usize = 6;

/// Runs `obelus corpus`.
pub async fn run(deps: &Deps, command: &Corpus, output: &Output) -> Result<Answer> {
    let library = Library::new(deps.data.corpora());
    let kept = |plain: bool| if plain { library.clone().in_plain_files() } else { library.clone() };
    match command {
        Corpus::Add {
            name,
            paths,
            id_field,
            text_field,
            publisher_field,
            source_by,
            rows_per_source,
            skip_bad,
            plain,
        } => {
            // A name that is taken or impossible is said before gigabytes are read.
            library.path(name)?;
            let options = IngestOptions {
                id_field: id_field.clone(),
                text_field: text_field.clone(),
                publisher_field: publisher_field.clone(),
                source_by: parse_source_by(source_by.as_deref(), *rows_per_source)?,
                skip_bad: *skip_bad,
            };
            let ingested = ingest::read(paths, &options)?;
            let corpus = kept(*plain).add(name, &ingested, &options.source_by.unwrap_or_default())?;
            register_corpus(deps, &corpus).await?;
            let mut words = format!("{}{}", summary(&corpus), skipped(&ingested.skipped));
            if clustered(&corpus) {
                words.push_str("\nobelus corpus show says what each cluster is about: look before you train on them.");
            }
            words.push_str("\nNext: obelus probes add, or obelus model train.");
            let mut document = document(&corpus, None);
            document["skipped"] = json!(ingested.skipped.count);
            output.print(&words, &document)?;
        }
        Corpus::Generate { name, sources, seed, plain } => {
            library.path(name)?;
            let options = generator::Options { sources: *sources, seed: *seed };
            let generated = generator::generate(options).map_err(|e| WrongUse(e.to_string()))?;
            let corpus = kept(*plain).add_generated(name, &generated)?;
            register_corpus(deps, &corpus).await?;
            output.print(&summary(&corpus), &document(&corpus, None))?;
        }
        Corpus::Encrypt { name } => {
            let encrypted = library.encrypt(name)?;
            let words = if encrypted {
                format!("{name} is encrypted, and its plain files are gone. Backups of them are not.")
            } else {
                format!("{name} was encrypted already.")
            };
            output.print(&words, &json!({ "corpus": name, "encrypted": encrypted }))?;
        }
        Corpus::List => {
            let names = library.list()?;
            let words = if names.is_empty() { "There is no corpus yet.".to_owned() } else { names.join("\n") };
            output.print(&words, &names)?;
        }
        Corpus::Show { name } => {
            let corpus = library.open(name)?;
            let tokens = corpora::get(&deps.db, name).await?.and_then(|row| row.tokens);
            let terms = if clustered(&corpus) { clusters::terms(corpus.documents(), TERMS) } else { BTreeMap::new() };
            let rows: Vec<Vec<String>> = corpus
                .sources()
                .iter()
                .map(|s| {
                    let publisher = s.publisher.clone().unwrap_or_default();
                    let about = terms.get(s.id.as_str()).map(|terms| terms.join(" "));
                    let last = about.unwrap_or(publisher);
                    vec![s.id.clone(), s.documents.to_string(), s.text_bytes.to_string(), last]
                })
                .collect();
            let last = if terms.is_empty() { "PUBLISHER" } else { "ABOUT" };
            let words = format!("{}\n\n{}", summary(&corpus), table(&["SOURCE", "DOCUMENTS", "BYTES", last], &rows));
            let mut document = document(&corpus, tokens);
            for source in document["sources"].as_array_mut().into_iter().flatten() {
                if let Some(terms) = source["id"].as_str().and_then(|id| terms.get(id)) {
                    source["terms"] = json!(terms);
                }
            }
            output.print(&words, &document)?;
        }
    }
    Ok(Answer::Done)
}

/// Runs `obelus probes`.
pub fn probes(deps: &Deps, command: &Probes, output: &Output) -> Result<Answer> {
    let Probes::Add { corpus, file, source_field, rows_per_source, skip_bad } = command;
    let mut opened = Library::new(deps.data.corpora()).open(corpus)?;
    let source_by = match (source_field, rows_per_source) {
        (Some(name), _) => Some(SourceBy::Field(name.clone())),
        (None, rows) => rows.map(SourceBy::Rows),
    };
    let read = probe::read(file, &opened.known(), source_by.as_ref(), *skip_bad)?;
    let added = read.probes.len();
    opened.add_probes(read.probes)?;
    let words =
        format!("{added} probes added to {corpus}, which has {} now.{}", opened.probes().len(), skipped(&read.skipped));
    let document = json!({
        "corpus": corpus, "added": added, "probes": opened.probes().len(), "skipped": read.skipped.count,
    });
    output.print(&words, &document)?;
    Ok(Answer::Done)
}

fn parse_source_by(text: Option<&str>, rows: Option<NonZeroU64>) -> Result<Option<SourceBy>> {
    let Some(text) = text else { return Ok(rows.map(SourceBy::Rows)) };
    let by = match text.split_once(':') {
        None if text == "document" => Some(SourceBy::Document),
        Some(("field", name)) if !name.is_empty() => Some(SourceBy::Field(name.to_owned())),
        Some(("cluster", count)) => count.parse().ok().map(SourceBy::Clusters),
        _ => None,
    };
    let refused =
        || WrongUse(format!("--source-by takes `document`, `field:NAME` or `cluster:K`, K a number; not {text:?}"));
    Ok(Some(by.ok_or_else(refused)?))
}

/// Whether its sources are clusters, which have no names that say anything.
pub fn clustered(corpus: &Opened) -> bool {
    matches!(corpus.record().origin, Origin::Ingested { source_by: SourceBy::Clusters(_), .. })
}

fn summary(corpus: &Opened) -> String {
    format!(
        "{}: {} documents of {} sources, {} probes.",
        corpus.name(),
        corpus.documents().len(),
        corpus.sources().len(),
        corpus.probes().len()
    )
}

fn skipped(skipped: &Skipped) -> String {
    if skipped.count == 0 {
        return String::new();
    }
    let first = skipped.first.iter().take(5).map(|s| format!("\n  {}:{}: {}", s.file.display(), s.line, s.reason));
    format!("\n{} bad lines were skipped, the first of them:{}", skipped.count, first.collect::<String>())
}

fn document(corpus: &Opened, tokens: Option<i64>) -> Value {
    json!({
        "name": corpus.name(),
        "documents": corpus.documents().len(),
        "tokens": tokens,
        "probes": corpus.probes().len(),
        "digest": corpus.record().documents_digest,
        "sources": corpus.sources(),
    })
}
