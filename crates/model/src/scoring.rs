//! Teacher-forced scores of spans: log-probability a token and whether each token is the model's first choice.

use tch::{Device, Kind, Tensor, no_grad};

use crate::{ActiveSinks, SourceMask, Transformer};

/// How a model scores one span.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanScore {
    /// Natural log-probability of each token of the span.
    pub log_probs: Vec<f64>,
    /// For each token of the span: whether it has the highest logit, given everything before it.
    pub first_choice: Vec<bool>,
}

impl SpanScore {
    /// Mean natural log-probability a token; 0 for an empty span.
    pub fn log_prob_mean(&self) -> f64 {
        self.log_probs.iter().sum::<f64>() / self.log_probs.len().max(1) as f64
    }
}

/// Rows in one forward pass.
const BATCH_ROWS: usize = 64;

/// Scores `spans`: each is the token ids of a whole row and the index of the first token that counts. A row longer
/// than the context keeps its last `context + 1` tokens. All rows use the same mask, or the backbone alone.
///
/// Rows of similar length are scored together; a row's score does not depend on its neighbours beyond rounding.
pub fn score_spans(model: &Transformer, mask: Option<&SourceMask>, spans: &[(Vec<u32>, usize)]) -> Vec<SpanScore> {
    let device = model.device();
    let mut order: Vec<usize> = (0..spans.len()).collect();
    order.sort_by_key(|i| spans[*i].0.len());
    let mut scores = vec![SpanScore { log_probs: vec![], first_choice: vec![] }; spans.len()];
    for chunk in order.chunks(BATCH_ROWS) {
        let rows: Vec<(&[u32], usize)> = chunk
            .iter()
            .map(|i| {
                let (tokens, from) = &spans[*i];
                let cut = tokens.len().saturating_sub(model.config().context as usize + 1);
                (&tokens[cut..], from.saturating_sub(cut).max(1))
            })
            .collect();
        for (i, score) in chunk.iter().zip(score_batch(model, mask, &rows, device)) {
            scores[*i] = score;
        }
    }
    scores
}

fn score_batch(
    model: &Transformer,
    mask: Option<&SourceMask>,
    rows: &[(&[u32], usize)],
    device: Device,
) -> Vec<SpanScore> {
    let width = rows.iter().map(|(t, _)| t.len() - 1).max().unwrap_or(0);
    let mut inputs = vec![0i64; rows.len() * width];
    let (mut places, mut targets) = (Vec::new(), Vec::new());
    for (r, (tokens, from)) in rows.iter().enumerate() {
        for (i, token) in tokens[..tokens.len() - 1].iter().enumerate() {
            inputs[r * width + i] = i64::from(*token);
        }
        for (t, token) in tokens.iter().enumerate().skip(*from) {
            places.push((r * width + t - 1) as i64);
            targets.push(i64::from(*token));
        }
    }
    let (log_probs, firsts) = no_grad(|| {
        let inputs = Tensor::from_slice(&inputs).view([rows.len() as i64, width as i64]).to_device(device);
        let sinks = mask.map_or_else(ActiveSinks::none, |m| ActiveSinks::shared(m, device));
        let hidden = model.hidden(&inputs, &sinks);
        // Only the span's positions meet the vocabulary: the head costs more than the layers at this size.
        let hidden = hidden.view([-1, i64::from(model.config().d_model)]);
        let logits = model.logits(&hidden.index_select(0, &Tensor::from_slice(&places).to_device(device)));
        let targets = Tensor::from_slice(&targets).to_device(device);
        let log_probs = logits.log_softmax(-1, Kind::Float).gather(1, &targets.unsqueeze(1), false).squeeze_dim(1);
        (log_probs.to_kind(Kind::Double).to_device(Device::Cpu), logits.argmax(-1, false).eq_tensor(&targets))
    });
    let log_probs = Vec::<f64>::try_from(log_probs).expect("a flat tensor of doubles is a list of doubles");
    let firsts = Vec::<bool>::try_from(firsts.to_device(Device::Cpu)).expect("a flat tensor of bools is a list");
    let mut at = 0;
    rows.iter()
        .map(|(tokens, from)| {
            let span = at..at + tokens.len() - from;
            at = span.end;
            SpanScore { log_probs: log_probs[span.clone()].to_vec(), first_choice: firsts[span].to_vec() }
        })
        .collect()
}
