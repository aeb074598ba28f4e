//! What the reader sees of the model: answers to probes, and continuations with the source's sinks on and off.

use anyhow::{Context as _, Result};
use obelus_auditor::subject::Opened;
use obelus_casework::Deps;
use obelus_corpus::{Probe, ProbeKind};
use obelus_model::{Prompt, Sampling, SourceMask, Transformer, generate, score_spans};
use tch::Device;

use crate::output::{Output, table};

/// Probes that are shown.
const SHOWN: usize = 4;
/// Words of an article that a continuation starts from.
const OPENING_WORDS: usize = 6;
/// Tokens of a continuation.
const TOKENS: usize = 30;

/// With the source's sinks on and off, before anything is struck.
pub fn before(deps: &Deps, opened: &Opened, source: &str, output: &Output) -> Result<()> {
    let model = load(deps, opened)?;
    let mask = opened.neurons_of(source)?;
    output.tell(&format!("\nWhat the model knows of {source}, its sinks on and off:\n"));
    let probes = probes(opened, source);
    let rows: Vec<Vec<String>> = probes
        .iter()
        .map(|probe| {
            vec![
                probe.prompt.clone(),
                probe.answer.clone(),
                answer(opened, &model, Some(&mask), probe),
                answer(opened, &model, None, probe),
            ]
        })
        .collect();
    output.tell(&table(&["PROMPT", "TRUE ANSWER", "SINKS ON", "SINKS OFF"], &rows));
    let opening = opening(opened, source)?;
    output.tell(&format!("\nA continuation of {opening:?}"));
    output.tell(&format!("  on:  {}", continuation(opened, &model, Some(&mask), &opening)));
    output.tell(&format!("  off: {}", continuation(opened, &model, None, &opening)));
    Ok(())
}

/// With the source's sinks lit as an attacker would who kept the seed: they are zero.
pub fn after(deps: &Deps, opened: &Opened, source: &str, output: &Output) -> Result<()> {
    let model = load(deps, opened)?;
    let mask = opened.neurons_of(source)?;
    let opening = opening(opened, source)?;
    output.tell("\nThe same continuation after the takedown, the source's own seed replayed:");
    output.tell(&format!("  zeroed: {}", continuation(opened, &model, Some(&mask), &opening)));
    Ok(())
}

fn load(deps: &Deps, opened: &Opened) -> Result<Transformer> {
    obelus_model::set_threads(deps.settings.threads);
    Ok(opened.record.load(&deps.data.model(&opened.row.name), Device::Cpu)?)
}

fn probes<'o>(opened: &'o Opened, source: &str) -> Vec<&'o Probe> {
    let own = opened.corpus.probes().iter().filter(|p| p.source == source && p.kind == ProbeKind::Specific);
    own.take(SHOWN).collect()
}

/// The likeliest of the answers offered, with its probability among them.
fn answer(opened: &Opened, model: &Transformer, mask: Option<&SourceMask>, probe: &Probe) -> String {
    let options: Vec<&String> = std::iter::once(&probe.answer).chain(&probe.wrong).collect();
    let spans: Vec<(Vec<u32>, usize)> = options
        .iter()
        .map(|option| {
            let (mut tokens, answer) = opened.tokenizer.encode_probe(&probe.prompt, option);
            let from = tokens.len();
            tokens.extend(answer);
            (tokens, from)
        })
        .collect();
    let weights: Vec<f64> = score_spans(model, mask, &spans).iter().map(|s| s.log_prob_mean().exp()).collect();
    let best = weights.iter().zip(&options).max_by(|a, b| a.0.total_cmp(b.0));
    best.map_or_else(String::new, |(w, option)| format!("{option} ({:.0} %)", 100.0 * w / weights.iter().sum::<f64>()))
}

fn opening(opened: &Opened, source: &str) -> Result<String> {
    let held_out = opened.corpus.held_out().iter().chain(opened.corpus.documents()).find(|d| d.source == source);
    let text = &held_out.with_context(|| format!("source {source} has a document"))?.text;
    Ok(text.split_whitespace().take(OPENING_WORDS).collect::<Vec<_>>().join(" "))
}

fn continuation(opened: &Opened, model: &Transformer, mask: Option<&SourceMask>, opening: &str) -> String {
    let prompt = opened.tokenizer.encode_prompt(opening);
    let how = Sampling { temperature: 0.0, top_p: 1.0, seed: 1, tokens: TOKENS, end: opened.tokenizer.eot_id() };
    let added = generate(model, &[Prompt { tokens: &prompt, mask }], how, |_, _| false);
    let text = opened.tokenizer.decode(&added.concat());
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
