//! One training run: from a corpus, a configuration and the sources' seeds to a checkpoint in a model folder.
//!
//! Not here: who may train, what is signed before and after, and which seeds are right; the caller registers first.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report"))]

mod adaptation;
mod extent;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    path::PathBuf,
};

use anyhow::{Context as _, Result, bail, ensure};
use obelus_collective::{CudaLibrary, load_cuda};
use obelus_core::Digest;
use obelus_corpus::{Corpus, PairSupport, Tokenised};
use obelus_model::{
    Control, ElementType, Form, MaskKey, Measured, ModelConfig, ModelRecord, Preset, Progress, RunSettings, SourceMask,
    Trained, Trainer, TrainingDocument, TrainingSet, Unlearned, load_tensors,
};
use tch::Device;

pub use adaptation::{AdaptationOrder, Length, adapt};
pub use extent::{Extent, Pace, extent, pace, peak_memory_bytes};

/// Everything that fixes a run.
#[derive(Clone, Debug)]
pub struct Order {
    /// Name of the model.
    pub name: String,
    /// Its folder; an interrupted run continues from the state in it.
    pub folder: PathBuf,
    /// Lineage and salt, for the record.
    pub lineage: String,
    /// Salt of the lineage.
    pub campaign_salt: Digest,
    /// Shape and training settings.
    pub preset: Preset,
    /// Name of the preset or file that they came from.
    pub preset_name: String,
    /// What is trained.
    pub control: Control,
    /// For a control that unlearns the excluded sources: the folder of the transformer control that it starts from.
    pub unlearn_from: Option<(Unlearned, PathBuf)>,
    /// Sources left out.
    pub excluded: BTreeSet<String>,
    /// What the mask of every source that is trained on follows from. Others are refused.
    pub sources: BTreeMap<String, MaskKey>,
    /// The model that this one is a retrain for.
    pub baseline_of: Option<String>,
    /// Seed of data order and initial weights.
    pub seed: u64,
    /// Steps instead of the preset's epochs.
    pub steps: Option<u64>,
    /// Threads of one tensor operation.
    pub threads: u32,
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// Element type of activations and gradients.
    pub compute: ElementType,
}

/// The shape that a preset has for a corpus of `sources`, with a tokenizer and as a control.
///
/// # Errors
/// When the result cannot be built.
pub fn shape(preset: &Preset, control: Control, vocab: usize, sources: u64) -> Result<ModelConfig> {
    let model = preset.model.assigned(sources)?;
    let mut config = match control {
        Control::None => model,
        Control::Transformer => model.as_transformer(),
        Control::WideTransformer => model.as_wide_transformer(),
        // The preset of what it starts from, which has no sinks.
        Control::GradientAscent | Control::Npo => model,
    };
    // A small corpus gives a smaller vocabulary than was asked for.
    config.vocab = u32::try_from(vocab).context("the tokenizer is too large")?;
    config.complete()?;
    Ok(config)
}

/// Parses a device name.
///
/// # Errors
/// When the device is unknown or not there.
pub fn device(name: &str) -> Result<Device> {
    match name.strip_prefix("cuda:").map(str::parse::<usize>) {
        None if name == "cpu" => Ok(Device::Cpu),
        Some(Ok(n)) => {
            // Before the first question about GPUs, whose answer libtorch remembers.
            if let CudaLibrary::Absent(path) = load_cuda()? {
                bail!(
                    "device {name}: only the CPU part of libtorch is installed; put the CUDA part of the same libtorch \
                     at {}, or use --device cpu",
                    path.display()
                );
            }
            let found = tch::Cuda::device_count();
            ensure!(found > n as i64, "device {name}: this machine has {found} usable GPUs; use --device cpu");
            Ok(Device::Cuda(n))
        }
        _ => bail!("device {name:?} is neither cpu nor cuda:N"),
    }
}

/// The element type that a device computes fastest in: bfloat16 where it has matrix units for it and the matrices are
/// wide enough to gain from them, float32 elsewhere.
pub fn compute_for(device: &str, config: &ModelConfig) -> ElementType {
    const WIDE: u32 = 512;
    let matrix_units = device != "cpu" || cpu_multiplies_bfloat16();
    if matrix_units && config.d_model >= WIDE { ElementType::Bfloat16 } else { ElementType::Float32 }
}

/// Whether the processor has matrix units for bfloat16 (AMX). The kernel lists them among a processor's flags; the standard
/// library cannot ask for them yet.
pub fn cpu_multiplies_bfloat16() -> bool {
    std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|info| info.split_whitespace().any(|f| f == "amx_bf16"))
}

/// Everything that a run needs before its first step.
struct Prepared {
    tokenised: Tokenised,
    preset: Preset,
    set: TrainingSet,
    settings: RunSettings,
}

fn prepare(order: &Order, corpus: &Corpus) -> Result<Prepared> {
    let tokenised = corpus.tokenised(order.preset.model.vocab as usize)?;
    let config = shape(&order.preset, order.control, tokenised.tokenizer.vocab(), corpus.sources().len() as u64)?;
    let set = training_set(order, &config, &tokenised, |source| !order.excluded.contains(source))?;
    let preset = Preset { model: config, training: order.preset.training.clone() };
    let steps = order.steps.unwrap_or(set.steps_per_epoch() * u64::from(preset.training.epochs));
    let identity = Digest::sha256(format!(
        "{} {} {:?} {:?} {} {}",
        tokenised.shards.digest(),
        order.campaign_salt,
        order.excluded,
        order.control,
        order.threads,
        order.device
    ));
    let settings = RunSettings {
        seed: order.seed,
        steps,
        identity,
        device: device(&order.device)?,
        compute: order.compute,
        form: Form::Gathered,
        trained: Trained::All,
    };
    Ok(Prepared { tokenised, preset, set, settings })
}

/// Trains, or continues, and writes checkpoint, moments, tokenizer and record into the folder. `watch` sees every step
/// and may stop the run, whose state is then saved.
///
/// # Errors
/// Bad settings, a source without a seed, a full disk, a cancelled run.
pub fn run(order: &Order, corpus: &Corpus, mut watch: impl FnMut(&Progress) -> ControlFlow<()>) -> Result<ModelRecord> {
    obelus_model::set_threads(order.threads);
    let Prepared { tokenised, preset, set, settings } = prepare(order, corpus)?;
    let mut trainer = Trainer::new(&preset, settings)?;
    std::fs::create_dir_all(&order.folder).with_context(|| format!("cannot create {}", order.folder.display()))?;
    let state = order.folder.join("state");
    let mut tokens_per_second = None;
    let watch = |progress: &Progress| {
        tokens_per_second = Some(progress.tokens_per_second);
        watch(progress)
    };
    let outcome = match &order.unlearn_from {
        None => {
            trainer.resume(&state)?;
            trainer.run(&set, Some(&state), save_every(settings.steps), watch)?
        }
        Some((unlearned, folder)) => {
            let base = ModelRecord::open(folder)?;
            ensure!(
                base.tokenizer == tokenised.tokenizer.digest(),
                "{} was trained with another tokenizer than the corpus gives now; train it again",
                base.name
            );
            trainer.restore(&load_tensors(&base.checkpoint_path(folder), settings.device)?, 0);
            let forget = training_set(order, &preset.model, &tokenised, |source| order.excluded.contains(source))?;
            trainer.unlearn(&forget, &set, &unlearned.how, watch)?
        }
    };
    let measured = tokens_per_second.map(|tokens_per_second| Measured {
        device: order.device.clone(),
        tokens_per_second,
        peak_memory_bytes: peak_memory_bytes().ok(),
    });
    let record = ModelRecord {
        name: order.name.clone(),
        lineage: order.lineage.clone(),
        generation: 0,
        campaign_salt: order.campaign_salt,
        corpus: corpus.name().to_owned(),
        preset: order.preset_name.clone(),
        config: preset.model,
        training: preset.training,
        control: order.control,
        post_hoc: order.unlearn_from.as_ref().map(|(unlearned, _)| unlearned.clone()),
        baseline_of: order.baseline_of.clone(),
        excluded: order.excluded.iter().cloned().collect(),
        seed: order.seed,
        threads: order.threads,
        compute: order.compute,
        tokenizer: tokenised.tokenizer.digest(),
        outcome,
        measured,
        adaptations: vec![],
        checkpoint: ModelRecord::CHECKPOINT.to_owned(),
    };
    trainer.save_weights(&record.checkpoint_path(&order.folder), &order.folder.join(ModelRecord::MOMENTS))?;
    tokenised.tokenizer.save(&order.folder.join("tokenizer.json"))?;
    record.save(&order.folder)?;
    // The state holds weights and moments of every source: a copy that no takedown would find.
    std::fs::remove_dir_all(&state).or_else(|e| if state.exists() { Err(e) } else { Ok(()) })?;
    Ok(record)
}

/// About ten saves a run, and at least every 200 steps.
fn save_every(steps: u64) -> u64 {
    (steps / 10).clamp(1, 200)
}

/// The documents of the sources that `wanted` names.
fn training_set(
    order: &Order,
    config: &ModelConfig,
    tokenised: &Tokenised,
    wanted: impl Fn(&str) -> bool,
) -> Result<TrainingSet> {
    let shards = &tokenised.shards;
    let threshold = u8::try_from(order.preset.training.support_filter).context("support_filter is at most 255")?;
    // A retrain counts on its own corpus; the whole corpus was counted once when it was tokenised.
    let own_counts = (!order.excluded.is_empty()).then(|| PairSupport::count(shards, &order.excluded));
    let support = own_counts.as_ref().unwrap_or(&tokenised.support);
    let mut masks: Vec<Option<SourceMask>> = Vec::new();
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    let mut documents = Vec::new();
    for (i, entry) in shards.index().iter().enumerate() {
        if !wanted(&entry.source) {
            continue;
        }
        let number = match numbers.get(entry.source.as_str()) {
            Some(number) => *number,
            None => {
                let key = order.sources.get(&entry.source);
                let key = key.with_context(|| format!("source {} is not registered", entry.source))?;
                masks.push(match order.control {
                    Control::None => Some(key.mask(config)?),
                    _ => None,
                });
                numbers.insert(&entry.source, masks.len() - 1);
                masks.len() - 1
            }
        };
        let tokens = shards.doc(i).to_vec();
        let weights = support.weights(&tokens, threshold);
        documents.push(TrainingDocument { id: entry.id.clone(), source: number, tokens, support: weights });
    }
    Ok(TrainingSet::new(documents, masks, config.context, order.preset.training.batch_rows)?)
}
