//! Measurements on the command line: what is measured, and of which shape.

use std::{num::NonZero, path::PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use obelus_model::{Assignment, ElementType, ModelConfig, ModelError, Preset};

use super::model::probability;

/// `obelus bench`
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Train on random tokens, every document from a source of its own
    Train(BenchTrain),
    /// Continue random texts, each with sinks of its own
    Decode(BenchDecode),
    /// Strike two sources from a checkpoint of the real size and prove it
    Erase(Erase),
    /// Register very many sources, sign their manifest, and prove single ones
    Register(Register),
    /// Offer statements to the log at a steady rate, and prove entries
    Log(BenchLog),
}

/// `obelus bench train`
#[derive(Debug, Args)]
pub struct BenchTrain {
    /// The model
    #[command(flatten)]
    pub shape: Shape,
    /// Documents of a step
    #[arg(long, default_value = "8")]
    pub docs: NonZero<u32>,
    /// Tokens of a document
    #[arg(long, default_value_t = 256)]
    pub tokens: u32,
    /// Steps that are measured, after two that are not
    #[arg(long, default_value = "10")]
    pub steps: NonZero<u32>,
    /// How the sinks are computed
    #[arg(long, value_enum, default_value_t = TrainForm::Gathered)]
    pub form: TrainForm,
    /// Share of the tokens that only one source has, which the backbone does not learn from
    #[arg(long, default_value_t = 0.0, value_parser = probability)]
    pub filtered: f64,
    /// Device
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Threads of one tensor operation; as many as there are cores otherwise
    #[arg(long)]
    pub threads: Option<NonZero<u32>>,
}

/// What a training is measured of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TrainForm {
    /// The rows of active neurons alone
    Gathered,
    /// Every neuron, multiplied by a mask: what the paper defines
    Dense,
    /// An ordinary transformer of the active width
    Plain,
}

impl TrainForm {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gathered => "gathered",
            Self::Dense => "dense",
            Self::Plain => "plain",
        }
    }
}

/// `obelus bench decode`
#[derive(Debug, Args)]
pub struct BenchDecode {
    /// The model
    #[command(flatten)]
    pub shape: Shape,
    /// Texts continued together
    #[arg(long, default_value = "1")]
    pub batch: NonZero<u32>,
    /// Sources among them; every text has its own otherwise, 0 lights none
    #[arg(long)]
    pub sources: Option<u32>,
    /// Tokens of each prompt
    #[arg(long, default_value = "128")]
    pub prompt: NonZero<u32>,
    /// Tokens added to each
    #[arg(long, default_value = "64")]
    pub tokens: NonZero<u32>,
    /// Device
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Threads of one tensor operation; as many as there are cores otherwise
    #[arg(long)]
    pub threads: Option<NonZero<u32>>,
}

/// `obelus bench erase`
#[derive(Debug, Args)]
pub struct Erase {
    /// The model
    #[command(flatten)]
    pub shape: Shape,
    /// Folder to leave the checkpoint in; otherwise a temporary folder that is removed
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Threads that hash; as many as there are cores otherwise
    #[arg(long)]
    pub threads: Option<NonZero<usize>>,
    /// Hash from the disk: drop the file from the page cache before the full pass
    #[arg(long)]
    pub cold: bool,
    /// Seed of the numbers in the checkpoint and of the sources' neurons
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// `obelus bench register`
#[derive(Debug, Args)]
pub struct Register {
    /// Sources
    #[arg(long, default_value = "100000")]
    pub sources: NonZero<u32>,
    /// Folder to make the temporary data directory in; the system's otherwise
    #[arg(long, value_name = "DIR")]
    pub under: Option<PathBuf>,
}

/// `obelus bench log`
#[derive(Debug, Args)]
pub struct BenchLog {
    /// Entries offered while it is measured
    #[arg(long, default_value = "15000")]
    pub entries: NonZero<u32>,
    /// How many of them a second
    #[arg(long, default_value = "500")]
    pub rate: NonZero<u32>,
    /// Entries that the log has before
    #[arg(long, default_value_t = 0)]
    pub leaves: u64,
    /// Folder to make the temporary data directory in; the system's otherwise
    #[arg(long, value_name = "DIR")]
    pub under: Option<PathBuf>,
}

/// How numbers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Dtype {
    /// Four bytes
    Float32,
    /// Two bytes
    Bfloat16,
}

impl From<Dtype> for ElementType {
    fn from(dtype: Dtype) -> Self {
        match dtype {
            Dtype::Float32 => Self::Float32,
            Dtype::Bfloat16 => Self::Bfloat16,
        }
    }
}

/// Width of a head where nothing else is said.
const USUAL_HEAD: u32 = 64;

/// The shape of a model: a preset, sizes, or a preset with some sizes replaced.
#[derive(Clone, Debug, Args)]
pub struct Shape {
    /// Shipped configuration to start from
    #[arg(long)]
    pub preset: Option<String>,
    /// Decoder layers
    #[arg(long)]
    pub layers: Option<u32>,
    /// Width of the residual stream
    #[arg(long)]
    pub d_model: Option<u32>,
    /// Query heads; d-model / 64 otherwise, where that is whole
    #[arg(long)]
    pub heads: Option<u32>,
    /// Key and value heads; as many as query heads otherwise
    #[arg(long)]
    pub kv_heads: Option<u32>,
    /// Width of a head; d-model / heads otherwise
    #[arg(long)]
    pub head_dim: Option<u32>,
    /// Backbone neurons of a layer
    #[arg(long)]
    pub n_gen: Option<u32>,
    /// Sinks of a layer
    #[arg(long)]
    pub n_pool: Option<u32>,
    /// Sinks of a layer that one source activates
    #[arg(long)]
    pub n_source: Option<u32>,
    /// Vocabulary
    #[arg(long)]
    pub vocab: Option<u32>,
    /// How numbers are stored
    #[arg(long, value_enum, default_value_t = Dtype::Float32)]
    pub dtype: Dtype,
}

impl Shape {
    /// The model's configuration. Without a preset: windows of 1,024 tokens, a head of its own, a mask for each layer.
    ///
    /// # Errors
    /// When there is no such preset, a size is missing, or the sizes fit no model.
    pub fn config(&self) -> Result<ModelConfig, ModelError> {
        let preset = self.preset.as_deref().map(Preset::named).transpose()?.map(|preset| preset.model);
        let from = preset.as_ref();
        let size = |name: &str, given: Option<u32>, preset: Option<u32>| {
            let missing = || ModelError::Config(format!("--{name} is missing; give it, or start from a --preset"));
            given.or(preset).ok_or_else(missing)
        };
        let d_model = size("d-model", self.d_model, from.map(|c| c.d_model))?;
        // Heads of 64, as in the models of this family, unless something else is asked for.
        let usual = (from.is_none() && d_model.is_multiple_of(USUAL_HEAD)).then_some(d_model / USUAL_HEAD);
        let heads = size("heads", self.heads.or(usual), from.map(|c| c.heads))?;
        let head_dim = match (self.head_dim, from) {
            (Some(given), _) => given,
            // A preset's own width goes with its own heads.
            (None, Some(preset)) if self.d_model.is_none() && self.heads.is_none() => preset.head_dim,
            _ if heads > 0 && d_model.is_multiple_of(heads) => d_model / heads,
            _ => {
                let why = format!("d-model = {d_model} is no multiple of heads = {heads}; give --head-dim");
                return Err(ModelError::Config(why));
            }
        };
        let kv_heads = match (self.kv_heads, from) {
            (Some(given), _) => given,
            (None, Some(preset)) if self.heads.is_none() => preset.kv_heads,
            _ => heads,
        };
        let mut config = ModelConfig {
            layers: size("layers", self.layers, from.map(|c| c.layers))?,
            d_model,
            heads,
            kv_heads,
            head_dim,
            n_gen: size("n-gen", self.n_gen, from.map(|c| c.n_gen))?,
            n_pool: size("n-pool", self.n_pool, from.map(|c| c.n_pool))?,
            n_source: size("n-source", self.n_source, from.map(|c| c.n_source))?,
            vocab: size("vocab", self.vocab, from.map(|c| c.vocab))?,
            context: from.map_or(1024, |c| c.context),
            rope_base: from.map_or(100_000, |c| c.rope_base),
            tied: from.is_some_and(|c| c.tied),
            same_mask_in_all_layers: from.is_some_and(|c| c.same_mask_in_all_layers),
            assignment: Assignment::Shared,
            segments: vec![],
        };
        config.complete()?;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        shape: Shape,
    }

    fn config(arguments: &[&str]) -> Result<ModelConfig, ModelError> {
        Only::parse_from([&["bench"], arguments].concat()).shape.config()
    }

    const SIZES: [&str; 14] = [
        "--layers",
        "2",
        "--d-model",
        "64",
        "--heads",
        "4",
        "--n-gen",
        "10",
        "--n-pool",
        "20",
        "--n-source",
        "3",
        "--vocab",
        "100",
    ];

    #[test]
    fn sizes_alone_have_ordinary_heads() {
        let found = config(&SIZES).unwrap();
        assert_eq!((found.kv_heads, found.head_dim, found.n_pool, found.sinks()), (4, 16, 20, 20));
    }

    #[test]
    fn sizes_replace_those_of_a_preset() {
        let whole = Preset::named("wikipedia-1b").unwrap().model;
        assert_eq!(config(&["--preset", "wikipedia-1b"]).unwrap(), whole);
        let two = config(&["--preset", "wikipedia-1b", "--layers", "2"]).unwrap();
        assert_eq!(two, ModelConfig { layers: 2, ..whole.clone() });
        let pool = config(&["--preset", "wikipedia-1b", "--n-pool", "200"]).unwrap();
        assert_eq!((pool.sinks(), pool.heads, pool.head_dim), (200, 15, 128));
        let heads = config(&["--preset", "wikipedia-1b", "--heads", "10"]).unwrap();
        assert_eq!((heads.kv_heads, heads.head_dim), (10, 96));
    }

    #[test]
    fn sizes_that_are_missing_or_fit_nothing_are_said() {
        assert!(config(&[]).unwrap_err().to_string().contains("--d-model"));
        assert!(config(&SIZES[..12]).unwrap_err().to_string().contains("--vocab"));
        assert!(config(&[&SIZES[..], &["--kv-heads", "3"]].concat()).is_err());
        assert!(config(&["--preset", "tiny", "--heads", "5"]).unwrap_err().to_string().contains("--head-dim"));
        assert!(config(&["--preset", "none"]).unwrap_err().to_string().contains("wikipedia-1b"));
    }
}
