//! The decoder: RMSNorm, rotary embeddings, grouped-query attention, SwiGLU with gathered sinks (paper section 3.2).
//!
//! Not here: the masked dense definition, which is the reference in `tests/definition.rs`.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use crate::{ActiveSinks, ModelConfig, ModelError, SourceMask};

/// Added to the mean square before its root, as in LLaMA.
const NORM_EPSILON: f64 = 1e-5;

/// A gate, up and down matrix, each `[neurons, d_model]`: a neuron is the same row of all three.
struct Neurons {
    gate: Tensor,
    up: Tensor,
    down: Tensor,
}

struct Layer {
    attn_norm: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    o: Tensor,
    mlp_norm: Tensor,
    backbone: Neurons,
    sinks: Option<Neurons>,
}

/// A model in memory, float32.
pub struct Transformer {
    config: ModelConfig,
    layers: Vec<Layer>,
    embed: Tensor,
    norm: Tensor,
    head: Option<Tensor>,
    /// `[context, head_dim]` each.
    cos: Tensor,
    sin: Tensor,
    device: Device,
}

impl Transformer {
    /// Builds the model around tensors named as in the checkpoint; the tensors are shared, not copied.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape than the configuration says.
    pub fn new(config: ModelConfig, tensors: &BTreeMap<String, Tensor>) -> Result<Self, ModelError> {
        for (name, shape) in config.tensors() {
            let found = tensors.get(&name).map(Tensor::size);
            if found.as_ref() != Some(&shape) {
                return Err(ModelError::Config(format!("tensor {name} should have shape {shape:?}, found {found:?}")));
            }
        }
        let get = |name: &str| tensors[name].shallow_clone();
        let neurons = |l: u32, which: &str| Neurons {
            gate: get(&format!("layers.{l}.mlp.{which}.gate")),
            up: get(&format!("layers.{l}.mlp.{which}.up")),
            down: get(&format!("layers.{l}.mlp.{which}.down")),
        };
        let layers = (0..config.layers)
            .map(|l| {
                let of = |name: &str| get(&format!("layers.{l}.{name}.weight"));
                Layer {
                    attn_norm: of("attn_norm"),
                    q: of("attn.q"),
                    k: of("attn.k"),
                    v: of("attn.v"),
                    o: of("attn.o"),
                    mlp_norm: of("mlp_norm"),
                    backbone: neurons(l, "backbone"),
                    sinks: (config.sinks() > 0).then(|| neurons(l, "sinks")),
                }
            })
            .collect();
        let embed = get("embed.weight");
        let device = embed.device();
        let (cos, sin) = rotary(&config, device);
        let head = (!config.tied).then(|| get("head.weight"));
        Ok(Self { layers, embed, norm: get("norm.weight"), head, cos, sin, device, config })
    }

    /// The shape.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Where the weights lie.
    pub fn device(&self) -> Device {
        self.device
    }

    /// A model that shares every tensor but the sinks, in which the neurons of `mask` are zero rows: the effect of a
    /// takedown, in memory.
    pub fn with_struck(&self, mask: &SourceMask) -> Self {
        let strike = |t: &Tensor, rows: &Tensor| t.detach().index_fill(0, rows, 0.0);
        let layers = self
            .layers
            .iter()
            .zip(&mask.per_layer)
            .map(|(layer, neurons)| {
                let rows: Vec<i64> = neurons.iter().map(|n| i64::from(*n)).collect();
                let rows = Tensor::from_slice(&rows).to_device(self.device);
                Layer {
                    attn_norm: layer.attn_norm.shallow_clone(),
                    q: layer.q.shallow_clone(),
                    k: layer.k.shallow_clone(),
                    v: layer.v.shallow_clone(),
                    o: layer.o.shallow_clone(),
                    mlp_norm: layer.mlp_norm.shallow_clone(),
                    backbone: layer.backbone.share(),
                    sinks: layer.sinks.as_ref().map(|s| Neurons {
                        gate: strike(&s.gate, &rows),
                        up: strike(&s.up, &rows),
                        down: strike(&s.down, &rows),
                    }),
                }
            })
            .collect();
        Self {
            config: self.config.clone(),
            layers,
            embed: self.embed.shallow_clone(),
            norm: self.norm.shallow_clone(),
            head: self.head.as_ref().map(Tensor::shallow_clone),
            cos: self.cos.shallow_clone(),
            sin: self.sin.shallow_clone(),
            device: self.device,
        }
    }

    /// Final normalised hidden states `[rows, tokens, d_model]` of token ids `[rows, tokens]`.
    ///
    /// Each row is one document (or one window of it), padded on the right: causal attention within the row is then
    /// all the isolation that documents need, because no row sees another and no token sees the padding after it.
    pub fn hidden(&self, tokens: &Tensor, sinks: &ActiveSinks) -> Tensor {
        let mut x = Tensor::embedding(&self.embed, tokens, -1, false, false);
        for (l, layer) in self.layers.iter().enumerate() {
            x = &x + self.attention(layer, &self.normalise(&x, &layer.attn_norm));
            let lit = sinks.per_layer.as_ref().map(|all| &all[l]);
            x = &x + mlp(layer, &self.normalise(&x, &layer.mlp_norm), lit);
        }
        self.normalise(&x, &self.norm)
    }

    /// Logits `[.., vocab]` of hidden states `[.., d_model]`.
    pub fn logits(&self, hidden: &Tensor) -> Tensor {
        hidden.linear::<&Tensor>(self.head.as_ref().unwrap_or(&self.embed), None)
    }

    fn normalise(&self, x: &Tensor, weight: &Tensor) -> Tensor {
        x.rms_norm(i64::from(self.config.d_model), Some(weight), NORM_EPSILON)
    }

    fn attention(&self, layer: &Layer, x: &Tensor) -> Tensor {
        let (rows, tokens, _) = x.size3().expect("hidden states have three dimensions");
        let head_dim = i64::from(self.config.head_dim);
        let split = |w: &Tensor, heads: u32| {
            x.linear::<&Tensor>(w, None).view([rows, tokens, i64::from(heads), head_dim]).transpose(1, 2)
        };
        let q = self.rotate(&split(&layer.q, self.config.heads));
        let k = self.rotate(&split(&layer.k, self.config.kv_heads));
        let v = split(&layer.v, self.config.kv_heads);
        let grouped = self.config.heads != self.config.kv_heads;
        let y = Tensor::scaled_dot_product_attention::<&Tensor>(&q, &k, &v, None, 0.0, true, None, grouped);
        y.transpose(1, 2).reshape([rows, tokens, -1]).linear::<&Tensor>(&layer.o, None)
    }

    /// Rotary embedding of `[rows, heads, tokens, head_dim]`, halves rotated as in LLaMA checkpoints.
    fn rotate(&self, x: &Tensor) -> Tensor {
        let tokens = x.size()[2];
        let halves = x.chunk(2, -1);
        let turned = Tensor::cat(&[&halves[1].neg(), &halves[0]], -1);
        x * self.cos.narrow(0, 0, tokens) + turned * self.sin.narrow(0, 0, tokens)
    }
}

impl Neurons {
    fn share(&self) -> Self {
        Self { gate: self.gate.shallow_clone(), up: self.up.shallow_clone(), down: self.down.shallow_clone() }
    }
}

/// Backbone on every token plus the lit sinks of each row. Only active neurons are computed: their rows are gathered
/// once per row of the batch, and everything after that is a dense product on `n_gen + n_source` neurons.
fn mlp(layer: &Layer, x: &Tensor, lit: Option<&Tensor>) -> Tensor {
    let b = &layer.backbone;
    let y = (x.linear::<&Tensor>(&b.gate, None).silu() * x.linear::<&Tensor>(&b.up, None)).matmul(&b.down);
    let (Some(sinks), Some(lit)) = (&layer.sinks, lit) else { return y };
    let (rows, active) = lit.size2().expect("an index tensor is [rows, active]");
    let flat = lit.view([-1]);
    let gather = |t: &Tensor| t.index_select(0, &flat).view([rows, active, -1]);
    let (gate, up, down) = (gather(&sinks.gate), gather(&sinks.up), gather(&sinks.down));
    y + (x.matmul(&gate.transpose(1, 2)).silu() * x.matmul(&up.transpose(1, 2))).matmul(&down)
}

/// Cosines and sines of the rotary embeddings, `[context, head_dim]`, the half table repeated.
fn rotary(config: &ModelConfig, device: Device) -> (Tensor, Tensor) {
    let half = i64::from(config.head_dim) / 2;
    let exponent = Tensor::arange(half, (Kind::Double, Device::Cpu)) / half as f64;
    let inverse = (exponent * -f64::from(config.rope_base).ln()).exp();
    let angles = Tensor::arange(i64::from(config.context), (Kind::Double, Device::Cpu)).outer(&inverse);
    let angles = Tensor::cat(&[&angles, &angles], 1);
    let table = |t: Tensor| t.to_kind(Kind::Float).to_device(device);
    (table(angles.cos()), table(angles.sin()))
}
