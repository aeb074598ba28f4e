//! Continuations: many texts at once, each with its own source, keys and values kept from token to token.
//!
//! Not here: whose sinks may be lit; the caller refuses suppressed sources.

use sha2::{Digest, Sha256};
use tch::{Device, Kind, Tensor, no_grad};

use crate::{AttentionKernel, LitSinks, Packing, SourceMask, Transformer, decoder::Cache};

/// How continuations are chosen.
#[derive(Clone, Copy, Debug)]
pub struct Sampling {
    /// 0 takes the likeliest token; otherwise logits are divided by this.
    pub temperature: f64,
    /// Draws among the likeliest tokens that together have this probability; 1 draws among all.
    pub top_p: f64,
    /// Seed of the draws. The same text, source and seed give the same continuation, alone or in a batch.
    pub seed: u64,
    /// Most tokens to add.
    pub tokens: usize,
    /// Token that ends a text.
    pub end: u32,
}

/// A text to continue.
#[derive(Clone, Copy, Debug)]
pub struct Prompt<'a> {
    /// Token ids with the beginning-of-text token first; not empty.
    pub tokens: &'a [u32],
    /// Sinks to light; the backbone alone without.
    pub mask: Option<&'a SourceMask>,
}

/// Continues every prompt until its end token, `stop`, or the most tokens; returns what was added, without the end.
///
/// `stop` is asked after each token with the number of the prompt and everything added to it so far. A text that
/// outgrows the context goes on from its last half.
pub fn generate(
    model: &Transformer,
    prompts: &[Prompt<'_>],
    how: Sampling,
    mut stop: impl FnMut(usize, &[u32]) -> bool,
) -> Vec<Vec<u32>> {
    let mut added: Vec<Vec<u32>> = vec![Vec::new(); prompts.len()];
    let mut going: Vec<bool> = vec![how.tokens > 0; prompts.len()];
    let mut decoding = None;
    while going.iter().any(|g| *g) {
        let step = added.iter().map(Vec::len).max().unwrap_or(0);
        let logits = no_grad(|| match &mut decoding {
            None => {
                let (new, logits) = Decoding::start(model, prompts, &added, how.tokens - step);
                decoding = Some(new);
                logits
            }
            Some(running) => running.next(model, &added),
        });
        for (row, token) in choose(&logits, how, &added).into_iter().enumerate() {
            if !going[row] || token == how.end {
                going[row] = false;
                continue;
            }
            added[row].push(token);
            going[row] = added[row].len() < how.tokens && !stop(row, &added[row]);
        }
        if decoding.as_ref().is_some_and(|d| d.cache.room() == 0) {
            decoding = None;
        }
    }
    added
}

/// Texts in the middle of being continued.
pub struct Decoding {
    cache: Cache,
    packing: Packing,
    sinks: LitSinks,
}

impl Decoding {
    /// Reads the prompts and what was added to them, and gives the logits of the next token of each, `[rows, vocab]`.
    ///
    /// A text longer than the context is cut to its last half, so that there is room for as much again.
    pub fn start(model: &Transformer, prompts: &[Prompt<'_>], added: &[Vec<u32>], more: usize) -> (Self, Tensor) {
        let context = model.config().context as usize;
        let texts: Vec<Vec<i64>> = prompts
            .iter()
            .zip(added)
            .map(|(prompt, added)| {
                let text: Vec<i64> = prompt.tokens.iter().chain(added).map(|t| i64::from(*t)).collect();
                let cut = if text.len() < context { 0 } else { text.len() - context.div_ceil(2) };
                text[cut..].to_vec()
            })
            .collect();
        let lengths: Vec<i64> = texts.iter().map(|t| t.len() as i64).collect();
        let groups = Groups::of(prompts, model.config().layers as usize);
        let whole = Packing::new(&lengths, &groups.rows, &groups.kinds);
        let packing = Packing::new(&vec![1; lengths.len()], &groups.rows, &groups.kinds);
        let light = |packing| match groups.masks.iter().all(|m| m.per_layer.iter().all(Vec::is_empty)) {
            true => LitSinks::None,
            false => model.light_groups(&groups.masks.iter().collect::<Vec<_>>(), packing),
        };
        let mut cache = model.cache(lengths.clone(), more as i64);
        let ids = Tensor::from_slice(&texts.concat()).to_device(model.device());
        let hidden = model.prefill(&ids, &whole, &light(&whole), &mut cache);
        let mut end = 0;
        let last: Vec<i64> = lengths.iter().map(|l| (end += l, end - 1).1).collect();
        let logits = model.logits(&hidden.index_select(0, &Tensor::from_slice(&last).to_device(model.device())));
        (Self { cache, sinks: light(&packing), packing }, logits)
    }

    /// What attention of the next token of each row is computed with.
    pub fn attention_kernel(&mut self, model: &Transformer) -> AttentionKernel {
        let ids = self.cache.positions().zeros_like();
        model.kernel_of_next(&ids, &mut self.cache)
    }

    /// Logits `[rows, vocab]` after the last token that was added to each row. A row that has none repeats token 0.
    pub fn next(&mut self, model: &Transformer, added: &[Vec<u32>]) -> Tensor {
        let last: Vec<i64> = added.iter().map(|a| i64::from(a.last().copied().unwrap_or(0))).collect();
        let ids = Tensor::from_slice(&last).to_device(model.device());
        model.logits(&model.next(&ids, &self.packing, &self.sinks, &mut self.cache))
    }
}

/// Neighbouring prompts with the same mask are one group, whose sinks are gathered once.
struct Groups {
    rows: Vec<usize>,
    kinds: Vec<usize>,
    masks: Vec<SourceMask>,
}

impl Groups {
    fn of(prompts: &[Prompt<'_>], layers: usize) -> Self {
        let mut groups = Self { rows: vec![], kinds: vec![], masks: vec![] };
        for prompt in prompts {
            let mask = prompt.mask.cloned().unwrap_or_else(|| SourceMask { per_layer: vec![vec![]; layers] });
            match groups.masks.last() {
                Some(last) if *last == mask => groups.rows.last_mut().into_iter().for_each(|r| *r += 1),
                last => {
                    let kind = groups.kinds.last().copied().unwrap_or(0);
                    groups.kinds.push(kind + usize::from(last.is_some_and(|l| !l.same_size(&mask))));
                    groups.rows.push(1);
                    groups.masks.push(mask);
                }
            }
        }
        groups
    }
}

/// The next token of every row of `logits` `[rows, vocab]`.
fn choose(logits: &Tensor, how: Sampling, added: &[Vec<u32>]) -> Vec<u32> {
    if how.temperature <= 0.0 {
        let best = Vec::<i64>::try_from(logits.argmax(-1, false).to_device(Device::Cpu));
        return best.expect("a flat tensor of integers is a list").into_iter().map(|t| t as u32).collect();
    }
    let probabilities = (logits.to_device(Device::Cpu) / how.temperature).softmax(-1, Kind::Double);
    let rows = added.iter().enumerate().map(|(row, added)| {
        let row = Vec::<f64>::try_from(probabilities.get(row as i64)).expect("a flat tensor of doubles is a list");
        draw(&row, how.top_p, uniform(how.seed, added.len()))
    });
    rows.collect()
}

/// A uniform number in `[0, 1)` from SHA-256 of seed and position.
fn uniform(seed: u64, step: usize) -> f64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    hash.update((step as u64).to_be_bytes());
    let mut word = [0; 8];
    word.copy_from_slice(&hash.finalize()[..8]);
    (u64::from_be_bytes(word) >> 11) as f64 / (1u64 << 53) as f64
}

/// Inverse-transform sampling among the likeliest tokens that together reach `top_p` (Holtzman et al., arXiv
/// 1904.09751); the likeliest is always among them.
fn draw(probabilities: &[f64], top_p: f64, uniform: f64) -> u32 {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]).then(a.cmp(b)));
    let mut mass = 0.0;
    let kept = order.iter().take_while(|i| (mass < top_p, mass += probabilities[**i]).0).count().max(1);
    let total: f64 = order[..kept].iter().map(|i| probabilities[*i]).sum();
    let mut sum = 0.0;
    let chosen = order[..kept].iter().find(|i| {
        sum += probabilities[**i];
        uniform * total < sum
    });
    *chosen.unwrap_or(&order[kept - 1]) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_the_probabilities() {
        let hits = (0..4_000).filter(|i| draw(&[0.25, 0.75], 1.0, uniform(9, *i)) == 0).count();
        assert!((900..1_100).contains(&hits), "{hits}");
        assert_eq!(draw(&[0.0, 1.0], 1.0, 0.999), 1);
    }

    #[test]
    fn the_nucleus_is_the_smallest_likely_set() {
        let probabilities = [0.1, 0.5, 0.15, 0.25];
        let drawn = |top_p| -> Vec<u32> {
            let mut all: Vec<u32> = (0..2_000).map(|i| draw(&probabilities, top_p, uniform(4, i))).collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        assert_eq!(drawn(0.0), [1]);
        assert_eq!(drawn(0.5), [1]);
        assert_eq!(drawn(0.6), [1, 3]);
        assert_eq!(drawn(0.76), [1, 2, 3]);
        assert_eq!(drawn(1.0), [0, 1, 2, 3]);
    }
}
