//! `obelus bench decode`: reading a prompt and adding tokens to it, measured apart.

use std::{collections::BTreeMap, time::Instant};

use anyhow::{Result, ensure};
use obelus_core::Digest;
use obelus_model::{Decoding, ModelConfig, Prompt, SourceMask, Transformer};
use serde_json::json;
use tch::{Device, Kind, Tensor};

use crate::{
    arguments::BenchDecode,
    commands::bench::{peak_memory_bytes, set_threads},
    output::{Answer, Output},
};

/// Tokens added before the clock starts.
const WARM_UP: u32 = 2;

/// Runs `obelus bench decode`.
pub fn run(arguments: &BenchDecode, output: &Output) -> Result<Answer> {
    let threads = set_threads(arguments.threads);
    let device = obelus_trainer::device(&arguments.device)?;
    let config = arguments.shape.config()?;
    let (batch, length) = (arguments.batch.get(), arguments.prompt.get());
    let sources = arguments.sources.unwrap_or(batch).min(batch);
    let more = arguments.tokens.get() + WARM_UP;
    ensure!(
        length.saturating_add(more) <= config.context,
        "--prompt {length} and --tokens {} do not fit the context of {}",
        arguments.tokens,
        config.context
    );
    let model = Transformer::new(config.clone(), &weights(arguments, &config, device))?;
    let masks: Vec<SourceMask> = (0..sources)
        .map(|s| SourceMask::derive(Digest::sha256(format!("bench source {s}")).as_bytes(), 0, &config))
        .collect::<Result<_, _>>()?;
    let texts: Vec<Vec<u32>> =
        (0..batch).map(|row| (0..length).map(|t| (row * 131 + t * 31) % config.vocab).collect()).collect();
    // Texts of one source are beside each other, as a scheduler would put them.
    let mask = |row: usize| (sources > 0).then(|| &masks[row * masks.len() / batch as usize]);
    let prompts: Vec<Prompt<'_>> =
        texts.iter().enumerate().map(|(row, tokens)| Prompt { tokens, mask: mask(row) }).collect();
    let _guard = tch::no_grad_guard();
    let mut added = vec![Vec::new(); batch as usize];
    let take = |logits: &Tensor, added: &mut Vec<Vec<u32>>| -> Result<()> {
        let best = Vec::<i64>::try_from(logits.argmax(-1, false).to_device(Device::Cpu))?;
        added.iter_mut().zip(best).for_each(|(row, token)| row.push(token as u32));
        Ok(())
    };
    // Once unmeasured, to choose kernels and allocate buffers.
    let (mut decoding, _) = Decoding::start(&model, &prompts, &added, more as usize);
    let attention = decoding.attention_kernel(&model);
    let ids: Vec<i64> = texts.concat().into_iter().map(i64::from).collect();
    let ids = Tensor::from_slice(&ids).view([i64::from(batch), i64::from(length)]).to_device(device);
    let prefill_attention = model.attention_kernel(&ids);
    drop(decoding);
    let started = Instant::now();
    let (mut decoding, logits) = Decoding::start(&model, &prompts, &added, more as usize);
    take(&logits, &mut added)?;
    let first_token = started.elapsed().as_secs_f64();
    let mut next = |added: &mut Vec<Vec<u32>>| take(&decoding.next(&model, added), added);
    for _ in 0..WARM_UP - 1 {
        next(&mut added)?;
    }
    let started = Instant::now();
    for _ in 0..arguments.tokens.get() {
        next(&mut added)?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let rate = f64::from(arguments.tokens.get()) * f64::from(batch) / seconds;
    let document = json!({
        "tokens_per_second": rate,
        "first_token_ms": first_token * 1e3,
        "prefill_tokens_per_second": f64::from(length) * f64::from(batch) / first_token,
        "attention": attention.name(),
        "prefill_attention": prefill_attention.name(),
        "batch": batch,
        "sources": sources,
        "prompt": length,
        "tokens": arguments.tokens,
        "config": config,
        "device": arguments.device,
        "dtype": obelus_model::ElementType::from(arguments.shape.dtype).name(),
        "threads": threads,
        "peak_memory_bytes": peak_memory_bytes()?,
    });
    let words = format!("{rate:.1} tokens/s, the first after {:.1} ms", first_token * 1e3);
    output.print(&words, &document)?;
    Ok(Answer::Done)
}

/// Random weights of a shape. Speed depends on the shape alone.
fn weights(arguments: &BenchDecode, config: &ModelConfig, device: Device) -> BTreeMap<String, Tensor> {
    let kind = match arguments.shape.dtype.into() {
        obelus_model::ElementType::Float32 => Kind::Float,
        obelus_model::ElementType::Bfloat16 => Kind::BFloat16,
    };
    tch::manual_seed(1);
    let random = |shape: Vec<i64>| Tensor::randn(shape.as_slice(), (kind, device)) * 0.02;
    config.tensors().into_iter().map(|(name, shape)| (name, random(shape))).collect()
}
