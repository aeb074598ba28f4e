//! The adversary who holds the weights and tries one source's sinks after another.

use obelus_model::{SourceMask, SpanScore, score_spans};
use obelus_verdict::Passage;

use crate::{Material, Stand, windows::windows};

/// Tokens that a passage is judged by: enough to tell masks apart, and every mask of a model is tried.
const PASSAGE_TOKENS: usize = 64;

/// What the adversary wants from a source. No one mask need be the worst for all: a text that came back under another name is
/// known by heart there, and neither its facts nor another rendering of them is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// Answers to its questions; its texts where there are none.
    Answers,
    /// Its texts: those that were trained on, or renderings that were not.
    Texts(Passage),
}

/// The mask under which the model gives most away; none without masks. Every mask is tried.
pub(crate) fn worst_mask<'m>(
    stand: &Stand<'_>,
    masks: &[&'m SourceMask],
    material: &Material<'_>,
    aim: Aim,
    most_passages: usize,
) -> Option<&'m SourceMask> {
    let answers = match aim {
        Aim::Answers => material.probes.iter().map(|probe| stand.answer_span(&probe.prompt, &probe.answer)).collect(),
        Aim::Texts(_) => Vec::new(),
    };
    let spans = if answers.is_empty() { passages(stand, material, aim, most_passages) } else { answers };
    let given = |mask: &SourceMask| -> f64 {
        score_spans(stand.model, Some(mask), &spans).iter().map(SpanScore::log_prob_mean).sum()
    };
    let tried = masks.iter().map(|mask| (*mask, given(mask)));
    tried.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(mask, _)| mask)
}

/// The beginnings of the passages that are read.
fn passages(stand: &Stand<'_>, material: &Material<'_>, aim: Aim, most: usize) -> Vec<(Vec<u32>, usize)> {
    let context = stand.model.config().context;
    let texts = match aim {
        Aim::Texts(Passage::HeldOut) => &material.held_out,
        Aim::Texts(Passage::Trained) | Aim::Answers => &material.trained,
    };
    let windows = texts.iter().flat_map(|text| windows(stand.tokenizer, text, context));
    let begin = |mut tokens: Vec<u32>| {
        tokens.truncate(PASSAGE_TOKENS + 1);
        (tokens, 1)
    };
    windows.take(most).map(begin).collect()
}
