//! Relearning: fine-tuning on part of a source, and how fast the rest of it comes back.
//!
//! Whoever holds the weights trains everything that the stand lets them light: embeddings, attention, backbone, norms and
//! the lit sinks, as rows of one ordinary transformer ([`obelus_model::Transformer::folded`]). The variants are the
//! stand's masks: none, the source's own (struck rows are zero, have no gradient and stay zero), a neighbour's. Rows that
//! are not lit have no gradient and, with moments that begin at zero, would not move under dense AdamW either: leaving
//! them out is the same attack.
//!
//! Not here: what the distance between two curves means (`obelus_verdict`'s relearning).

use std::{ops::ControlFlow, time::Instant};

use obelus_core::Digest;
use obelus_corpus::Document;
use obelus_model::{
    ElementType, Form, ModelError, Preset, Progress, RunSettings, Trained, Trainer, TrainingConfig, TrainingDocument,
    TrainingSet, score_spans,
};
use obelus_verdict::{Point, RelearningBudget};

use crate::{GradientAttackError, Material, Stand, reader::blocks, windows::windows};

/// Tokens of a block whose loss is followed by itself.
const BLOCK_TOKENS: usize = 16;

/// Fine-tunes a copy of the stand's model on part of a source and returns its held-out loss after so many steps, nats a
/// token: over texts that nothing trains on where the source has some, else over the documents left out. The stand's model
/// stays as it is; the same seed and thread count give the same curve bit for bit. Documents and order depend on nothing
/// but budget and material, so that curves of two models can be compared.
///
/// A step costs what training a transformer of the stand's active width costs: 52 ms of one core for four rows of 105
/// tokens on the demonstration's model, evaluations of one row every fourth step included, on a busy machine.
///
/// `watch` sees every step and may stop the attack.
///
/// # Errors
/// A budget out of range, a source with too few documents, a mask that is not the model's, a loss that is not finite, or
/// cancelled by `watch`.
pub fn relearn(
    stand: Stand<'_>,
    material: &Material<'_>,
    budget: &RelearningBudget,
    watch: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Vec<Point>, GradientAttackError> {
    let evaluations = fine_tune(stand, material, budget, watch)?.0;
    let loss = |evaluation: &Evaluation| {
        let all = || evaluation.blocks.iter().flatten();
        all().map(|(sum, _)| -sum).sum::<f64>() / all().map(|(_, tokens)| f64::from(*tokens)).sum::<f64>()
    };
    Ok(evaluations.iter().map(|e| Point { step: e.step, loss: loss(e) }).collect())
}

/// As [`relearn`], a curve for each block of tokens that is evaluated: the document's id, the block's place in it, and its mean
/// loss after so many steps. Blocks, because one text's mean says nothing about how sure it is.
pub(crate) fn relearn_blocks(
    stand: Stand<'_>,
    material: &Material<'_>,
    budget: &RelearningBudget,
    watch: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Vec<(String, Vec<Point>)>, GradientAttackError> {
    let evaluations = fine_tune(stand, material, budget, watch)?.0;
    let (_, rest) = divide(material, budget)?;
    let context = stand.model.config().context;
    let windows = rest.iter().flat_map(|document| {
        let count = windows(stand.tokenizer, document, context).len();
        (0..count).map(move |number| format!("{}/{number}", document.id))
    });
    let mut curves = Vec::new();
    for (at, window) in windows.enumerate() {
        for block in 0..evaluations.first().map_or(0, |e| e.blocks[at].len()) {
            let point = |e: &Evaluation| {
                let (sum, tokens) = e.blocks[at][block];
                Point { step: e.step, loss: -sum / f64::from(tokens) }
            };
            curves.push((format!("{window}/{block}"), evaluations.iter().map(point).collect()));
        }
    }
    Ok(curves)
}

/// What is given to the texts that are evaluated on after so many steps: for each window its blocks, summed log-probability
/// and tokens.
struct Evaluation {
    step: u32,
    blocks: Vec<Vec<(f64, u32)>>,
}

/// As [`relearn`], with what the attacker ends up with.
fn fine_tune(
    stand: Stand<'_>,
    material: &Material<'_>,
    budget: &RelearningBudget,
    mut watch: impl FnMut(&Progress) -> ControlFlow<()>,
) -> Result<(Vec<Evaluation>, Trainer), GradientAttackError> {
    let (config, tensors) = stand.model.folded(stand.mask)?;
    let preset = Preset { training: training(budget)?, model: config };
    let (part, rest) = divide(material, budget)?;
    let context = preset.model.context;
    let examples = part.iter().map(|document| {
        let tokens = stand.tokenizer.encode_document(&document.text);
        TrainingDocument { id: document.id.clone(), source: 0, support: vec![1.0; tokens.len() - 1], tokens }
    });
    let set = TrainingSet::new(examples.collect(), vec![None], context, budget.batch_rows)?;
    let held_out = rest.iter().flat_map(|document| windows(stand.tokenizer, document, context));
    let held_out: Vec<(Vec<u32>, usize)> = held_out.map(|tokens| (tokens, 1)).collect();
    let (device, steps) = (stand.model.device(), u64::from(budget.steps));
    let mut trainer = Trainer::new(
        &preset,
        RunSettings {
            seed: budget.seed,
            steps,
            identity: Digest::sha256("relearning"),
            device,
            compute: ElementType::Float32,
            form: Form::Gathered,
            trained: Trained::All,
        },
    )?;
    trainer.restore(&tensors, 0);

    let mut curve = vec![evaluate(&mut trainer, 0, &held_out)?];
    let (started, mut tokens, mut order, mut ordered_epoch) = (Instant::now(), 0u64, vec![], u64::MAX);
    for step in 0..steps {
        let epoch = step / set.steps_per_epoch();
        if epoch != ordered_epoch {
            (order, ordered_epoch) = (set.order(budget.seed, epoch), epoch);
        }
        let at = (step % set.steps_per_epoch()) as usize * set.batch_rows();
        let batch = set.batch(&order[at..order.len().min(at + set.batch_rows())], device);
        let (loss, norm) = trainer.step(&batch, budget.learning_rate);
        let (loss, gradient_norm) = (loss.double_value(&[]), norm.double_value(&[]));
        if !loss.is_finite() || !gradient_norm.is_finite() {
            return Err(ModelError::Diverged(step).into());
        }
        let done = step + 1;
        if done % u64::from(budget.evaluate_every) == 0 || done == steps {
            curve.push(evaluate(&mut trainer, done as u32, &held_out)?);
        }
        tokens += batch.count as u64;
        let seconds = started.elapsed().as_secs_f64();
        let progress = Progress {
            step: done,
            steps,
            loss,
            gradient_norm,
            tokens_per_second: tokens as f64 / seconds,
            seconds_left: seconds / done as f64 * (steps - done) as f64,
        };
        if watch(&progress).is_break() && done < steps {
            return Err(GradientAttackError::Cancelled(done));
        }
    }
    Ok((curve, trainer))
}

/// The trainer's settings; epochs are not used.
fn training(budget: &RelearningBudget) -> Result<TrainingConfig, GradientAttackError> {
    let sound = budget.share > 0.0 && budget.share <= 1.0 && budget.steps > 0 && budget.evaluate_every > 0;
    if !sound {
        return Err(GradientAttackError::Budget(format!(
            "share must be above 0 and at most 1, steps and evaluate_every at least 1: {budget:?}"
        )));
    }
    let config = TrainingConfig {
        epochs: 1,
        batch_rows: budget.batch_rows,
        learning_rate: budget.learning_rate,
        warmup: 0.0,
        final_share: 1.0,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.0,
        clip: 1.0,
        init_std: 0.02,
        support_filter: 0,
    };
    config.check()?;
    Ok(config)
}

/// Documents to fine-tune on, and texts to evaluate on. Which documents is decided by SHA-256 of seed and id.
fn divide<'m>(
    material: &'m Material<'_>,
    budget: &RelearningBudget,
) -> Result<(Vec<&'m Document>, Vec<&'m Document>), GradientAttackError> {
    let mut documents: Vec<&Document> = material.trained.clone();
    documents.sort_by_key(|d| Digest::sha256([&budget.seed.to_be_bytes(), b"part of ", d.id.as_bytes()].concat()));
    let spare = usize::from(material.held_out.is_empty());
    let most = documents.len().saturating_sub(spare);
    if most == 0 {
        let reason = if spare == 0 { "one is trained on" } else { "one is trained on and one is left to evaluate on" };
        return Err(GradientAttackError::Material { found: documents.len(), needed: 1 + spare, reason });
    }
    let part = ((documents.len() as f64 * budget.share).ceil() as usize).clamp(1, most);
    let rest = documents.split_off(part);
    Ok((documents, if material.held_out.is_empty() { rest } else { material.held_out.clone() }))
}

fn evaluate(trainer: &mut Trainer, step: u32, held_out: &[(Vec<u32>, usize)]) -> Result<Evaluation, ModelError> {
    let scores = score_spans(&trainer.model()?, None, held_out);
    Ok(Evaluation { step, blocks: scores.iter().map(|score| blocks(score, BLOCK_TOKENS)).collect() })
}

#[cfg(test)]
mod tests {
    use tch::Tensor;

    use super::*;
    use crate::specimen::Specimen;

    fn budget(steps: u32) -> RelearningBudget {
        RelearningBudget {
            share: 0.5,
            steps,
            evaluate_every: 4,
            batch_rows: 2,
            learning_rate: 1e-3,
            repeats: 1,
            seed: 11,
        }
    }

    fn curve(specimen: &Specimen, mask: Option<usize>, budget: &RelearningBudget) -> Vec<Point> {
        let material = specimen.material(0);
        relearn(specimen.stand(mask), &material, budget, |_| ControlFlow::Continue(())).unwrap()
    }

    fn bytes(tensors: impl IntoIterator<Item = Tensor>) -> Vec<Vec<f32>> {
        tensors.into_iter().map(|t| Vec::try_from(t.reshape([-1])).unwrap()).collect()
    }

    #[test]
    fn one_seed_gives_one_curve_and_leaves_the_model_as_it_was() {
        let specimen = Specimen::trained();
        let weights = || bytes(specimen.model.folded(Some(&specimen.masks[0])).unwrap().1.into_values());
        let before = weights();
        let first = curve(&specimen, Some(0), &budget(10));
        assert_eq!(first.iter().map(|p| p.step).collect::<Vec<_>>(), [0, 4, 8, 10]);
        assert_eq!(first, curve(&specimen, Some(0), &budget(10)), "a second run differs");
        assert!(before == weights(), "fine-tuning changed the model that it was given");
        let other = curve(&specimen, Some(0), &RelearningBudget { seed: 12, ..budget(10) });
        assert_eq!(first[0], other[0]);
        assert_ne!(first[3], other[3]);
    }

    #[test]
    fn who_was_trained_on_the_text_starts_lower_and_stays_lower() {
        let (knows, retrain) = (Specimen::trained(), Specimen::without_first());
        // The text that is evaluated on is one of those that it knows.
        let curve = |specimen: &Specimen, mask| {
            let material = Material { held_out: vec![], ..specimen.material(0) };
            relearn(specimen.stand(mask), &material, &budget(12), |_| ControlFlow::Continue(())).unwrap()
        };
        let ahead = curve(&knows, Some(0));
        for mask in [None, Some(1)] {
            let behind = curve(&retrain, mask);
            assert!(ahead.iter().zip(&behind).all(|(a, b)| a.loss < b.loss), "{ahead:?} {behind:?}");
            assert!(behind[3].loss < behind[0].loss, "it learns: {behind:?}");
        }
    }

    #[test]
    fn struck_rows_stay_zero_through_a_hundred_steps_and_neighbours_move() {
        let specimen = Specimen::struck();
        let (backbone, sinks) = (specimen.model.config().n_gen, specimen.model.config().n_source);
        let lit = |tensors: &std::collections::BTreeMap<String, Tensor>| {
            let names = ["gate", "up", "down"].map(|part| [0, 1].map(|l| format!("layers.{l}.mlp.backbone.{part}")));
            bytes(names.iter().flatten().map(|n| tensors[n].narrow(0, backbone.into(), sinks.into())))
        };
        let material = specimen.material(0);
        for (mask, stays) in [(0, true), (1, false)] {
            let stand = specimen.stand(Some(mask));
            let before = lit(&stand.model.folded(stand.mask).unwrap().1);
            let (_, mut tuned) = fine_tune(stand, &material, &budget(100), |_| ControlFlow::Continue(())).unwrap();
            assert_eq!(tuned.weights()["layers.0.mlp.backbone.gate"].size()[0], i64::from(backbone + sinks));
            let after = lit(&tuned.weights());
            assert_eq!(before == after, stays);
            assert_eq!(after.iter().flatten().all(|x| *x == 0.0), stays);
        }
    }

    #[test]
    fn without_held_out_texts_a_document_is_left_to_evaluate_on() {
        let specimen = Specimen::trained();
        let mut material = specimen.material(0);
        material.held_out.clear();
        for (share, parts) in [(0.01, 1), (0.5, 2), (1.0, 2)] {
            let budget = RelearningBudget { share, ..budget(1) };
            let (part, rest) = divide(&material, &budget).unwrap();
            assert_eq!((part.len(), rest.len()), (parts, 3 - parts));
            assert!(rest.iter().all(|r| part.iter().all(|p| p.id != r.id)));
        }
        material.trained.truncate(1);
        let refused = relearn(specimen.stand(None), &material, &budget(1), |_| ControlFlow::Continue(()));
        assert!(matches!(refused, Err(GradientAttackError::Material { found: 1, needed: 2, .. })));
    }

    #[test]
    fn cancelling_and_impossible_budgets_end_the_attack() {
        let specimen = Specimen::untrained();
        let material = specimen.material(0);
        let stop = |p: &Progress| if p.step == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        let stopped = relearn(specimen.stand(Some(0)), &material, &budget(9), stop);
        assert!(matches!(stopped, Err(GradientAttackError::Cancelled(3))));
        for wrong in [
            RelearningBudget { share: 0.0, ..budget(1) },
            RelearningBudget { learning_rate: f64::NAN, ..budget(1) },
            RelearningBudget { evaluate_every: 0, ..budget(1) },
            budget(0),
        ] {
            assert!(
                relearn(specimen.stand(None), &material, &wrong, |_| ControlFlow::Continue(())).is_err(),
                "{wrong:?}"
            );
        }
    }
}
