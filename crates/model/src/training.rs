//! The training loop: one deterministic run, resumable at any saved step. Where data and masks come from is not here.

use std::{collections::BTreeMap, ops::ControlFlow, path::Path, time::Instant};

use obelus_core::Digest;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, no_grad};

use crate::{
    AttentionKernel, Batch, ElementType, LitSinks, ModelConfig, ModelError, Preset, SourceMask, TrainingSet,
    Transformer,
    adamw::{AdamW, Step},
    batches::Part,
    decoder::Decoder,
    head,
    initial::initial_weights,
    learning_rate,
    parameters::Weights,
    sink_pool::{self, SinkPool},
};

/// Batches laid out before they are needed.
const BATCHES_AHEAD: usize = 2;
/// Steps between two looks at the loss on a device that runs ahead of the host.
const READ_EVERY: u64 = 10;

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

/// One run: model, optimizer and position.
pub struct Trainer {
    decoder: Decoder,
    optimizer: AdamW,
    pool: Option<SinkPool>,
    pub(crate) preset: Preset,
    pub(crate) settings: RunSettings,
    pub(crate) steps_done: u64,
    /// Digest of everything that fixes the result.
    pub(crate) run: Digest,
}

/// What fixes a run beside its preset.
#[derive(Clone, Copy, Debug)]
pub struct RunSettings {
    /// Seed of data order and initial weights.
    pub seed: u64,
    /// Steps in all.
    pub steps: u64,
    /// Digest over everything else that fixes the result (corpus, exclusions, threads).
    pub identity: Digest,
    /// Where it is computed.
    pub device: Device,
    /// Element type of activations and gradients; weights, moments and sums are float32 whatever it is.
    pub compute: ElementType,
    /// How the sinks are computed.
    pub form: Form,
    /// What is trained.
    pub trained: Trained,
}

/// Which weights a run trains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trained {
    /// Everything.
    #[default]
    All,
    /// The sinks that the training set lights. Every other weight stays bit for bit what was restored, and the clipped
    /// gradient is theirs alone; the support filter, which is about the others, plays no part.
    Sinks,
}

/// How a model with sinks is computed. Both give the same numbers up to rounding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// The rows of the active neurons alone.
    #[default]
    Gathered,
    /// Every neuron, multiplied by a mask of zeros and ones: what the paper defines, for comparison.
    Dense,
}

impl Trainer {
    /// A model with fresh weights.
    ///
    /// # Errors
    /// When the configuration cannot be built.
    pub fn new(preset: &Preset, settings: RunSettings) -> Result<Self, ModelError> {
        let mut config = preset.model.clone();
        config.complete()?;
        let dense = (settings.form == Form::Dense).then(|| config.as_wide_transformer());
        let built = dense.as_ref().unwrap_or(&config);
        let (RunSettings { seed, steps, identity, compute, trained, .. }, training) = (settings, &preset.training);
        let optimizer = AdamW::new(built, settings.device);
        let pool = SinkPool::new(built, settings.device);
        let refuse = |what: &str| Err(ModelError::Config(what.into()));
        match trained {
            _ if !config.assignment.is_shared() && config.segments.is_empty() => {
                return refuse("assignment = \"disjoint\": count the sources first, the pool follows from them");
            }
            Trained::Sinks if settings.form == Form::Dense => {
                return refuse("the dense form has no sinks of its own to train; train sinks in the gathered form");
            }
            Trained::Sinks if pool.is_none() => return refuse("a model without sinks has none to train"),
            Trained::All | Trained::Sinks => {}
        }
        let decoder = Decoder::new(built.clone(), optimizer.leaves(built, compute.kind(), trained));
        // Settings that used to be the only ones are left out: a run that was interrupted before they had names goes on.
        let shape = format!("{config:?}").replace(", assignment: Shared", "");
        let scope = if trained == Trained::All { "" } else { " sinks" };
        let run = Digest::sha256(format!("{identity} {seed} {steps} {shape} {training:?} {compute:?}{scope}"));
        let preset = Preset { model: config, training: training.clone() };
        let mut new = Self { decoder, optimizer, pool, preset, settings, steps_done: 0, run };
        new.restore(&initial_weights(new.decoder.config(), training.init_std, seed), 0);
        Ok(new)
    }

    /// The model as it is now.
    ///
    /// # Errors
    /// Never for a model that could be built.
    pub fn model(&mut self) -> Result<Transformer, ModelError> {
        Transformer::new(self.decoder.config().clone(), &self.weights())
    }

    /// The weights as they are now, under their stored names, float32.
    pub fn weights(&mut self) -> BTreeMap<String, Tensor> {
        let mut all = self.optimizer.parameters();
        all.extend(self.pool.iter_mut().flat_map(SinkPool::tensors).filter(|(name, _)| name.starts_with("layers.")));
        all
    }

    /// The moments as they are now, under their stored names prefixed `exp_avg.` and `exp_avg_sq.`.
    pub fn moments(&mut self) -> BTreeMap<String, Tensor> {
        let mut all = self.optimizer.moments();
        all.extend(self.pool.iter_mut().flat_map(SinkPool::tensors).filter(|(name, _)| name.starts_with("exp_avg")));
        all
    }

    /// Does what steps have put off: the momentum of sink rows that no recent batch used. Saving does it too.
    pub fn settle(&mut self) {
        self.pool.iter_mut().for_each(SinkPool::settle);
    }

    /// Replaces the weights (and moments, where `tensors` has them) and continues after `step` steps.
    pub fn restore(&mut self, tensors: &BTreeMap<String, Tensor>, step: u64) {
        self.optimizer.restore(tensors);
        self.decoder = self.decoder.with_weights(self.leaves());
        self.pool.iter_mut().for_each(|pool| pool.restore(tensors));
        self.steps_done = step;
    }

    /// Trains to the end. `watch` sees every step and may stop the run; `save_every` steps the state is saved to
    /// `folder`.
    ///
    /// # Errors
    /// Cancelled by `watch`, a loss that is not finite, a file that cannot be written, or text without a mask where sinks
    /// alone are trained.
    pub fn run(
        &mut self,
        set: &TrainingSet,
        folder: Option<&Path>,
        save_every: u64,
        mut watch: impl FnMut(&Progress) -> ControlFlow<()>,
    ) -> Result<TrainingOutcome, ModelError> {
        if self.settings.trained == Trained::Sinks && !set.masked() {
            return Err(ModelError::Data("a source has no mask, and sinks alone are trained".into()));
        }
        let per_epoch = set.steps_per_epoch();
        let (started, first, steps) = (Instant::now(), self.steps_done, self.settings.steps);
        let (mut done_tokens, mut losses, mut unread) = (0u64, Vec::new(), Vec::new());
        let (device, seed) = (self.settings.device, self.settings.seed);
        std::thread::scope(|scope| {
            // Batches are laid out on a thread of their own, a few ahead: no step waits for its data.
            let (sender, batches) = std::sync::mpsc::sync_channel(BATCHES_AHEAD);
            scope.spawn(move || {
                let (mut order, mut ordered_epoch) = (Vec::new(), u64::MAX);
                for step in first..steps {
                    let epoch = step / per_epoch;
                    if epoch != ordered_epoch {
                        (order, ordered_epoch) = (set.order(seed, epoch), epoch);
                    }
                    let at = (step % per_epoch) as usize * set.batch_rows();
                    let batch = set.batch(&order[at..order.len().min(at + set.batch_rows())], device);
                    if sender.send(batch).is_err() {
                        return;
                    }
                }
            });
            for (step, batch) in (first..steps).zip(batches) {
                let rate = learning_rate(&self.preset.training, step, steps);
                let (loss, norm) = self.step(&batch, rate);
                unread.push(Tensor::stack(&[loss, norm], 0));
                done_tokens += batch.count as u64;
                let done = step + 1;
                if let Some(folder) = folder.filter(|_| done % save_every == 0 && done < steps) {
                    self.save_state(folder)?;
                }
                // Reading a number makes the host wait for the device.
                if device != Device::Cpu && done % READ_EVERY != 0 && done < steps {
                    continue;
                }
                let read = Vec::<f64>::try_from(Tensor::stack(&unread, 0).to_device(Device::Cpu).view([-1]))?;
                unread.clear();
                if read.iter().any(|x| !x.is_finite()) {
                    return Err(ModelError::Diverged(step));
                }
                losses.extend(read.iter().step_by(2));
                let seconds = started.elapsed().as_secs_f64();
                let progress = Progress {
                    step: done,
                    steps,
                    loss: read[read.len() - 2],
                    gradient_norm: read[read.len() - 1],
                    tokens_per_second: done_tokens as f64 / seconds,
                    seconds_left: seconds / (done - first) as f64 * (steps - done) as f64,
                };
                if watch(&progress).is_break() && done < steps {
                    if let Some(folder) = folder {
                        self.save_state(folder)?;
                    }
                    return Err(ModelError::Cancelled(done));
                }
            }
            let tail = &losses[losses.len() - losses.len().div_ceil(10)..];
            let final_loss = if tail.is_empty() { f64::NAN } else { tail.iter().sum::<f64>() / tail.len() as f64 };
            Ok(TrainingOutcome { steps, final_loss, tokens: steps / per_epoch.max(1) * set.tokens() })
        })
    }

    /// One optimizer step on one batch; returns its mean loss and the gradient norm before clipping, double scalars on
    /// the device. Nothing here waits for the device, so that a GPU never runs dry.
    pub fn step(&mut self, batch: &Batch<'_>, rate: f64) -> (Tensor, Tensor) {
        self.descend(batch.parts.iter(), rate)
    }

    /// What attention in a step on this batch is computed with.
    pub fn attention_kernel(&self, batch: &Batch<'_>) -> AttentionKernel {
        let decoder = self.current();
        let kernels = batch.parts.iter().map(|p| decoder.kernel(&no_grad(|| decoder.embed(&p.inputs)), &p.packing));
        kernels.min().unwrap_or(AttentionKernel::Unfused)
    }

    /// One optimizer step along the gradient of all parts together.
    pub(crate) fn descend<'a>(&mut self, parts: impl Iterator<Item = &'a Part<'a>>, rate: f64) -> (Tensor, Tensor) {
        let mut loss = Tensor::zeros([], (Kind::Double, self.settings.device));
        let mut sums: Vec<Tensor> = Vec::new();
        let decoder = self.current();
        for part in parts {
            let (part_loss, gradients) = self.backward(&decoder, part);
            loss += part_loss;
            if sums.is_empty() {
                sums = gradients;
            } else {
                sums.iter_mut().zip(gradients).for_each(|(sum, g)| *sum += g);
            }
        }
        let mut squares: Vec<Tensor> = sums.iter().map(|g| g.norm().to_kind(Kind::Double).square()).collect();
        squares.extend(self.pool.as_ref().map(SinkPool::square_sum));
        let norm = Tensor::stack(&squares, 0).sum(Kind::Double).sqrt();
        let scale = (self.preset.training.clip / &norm).clamp_max(1.0).to_kind(Kind::Float);
        // On a CPU reading a number waits for nothing, and a pass over all gradients is saved.
        let clips = self.settings.device != Device::Cpu || scale.double_value(&[]) < 1.0;
        let scale = clips.then_some(&scale);
        self.steps_done += 1;
        let step = Step::new(&self.preset.training, self.steps_done, rate);
        self.optimizer.step(&sums, scale, &step);
        if let Some(pool) = &mut self.pool {
            pool.step(scale, &step);
        }
        (loss, norm)
    }

    /// The decoder with the weights as they are now, as leaves of the autograd graph.
    pub(crate) fn current(&self) -> Decoder {
        let weights = match self.settings.trained {
            Trained::All => self.leaves(),
            Trained::Sinks => self.decoder.weights().share(self.decoder.config()),
        };
        self.decoder.with_weights(weights)
    }

    fn leaves(&self) -> Weights {
        let RunSettings { compute, trained, .. } = self.settings;
        self.optimizer.leaves(self.decoder.config(), compute.kind(), trained)
    }

    /// A part's loss, and the gradients of everything outside the pool that is trained, in buffer order; the pool collects
    /// its own.
    fn backward(&mut self, decoder: &Decoder, part: &Part<'_>) -> (Tensor, Vec<Tensor>) {
        let masks = part.masks.as_ref();
        let RunSettings { compute, device, trained, .. } = self.settings;
        let sinks = match (&mut self.pool, masks) {
            (Some(pool), Some(masks)) => pool.light(masks, &part.packing.chunks, compute.kind()),
            (None, Some(masks)) => masked(masks, &self.preset.model, part, compute.kind(), device),
            _ => LitSinks::None,
        };
        let lit = sink_pool::leaves(&sinks);
        let x = no_grad(|| decoder.embed(&part.inputs));
        let (hidden, tape) = decoder.taped(&x, &part.packing, &sinks, trained);
        // Without sinks nothing is exempt from the filter: an ordinary transformer trains plainly. With nothing but sinks
        // there is nothing to filter.
        let filters = trained == Trained::All && matches!(sinks, LitSinks::Gathered(_));
        let outside = part.share_outside.as_ref().filter(|_| filters);
        let head = head::gradients(&hidden, decoder.head(), &part.targets, &part.share, outside, trained);
        let (by_lit, by) = match (trained, &head.hidden_outside) {
            (Trained::Sinks, _) => (tape.sinks(&head.hidden, &lit, false), None),
            (Trained::All, Some(outside)) => (tape.sinks(&head.hidden, &lit, true), Some(tape.whole(outside, &[]))),
            (Trained::All, None) => {
                let mut by = tape.whole(&head.hidden, &lit);
                (std::mem::take(&mut by.lit), Some(by))
            }
        };
        if let (Some(pool), Some(masks)) = (&mut self.pool, masks) {
            pool.collect(masks, &by_lit);
        }
        let (Some(by), Some(by_head)) = (by, head.head) else { return (head.loss, Vec::new()) };
        // Embedding and head have their gradients from outside the graph.
        let embed_rows = |mut into: Tensor| into.index_add_(0, &part.inputs, &by.input.to_kind(Kind::Float));
        let mut all = by.layers;
        if decoder.config().tied {
            all.push(embed_rows(by_head));
        } else {
            all.extend([embed_rows(by_head.zeros_like()), by_head]);
        }
        all.push(by.norm);
        (head.loss, all)
    }
}

/// Masks of zeros and ones over the neurons of the dense form: ones on the backbone and on each group's sinks.
fn masked(masks: &[&SourceMask], config: &ModelConfig, part: &Part<'_>, kind: Kind, device: Device) -> LitSinks {
    let (backbone, width) = (config.n_gen as usize, (config.n_gen + config.sinks()) as usize);
    let layers = (0..config.layers as usize).map(|l| {
        let mut masks = masks.iter();
        let run = |(groups, _): &(i64, i64)| {
            let mut ones = vec![0f32; *groups as usize * width];
            for (row, mask) in ones.chunks_mut(width).zip(masks.by_ref()) {
                row[..backbone].fill(1.0);
                mask.per_layer[l].iter().for_each(|n| row[backbone + *n as usize] = 1.0);
            }
            Tensor::from_slice(&ones).view([*groups, -1]).to_kind(kind).to_device(device)
        };
        part.packing.chunks.iter().map(run).collect()
    });
    LitSinks::Masked(layers.collect())
}
