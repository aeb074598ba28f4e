//! Adding a source later and repairing what others lost: what is trained, and that all else stays bit for bit.

use std::ops::ControlFlow;

use obelus_model::{
    ElementType, Form, ModelConfig, ModelError, Preset, RunSettings, SourceMask, Trained, Trainer, TrainingDocument,
    TrainingSet, Transformer, grow, renew, save_tensors, zero_rows,
};
use tch::{Device, Kind, Tensor};

use crate::{
    config,
    definition::{Exact, Named},
    masks, settings,
    steps::{documents, rows},
    tokens,
};

/// Sources 0, 1 and 2 of [`documents`] trained in a pool of `n_pool`.
fn trained(n_pool: u32) -> (Preset, Named) {
    obelus_model::set_threads(1);
    let mut preset = Preset::named("tiny").unwrap();
    preset.model = ModelConfig { n_pool, segments: vec![], ..config() };
    preset.model.complete().unwrap();
    let own = masks(&preset.model, 3).into_iter().map(Some).collect();
    let set = TrainingSet::new(documents(preset.model.vocab), own, preset.model.context, 4).unwrap();
    let mut trainer = Trainer::new(&preset, settings(1, 60)).unwrap();
    trainer.run(&set, None, 100, |_| ControlFlow::Continue(())).unwrap();
    let weights = copies(&trainer.weights());
    // Twenty steps of a model this small show something at a rate this large.
    preset.training.learning_rate = 3e-2;
    (preset, weights)
}

/// Tensors with memory of their own: a trainer's weights move with it.
fn copies(tensors: &Named) -> Named {
    tensors.iter().map(|(name, t)| (name.clone(), t.copy())).collect()
}

fn sinks_alone(steps: u64) -> RunSettings {
    RunSettings { trained: Trained::Sinks, ..settings(2, steps) }
}

/// A document of a source that is the only one of its set.
fn newcomer(vocab: u32) -> TrainingDocument {
    let tokens: Vec<i64> = Vec::try_from(tokens(1, 30, vocab).view([-1])).unwrap();
    let tokens: Vec<u32> = tokens.iter().map(|t| (*t as u32 * 7 + 3) % vocab).collect();
    // The filter would keep everything of it away from everything but the sinks.
    TrainingDocument { id: "newcomer".into(), source: 0, support: vec![0.0; tokens.len() - 1], tokens }
}

fn newcomers(mask: &SourceMask, config: &ModelConfig) -> TrainingSet {
    TrainingSet::new(vec![newcomer(config.vocab)], vec![Some(mask.clone())], config.context, 4).unwrap()
}

/// Trains sinks from `tensors` on; the weights after it and the loss of each step.
fn adapted(preset: &Preset, tensors: &Named, set: &TrainingSet, settings: RunSettings) -> (Named, Vec<f64>) {
    let mut trainer = Trainer::new(preset, settings).unwrap();
    trainer.restore(tensors, 0);
    let mut losses = Vec::new();
    let watch = |p: &obelus_model::Progress| {
        losses.push(p.loss);
        ControlFlow::Continue(())
    };
    trainer.run(set, None, 100, watch).unwrap();
    (copies(&trainer.weights()), losses)
}

/// The rows of sinks outside `free`, and every other tensor, are bit for bit the same.
fn assert_untouched(before: &Named, after: &Named, free: &SourceMask) {
    assert!(before.keys().eq(after.keys()));
    for (name, old) in before {
        let new = &after[name];
        assert_eq!(old.size(), new.size(), "{name}");
        let outside = |t: &Tensor| match name.split_once(".mlp.sinks.") {
            None => t.copy(),
            Some((layer, _)) => {
                let layer: usize = layer.strip_prefix("layers.").unwrap().parse().unwrap();
                t.index_fill(0, &index(&free.per_layer[layer]), 0.0)
            }
        };
        assert!(bits(&outside(old)).equal(&bits(&outside(new))), "{name} changed");
    }
}

fn index(neurons: &[u32]) -> Tensor {
    Tensor::from_slice(&neurons.iter().map(|n| i64::from(*n)).collect::<Vec<_>>())
}

/// The bits of float32 numbers: minus zero is not zero here.
fn bits(t: &Tensor) -> Tensor {
    t.contiguous().view_dtype(Kind::Int)
}

fn struck(tensors: &Named, mask: &SourceMask) -> Named {
    let strike = |(name, t): (&String, &Tensor)| {
        let layer = name.split_once(".mlp.sinks.").map(|(l, _)| l["layers.".len()..].parse::<usize>().unwrap());
        (name.clone(), layer.map_or_else(|| t.copy(), |l| t.index_fill(0, &index(&mask.per_layer[l]), 0.0)))
    };
    tensors.iter().map(strike).collect()
}

#[test]
fn a_source_is_added_in_fresh_rows_and_nothing_else_moves() {
    let (old, before) = trained(64);
    let preset = Preset { model: old.model.grown(1).unwrap(), training: old.training.clone() };
    let mask = SourceMask::derive(&[9; 32], 1, &preset.model).unwrap();
    let fresh: Vec<u32> = (64..64 + preset.model.n_source).collect();
    assert_eq!(mask.per_layer, vec![fresh; preset.model.layers as usize]);

    let mut grown = copies(&before);
    grow(&mut grown, &preset.model).unwrap();
    let mut renewed = copies(&grown);
    renew(&mut renewed, &mask, preset.training.init_std, 5).unwrap();
    let (after, losses) = adapted(&preset, &renewed, &newcomers(&mask, &preset.model), sinks_alone(20));
    assert!(losses[19] < losses[0] - 0.5, "it learns: {losses:?}");
    assert_untouched(&grown, &after, &mask);
    let moved = |name: &str| !after[name].narrow(0, 64, 1).equal(&renewed[name].narrow(0, 64, 1));
    assert!(after.keys().filter(|n| n.contains(".mlp.sinks.")).all(|n| moved(n)));

    // Striking it gives back the model from before it came, on disk too.
    for (name, tensor) in struck(&after, &mask) {
        assert!(bits(&tensor).equal(&bits(&grown[&name])), "{name}");
    }
    let folder = tempfile::tempdir().unwrap();
    let paths = [folder.path().join("grown"), folder.path().join("after")];
    save_tensors(&paths[0], &grown).unwrap();
    save_tensors(&paths[1], &after).unwrap();
    assert_ne!(std::fs::read(&paths[0]).unwrap(), std::fs::read(&paths[1]).unwrap());
    zero_rows(&paths[1], &mask).unwrap();
    assert_eq!(std::fs::read(&paths[0]).unwrap(), std::fs::read(&paths[1]).unwrap());

    // The others: the same neurons, the same numbers.
    let (was, is) = (Transformer::new(old.model.clone(), &before), Transformer::new(preset.model.clone(), &after));
    let (was, is) = (was.unwrap(), is.unwrap());
    let ids = tokens(2, 11, old.model.vocab);
    for source in 0..3 {
        let own = |config| SourceMask::derive(&[source; 32], 0, config).unwrap();
        assert_eq!(own(&old.model), own(&preset.model));
        let logits = |m: &Transformer| m.logits(&m.hidden(&ids, &m.light(Some(&own(&old.model)))));
        assert!(logits(&was).equal(&logits(&is)), "source {source}");
    }
}

#[test]
fn a_source_is_added_in_its_seeded_rows_and_nothing_else_moves() {
    let (preset, before) = trained(64);
    let mask = SourceMask::derive(&[9; 32], 0, &preset.model).unwrap();
    let set = newcomers(&mask, &preset.model);
    for compute in [ElementType::Float32, ElementType::Bfloat16] {
        let (after, losses) = adapted(&preset, &before, &set, RunSettings { compute, ..sinks_alone(20) });
        assert!(losses[19] < losses[0] - 0.5, "it learns in {compute:?}: {losses:?}");
        assert_untouched(&before, &after, &mask);
    }
}

#[test]
fn repair_fits_the_survivors_and_leaves_the_backbone_and_unlit_rows_alone() {
    // So small a pool that striking one source costs the others a good deal.
    let (preset, trained) = trained(16);
    let all = masks(&preset.model, 3);
    let before = struck(&trained, &all[0]);
    let lit = |l: usize| -> Vec<u32> {
        let mut lit = [&all[1].per_layer[l][..], &all[2].per_layer[l]].concat();
        lit.sort_unstable();
        lit.dedup();
        lit
    };
    let layers = 0..preset.model.layers as usize;
    let survivors = SourceMask { per_layer: layers.clone().map(lit).collect() };
    let lost = |l: usize| survivors.per_layer[l].iter().copied().filter(|n| all[0].per_layer[l].contains(n)).collect();
    let fresh = SourceMask { per_layer: layers.map(lost).collect() };
    assert!(fresh.per_layer.iter().all(|lost| !lost.is_empty()));

    let mut renewed = copies(&before);
    renew(&mut renewed, &fresh, preset.training.init_std, 5).unwrap();
    assert_untouched(&before, &renewed, &fresh);
    let documents: Vec<_> = documents(preset.model.vocab).into_iter().filter(|d| d.source > 0).collect();
    let masks: Vec<_> = all.iter().cloned().map(Some).collect();
    let set = TrainingSet::new(documents.clone(), masks.clone(), preset.model.context, 4).unwrap();
    let (after, _) = adapted(&preset, &renewed, &set, sinks_alone(40));
    assert_untouched(&before, &after, &survivors);

    let order = set.order(0, 0);
    let loss = |tensors: &Named| {
        let exact = Exact::new(tensors).weights;
        Exact::losses(&preset.model, &exact, &rows(&documents, &order, &masks)).0.double_value(&[])
    };
    let (whole, damaged, repaired) = (loss(&trained), loss(&before), loss(&after));
    assert!((loss(&renewed) - damaged).abs() < 1e-9, "a fresh neuron changes nothing yet");
    assert!(whole < damaged && repaired < damaged - 0.1, "{whole}, struck {damaged}, repaired {repaired}");
}

#[test]
fn fresh_rows_depend_on_their_own_neuron_alone() {
    let config = config();
    let zeros =
        || config.tensors().into_iter().map(|(n, s)| (n, Tensor::zeros(s.as_slice(), (Kind::Float, Device::Cpu))));
    let renewed = |neurons: &[u32], seed| {
        let mut all: Named = zeros().flat_map(|(n, t)| [(format!("exp_avg.{n}"), t.ones_like()), (n, t)]).collect();
        renew(&mut all, &SourceMask { per_layer: vec![neurons.to_vec(); 2] }, 0.5, seed).unwrap();
        all
    };
    let (many, one, other) = (renewed(&[2, 5, 40], 1), renewed(&[5], 1), renewed(&[5], 2));
    let row = |all: &Named, name: &str, n: i64| all[name].get(n);
    for part in ["gate", "up"] {
        let name = format!("layers.1.mlp.sinks.{part}");
        assert!(row(&many, &name, 5).equal(&row(&one, &name, 5)));
        assert!(!row(&one, &name, 5).equal(&row(&other, &name, 5)));
        assert!(!row(&many, &name, 5).equal(&row(&many, &name, 2)));
        assert!((0.3..0.7).contains(&row(&many, &name, 5).std(true).double_value(&[])));
    }
    assert!(!row(&one, "layers.1.mlp.sinks.gate", 5).equal(&row(&one, "layers.1.mlp.sinks.up", 5)));
    assert!(!row(&one, "layers.1.mlp.sinks.gate", 5).equal(&row(&one, "layers.0.mlp.sinks.gate", 5)));
    assert_eq!(row(&many, "layers.1.mlp.sinks.down", 5).abs().max().double_value(&[]), 0.0);
    for part in ["gate", "up", "down"] {
        let moments = &many[&format!("exp_avg.layers.1.mlp.sinks.{part}")];
        assert_eq!(
            moments.sum(Kind::Double).double_value(&[]),
            (moments.size()[0] - 3) as f64 * moments.size()[1] as f64
        );
    }
}

#[test]
fn a_run_of_sinks_alone_resumes_bit_for_bit() {
    let (preset, before) = trained(64);
    let mask = SourceMask::derive(&[9; 32], 0, &preset.model).unwrap();
    let set = newcomers(&mask, &preset.model);
    let (whole, _) = adapted(&preset, &before, &set, sinks_alone(12));
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let mut first = Trainer::new(&preset, sinks_alone(12)).unwrap();
    first.restore(&before, 0);
    let stop =
        |p: &obelus_model::Progress| if p.step == 7 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    assert!(matches!(first.run(&set, Some(&state), 5, stop), Err(ModelError::Cancelled(7))));
    let mut second = Trainer::new(&preset, sinks_alone(12)).unwrap();
    assert_eq!(second.resume(&state).unwrap(), 7);
    second.run(&set, Some(&state), 5, |_| ControlFlow::Continue(())).unwrap();
    assert_untouched(&whole, &second.weights(), &SourceMask { per_layer: vec![vec![]; 2] });

    let mut other = Trainer::new(&preset, settings(2, 12)).unwrap();
    assert!(other.resume(&state).unwrap_err().to_string().contains("another configuration"));
}

#[test]
fn what_has_no_sinks_to_train_is_refused() {
    let preset = Preset { model: config(), ..Preset::named("tiny").unwrap() };
    let refusal = |preset: &Preset, settings| Trainer::new(preset, settings).err().unwrap().to_string();
    assert!(refusal(&preset, RunSettings { form: Form::Dense, ..sinks_alone(1) }).contains("gathered form"));
    let plain = Preset { model: config().as_transformer(), ..preset.clone() };
    assert!(refusal(&plain, sinks_alone(1)).contains("without sinks"));
    let set = TrainingSet::new(vec![newcomer(97)], vec![None], preset.model.context, 4).unwrap();
    let mut trainer = Trainer::new(&preset, sinks_alone(1)).unwrap();
    let refused = trainer.run(&set, None, 1, |_| ControlFlow::Continue(())).unwrap_err();
    assert!(refused.to_string().contains("no mask"), "{refused}");

    let short = config();
    let mut tensors = Named::new();
    assert!(grow(&mut tensors, &short).unwrap_err().to_string().contains("missing"));
    let mut grown = Trainer::new(&Preset { model: short.grown(1).unwrap(), ..preset }, settings(1, 1)).unwrap();
    tensors = grown.weights();
    assert!(grow(&mut tensors, &short).unwrap_err().to_string().contains("cannot grow"));
    let absent = SourceMask { per_layer: vec![vec![], vec![short.sinks() + short.n_source]] };
    assert!(renew(&mut tensors, &absent, 0.02, 1).unwrap_err().to_string().contains("no neuron"));
}
