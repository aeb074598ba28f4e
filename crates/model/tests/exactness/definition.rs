//! The masked dense definition (paper section 3.2) and AdamW, written out independently of the product's code and run in
//! float64: every sink is computed and then multiplied by a mask of zeros and ones, attention is spelled out.

use std::collections::BTreeMap;

use obelus_model::{ModelConfig, SourceMask, TrainingConfig};
use tch::{Device, Kind, Tensor};

pub type Named = BTreeMap<String, Tensor>;

/// Logits by the definition: every sink computed, then multiplied by a mask of zeros and ones; attention spelled out.
pub fn dense(
    config: &ModelConfig,
    p: &BTreeMap<String, Tensor>,
    tokens: &Tensor,
    rows: &[Option<&SourceMask>],
) -> Tensor {
    let kind = p["norm.weight"].kind();
    let (batch, length) = tokens.size2().unwrap();
    let (heads, kv_heads, width) = (i64::from(config.heads), i64::from(config.kv_heads), i64::from(config.head_dim));
    let norm = |x: &Tensor, w: &Tensor| x / (x.square().mean_dim(-1, true, kind) + 1e-5).sqrt() * w;
    let position = Tensor::arange(length, (Kind::Double, Device::Cpu));
    let pair = Tensor::arange(width / 2, (Kind::Double, Device::Cpu)) * (2.0 / width as f64);
    let angle = position.outer(&(pair * -f64::from(config.rope_base).ln()).exp());
    let rotate = |x: &Tensor| {
        let (cos, sin) = (angle.cos().to_kind(kind), angle.sin().to_kind(kind));
        let (a, b) = (x.narrow(-1, 0, width / 2), x.narrow(-1, width / 2, width / 2));
        Tensor::cat(&[&a * &cos - &b * &sin, &b * &cos + &a * &sin], -1)
    };
    let mut x = p["embed.weight"].index_select(0, &tokens.view([-1])).view([batch, length, -1]);
    for l in 0..config.layers {
        let w = |name: &str| &p[&format!("layers.{l}.{name}")];
        let h = norm(&x, w("attn_norm.weight"));
        let split = |name: &str, n: i64| {
            let y = h.matmul(&w(name).transpose(0, 1)).view([batch, length, n, width]).transpose(1, 2);
            y.repeat_interleave_self_int(heads / n, 1, None)
        };
        let (q, k) = (rotate(&split("attn.q.weight", heads)), rotate(&split("attn.k.weight", kv_heads)));
        let future = Tensor::ones([length, length], (Kind::Bool, Device::Cpu)).triu(1);
        let scores = q.matmul(&k.transpose(-1, -2)) / (width as f64).sqrt();
        let shares = scores.masked_fill(&future, f64::NEG_INFINITY).softmax(-1, kind);
        let y = shares.matmul(&split("attn.v.weight", kv_heads)).transpose(1, 2).reshape([batch, length, -1]);
        x = &x + y.matmul(&w("attn.o.weight").transpose(0, 1));
        let h = norm(&x, w("mlp_norm.weight"));
        for (part, masked) in [("backbone", false), ("sinks", true)] {
            if masked && config.sinks() == 0 {
                continue;
            }
            let of = |m: &str| w(&format!("mlp.{part}.{m}"));
            let mut a = h.matmul(&of("gate").transpose(0, 1)).silu() * h.matmul(&of("up").transpose(0, 1));
            if masked {
                let mask = Tensor::zeros([batch, 1, i64::from(config.sinks())], (kind, Device::Cpu));
                for (row, lit) in rows.iter().enumerate() {
                    for n in lit.iter().flat_map(|m| &m.per_layer[l as usize]) {
                        let _ = mask.get(row as i64).get(0).get(i64::from(*n)).fill_(1.0);
                    }
                }
                a = &a * mask;
            }
            x = &x + a.matmul(of("down"));
        }
    }
    let head = p.get("head.weight").unwrap_or(&p["embed.weight"]);
    norm(&x, &p["norm.weight"]).matmul(&head.transpose(0, 1))
}

/// Weights and moments after one step of the definition.
pub struct Exact {
    pub weights: Named,
    pub mean: Named,
    pub square: Named,
    pub steps: i32,
    /// Whether everything but the sinks stays as it is.
    pub frozen: bool,
}

/// One row of a batch: tokens with the target of each after it, support weight of each target, and the row's mask.
pub struct Row<'a> {
    pub tokens: Vec<i64>,
    pub support: Vec<f64>,
    pub mask: Option<&'a SourceMask>,
}

impl Exact {
    pub fn new(weights: &Named) -> Self {
        let double = |t: &Tensor| t.detach().to_kind(Kind::Double);
        let of = |f: &dyn Fn(&Tensor) -> Tensor| weights.iter().map(|(n, t)| (n.clone(), f(t))).collect();
        Self {
            weights: of(&|t| double(t)),
            mean: of(&|t| double(t).zeros_like()),
            square: of(&|t| double(t).zeros_like()),
            steps: 0,
            frozen: false,
        }
    }

    /// Losses `sum(l) / n` and `sum(support * l) / n` over all targets of all rows.
    pub fn losses(config: &ModelConfig, p: &Named, rows: &[Row<'_>]) -> (Tensor, Tensor) {
        let mut plain = Tensor::zeros([], (Kind::Double, Device::Cpu));
        let mut supported = plain.zeros_like();
        let count = rows.iter().map(|r| r.tokens.len() - 1).sum::<usize>() as f64;
        for row in rows {
            let length = row.tokens.len() as i64 - 1;
            let inputs = Tensor::from_slice(&row.tokens[..length as usize]).unsqueeze(0);
            let targets = Tensor::from_slice(&row.tokens[1..]);
            let logits = dense(config, p, &inputs, &[row.mask]).squeeze_dim(0);
            let losses = -logits.log_softmax(-1, Kind::Double).gather(1, &targets.unsqueeze(1), false).squeeze_dim(1);
            supported += (&losses * Tensor::from_slice(&row.support)).sum(Kind::Double) / count;
            plain += losses.sum(Kind::Double) / count;
        }
        (plain, supported)
    }

    /// One step of training on rows; returns loss and gradient norm.
    pub fn step(&mut self, config: &ModelConfig, training: &TrainingConfig, rows: &[Row<'_>], rate: f64) -> (f64, f64) {
        let filtered = rows.iter().all(|r| r.mask.is_some());
        self.step_along(training, rate, |leaves| {
            let (plain, supported) = Self::losses(config, leaves, rows);
            let outside = if filtered { supported } else { plain.shallow_clone() };
            (plain, outside)
        })
    }

    /// One step of AdamW with dense semantics on every parameter, along the gradient of two losses: of the sinks, and of
    /// everything else.
    pub fn step_along(
        &mut self,
        training: &TrainingConfig,
        rate: f64,
        losses: impl Fn(&Named) -> (Tensor, Tensor),
    ) -> (f64, f64) {
        let leaves: Named = self.weights.iter().map(|(n, t)| (n.clone(), t.copy().set_requires_grad(true))).collect();
        let (plain, outside) = losses(&leaves);
        let inputs: Vec<&Tensor> = leaves.values().collect();
        let by = |loss: &Tensor| Tensor::run_backward(&[loss], &inputs, true, false);
        let both = leaves.keys().zip(by(&plain)).zip(by(&outside));
        let gradients: Named = both
            .filter(|((name, _), _)| !self.frozen || name.contains(".mlp.sinks."))
            .map(|((name, plain), outside)| {
                let own = if name.contains(".mlp.sinks.") { plain } else { outside };
                (name.clone(), own)
            })
            .collect();
        let norm = gradients.values().map(|g| g.square().sum(Kind::Double).double_value(&[])).sum::<f64>().sqrt();
        self.steps += 1;
        let (b1, b2) = (training.beta1, training.beta2);
        for (name, gradient) in gradients {
            let g = gradient * (training.clip / norm).min(1.0);
            let (w, m, v) = (&self.weights[&name], &self.mean[&name], &self.square[&name]);
            let m = m * b1 + &g * (1.0 - b1);
            let v = v * b2 + g.square() * (1.0 - b2);
            let decay = if name.contains("sinks") || name.contains("norm") { 0.0 } else { training.weight_decay };
            let first = &m / (1.0 - b1.powi(self.steps));
            let second = (&v / (1.0 - b2.powi(self.steps))).sqrt() + training.epsilon;
            let w = w * (1.0 - rate * decay) - first / second * rate;
            self.weights.insert(name.clone(), w);
            self.mean.insert(name.clone(), m);
            self.square.insert(name, v);
        }
        (plain.double_value(&[]), norm)
    }
}
