//! The gathered model against the masked dense definition (paper section 3.2), written out independently here.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

use std::collections::BTreeMap;

use obelus_core::Digest;
use obelus_model::{ActiveSinks, AdamW, ModelConfig, Preset, SourceMask, Trainer, Transformer};
use tch::{Device, Kind, Tensor};

fn config() -> ModelConfig {
    let mut config = Preset::named("tiny").unwrap().model;
    config.vocab = 97;
    config.heads = 4;
    config.kv_heads = 2;
    config.head_dim = 8;
    config
}

fn masks(config: &ModelConfig, sources: u8) -> Vec<SourceMask> {
    (0..sources).map(|s| SourceMask::derive(&[s; 32], config).unwrap()).collect()
}

fn parameters(config: &ModelConfig, kind: Kind) -> BTreeMap<String, Tensor> {
    tch::manual_seed(5);
    let random = |shape: &Vec<i64>| Tensor::randn(shape.as_slice(), (Kind::Float, Device::Cpu)) * 0.2;
    config
        .tensors()
        .iter()
        .map(|(name, shape)| (name.clone(), random(shape).to_kind(kind).detach().set_requires_grad(true)))
        .collect()
}

/// Logits by the definition: every sink computed, then multiplied by a mask of zeros and ones; attention spelled out.
fn dense(config: &ModelConfig, p: &BTreeMap<String, Tensor>, tokens: &Tensor, rows: &[Option<&SourceMask>]) -> Tensor {
    let kind = p["norm.weight"].kind();
    let (batch, length) = tokens.size2().unwrap();
    let (heads, kv_heads, width) = (i64::from(config.heads), i64::from(config.kv_heads), i64::from(config.head_dim));
    let norm = |x: &Tensor, w: &Tensor| x / (x.square().mean_dim(-1, true, kind) + 1e-5).sqrt() * w;
    let position = Tensor::arange(length, (Kind::Double, Device::Cpu));
    let pair = Tensor::arange(width / 2, (Kind::Double, Device::Cpu)) * (2.0 / width as f64);
    let angle = position.outer(&(pair * -f64::from(config.rope_base).ln()).exp());
    let rotate = |x: &Tensor| {
        let (cos, sin) = (angle.cos().to_kind(kind), angle.sin().to_kind(kind));
        let (a, b) = (x.narrow(-1, 0, width / 2), x.narrow(-1, width / 2, width / 2));
        Tensor::cat(&[&a * &cos - &b * &sin, &b * &cos + &a * &sin], -1)
    };
    let mut x = p["embed.weight"].index_select(0, &tokens.view([-1])).view([batch, length, -1]);
    for l in 0..config.layers {
        let w = |name: &str| &p[&format!("layers.{l}.{name}")];
        let h = norm(&x, w("attn_norm.weight"));
        let split = |name: &str, n: i64| {
            let y = h.matmul(&w(name).transpose(0, 1)).view([batch, length, n, width]).transpose(1, 2);
            y.repeat_interleave_self_int(heads / n, 1, None)
        };
        let (q, k) = (rotate(&split("attn.q.weight", heads)), rotate(&split("attn.k.weight", kv_heads)));
        let future = Tensor::ones([length, length], (Kind::Bool, Device::Cpu)).triu(1);
        let scores = q.matmul(&k.transpose(-1, -2)) / (width as f64).sqrt();
        let shares = scores.masked_fill(&future, f64::NEG_INFINITY).softmax(-1, kind);
        let y = shares.matmul(&split("attn.v.weight", kv_heads)).transpose(1, 2).reshape([batch, length, -1]);
        x = &x + y.matmul(&w("attn.o.weight").transpose(0, 1));
        let h = norm(&x, w("mlp_norm.weight"));
        for (part, masked) in [("backbone", false), ("sinks", true)] {
            let of = |m: &str| w(&format!("mlp.{part}.{m}"));
            let mut a = h.matmul(&of("gate").transpose(0, 1)).silu() * h.matmul(&of("up").transpose(0, 1));
            if masked {
                let mask = Tensor::zeros([batch, 1, i64::from(config.sinks())], (kind, Device::Cpu));
                for (row, lit) in rows.iter().enumerate() {
                    for n in lit.iter().flat_map(|m| &m.per_layer[l as usize]) {
                        let _ = mask.get(row as i64).get(0).get(i64::from(*n)).fill_(1.0);
                    }
                }
                a = &a * mask;
            }
            x = &x + a.matmul(of("down"));
        }
    }
    norm(&x, &p["norm.weight"]).matmul(&p["embed.weight"].transpose(0, 1))
}

fn tokens(rows: i64, length: i64, vocab: u32) -> Tensor {
    tch::manual_seed(11);
    Tensor::randint(i64::from(vocab), [rows, length], (Kind::Int64, Device::Cpu))
}

fn largest(a: &Tensor, b: &Tensor) -> f64 {
    (a.to_kind(Kind::Double) - b.to_kind(Kind::Double)).abs().max().double_value(&[])
}

#[test]
fn gathered_equals_masked_dense_forward_and_gradients() {
    let config = config();
    let masks = masks(&config, 3);
    let ids = tokens(3, 9, config.vocab);
    let p = parameters(&config, Kind::Float);
    let model = Transformer::new(config.clone(), &p).unwrap();
    let lit: Vec<&SourceMask> = masks.iter().collect();
    let logits = model.logits(&model.hidden(&ids, &ActiveSinks::rows(&lit, Device::Cpu)));

    let exact: BTreeMap<_, _> =
        p.iter().map(|(n, t)| (n.clone(), t.detach().to_kind(Kind::Double).set_requires_grad(true))).collect();
    let rows: Vec<_> = masks.iter().map(Some).collect();
    let reference = dense(&config, &exact, &ids, &rows);
    assert!(largest(&logits, &reference) < 2e-5, "forward differs by {}", largest(&logits, &reference));

    // A loss with a different weight on every logit, so that no gradient cancels.
    let weights = Tensor::randn(reference.size().as_slice(), (Kind::Float, Device::Cpu));
    let names: Vec<&String> = p.keys().collect();
    let gradients = |p: &BTreeMap<String, Tensor>, logits: &Tensor| {
        let inputs: Vec<&Tensor> = p.values().collect();
        Tensor::run_backward(&[(logits * weights.to_kind(logits.kind())).sum(logits.kind())], &inputs, false, false)
    };
    let (found, wanted) = (gradients(&p, &logits), gradients(&exact, &reference));
    for ((name, a), b) in names.iter().zip(&found).zip(&wanted) {
        let scale = b.abs().max().double_value(&[]).max(1.0);
        assert!(largest(a, b) / scale < 2e-5, "gradient of {name} differs by {} of {scale}", largest(a, b));
    }
}

#[test]
fn no_mask_and_a_shared_mask_match_the_definition() {
    let config = config();
    let mask = masks(&config, 1).remove(0);
    let ids = tokens(2, 7, config.vocab);
    let p = parameters(&config, Kind::Float);
    let model = Transformer::new(config.clone(), &p).unwrap();
    let none = model.logits(&model.hidden(&ids, &ActiveSinks::none()));
    assert!(largest(&none, &dense(&config, &p, &ids, &[None, None])) < 2e-5);
    let shared = model.logits(&model.hidden(&ids, &ActiveSinks::shared(&mask, Device::Cpu)));
    assert!(largest(&shared, &dense(&config, &p, &ids, &[Some(&mask), Some(&mask)])) < 2e-5);
    assert!(largest(&shared, &none) > 1e-2, "the mask must matter");
}

#[test]
fn documents_of_a_batch_are_isolated_bit_for_bit() {
    let config = config();
    let masks = masks(&config, 3);
    let p = parameters(&config, Kind::Float);
    let model = Transformer::new(config.clone(), &p).unwrap();
    let lit: Vec<&SourceMask> = masks.iter().collect();
    let ids = tokens(3, 9, config.vocab);
    let changed = ids.copy();
    changed.get(1).copy_(&(ids.get(1) + 1).remainder(i64::from(config.vocab)));
    let logits = |ids: &Tensor| model.logits(&model.hidden(ids, &ActiveSinks::rows(&lit, Device::Cpu)));
    let (before, after) = (logits(&ids), logits(&changed));
    for row in [0, 2] {
        assert!(before.get(row).equal(&after.get(row)), "row {row} saw another document");
    }
    assert!(!before.get(1).equal(&after.get(1)));
    // And no token sees what comes after it, so padding on the right changes nothing either.
    let longer = Tensor::cat(&[&ids, &ids.narrow(1, 0, 1)], 1);
    assert!(largest(&logits(&longer).narrow(1, 0, 9), &before) < 1e-5);
}

#[test]
fn striking_in_memory_zeroes_exactly_the_mask() {
    let config = config();
    let masks = masks(&config, 2);
    let p = parameters(&config, Kind::Float);
    let model = Transformer::new(config.clone(), &p).unwrap();
    let ids = tokens(2, 7, config.vocab);
    let logits =
        |m: &Transformer, mask: &SourceMask| m.logits(&m.hidden(&ids, &ActiveSinks::shared(mask, Device::Cpu)));
    let struck = model.with_struck(&masks[0]);
    let none = model.logits(&model.hidden(&ids, &ActiveSinks::none()));
    assert!(largest(&logits(&struck, &masks[0]), &none) < 1e-5, "own mask after the strike is the backbone alone");
    assert!(largest(&logits(&model, &masks[0]), &none) > 1e-2, "the original is untouched");
}

#[test]
fn one_optimizer_step_follows_the_definition() {
    let config = config();
    let training = Preset::named("tiny").unwrap().training;
    let settings = obelus_model::AdamWSettings { clip: 0.5, ..(&training).into() };
    let mut optimizer = AdamW::new(&config, settings, Device::Cpu);
    let start = parameters(&config, Kind::Float);
    optimizer.restore(&start, 0);
    let mut exact: BTreeMap<String, [Tensor; 3]> = start
        .iter()
        .map(|(n, t)| {
            let w = t.detach().to_kind(Kind::Double);
            (n.clone(), [w.copy(), w.zeros_like(), w.zeros_like()])
        })
        .collect();
    for step in 1..=3 {
        tch::manual_seed(100 + step);
        let gradients: BTreeMap<String, Tensor> = start
            .iter()
            .map(|(n, t)| (n.clone(), Tensor::randn(t.size().as_slice(), (Kind::Float, Device::Cpu))))
            .collect();
        let norm = optimizer.step(&gradients, 1e-2);
        let squares: f64 =
            gradients.values().map(|g| g.to_kind(Kind::Double).square().sum(Kind::Double).double_value(&[])).sum();
        assert!((norm - squares.sqrt()).abs() / norm < 1e-5);
        for (name, [w, m, v]) in &mut exact {
            let g = gradients[name].to_kind(Kind::Double) * (0.5 / squares.sqrt());
            *m = &*m * 0.9 + &g * 0.1;
            *v = &*v * 0.95 + g.square() * 0.05;
            let (b1, b2) = (1.0 - 0.9f64.powi(step as i32), 1.0 - 0.95f64.powi(step as i32));
            let decay = if name.contains("sinks") || name.contains("norm") { 0.0 } else { training.weight_decay };
            *w = &*w * (1.0 - 1e-2 * decay) - (&*m / b1) / ((&*v / b2).sqrt() + 1e-8) * 1e-2;
        }
    }
    for (name, found) in optimizer.parameters() {
        assert!(largest(&found, &exact[&name][0]) < 1e-5, "{name} differs by {}", largest(&found, &exact[&name][0]));
    }
}

#[test]
fn one_seed_gives_one_set_of_weights() {
    let preset = Preset::named("tiny").unwrap();
    let build = |seed| {
        let trainer = Trainer::new(&preset, seed, 10, Digest::sha256("run"), Device::Cpu).unwrap();
        let ids = tokens(1, 5, preset.model.vocab);
        trainer.model().hidden(&ids, &ActiveSinks::none())
    };
    assert!(build(1).equal(&build(1)));
    assert!(!build(1).equal(&build(2)));
}
