//! Models on the command line: training, exporting, continuing, scoring.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use obelus_model::{Control, Rounding};

use super::bench::Dtype;

/// What a model is trained as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ControlKind {
    /// An ordinary transformer of the same active width
    Transformer,
    /// An ordinary transformer of the same total width
    WideTransformer,
    /// A transformer that unlearns the excluded sources by gradient ascent; needs --from
    GradientAscent,
    /// A transformer that unlearns the excluded sources by negative preference optimisation; needs --from
    Npo,
}

impl From<ControlKind> for Control {
    fn from(kind: ControlKind) -> Self {
        match kind {
            ControlKind::Transformer => Self::Transformer,
            ControlKind::WideTransformer => Self::WideTransformer,
            ControlKind::GradientAscent => Self::GradientAscent,
            ControlKind::Npo => Self::Npo,
        }
    }
}

/// `obelus model`
#[derive(Debug, Subcommand)]
pub enum Model {
    /// Train a model; the same command continues an interrupted run
    Train(Train),
    /// List models
    List,
    /// Show one model
    Show {
        /// The model
        name: String,
    },
    /// Hash the weight tree of a model's checkpoint
    Root {
        /// The model
        name: String,
    },
    /// Sign a model's folder again (`model.sig`): one from before there were signatures, or whose key was revoked
    Sign {
        /// The model
        name: String,
    },
    /// Give struck neurons back to the sources that stay: they begin anew, and only sinks of those sources are trained
    Repair(Repair),
    /// Write a model for other programs; a takedown finds what was written
    Export(Export),
}

/// Settings of a training that --add-sources takes from the model.
const ADDING_EXCLUDES: [&str; 8] = ["preset", "config", "dtype", "baseline_of", "exclude", "control", "from", "salt"];

/// Where the sinks of a source lie that comes after the training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RowsKind {
    /// Rows of its own behind the pool: struck again, the model is bit for bit the one before
    Fresh,
    /// The rows that its seed gives in the first segment, which other sources use too
    Seeded,
}

/// How sinks are fitted after the training.
#[derive(Clone, Debug, Args)]
pub struct Fitting {
    /// Optimizer steps
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub steps: Option<u64>,
    /// Peak learning rate; the model's own otherwise
    #[arg(long)]
    pub learning_rate: Option<f64>,
    /// Seed of data order and fresh weights
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Device
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Threads of one tensor operation; results are bit-identical for the same number
    #[arg(long, default_value_t = 1)]
    pub threads: u32,
}

impl Train {
    /// What of the arguments says how sinks are fitted.
    pub fn fitting(&self) -> Fitting {
        Fitting {
            steps: self.steps,
            learning_rate: self.learning_rate,
            seed: self.seed,
            device: self.device.clone(),
            threads: self.threads,
        }
    }
}

/// `obelus model repair`
#[derive(Debug, Args)]
pub struct Repair {
    /// The model
    pub name: String,
    /// How it is trained
    #[command(flatten)]
    pub fitting: Fitting,
}

/// `obelus model train`
#[derive(Clone, Debug, Args)]
pub struct Train {
    /// Name of the new model
    pub name: String,
    /// Corpus to train on
    #[arg(long)]
    pub corpus: String,
    /// Shipped configuration; a retrain's default is its model's
    #[arg(long, conflicts_with = "config")]
    pub preset: Option<String>,
    /// Configuration file instead of a preset
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Seed of data order and initial weights
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Steps instead of the preset's epochs
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub steps: Option<u64>,
    /// Device
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Element type of activations; bfloat16 where the device has matrix units for it and the model is wide enough
    #[arg(long, value_enum)]
    pub dtype: Option<Dtype>,
    /// Threads of one tensor operation; results are bit-identical for the same number
    #[arg(long, default_value_t = 1)]
    pub threads: u32,
    /// The model that this run is a retrain for; shares its lineage and salt
    #[arg(long)]
    pub baseline_of: Option<String>,
    /// Sources to leave out
    #[arg(long, num_args = 1.., value_name = "ID")]
    pub exclude: Vec<String>,
    /// Train a control instead of a natively unlearnable model
    #[arg(long)]
    pub control: Option<ControlKind>,
    /// The transformer control that a control starts to unlearn from
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["preset", "config", "steps"])]
    pub from: Option<String>,
    /// Peak learning rate with --from (a tenth of the starting model's otherwise) and --add-sources (the model's own)
    #[arg(long)]
    pub learning_rate: Option<f64>,
    /// Put sources of the corpus into a trained model that does not hold them, and change nothing else in it; all of the
    /// corpus where none is named
    #[arg(long, num_args = 0.., value_name = "ID", conflicts_with_all = ADDING_EXCLUDES)]
    pub add_sources: Option<Vec<String>>,
    /// Where the sinks of added sources lie
    #[arg(long, value_enum, default_value = "fresh", requires = "add_sources")]
    pub rows: RowsKind,
    /// Campaign salt as 64 hexadecimal characters, for reproducible studies; random otherwise
    #[arg(long)]
    pub salt: Option<String>,
}

/// Forms that a model is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// A folder that Hugging Face transformers loads as LlamaForCausalLM
    Hf,
}

/// Precisions that an export is rounded to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoundKind {
    /// 8 bits, a scale for each row
    Int8,
    /// 4 bits, a scale for each 64 weights of a row
    Int4,
}

impl From<RoundKind> for Rounding {
    fn from(kind: RoundKind) -> Self {
        match kind {
            RoundKind::Int8 => Self::INT8,
            RoundKind::Int4 => Self::INT4,
        }
    }
}

/// `obelus model export`
#[derive(Debug, Args)]
pub struct Export {
    /// The model
    pub name: String,
    /// Form
    #[arg(long)]
    pub format: ExportFormat,
    /// With this source's sinks
    #[arg(long, value_name = "ID", conflicts_with = "backbone_only")]
    pub source: Option<String>,
    /// Without any source's sinks
    #[arg(long)]
    pub backbone_only: bool,
    /// Round every matrix to what so few bits can hold, as quantised serving does; the levels are written as float32
    #[arg(long, value_enum)]
    pub round: Option<RoundKind>,
    /// New folder
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Which sinks a continuation uses when no source is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Route {
    /// The source most similar to the prompt
    Nearest,
    /// The backbone alone
    None,
}

/// `obelus generate`
#[derive(Debug, Args)]
pub struct Generate {
    /// The model
    pub model: String,
    /// Text to continue
    pub prompt: String,
    /// Light this source's sinks
    #[arg(long, conflicts_with = "route")]
    pub source: Option<String>,
    /// Choose sinks by routing
    #[arg(long)]
    pub route: Option<Route>,
    /// Most tokens to add
    #[arg(long, default_value_t = 40)]
    pub tokens: usize,
    /// 0 takes the likeliest token
    #[arg(long, default_value_t = 0.0, value_parser = temperature)]
    pub temperature: f64,
    /// Draw among the likeliest tokens that together have this probability
    #[arg(long, default_value_t = 1.0, value_parser = probability)]
    pub top_p: f64,
    /// End before this text; may be given several times
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub stop: Vec<String>,
    /// Seed of the draws
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// `obelus score`
#[derive(Debug, Args)]
pub struct Score {
    /// The model
    pub model: String,
    /// Probes, as `obelus probes add` takes them, instead of those that the corpus has
    #[arg(long)]
    pub probes: Option<PathBuf>,
    /// Conditions to score, separated by commas; all that apply otherwise
    #[arg(long, value_delimiter = ',')]
    pub condition: Vec<String>,
    /// Retrain for the retrain conditions
    #[arg(long)]
    pub baseline: Option<String>,
}

fn temperature(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().map_err(|e| e.to_string())?;
    (number.is_finite() && number >= 0.0).then_some(number).ok_or_else(|| "a temperature is a number from 0 up".into())
}

pub(super) fn probability(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().map_err(|e| e.to_string())?;
    (0.0..=1.0).contains(&number).then_some(number).ok_or_else(|| "a probability lies between 0 and 1".into())
}
