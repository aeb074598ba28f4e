//! A model whose sinks are chosen for good, as the ordinary LLaMA that it is at inference: the files that Hugging Face
//! transformers loads as `LlamaForCausalLM`. What a takedown does to such files is in `llama_strike.rs`.
//!
//! The MLP of a layer has the backbone's neurons first and the lit sinks after them, ascending. Not here: the tokenizer,
//! and who may have which sinks.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use serde_json::{Value, json};

use tch::Tensor;

use crate::{ModelConfig, ModelError, Rounding, SourceMask, WeightFile, decoder::NORM_EPSILON};

/// Rows are copied in runs of about this many bytes.
const RUN_BYTES: u64 = 4 << 20;
/// Headers of safetensors files end at a multiple of this.
const ALIGNMENT: usize = 8;
/// Bytes of a float32, the only type of element that is written.
const ELEMENT_BYTES: u64 = 4;

/// The LLaMA that a model is with certain sinks lit.
#[derive(Clone, Debug, PartialEq)]
pub struct Llama {
    pub(crate) config: ModelConfig,
    /// The lit sinks, ascending, one list a layer.
    pub(crate) lit: Vec<Vec<u32>>,
    rounding: Option<Rounding>,
}

/// Where the values of an exported tensor come from.
enum Origin {
    /// The checkpoint's tensor as it is.
    Tensor(String),
    /// The chosen neurons' rows of `gate` or `up`.
    Neurons(u32, &'static str),
    /// The chosen neurons' rows of `down`, as columns.
    Columns(u32),
}

impl Llama {
    /// The model with the sinks of `lit`, or with its backbone alone. A model without sinks is whole without any.
    ///
    /// # Errors
    /// When the mask is not one of this model's, or lights different numbers of neurons in its layers.
    pub fn new(config: &ModelConfig, lit: Option<&SourceMask>) -> Result<Self, ModelError> {
        let layers = config.layers as usize;
        let lit = lit.map_or_else(|| vec![vec![]; layers], |mask| mask.per_layer.clone());
        let sound = lit.len() == layers
            && lit.iter().all(|layer| layer.len() == lit[0].len() && layer.is_sorted_by(|a, b| a < b))
            && lit.iter().flatten().all(|neuron| *neuron < config.sinks());
        if !sound {
            return Err(ModelError::Config("a mask must light as many sinks of this model in every layer".into()));
        }
        Ok(Self { config: config.clone(), lit, rounding: None })
    }

    /// The same with every matrix rounded as [`crate::Transformer::rounded`] does: what is served in fewer bits, its levels
    /// written as float32.
    pub fn rounded(self, rounding: Rounding) -> Self {
        Self { rounding: Some(rounding), ..self }
    }

    /// Neurons of each MLP.
    pub fn neurons(&self) -> u32 {
        self.config.n_gen + self.lit[0].len() as u32
    }

    /// `config.json`. `bos` and `eos` are the ids of the tokens that begin and end a text.
    pub fn config_json(&self, bos: u32, eos: u32) -> Value {
        let c = &self.config;
        json!({
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": c.d_model,
            "intermediate_size": self.neurons(),
            "num_hidden_layers": c.layers,
            "num_attention_heads": c.heads,
            "num_key_value_heads": c.kv_heads,
            "head_dim": c.head_dim,
            "vocab_size": c.vocab,
            "max_position_embeddings": c.context,
            "rope_theta": c.rope_base,
            "rms_norm_eps": NORM_EPSILON,
            "hidden_act": "silu",
            "attention_bias": false,
            "mlp_bias": false,
            "tie_word_embeddings": c.tied,
            "bos_token_id": bos,
            "eos_token_id": eos,
            "torch_dtype": "float32",
        })
    }

    /// Copies the weights of `checkpoint` into a new safetensors file, float32, row by row: memory holds one tensor at
    /// most. Returns when the file is on the device.
    ///
    /// # Errors
    /// When the checkpoint is of another shape, or a file cannot be read or written.
    pub fn write(&self, checkpoint: &Path, out: &Path) -> Result<(), ModelError> {
        let source = WeightFile::open(checkpoint)?;
        for (name, shape) in self.config.tensors() {
            let found = source.tensors().get(&name).map(|t| t.shape.iter().map(|n| *n as i64).collect::<Vec<_>>());
            if found.as_ref() != Some(&shape) {
                let reason = format!("tensor {name} should have shape {shape:?}, found {found:?}");
                return Err(ModelError::Checkpoint { path: checkpoint.into(), reason });
            }
        }
        let failed = || ModelError::io("cannot write", out);
        let file = File::create(out).map_err(ModelError::io("cannot create", out))?;
        let mut sink = BufWriter::new(file);
        sink.write_all(&self.header()).map_err(failed())?;
        let mut copy = Copying { source: &source, checkpoint, rounding: self.rounding, buffer: vec![] };
        for origin in self.origins().into_values() {
            match origin {
                Origin::Tensor(name) => copy.all_rows(&name, |bytes| sink.write_all(bytes).map_err(failed()))?,
                Origin::Neurons(layer, part) => {
                    self.chosen(&mut copy, layer, part, |bytes| sink.write_all(bytes).map_err(failed()))?;
                }
                Origin::Columns(layer) => {
                    let mut rows = Vec::new();
                    self.chosen(&mut copy, layer, "down", |bytes| {
                        rows.extend_from_slice(bytes);
                        Ok(())
                    })?;
                    let (values, _) = rows.as_chunks::<{ ELEMENT_BYTES as usize }>();
                    let (neurons, width) = (self.neurons() as usize, self.config.d_model as usize);
                    for column in 0..width {
                        for neuron in 0..neurons {
                            sink.write_all(&values[neuron * width + column]).map_err(failed())?;
                        }
                    }
                }
            }
        }
        let file = sink.into_inner().map_err(|e| failed()(e.into_error()))?;
        file.sync_all().map_err(ModelError::io("cannot flush", out))
    }

    /// Hands over the rows of the backbone and then of the lit sinks of one matrix.
    fn chosen(
        &self,
        copy: &mut Copying<'_>,
        layer: u32,
        part: &str,
        mut take: impl FnMut(&[u8]) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        copy.all_rows(&format!("layers.{layer}.mlp.backbone.{part}"), &mut take)?;
        let sinks = format!("layers.{layer}.mlp.sinks.{part}");
        self.lit[layer as usize].iter().try_for_each(|n| copy.rows(&sinks, u64::from(*n), 1, &mut take))
    }

    /// Name and shape of every exported tensor.
    pub(crate) fn tensors(&self) -> BTreeMap<String, Vec<u64>> {
        let own = self.config.tensors();
        let (neurons, width) = (u64::from(self.neurons()), u64::from(self.config.d_model));
        let shape = |origin: Origin| match origin {
            Origin::Tensor(name) => own[&name].iter().map(|n| n.unsigned_abs()).collect(),
            Origin::Neurons(..) => vec![neurons, width],
            Origin::Columns(_) => vec![width, neurons],
        };
        self.origins().into_iter().map(|(name, origin)| (name, shape(origin))).collect()
    }

    fn origins(&self) -> BTreeMap<String, Origin> {
        let tensor = |name: &str| Origin::Tensor(name.to_owned());
        let mut all = BTreeMap::from([
            ("model.embed_tokens.weight".to_owned(), tensor("embed.weight")),
            ("model.norm.weight".to_owned(), tensor("norm.weight")),
        ]);
        if !self.config.tied {
            all.insert("lm_head.weight".to_owned(), tensor("head.weight"));
        }
        for l in 0..self.config.layers {
            for (theirs, ours) in [
                ("input_layernorm", "attn_norm"),
                ("post_attention_layernorm", "mlp_norm"),
                ("self_attn.q_proj", "attn.q"),
                ("self_attn.k_proj", "attn.k"),
                ("self_attn.v_proj", "attn.v"),
                ("self_attn.o_proj", "attn.o"),
            ] {
                all.insert(format!("model.layers.{l}.{theirs}.weight"), tensor(&format!("layers.{l}.{ours}.weight")));
            }
            all.insert(projection(l as usize, "gate"), Origin::Neurons(l, "gate"));
            all.insert(projection(l as usize, "up"), Origin::Neurons(l, "up"));
            all.insert(projection(l as usize, "down"), Origin::Columns(l));
        }
        all
    }

    /// Length and JSON of the safetensors header.
    fn header(&self) -> Vec<u8> {
        // Some readers refuse a file that does not say which library's tensors it holds.
        let mut entries = BTreeMap::from([("__metadata__".to_owned(), json!({ "format": "pt" }))]);
        let mut end = 0;
        for (name, shape) in self.tensors() {
            let from = end;
            end += shape.iter().product::<u64>() * ELEMENT_BYTES;
            entries.insert(name, json!({ "dtype": "F32", "shape": shape, "data_offsets": [from, end] }));
        }
        let mut text = json!(entries).to_string();
        text.push_str(&" ".repeat(text.len().next_multiple_of(ALIGNMENT) - text.len()));
        [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
    }
}

/// The exported name of an MLP's matrix.
pub(crate) fn projection(layer: usize, part: &str) -> String {
    format!("model.layers.{layer}.mlp.{part}_proj.weight")
}

/// A checkpoint that is being copied, and the buffer for the run of rows at hand.
struct Copying<'a> {
    source: &'a WeightFile,
    checkpoint: &'a Path,
    rounding: Option<Rounding>,
    buffer: Vec<u8>,
}

impl Copying<'_> {
    /// Hands over every row of a tensor as float32.
    fn all_rows(
        &mut self,
        name: &str,
        mut take: impl FnMut(&[u8]) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        let tensor = &self.source.tensors()[name];
        let (rows, run) = (tensor.rows(), (RUN_BYTES / tensor.row_bytes.max(1)).max(1));
        let mut first = 0;
        while first < rows {
            let count = run.min(rows - first);
            self.rows(name, first, count, &mut take)?;
            first += count;
        }
        Ok(())
    }

    fn rows(
        &mut self,
        name: &str,
        first: u64,
        count: u64,
        mut take: impl FnMut(&[u8]) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        self.source.read_rows(name, first, count, &mut self.buffer)?;
        let tensor = &self.source.tensors()[name];
        let values = match tensor.dtype.as_str() {
            "F32" => Cow::Borrowed(&self.buffer[..]),
            "BF16" => widened(&self.buffer),
            other => {
                let reason = format!("tensor {name} has elements of type {other}, F32 and BF16 are known");
                return Err(ModelError::Checkpoint { path: self.checkpoint.into(), reason });
            }
        };
        match self.rounding {
            // Norms are no matrices and stay.
            Some(rounding) if tensor.shape.len() == 2 => take(&rounded(&values, count, rounding)?),
            _ => take(&values),
        }
    }
}

/// Whole rows of float32, each weight at its nearest level: a scale belongs to rows as they are stored.
fn rounded(bytes: &[u8], rows: u64, rounding: Rounding) -> Result<Vec<u8>, ModelError> {
    let values: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let matrix = Tensor::from_slice(&values).view([rows as i64, -1]);
    let near: Vec<f32> = Vec::try_from(rounding.round(&matrix)?.contiguous().view([-1]))?;
    Ok(near.into_iter().flat_map(f32::to_le_bytes).collect())
}

/// Little-endian bfloat16 as float32: a bfloat16 is the upper half of the float32 of the same value.
fn widened(bytes: &[u8]) -> Cow<'static, [u8]> {
    Cow::Owned(bytes.as_chunks::<2>().0.iter().flat_map(|[low, high]| [0, 0, *low, *high]).collect())
}
