//! Cross-entropy over the vocabulary and its gradients, without keeping logits: they are made, used and dropped a run of
//! tokens at a time.
//!
//! The gradient is written out instead of left to autograd for two reasons. Three matrix products are all that forward
//! and backward need. And the support filter asks for two gradients of the hidden states, of the plain and of the
//! weighted loss: both are the same rows, scaled, so that the vocabulary is met once.

use tch::{Device, Kind, Tensor};

use crate::Trained;

/// Logits held at a time: 8 MB of float32 stay in a CPU's last-level cache; a GPU wants large products.
const CPU_LOGITS: i64 = 1 << 21;
const GPU_LOGITS: i64 = 1 << 28;

/// What a run of tokens gives.
pub(crate) struct HeadGradients {
    /// Sum of all losses, each times its share, a double scalar.
    pub loss: Tensor,
    /// Gradient of the loss by the hidden states, `[tokens, d_model]`.
    pub hidden: Tensor,
    /// The same with the shares outside the sinks; none when they are the same.
    pub hidden_outside: Option<Tensor>,
    /// Gradient by the head with the shares outside the sinks, float32 `[vocab, d_model]`; none when it is not trained.
    pub head: Option<Tensor>,
}

/// The loss `sum(share * l)` and its gradients, `l` being the natural cross-entropy of each target.
///
/// `hidden` is `[tokens, d_model]`, `head` `[vocab, d_model]`, `targets` int64 `[tokens]` with -100 where there is none;
/// shares are float32 `[tokens]`, 0 where there is no target.
pub(crate) fn gradients(
    hidden: &Tensor,
    head: &Tensor,
    targets: &Tensor,
    share: &Tensor,
    share_outside: Option<&Tensor>,
    trained: Trained,
) -> HeadGradients {
    let _guard = tch::no_grad_guard();
    let kind = head.kind();
    let mut loss = Tensor::zeros([], (Kind::Double, head.device()));
    let mut by_head =
        (trained == Trained::All).then(|| Tensor::zeros(head.size().as_slice(), (Kind::Float, head.device())));
    let mut by_hidden = Vec::new();
    for (part, log_p, target) in log_probabilities(hidden, head, targets) {
        let chosen = log_p.gather(1, &target, false).squeeze_dim(1);
        loss -= (chosen * part(share)).sum(Kind::Double);
        // Softmax minus one at the target is the gradient by the logits, up to each token's share.
        let minus_one = target.full_like(-1.0).to_kind(Kind::Float);
        let p = { log_p }.exp_().scatter_add_(1, &target, &minus_one).to_kind(kind);
        by_hidden.push(p.matmul(head));
        if let Some(by_head) = &mut by_head {
            let scaled = part(hidden) * part(share_outside.unwrap_or(share)).to_kind(kind).unsqueeze(1);
            *by_head += p.transpose(0, 1).matmul(&scaled).to_kind(Kind::Float);
        }
    }
    let rows = crate::packing::join(by_hidden);
    let scaled = |share: &Tensor| &rows * share.to_kind(kind).unsqueeze(1);
    HeadGradients { loss, hidden: scaled(share), hidden_outside: share_outside.map(scaled), head: by_head }
}

/// The natural cross-entropy of each target, float32 `[tokens]`; 0 where there is none.
pub(crate) fn losses(hidden: &Tensor, head: &Tensor, targets: &Tensor) -> Tensor {
    let _guard = tch::no_grad_guard();
    let of = |(_, log_p, target): (_, Tensor, Tensor)| -log_p.gather(1, &target, false).squeeze_dim(1);
    let all = log_probabilities(hidden, head, targets).map(of).collect();
    crate::packing::join(all) * targets.ge(0).to_kind(Kind::Float)
}

/// Run after run of tokens: what cuts the run out of a tensor over all tokens, the run's log-probabilities float32
/// `[run, vocab]`, and its targets `[run, 1]`, 0 where there is none.
fn log_probabilities<'a>(
    hidden: &'a Tensor,
    head: &'a Tensor,
    targets: &'a Tensor,
) -> impl Iterator<Item = (impl Fn(&Tensor) -> Tensor, Tensor, Tensor)> + 'a {
    let (tokens, vocab) = (hidden.size()[0], head.size()[0]);
    let budget = if head.device() == Device::Cpu { CPU_LOGITS } else { GPU_LOGITS };
    let rows = (budget / vocab).clamp(1, tokens.max(1));
    (0..tokens).step_by(rows as usize).map(move |from| {
        let part = move |t: &Tensor| t.narrow(0, from, rows.min(tokens - from));
        let logits = part(hidden).linear::<&Tensor>(head, None).to_kind(Kind::Float);
        let target = part(targets).clamp_min(0).unsqueeze(1);
        (part, logits.log_softmax(-1, Kind::Float), target)
    })
}
