//! `obelus generate`.

use anyhow::{Context as _, Result};
use obelus_attack::Materials;
use obelus_auditor::subject::Opened;
use obelus_casework::Deps;
use obelus_model::{Prompt, Router, Sampling, Transformer, generate, pooled_feature};
use serde_json::json;
use tch::Device;

use crate::{
    arguments::{Generate, Route},
    output::{Answer, Output},
};

/// Runs `obelus generate`.
pub async fn run(deps: &Deps, command: &Generate, output: &Output) -> Result<Answer> {
    let opened = Opened::open(deps, &command.model).await?;
    obelus_model::set_threads(deps.settings.threads);
    let model = opened.record.load(&deps.data.model(&command.model), Device::Cpu)?;
    let prompt = opened.tokenizer.encode_prompt(&command.prompt);
    let source = match (&command.source, command.route) {
        (Some(source), _) => Some(source.clone()),
        (None, Some(Route::Nearest)) => Some(nearest(&opened, &model, &prompt)?),
        (None, Some(Route::None) | None) => None,
    };
    let mask = source.as_deref().map(|id| opened.mask(id)).transpose()?;
    let how = Sampling {
        temperature: command.temperature,
        top_p: command.top_p,
        seed: command.seed,
        tokens: command.tokens,
        end: opened.tokenizer.eot_id(),
    };
    let stop = |added: &[u32]| {
        let text = opened.tokenizer.decode(added);
        command.stop.iter().filter_map(|s| text.find(s.as_str())).min().map(|at| text[..at].to_owned())
    };
    let mut cut = None;
    let added = generate(&model, &[Prompt { tokens: &prompt, mask: mask.as_ref() }], how, |_, added| {
        cut = stop(added);
        cut.is_some()
    });
    let text = cut.unwrap_or_else(|| opened.tokenizer.decode(&added.concat()));
    let document = json!({ "model": command.model, "source": source, "prompt": command.prompt, "text": text });
    output.print(&format!("{}{text}", command.prompt), &document)?;
    Ok(Answer::Done)
}

/// The source that a prompt is routed to; suppressed and revoked sources are not among them.
fn nearest(opened: &Opened, model: &Transformer, prompt: &[u32]) -> Result<String> {
    let materials = Materials::new(&opened.corpus);
    let mut features = Vec::new();
    for id in opened.lightable() {
        let text = materials.of(id).and_then(|m| m.trained.first()).context("a source has a document")?;
        features.push((id.to_owned(), pooled_feature(model, &opened.tokenizer.encode_document(&text.text))));
    }
    let router = Router::new(features);
    let nearest = router.nearest(&pooled_feature(model, prompt), &[]);
    Ok(nearest.context("no source is left to route to")?.to_owned())
}
