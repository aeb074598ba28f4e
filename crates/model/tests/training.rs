//! Training runs: reruns and resumed runs are bit-identical, struck neurons never come back, the filter does its work.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

use std::{collections::BTreeMap, ops::ControlFlow, path::Path};

use obelus_core::Digest;
use obelus_model::{
    ElementType, Form, ModelError, Preset, RunSettings, SourceMask, Trained, Trainer, TrainingDocument, TrainingSet,
    erased_in, load_tensors, zero_rows,
};
use tch::{Device, Tensor};

const SOURCES: usize = 6;

fn documents() -> Vec<TrainingDocument> {
    (0..SOURCES as u32 * 3)
        .map(|i| {
            let tokens: Vec<u32> = (0..40).map(|t| (i * 31 + t * (7 + i % 5)) % 500).collect();
            let support = tokens[1..].iter().map(|t| if t % 3 == 0 { 0.0 } else { 1.0 }).collect();
            TrainingDocument { id: format!("document-{i}"), source: i as usize % SOURCES, tokens, support }
        })
        .collect()
}

fn masks(preset: &Preset) -> Vec<Option<SourceMask>> {
    (0..SOURCES as u8).map(|s| Some(SourceMask::derive(&[s; 32], 0, &preset.model).unwrap())).collect()
}

fn set(preset: &Preset, documents: Vec<TrainingDocument>) -> TrainingSet {
    TrainingSet::new(documents, masks(preset), preset.model.context, 4).unwrap()
}

fn trainer(preset: &Preset) -> Trainer {
    obelus_model::set_threads(1);
    Trainer::new(preset, settings(3, 20)).unwrap()
}

fn settings(seed: u64, steps: u64) -> RunSettings {
    RunSettings {
        seed,
        steps,
        identity: Digest::sha256("training test"),
        device: Device::Cpu,
        compute: ElementType::Float32,
        form: Form::Gathered,
        trained: Trained::All,
    }
}

fn saved(trainer: &mut Trainer, folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (weights, moments) = (folder.join("w.safetensors"), folder.join("m.safetensors"));
    trainer.save_weights(&weights, &moments).unwrap();
    BTreeMap::from([
        ("weights".into(), std::fs::read(weights).unwrap()),
        ("moments".into(), std::fs::read(moments).unwrap()),
    ])
}

#[test]
fn a_rerun_and_a_resumed_run_are_bit_identical() {
    let preset = Preset::named("tiny").unwrap();
    let set = set(&preset, documents());
    let folder = tempfile::tempdir().unwrap();
    let mut whole = trainer(&preset);
    let outcome = whole.run(&set, None, 1, |_| ControlFlow::Continue(())).unwrap();
    assert!(outcome.final_loss < 6.2, "it learns something: {outcome:?}");
    let wanted = saved(&mut whole, folder.path());

    let mut again = trainer(&preset);
    again.run(&set, None, 1, |_| ControlFlow::Continue(())).unwrap();
    assert!(saved(&mut again, folder.path()) == wanted, "a rerun differs");

    let state = folder.path().join("state");
    let mut first = trainer(&preset);
    let stop =
        |p: &obelus_model::Progress| if p.step == 13 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    assert!(matches!(first.run(&set, Some(&state), 5, stop), Err(ModelError::Cancelled(13))));
    let mut second = trainer(&preset);
    assert_eq!(second.resume(&state).unwrap(), 13);
    second.run(&set, Some(&state), 5, |_| ControlFlow::Continue(())).unwrap();
    assert!(saved(&mut second, folder.path()) == wanted, "a resumed run differs");

    let mut other = Trainer::new(&preset, settings(4, 20)).unwrap();
    assert!(other.resume(&state).unwrap_err().to_string().contains("another configuration"));
}

#[test]
fn struck_neurons_stay_zero_through_a_hundred_steps_with_their_own_mask() {
    let preset = Preset::named("tiny").unwrap();
    let all = set(&preset, documents());
    let folder = tempfile::tempdir().unwrap();
    let mut trained = trainer(&preset);
    trained.run(&all, None, 1, |_| ControlFlow::Continue(())).unwrap();
    let (weights, moments) = (folder.path().join("w.safetensors"), folder.path().join("m.safetensors"));
    trained.save_weights(&weights, &moments).unwrap();

    let mask = SourceMask::derive(&[2; 32], 0, &preset.model).unwrap();
    assert!(!erased_in(&weights, &mask).unwrap());
    let report = zero_rows(&weights, &mask).unwrap();
    let neurons = u64::from(preset.model.layers * preset.model.n_source);
    assert_eq!((report.rows, report.bytes), (3 * neurons, 3 * neurons * 4 * u64::from(preset.model.d_model)));
    assert_eq!(zero_rows(&moments, &mask).unwrap().rows, 6 * neurons);
    assert_eq!(zero_rows(&weights, &mask).unwrap(), report, "striking twice is striking once");

    let mut attacker = Trainer::new(&preset, settings(9, 100)).unwrap();
    attacker.restore(&load_tensors(&weights, Device::Cpu).unwrap(), 0);
    attacker.restore(&load_tensors(&moments, Device::Cpu).unwrap(), 0);
    let own = set(&preset, documents().into_iter().filter(|d| d.source == 2).collect());
    attacker.run(&own, None, 1, |_| ControlFlow::Continue(())).unwrap();
    attacker.save_weights(&weights, &moments).unwrap();
    assert!(erased_in(&weights, &mask).unwrap(), "fine-tuning revived a struck neuron");
    assert!(erased_in(&moments, &mask).unwrap());
    let other = SourceMask::derive(&[1; 32], 0, &preset.model).unwrap();
    assert!(!erased_in(&weights, &other).unwrap(), "the neighbour lives");
}

#[test]
fn the_filter_sends_unsupported_tokens_to_the_sinks_alone() {
    let mut preset = Preset::named("tiny").unwrap();
    preset.training.weight_decay = 0.0;
    let mut documents = documents();
    for d in &mut documents {
        d.support.fill(0.0);
    }
    let set = set(&preset, documents);
    let mut trainer = trainer(&preset);
    let folder = tempfile::tempdir().unwrap();
    let paths = (folder.path().join("w"), folder.path().join("m"));
    let weights = |t: &mut Trainer| {
        t.save_weights(&paths.0, &paths.1).unwrap();
        load_tensors(&paths.0, Device::Cpu).unwrap()
    };
    let before = weights(&mut trainer);
    trainer.run(&set, None, 1, |_| ControlFlow::Continue(())).unwrap();
    for (name, after) in weights(&mut trainer) {
        let moved = !Tensor::equal(&after, &before[&name]);
        assert_eq!(moved, name.contains(".mlp.sinks."), "{name}");
    }
}

#[test]
fn a_strike_is_proved_by_the_weight_tree_in_every_segment() {
    let mut preset = Preset::named("tiny").unwrap();
    preset.model = preset.model.grown(2).unwrap();
    for segment in 0..3 {
        strike_is_proved(&preset, segment);
    }
}

fn strike_is_proved(preset: &Preset, segment: u64) {
    use obelus_ledger::row_proof::RowProof;
    use obelus_model::WeightTree;

    let folder = tempfile::tempdir().unwrap();
    let (weights, moments) = (folder.path().join("w.safetensors"), folder.path().join("m.safetensors"));
    trainer(preset).save_weights(&weights, &moments).unwrap();
    let read = || WeightTree::read(&weights, 1, |_| ()).unwrap();
    let mask = SourceMask::derive(&[2; 32], segment, &preset.model).unwrap();
    let before = read();
    let struck = before.leaves_of(&mask).unwrap();
    let proof = RowProof::new(before.nodes(), &struck).unwrap();
    zero_rows(&weights, &mask).unwrap();
    let after = read();
    assert_eq!(after.nodes().leaves().len() as u64, after.layout().leaves());
    proof.verify(after.layout(), &struck, &before.root(), &after.root()).unwrap();
    // One weight elsewhere, by one bit: the proof must not cover it.
    let mut bytes = std::fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    assert!(proof.verify(after.layout(), &struck, &before.root(), &read().root()).is_err());
}
