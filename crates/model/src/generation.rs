//! Continuations of a prompt, greedy or sampled. Without a cache: each token is one forward pass over the text so far.

use sha2::{Digest as _, Sha256};
use tch::{Device, Kind, Tensor, no_grad};

use crate::{ActiveSinks, SourceMask, Transformer};

/// How the next token is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// 0 takes the likeliest token; above, logits are divided by it.
    pub temperature: f64,
    /// Fixes the draws.
    pub seed: u64,
    /// Most tokens to add.
    pub tokens: usize,
    /// Token that ends the text.
    pub end: u32,
}

/// Continues `prompt` (token ids, beginning-of-text first); returns only the new tokens. Texts longer than the context
/// are continued from their last `context` tokens.
pub fn generate(model: &Transformer, mask: Option<&SourceMask>, prompt: &[u32], how: Sampling) -> Vec<u32> {
    let device = model.device();
    let sinks = mask.map_or_else(ActiveSinks::none, |m| ActiveSinks::shared(m, device));
    let mut text: Vec<i64> = prompt.iter().map(|t| i64::from(*t)).collect();
    let mut added = Vec::new();
    for step in 0..how.tokens {
        let from = text.len().saturating_sub(model.config().context as usize);
        let logits = no_grad(|| {
            let ids = Tensor::from_slice(&text[from..]).unsqueeze(0).to_device(device);
            let hidden = model.hidden(&ids, &sinks);
            model.logits(&hidden.select(1, hidden.size()[1] - 1)).view([-1]).to_device(Device::Cpu)
        });
        let next = if how.temperature > 0.0 {
            let probabilities = (logits / how.temperature).softmax(-1, Kind::Double);
            draw(&Vec::<f64>::try_from(probabilities).expect("a flat tensor is a list"), how.seed, step)
        } else {
            logits.argmax(-1, false).int64_value(&[])
        };
        if next == i64::from(how.end) {
            break;
        }
        text.push(next);
        added.push(next as u32);
    }
    added
}

/// Inverse-transform sampling with a uniform number from SHA-256 of seed and position.
fn draw(probabilities: &[f64], seed: u64, step: usize) -> i64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    hash.update((step as u64).to_be_bytes());
    let mut word = [0; 8];
    word.copy_from_slice(&hash.finalize()[..8]);
    let uniform = (u64::from_be_bytes(word) >> 11) as f64 / (1u64 << 53) as f64;
    let mut sum = 0.0;
    for (i, p) in probabilities.iter().enumerate() {
        sum += p;
        if uniform < sum {
            return i as i64;
        }
    }
    probabilities.len() as i64 - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_follow_the_probabilities() {
        let hits = (0..4_000).filter(|i| draw(&[0.25, 0.75], 9, *i) == 0).count();
        assert!((900..1_100).contains(&hits), "{hits}");
        assert_eq!(draw(&[0.0, 1.0], 1, 1), 1);
    }
}
