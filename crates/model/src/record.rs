//! `model.json`: what travels beside a checkpoint so that it can be loaded and judged without a database.

use std::path::{Path, PathBuf};

use obelus_core::Digest;
use serde::{Deserialize, Serialize};
use tch::Device;

use crate::{
    Control, ElementType, ModelConfig, ModelError, PostHoc, TrainingConfig, TrainingOutcome, Transformer, load_tensors,
};

/// Everything about a model that is not a weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRecord {
    /// The model's name in its data directory.
    pub name: String,
    /// The lineage whose campaign salt its masks come from; a baseline has its model's.
    pub lineage: String,
    /// Counts takedowns and adaptations: 0 as trained.
    pub generation: u64,
    /// Salt of the lineage.
    pub campaign_salt: Digest,
    /// The corpus it was trained on.
    pub corpus: String,
    /// Preset or file that the configuration came from.
    pub preset: String,
    /// The shape.
    pub config: ModelConfig,
    /// The training settings.
    pub training: TrainingConfig,
    /// What it was built as.
    pub control: Control,
    /// What was unlearned after the fact, and how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_hoc: Option<Unlearned>,
    /// The model that this one is a retrain for.
    pub baseline_of: Option<String>,
    /// Sources of the corpus that were left out.
    pub excluded: Vec<String>,
    /// Training seed.
    pub seed: u64,
    /// Threads of one tensor operation while training.
    pub threads: u32,
    /// Element type of activations and gradients while training.
    #[serde(default)]
    pub compute: ElementType,
    /// SHA-256 of `tokenizer.json`.
    pub tokenizer: Digest,
    /// How training ended.
    pub outcome: TrainingOutcome,
    /// What the training took, where it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// What was changed since by training sinks alone, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adaptations: Vec<Adapted>,
    /// File name of the checkpoint, beside this file.
    pub checkpoint: String,
}

/// What a training took, measured by the process that ended it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// Targets a second.
    pub tokens_per_second: f64,
    /// The most memory that the process held at once; a GPU's own is not in it. None where the system does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_bytes: Option<u64>,
}

/// Where a control that unlearned started, and how it went on. The sources are those excluded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unlearned {
    /// The transformer control that it started from.
    pub from: String,
    /// Method and weights.
    pub how: PostHoc,
}

/// One adaptation of a trained model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adapted {
    /// `added-sources` or `repair`.
    pub kind: String,
    /// The generation that it made.
    pub generation: u64,
    /// The corpus that it read.
    pub corpus: String,
    /// Number of sources that it was trained on.
    pub sources: u64,
    /// Neurons that began anew, over all layers.
    pub renewed: u64,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Seed of data order and fresh weights.
    pub seed: u64,
    /// Threads of one tensor operation.
    pub threads: u32,
    /// How it ended.
    pub outcome: TrainingOutcome,
}

impl ModelRecord {
    /// File name of the record in a model's folder.
    pub const FILE: &'static str = "model.json";
    /// File name of the checkpoint in a model's folder. It keeps its name when rows are zeroed in place.
    pub const CHECKPOINT: &'static str = "model.safetensors";
    /// File name of the optimizer's moments in a model's folder.
    pub const MOMENTS: &'static str = "optimizer.safetensors";

    /// Reads the record in a model's folder.
    ///
    /// # Errors
    /// When it is missing or unreadable.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join(Self::FILE);
        let text = std::fs::read_to_string(&path).map_err(ModelError::io("cannot read", &path))?;
        serde_json::from_str(&text).map_err(|e| ModelError::Checkpoint { path, reason: e.to_string() })
    }

    /// The record as its file holds it.
    ///
    /// # Errors
    /// When it would not read back: JSON has no number for a loss that is none.
    pub fn to_text(&self) -> Result<String, ModelError> {
        let text = serde_json::to_string_pretty(self).map_err(|e| ModelError::Data(e.to_string()))?;
        match serde_json::from_str::<Self>(&text) {
            Ok(_) => Ok(text + "\n"),
            Err(e) => Err(ModelError::Data(format!("the record of {} would not read back: {e}", self.name))),
        }
    }

    /// Writes the record into a model's folder, atomically.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, folder: &Path) -> Result<(), ModelError> {
        let (path, partial) = (folder.join(Self::FILE), folder.join("model.json.partial"));
        std::fs::write(&partial, self.to_text()?).map_err(ModelError::io("cannot write", &partial))?;
        std::fs::rename(&partial, &path).map_err(ModelError::io("cannot put in place", path))
    }

    /// The checkpoint of a model in `folder`.
    pub fn checkpoint_path(&self, folder: &Path) -> PathBuf {
        folder.join(&self.checkpoint)
    }

    /// Loads the weights for scoring and generation.
    ///
    /// # Errors
    /// When the checkpoint is damaged or of another shape.
    pub fn load(&self, folder: &Path, device: Device) -> Result<Transformer, ModelError> {
        Transformer::new(self.config.clone(), &load_tensors(&self.checkpoint_path(folder), device)?)
    }
}
