//! A training pass through the decoder: what the forward pass leaves behind, and the ways back through it.
//!
//! Attention and MLP are differentiated by autograd, each on its own; norms and residual sums between them are written
//! out: libtorch's RMSNorm on a CPU goes over the activations more often than that takes (docs/performance.md). And cut open
//! between blocks, the way back to the sinks alone can end at the lowest of them.

use tch::{Kind, Tensor, no_grad};

use super::{Decoder, NORM_EPSILON, mlp};
use crate::{LitSinks, Trained, packing::Packing, parameters::LayerWeights};

/// A normalised input of a block, and what its gradient takes.
struct Normalised {
    /// The input, `[tokens, d_model]`.
    x: Tensor,
    /// Reciprocal of its root mean square, float32 `[tokens, 1]`.
    scale: Tensor,
    /// The normalised input as a leaf of the block's own graph.
    leaf: Tensor,
}

/// One layer's two blocks.
struct TapedLayer {
    attention: (Normalised, Tensor),
    mlp: (Normalised, Tensor),
}

/// Everything that the way back takes.
pub(crate) struct Tape<'a> {
    decoder: &'a Decoder,
    layers: Vec<TapedLayer>,
    last: Normalised,
}

/// Gradients by everything but embedding and head, in buffer order, and by the sinks in the order of their leaves.
pub(crate) struct TapedGradients {
    /// Of the layers, in the order of `Weights::layer_tensors`.
    pub layers: Vec<Tensor>,
    /// Of the last norm.
    pub norm: Tensor,
    /// Of the embeddings, `[tokens, d_model]`.
    pub input: Tensor,
    /// Of the lit rows that were asked for.
    pub lit: Vec<Tensor>,
}

impl Decoder {
    /// As [`Decoder::hidden`], keeping what the ways back take that `trained` asks for. Gives the normalised hidden states
    /// too.
    pub fn taped(&self, x: &Tensor, packing: &Packing, sinks: &LitSinks, trained: Trained) -> (Tensor, Tape<'_>) {
        let turns = self.rotary.at(&packing.positions(self.device()));
        let mut x = x.detach();
        let mut layers = Vec::with_capacity(self.weights.layers.len());
        for (l, layer) in self.weights.layers.iter().enumerate() {
            // Nothing below the lowest sinks asks for a gradient when they alone are trained.
            let asked = trained == Trained::All || l > 0;
            let normalised = Normalised::of(&x, &layer.attn_norm, asked);
            let y = self.attend(layer, &normalised.leaf, &turns, packing, None);
            x = no_grad(|| &x + &y);
            let attention = (normalised, y);
            let normalised = Normalised::of(&x, &layer.mlp_norm, asked);
            let y = mlp::forward(layer, &normalised.leaf, packing, sinks, l);
            x = no_grad(|| &x + &y);
            layers.push(TapedLayer { attention, mlp: (normalised, y) });
        }
        let last = Normalised::of(&x, &self.weights.norm, false);
        (last.leaf.detach(), Tape { decoder: self, layers, last })
    }
}

impl Tape<'_> {
    /// Gradients from that of the normalised hidden states, by everything and by `lit`: the sinks' leaves, equally many for
    /// every layer, or none where the sinks follow a gradient of their own.
    pub fn whole(&self, hidden: &Tensor, lit: &[&Tensor]) -> TapedGradients {
        let weights = &self.decoder.weights;
        let (mut g, norm) = self.last.backward(hidden, &weights.norm);
        let (mut layers, mut by_lit) = (Vec::new(), Vec::new());
        for (taped, layer, lit) in self.downwards(lit) {
            let (normalised, y) = &taped.mlp;
            let inputs = [&[&normalised.leaf, &layer.gate_up, &layer.down], lit].concat();
            let mut gradients = along(y, &g, &inputs, false);
            by_lit.push(gradients.split_off(3));
            let (by_x, mlp_norm) = normalised.backward(&gradients[0], &layer.mlp_norm);
            g += by_x;
            let (down, gate_up) = (gradients.swap_remove(2), gradients.swap_remove(1));

            let (normalised, y) = &taped.attention;
            let mut gradients = along(y, &g, &[&normalised.leaf, &layer.qkv, &layer.o], false);
            let (by_x, attn_norm) = normalised.backward(&gradients[0], &layer.attn_norm);
            g += by_x;
            let (o, qkv) = (gradients.swap_remove(2), gradients.swap_remove(1));
            layers.push([qkv, o, gate_up, down, attn_norm, mlp_norm]);
        }
        TapedGradients {
            layers: layers.into_iter().rev().flatten().collect(),
            norm,
            input: g,
            lit: by_lit.into_iter().rev().flatten().collect(),
        }
    }

    /// Gradients by `lit` alone, in its order, from that of the normalised hidden states. No weight is asked for, and
    /// below the lowest sinks nothing is computed. `again`: whether [`Tape::whole`] follows.
    pub fn sinks(&self, hidden: &Tensor, lit: &[&Tensor], again: bool) -> Vec<Tensor> {
        if lit.is_empty() {
            return Vec::new();
        }
        let (mut g, _) = self.last.backward(hidden, &self.decoder.weights.norm);
        let mut by_lit = Vec::new();
        for (above, (taped, layer, lit)) in self.downwards(lit).enumerate() {
            let lowest = above + 1 == self.layers.len();
            let (normalised, y) = &taped.mlp;
            if lowest {
                by_lit.push(along(y, &g, lit, again));
                break;
            }
            let mut gradients = along(y, &g, &[&[&normalised.leaf], lit].concat(), again);
            by_lit.push(gradients.split_off(1));
            g += normalised.backward(&gradients[0], &layer.mlp_norm).0;
            let (normalised, y) = &taped.attention;
            let by_leaf = along(y, &g, &[&normalised.leaf], again).swap_remove(0);
            g += normalised.backward(&by_leaf, &layer.attn_norm).0;
        }
        by_lit.into_iter().rev().flatten().collect()
    }

    /// The layers from the last to the first, each with its weights and its share of `lit`.
    fn downwards<'t>(
        &'t self,
        lit: &'t [&'t Tensor],
    ) -> impl Iterator<Item = (&'t TapedLayer, &'t LayerWeights, &'t [&'t Tensor])> {
        let of_layer = lit.len() / self.layers.len();
        let layers = self.layers.iter().zip(&self.decoder.weights.layers).enumerate().rev();
        layers.map(move |(l, (taped, layer))| (taped, layer, &lit[l * of_layer..(l + 1) * of_layer]))
    }
}

/// Gradients by `inputs` of what `y` contributes when its own gradient is `g`.
fn along(y: &Tensor, g: &Tensor, inputs: &[&Tensor], keep_graph: bool) -> Vec<Tensor> {
    Tensor::run_backward(&[(y * g).sum(Kind::Float)], inputs, keep_graph, false)
}

impl Normalised {
    /// RMSNorm: `x / sqrt(mean(x^2) + epsilon) * weight`, the mean in float32. `asked`: whether a gradient by it is.
    fn of(x: &Tensor, weight: &Tensor, asked: bool) -> Self {
        no_grad(|| {
            let width = x.size()[1] as f64;
            let norm = x.linalg_norm(2.0, [1i64].as_slice(), true, Kind::Float);
            let scale = (norm.square() / width + NORM_EPSILON).rsqrt();
            let leaf = (x * scale.to_kind(x.kind()) * weight).detach().set_requires_grad(asked);
            Self { x: x.shallow_clone(), scale, leaf }
        })
    }

    /// Gradients by the input and, float32, by the weight. With r the scale, s the sum of g w x over a row and d its width:
    /// `dx = r g w - r^3 s / d x` and `dw = sum of r g x` over rows.
    fn backward(&self, g: &Tensor, weight: &Tensor) -> (Tensor, Tensor) {
        no_grad(|| {
            let (x, weight) = (self.x.to_kind(Kind::Float), weight.detach().to_kind(Kind::Float));
            let g = g.to_kind(Kind::Float);
            let product = &g * &x;
            let by_weight = product.transpose(0, 1).mv(&self.scale.squeeze_dim(1));
            let sums = product.mv(&weight).unsqueeze(1);
            let pull = sums * self.scale.pow_tensor_scalar(3) / (-(x.size()[1] as f64));
            let by_x = (x * pull).addcmul(&(g * weight), &self.scale);
            (by_x.to_kind(self.x.kind()), by_weight)
        })
    }
}
