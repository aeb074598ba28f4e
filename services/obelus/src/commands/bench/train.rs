//! `obelus bench train`: tokens a second of the training loop itself, at any shape, gathered, dense or plain.

use std::time::Instant;

use anyhow::{Result, ensure};
use obelus_core::{Digest, SplitMix64};
use obelus_model::{
    AttentionKernel, Form, Preset, RunSettings, SourceMask, Trained, Trainer, TrainingDocument, TrainingSet,
    learning_rate,
};
use serde_json::json;
use tch::Device;

use crate::{
    arguments::{BenchTrain, TrainForm},
    commands::bench::{peak_memory_bytes, set_threads},
    output::{Answer, Output},
};

/// Steps before the clock starts: buffers are allocated and kernels chosen in them.
const WARM_UP: u32 = 2;

/// Runs `obelus bench train`.
pub fn run(arguments: &BenchTrain, output: &Output) -> Result<Answer> {
    let threads = set_threads(arguments.threads);
    let device = obelus_trainer::device(&arguments.device)?;
    let shape = arguments.shape.config()?;
    ensure!(
        (1..=shape.context).contains(&arguments.tokens),
        "--tokens {} does not fit the context of {}",
        arguments.tokens,
        shape.context
    );
    let plain = arguments.form == TrainForm::Plain;
    let mut preset = Preset::named("demo")?;
    preset.model = if plain { shape.as_transformer() } else { shape.clone() };
    preset.training.batch_rows = arguments.docs.get();
    let steps = u64::from(WARM_UP + arguments.steps.get());
    let settings = RunSettings {
        seed: 1,
        steps,
        identity: Digest::sha256("bench"),
        device,
        compute: arguments.shape.dtype.into(),
        form: if arguments.form == TrainForm::Dense { Form::Dense } else { Form::Gathered },
        trained: Trained::All,
    };
    let set = training_set(arguments, &preset, steps)?;
    let mut trainer = Trainer::new(&preset, settings)?;
    let order = set.order(1, 0);
    let attention = trainer.attention_kernel(&set.batch(&order[..order.len().min(set.batch_rows())], device));
    ensure!(
        device == Device::Cpu || attention != AttentionKernel::Unfused,
        "on {} libtorch has no fused attention for this shape and element type, so that training there is not what is to \
         be measured; try --dtype bfloat16, or another head width",
        arguments.device
    );
    let mut batches = order.chunks(set.batch_rows()).enumerate();
    let mut tokens = 0;
    let mut step = |trainer: &mut Trainer| {
        let Some((number, windows)) = batches.next() else { return 0 };
        let batch = set.batch(windows, device);
        let rate = learning_rate(&preset.training, number as u64, steps);
        let (loss, _) = trainer.step(&batch, rate);
        // A GPU is waited for at the end alone.
        if number as u64 + 1 == steps {
            loss.double_value(&[]);
        }
        batch.count
    };
    for _ in 0..WARM_UP {
        step(&mut trainer);
    }
    let started = Instant::now();
    for _ in 0..arguments.steps.get() {
        tokens += step(&mut trainer);
    }
    // What was put off while training is part of its cost.
    trainer.settle();
    let seconds = started.elapsed().as_secs_f64();
    let rate = tokens as f64 / seconds;
    let document = json!({
        "tokens_per_second": rate,
        "seconds_per_step": seconds / f64::from(arguments.steps.get()),
        "form": arguments.form.name(),
        "attention": attention.name(),
        "config": preset.model,
        "parameters": preset.model.parameters(),
        "docs": arguments.docs,
        "tokens": arguments.tokens,
        "filtered": arguments.filtered,
        "device": arguments.device,
        "dtype": settings.compute.name(),
        "threads": threads,
        "steps": arguments.steps,
        "peak_memory_bytes": peak_memory_bytes()?,
    });
    output.print(&format!("{rate:.0} tokens/s, {}", arguments.form.name()), &document)?;
    Ok(Answer::Done)
}

/// Random documents, each from a source of its own, for one pass of `steps` steps.
fn training_set(arguments: &BenchTrain, preset: &Preset, steps: u64) -> Result<TrainingSet> {
    let (documents, vocab) = (steps * u64::from(arguments.docs.get()), preset.model.vocab);
    let mut masks = Vec::new();
    let documents = (0..documents)
        .map(|i| {
            let mut noise = SplitMix64(i);
            let length = arguments.tokens as usize + 1;
            let tokens: Vec<u32> = (0..length).map(|_| (noise.bits() % u64::from(vocab)) as u32).collect();
            let rare = (arguments.filtered * f64::from(u32::MAX)) as u64;
            let support = (1..length).map(|_| if noise.bits() >> 32 < rare { 0.0 } else { 1.0 }).collect();
            let seed = Digest::sha256(format!("bench source {i}"));
            masks.push((preset.model.sinks() > 0).then(|| SourceMask::derive(seed.as_bytes(), 0, &preset.model)));
            TrainingDocument { id: i.to_string(), source: i as usize, tokens, support }
        })
        .collect();
    let masks = masks.into_iter().map(Option::transpose).collect::<Result<_, _>>()?;
    Ok(TrainingSet::new(documents, masks, preset.model.context, preset.training.batch_rows)?)
}
