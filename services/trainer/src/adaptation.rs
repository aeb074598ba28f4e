//! One adaptation: sinks of a trained model are fitted to some sources, and every other weight stays what it is. Gives a
//! new checkpoint beside the old one.
//!
//! Not here: which neurons and sources these may be, what is registered before and signed after, and which of the two
//! checkpoints is the model.

use std::{ops::ControlFlow, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use obelus_core::Digest;
use obelus_corpus::{Corpus, Tokenizer};
use obelus_model::{
    Adapted, Form, ModelConfig, ModelRecord, Preset, Progress, RunSettings, SourceMask, Trained, Trainer,
    TrainingConfig, TrainingDocument, TrainingSet, grow, load_tensors, renew,
};

use crate::device;

/// How long sinks are fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Optimizer steps.
    Steps(u64),
    /// Passes over the texts.
    Epochs(u64),
}

/// Everything that fixes an adaptation.
#[derive(Clone, Debug)]
pub struct AdaptationOrder {
    /// The model's folder.
    pub folder: PathBuf,
    /// The model as it is.
    pub record: ModelRecord,
    /// Its shape afterwards.
    pub config: ModelConfig,
    /// The kind, as statements name it.
    pub kind: String,
    /// The sources that are trained on, and their masks.
    pub sources: Vec<(String, SourceMask)>,
    /// Neurons that begin anew.
    pub renewed: SourceMask,
    /// How long.
    pub length: Length,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Seed of data order and fresh weights.
    pub seed: u64,
    /// Threads of one tensor operation.
    pub threads: u32,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// File name of the new checkpoint.
    pub checkpoint: String,
    /// File name of the new moments.
    pub moments: String,
}

/// Adapts, and writes the new checkpoint and its moments. Gives the record of the new generation, which is not written.
///
/// # Errors
/// Bad settings, a damaged checkpoint, a full disk, a cancelled run. The old checkpoint is only read.
pub fn adapt(
    order: &AdaptationOrder,
    corpus: &Corpus,
    tokenizer: &Tokenizer,
    watch: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<ModelRecord> {
    obelus_model::set_threads(order.threads);
    let record = &order.record;
    let training = TrainingConfig { learning_rate: order.learning_rate, ..record.training.clone() };
    training.check()?;
    let set = documents(order, corpus, tokenizer, training.batch_rows)?;
    let steps = match order.length {
        Length::Steps(steps) => steps,
        Length::Epochs(epochs) => epochs * set.steps_per_epoch(),
    };
    ensure!(steps > 0, "an adaptation takes at least one step");
    let settings = RunSettings {
        seed: order.seed,
        steps,
        // Nothing is saved half-way, so that there is nothing to be told apart.
        identity: Digest::sha256(b"adaptation"),
        device: device(&order.device)?,
        compute: record.compute,
        form: Form::Gathered,
        trained: Trained::Sinks,
    };
    let preset = Preset { model: order.config.clone(), training };
    let mut trainer = Trainer::new(&preset, settings)?;
    let mut tensors = load_tensors(&record.checkpoint_path(&order.folder), settings.device)?;
    grow(&mut tensors, &order.config)?;
    renew(&mut tensors, &order.renewed, preset.training.init_std, order.seed)?;
    trainer.restore(&tensors, 0);
    drop(tensors);
    let outcome = trainer.run(&set, None, steps, watch)?;
    trainer.save_weights(&order.folder.join(&order.checkpoint), &order.folder.join(&order.moments))?;
    let mut adapted = record.clone();
    adapted.generation += 1;
    adapted.config = order.config.clone();
    adapted.checkpoint = order.checkpoint.clone();
    adapted.adaptations.push(Adapted {
        kind: order.kind.clone(),
        generation: adapted.generation,
        corpus: corpus.name().to_owned(),
        sources: order.sources.len() as u64,
        renewed: order.renewed.per_layer.iter().map(|l| l.len() as u64).sum(),
        learning_rate: order.learning_rate,
        seed: order.seed,
        threads: order.threads,
        outcome,
    });
    Ok(adapted)
}

/// The documents of the order's sources, in the tokens of the model's own tokenizer.
fn documents(order: &AdaptationOrder, corpus: &Corpus, tokenizer: &Tokenizer, batch_rows: u32) -> Result<TrainingSet> {
    let mut documents = Vec::new();
    for document in corpus.documents() {
        let Ok(source) = order.sources.binary_search_by(|(id, _)| id.cmp(&document.source)) else { continue };
        let tokens = tokenizer.encode_document(&document.text);
        // Sinks learn from every token.
        let support = vec![1.0; tokens.len().saturating_sub(1)];
        documents.push(TrainingDocument { id: document.id.clone(), source, tokens, support });
    }
    let masks = order.sources.iter().map(|(_, mask)| Some(mask.clone())).collect();
    TrainingSet::new(documents, masks, order.config.context, batch_rows)
        .with_context(|| format!("the texts of {} sources cannot be trained on", order.sources.len()))
}
