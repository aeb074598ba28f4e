//! The training loop: one deterministic run, resumable at any saved step. Where data and masks come from is not here.

use std::{collections::BTreeMap, ops::ControlFlow, path::Path, time::Instant};

use obelus_core::Digest;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Reduction, Tensor};

use crate::{
    AdamW, Batch, ModelError, Preset, TrainingSet, Transformer, adamw::is_sink, initial::initial_weights,
    learning_rate, load_tensors, save_tensors,
};

const WEIGHTS: &str = "weights.safetensors";
const MOMENTS: &str = "optimizer.safetensors";

/// What a run reports after each step.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Steps in all.
    pub steps: u64,
    /// Mean loss of the step's targets, nats a token.
    pub loss: f64,
    /// Joint gradient norm before clipping.
    pub gradient_norm: f64,
    /// Targets a second since this process started training.
    pub tokens_per_second: f64,
    /// Estimated seconds left.
    pub seconds_left: f64,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainingOutcome {
    /// Steps of the whole run.
    pub steps: u64,
    /// Mean loss over the last tenth of the steps that this process did, nats a token.
    pub final_loss: f64,
    /// Targets trained on, over all epochs.
    pub tokens: u64,
}

/// The state that a resumable run keeps in its folder, beside the two tensor files.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedState {
    step: u64,
    steps: u64,
    /// Digest of everything that fixes the result; a run with other settings must not continue from this state.
    run: Digest,
}

/// One run: model, optimizer and position.
pub struct Trainer {
    model: Transformer,
    parameters: BTreeMap<String, Tensor>,
    optimizer: AdamW,
    preset: Preset,
    seed: u64,
    steps: u64,
    run: Digest,
}

impl Trainer {
    /// A model with fresh weights. `run` is a digest over everything else that fixes the result (corpus, exclusions,
    /// threads): together with preset and seed it names the run.
    ///
    /// # Errors
    /// When the configuration cannot be built.
    pub fn new(preset: &Preset, seed: u64, steps: u64, run: Digest, device: Device) -> Result<Self, ModelError> {
        let mut optimizer = AdamW::new(&preset.model, (&preset.training).into(), device);
        optimizer.restore(&initial_weights(&preset.model, preset.training.init_std, seed), 0);
        let parameters = optimizer.parameters();
        let model = Transformer::new(preset.model.clone(), &parameters)?;
        let identity = format!("{run} {seed} {steps} {preset:?}");
        let run = Digest::sha256(identity);
        Ok(Self { model, parameters, optimizer, preset: preset.clone(), seed, steps, run })
    }

    /// The model as it is now.
    pub fn model(&self) -> &Transformer {
        &self.model
    }

    /// Replaces the weights (and moments, where `tensors` has them) and continues after `step` steps.
    pub fn restore(&mut self, tensors: &BTreeMap<String, Tensor>, step: u64) {
        self.optimizer.restore(tensors, step);
    }

    /// Saves weights, moments and position so that `resume` continues bit for bit.
    ///
    /// # Errors
    /// When a file cannot be written; an earlier state then stays valid.
    pub fn save_state(&self, folder: &Path) -> Result<(), ModelError> {
        let step = self.optimizer.step_number();
        let partial = folder.with_extension("partial");
        let _ = std::fs::remove_dir_all(&partial);
        std::fs::create_dir_all(&partial).map_err(ModelError::io("cannot create", &partial))?;
        self.save_weights(&partial.join(WEIGHTS), &partial.join(MOMENTS))?;
        let state = SavedState { step, steps: self.steps, run: self.run };
        let text = serde_json::to_string(&state).map_err(|e| ModelError::Data(e.to_string()))?;
        let path = partial.join("state.json");
        std::fs::write(&path, text).map_err(ModelError::io("cannot write", &path))?;
        // The state folder is replaced as a whole: weights of one step with moments of another would resume wrongly.
        let old = folder.with_extension("old");
        let _ = std::fs::remove_dir_all(&old);
        if folder.exists() {
            std::fs::rename(folder, &old).map_err(ModelError::io("cannot set aside", folder))?;
        }
        std::fs::rename(&partial, folder).map_err(ModelError::io("cannot put in place", folder))?;
        let _ = std::fs::remove_dir_all(&old);
        Ok(())
    }

    /// Continues from a state that `save_state` left in `folder`; returns the step, 0 when there is none.
    ///
    /// # Errors
    /// When the state is damaged or belongs to a run with other settings.
    pub fn resume(&mut self, folder: &Path) -> Result<u64, ModelError> {
        let old = folder.with_extension("old");
        if !folder.exists() && old.exists() {
            // Killed between the two renames of `save_state`: the older state is whole.
            std::fs::rename(&old, folder).map_err(ModelError::io("cannot put back", &old))?;
        }
        let path = folder.join("state.json");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !folder.exists() => return Ok(0),
            Err(e) => return Err(ModelError::io("cannot read", path)(e)),
        };
        let state: SavedState = serde_json::from_str(&text)
            .map_err(|e| ModelError::Checkpoint { path: path.clone(), reason: e.to_string() })?;
        if state.run != self.run {
            return Err(ModelError::Data(format!(
                "{} was saved by a run with another configuration, corpus, seed or thread count; give the model \
                 another name, or remove the folder to start again",
                folder.display()
            )));
        }
        for file in [WEIGHTS, MOMENTS] {
            let tensors = load_tensors(&folder.join(file), self.model.device())?;
            self.optimizer.restore(&tensors, state.step);
        }
        Ok(state.step)
    }

    /// Writes the weights and the optimizer's moments as two checkpoint files.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn save_weights(&self, weights: &Path, moments: &Path) -> Result<(), ModelError> {
        save_tensors(weights, &self.parameters)?;
        save_tensors(moments, &self.optimizer.moments())
    }

    /// Trains to the end. `watch` sees every step and may stop the run; `save_every` steps the state is saved to
    /// `folder`.
    ///
    /// # Errors
    /// Cancelled by `watch`, a loss that is not finite, or a file that cannot be written.
    pub fn run(
        &mut self,
        set: &TrainingSet,
        folder: Option<&Path>,
        save_every: u64,
        mut watch: impl FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<TrainingOutcome, ModelError> {
        let per_epoch = set.steps_per_epoch();
        let (started, mut done_tokens) = (Instant::now(), 0u64);
        let first = self.optimizer.step_number();
        let (mut order, mut ordered_epoch) = (Vec::new(), u64::MAX);
        let mut recent = Vec::new();
        for step in first..self.steps {
            let epoch = step / per_epoch;
            if epoch != ordered_epoch {
                (order, ordered_epoch) = (set.order(self.seed, epoch), epoch);
            }
            let at = (step % per_epoch) as usize * set.batch_rows();
            let batch = set.batch(&order[at..order.len().min(at + set.batch_rows())], self.model.device());
            let rate = learning_rate(&self.preset.training, step, self.steps);
            let (loss, gradient_norm) = self.step(&batch, rate);
            if !loss.is_finite() || !gradient_norm.is_finite() {
                return Err(ModelError::Diverged(step));
            }
            recent.push(loss);
            done_tokens += batch.count as u64;
            let done = step + 1;
            if let Some(folder) = folder.filter(|_| done % save_every == 0 && done < self.steps) {
                self.save_state(folder)?;
            }
            let seconds = started.elapsed().as_secs_f64();
            let progress = Progress {
                step: done,
                steps: self.steps,
                loss,
                gradient_norm,
                tokens_per_second: done_tokens as f64 / seconds,
                seconds_left: seconds / (done - first) as f64 * (self.steps - done) as f64,
            };
            if watch(&progress).is_break() && done < self.steps {
                if let Some(folder) = folder {
                    self.save_state(folder)?;
                }
                return Err(ModelError::Cancelled(done));
            }
        }
        let tail = &recent[recent.len() - recent.len().div_ceil(10)..];
        let final_loss = if tail.is_empty() { f64::NAN } else { tail.iter().sum::<f64>() / tail.len() as f64 };
        Ok(TrainingOutcome { steps: self.steps, final_loss, tokens: self.steps / per_epoch.max(1) * set.tokens() })
    }

    /// One optimizer step on one batch; returns its mean loss and the gradient norm before clipping.
    pub fn step(&mut self, batch: &Batch, rate: f64) -> (f64, f64) {
        let (plain, supported) = weighted_losses(&self.model, batch);
        let gradients = match &supported {
            None => backward(&plain, &self.parameters, |_| true, false),
            Some(supported) => {
                // The sinks learn from every target, everything else only from what several sources say.
                let mut all = backward(&plain, &self.parameters, is_sink, true);
                all.extend(backward(supported, &self.parameters, |name| !is_sink(name), false));
                all
            }
        };
        (plain.double_value(&[]), self.optimizer.step(&gradients, rate))
    }
}

/// Mean loss over all targets, and the support-weighted sum over the same number of targets where the batch has
/// support weights (small-scale findings: the support filter). Scalars.
pub fn weighted_losses(model: &Transformer, batch: &Batch) -> (Tensor, Option<Tensor>) {
    let logits = model.logits(&model.hidden(&batch.inputs, &batch.sinks));
    let vocab = i64::from(model.config().vocab);
    let losses = logits.view([-1, vocab]).cross_entropy_loss::<Tensor>(
        &batch.targets.view([-1]),
        None,
        Reduction::None,
        -100,
        0.0,
    );
    let count = batch.count as f64;
    // Without sinks nothing is exempt from the filter's plain pass: an ordinary transformer trains plainly.
    let filtered = batch.support.as_ref().filter(|_| batch.sinks.per_layer.is_some());
    let supported = filtered.map(|w| (&losses * w.view([-1])).sum(Kind::Float) / count);
    (losses.sum(Kind::Float) / count, supported)
}

fn backward(
    loss: &Tensor,
    parameters: &BTreeMap<String, Tensor>,
    wanted: impl Fn(&str) -> bool,
    keep_graph: bool,
) -> BTreeMap<String, Tensor> {
    let chosen: Vec<(&String, &Tensor)> = parameters.iter().filter(|(name, _)| wanted(name)).collect();
    let tensors: Vec<&Tensor> = chosen.iter().map(|(_, t)| *t).collect();
    let gradients = Tensor::run_backward(&[loss], &tensors, keep_graph, false);
    chosen.into_iter().map(|(name, _)| name.clone()).zip(gradients).collect()
}
