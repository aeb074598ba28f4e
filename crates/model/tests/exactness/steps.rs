//! Training steps: gradients, clipping and AdamW against the float64 definition, batch after batch.

use obelus_model::{
    Assignment, AttentionKernel, ElementType, Form, LitSinks, Preset, RunSettings, SourceMask, Trained, Trainer,
    TrainingDocument, TrainingSet,
};
use tch::{Device, Tensor};

use crate::{
    config,
    definition::{Exact, Named, Row},
    largest, masks, settings, tokens,
};

/// Documents of three sources with lengths, supports and sources of every kind of neighbourhood.
pub fn documents(vocab: u32) -> Vec<TrainingDocument> {
    let lengths = [9, 12, 9, 9, 5, 12, 17, 3];
    let ids: Vec<i64> = Vec::try_from(tokens(1, lengths.iter().sum(), vocab).view([-1])).unwrap();
    let mut from = 0;
    lengths
        .iter()
        .enumerate()
        .map(|(i, length)| {
            let tokens: Vec<u32> = ids[from..from + *length as usize].iter().map(|t| *t as u32).collect();
            from += *length as usize;
            let support = (1..tokens.len()).map(|t| if (t + i) % 4 == 0 { 0.0 } else { 1.0 }).collect();
            TrainingDocument { id: format!("document-{i}"), source: [0, 1, 0, 2, 1, 1, 2, 0][i], tokens, support }
        })
        .collect()
}

pub fn rows<'a>(
    documents: &[TrainingDocument],
    order: &[(usize, usize)],
    masks: &'a [Option<SourceMask>],
) -> Vec<Row<'a>> {
    let row = |(document, _): &(usize, usize)| {
        let d = &documents[*document];
        Row {
            tokens: d.tokens.iter().map(|t| i64::from(*t)).collect(),
            support: d.support.iter().map(|w| f64::from(*w)).collect(),
            mask: masks[d.source].as_ref(),
        }
    };
    order.iter().map(row).collect()
}

pub fn compare(found: &Named, prefix: &str, wanted: &Named, step: usize, tolerance: f64) {
    for (name, exact) in wanted {
        let found = &found[&format!("{prefix}{name}")];
        let scale = exact.abs().max().double_value(&[]).max(1e-3);
        let off = largest(found, exact) / scale;
        assert!(off < tolerance, "{prefix}{name} is off by {off} of {scale} after step {step}");
    }
}

fn follows_the_definition(preset: &Preset, masked: bool, trained: Trained) {
    obelus_model::set_threads(1);
    let documents = documents(preset.model.vocab);
    let masks: Vec<Option<SourceMask>> = match masked {
        true => masks(&preset.model, 3).into_iter().map(Some).collect(),
        false => vec![None; 3],
    };
    let set = TrainingSet::new(documents.clone(), masks.clone(), preset.model.context, 4).unwrap();
    let mut trainer = Trainer::new(preset, RunSettings { trained, ..settings(1, 100) }).unwrap();
    let mut exact = Exact { frozen: trained == Trained::Sinks, ..Exact::new(&trainer.weights()) };
    for step in 0..6 {
        let order = set.order(1, step / 2);
        let order = &order[step as usize % 2 * 4..][..4];
        let rate = 1e-3 * (step + 1) as f64;
        let (loss, norm) = trainer.step(&set.batch(order, Device::Cpu), rate);
        let wanted = exact.step(&preset.model, &preset.training, &rows(&documents, order, &masks), rate);
        for (found, wanted) in [(loss.double_value(&[]), wanted.0), (norm.double_value(&[]), wanted.1)] {
            assert!((found - wanted).abs() / wanted < 1e-5, "step {step}: {found} instead of {wanted}");
        }
        let (weights, moments) = (trainer.weights(), trainer.moments());
        compare(&weights, "", &exact.weights, step as usize, 2e-4);
        compare(&moments, "exp_avg.", &exact.mean, step as usize, 1e-4);
        compare(&moments, "exp_avg_sq.", &exact.square, step as usize, 1e-4);
    }
}

#[test]
fn steps_with_the_support_filter_follow_the_definition() {
    let mut preset = Preset::named("tiny").unwrap();
    preset.model = config();
    preset.training.init_std = 0.2;
    // Small enough that some steps clip and some do not.
    preset.training.clip = 1.0;
    follows_the_definition(&preset, true, Trained::All);
}

#[test]
fn steps_with_sources_in_different_segments_follow_the_definition() {
    let mut preset = Preset::named("tiny").unwrap();
    preset.model = config().grown(1).unwrap();
    preset.training.init_std = 0.2;
    follows_the_definition(&preset, true, Trained::All);
    preset.model = obelus_model::ModelConfig { assignment: Assignment::Disjoint, segments: vec![], ..config() };
    preset.model = preset.model.assigned(3).unwrap();
    follows_the_definition(&preset, true, Trained::All);
}

#[test]
fn steps_of_the_sinks_alone_follow_the_definition() {
    let mut preset = Preset::named("tiny").unwrap();
    preset.training.init_std = 0.2;
    for tied in [true, false] {
        preset.model = obelus_model::ModelConfig { tied, ..config() };
        // Of the sinks' gradient alone: smaller than the joint one.
        preset.training.clip = 0.1;
        follows_the_definition(&preset, true, Trained::Sinks);
    }
}

#[test]
fn steps_of_an_untied_transformer_follow_the_definition() {
    let mut preset = Preset::named("tiny").unwrap();
    preset.model = obelus_model::ModelConfig { tied: false, ..config().as_transformer() };
    preset.training.init_std = 0.2;
    follows_the_definition(&preset, false, Trained::All);
}

#[test]
fn one_seed_gives_one_set_of_weights() {
    let preset = Preset::named("tiny").unwrap();
    let build = |seed| {
        let mut trainer = Trainer::new(&preset, settings(seed, 10)).unwrap();
        let ids = tokens(1, 5, preset.model.vocab);
        trainer.model().unwrap().hidden(&ids, &LitSinks::None)
    };
    assert!(build(1).equal(&build(1)));
    assert!(!build(1).equal(&build(2)));
}

/// Losses of a run over the documents without a support filter.
fn losses(trainer: &mut Trainer, set: &TrainingSet) -> Vec<f64> {
    (0..20)
        .map(|step| {
            let order = set.order(1, step / 2);
            let batch = set.batch(&order[step as usize % 2 * 4..][..4], Device::Cpu);
            trainer.step(&batch, 1e-3).0.double_value(&[])
        })
        .collect()
}

fn unfiltered(preset: &Preset) -> TrainingSet {
    let mut documents = documents(preset.model.vocab);
    documents.iter_mut().for_each(|d| d.support.fill(1.0));
    let masks = masks(&preset.model, 3).into_iter().map(Some).collect();
    TrainingSet::new(documents, masks, preset.model.context, 4).unwrap()
}

#[test]
fn loss_curves_of_the_gathered_and_the_dense_form_coincide() {
    let mut preset = Preset::named("tiny").unwrap();
    preset.model = config();
    // The dense form has one wide MLP, whose neurons would all decay.
    preset.training.weight_decay = 0.0;
    let set = unfiltered(&preset);
    let mut gathered = Trainer::new(&preset, settings(1, 100)).unwrap();
    let mut start = gathered.weights();
    for l in 0..preset.model.layers {
        for part in ["gate", "up", "down"] {
            let (wide, sinks) = (format!("layers.{l}.mlp.backbone.{part}"), format!("layers.{l}.mlp.sinks.{part}"));
            let both = Tensor::cat(&[&start[&wide], &start[&sinks]], 0);
            start.insert(wide, both);
        }
    }
    let mut dense = Trainer::new(&preset, RunSettings { form: Form::Dense, ..settings(1, 100) }).unwrap();
    dense.restore(&start, 0);
    let (gathered, dense) = (losses(&mut gathered, &set), losses(&mut dense, &set));
    assert!(gathered[19] < gathered[0] - 0.5, "it learns: {gathered:?}");
    for (step, (a, b)) in gathered.iter().zip(&dense).enumerate() {
        assert!((a - b).abs() < 1e-4, "step {step}: {a} gathered, {b} dense");
    }
}

#[test]
fn bfloat16_follows_float32_within_its_precision() {
    let mut preset = Preset::named("tiny").unwrap();
    preset.model = config();
    let set = unfiltered(&preset);
    let run = |compute| {
        let mut trainer = Trainer::new(&preset, RunSettings { compute, ..settings(1, 100) }).unwrap();
        losses(&mut trainer, &set)
    };
    let (float32, bfloat16) = (run(ElementType::Float32), run(ElementType::Bfloat16));
    for (step, (a, b)) in float32.iter().zip(&bfloat16).enumerate() {
        // Eight bits of mantissa: half a percent of a loss of some four nats, step after step.
        assert!((a - b).abs() < 2e-2, "step {step}: {a} in float32, {b} in bfloat16");
    }
    assert_ne!(float32, bfloat16);
}

#[test]
fn attention_is_fused_on_a_cpu() {
    for trained in [Trained::All, Trained::Sinks] {
        for compute in [ElementType::Float32, ElementType::Bfloat16] {
            let mut preset = Preset::named("tiny").unwrap();
            preset.model = config();
            let set = unfiltered(&preset);
            let mut trainer = Trainer::new(&preset, RunSettings { trained, compute, ..settings(1, 100) }).unwrap();
            let batch = set.batch(&set.order(1, 0), Device::Cpu);
            assert_eq!(trainer.attention_kernel(&batch), AttentionKernel::Flash, "{trained:?} {compute:?}");
            let ids = tokens(2, 7, preset.model.vocab);
            assert_eq!(trainer.model().unwrap().attention_kernel(&ids), AttentionKernel::Flash);
        }
    }
}
