//! Attacks that read one number off an item: each instrument on one source under one condition. Not here: what a reading
//! means (`obelus-verdict`).

use std::ops::ControlFlow;

use obelus_corpus::{Probe, ProbeKind};
use obelus_verdict::{
    CompressionBudget, Instrument, Passage, Point, Protocol, Reading, RelearningBudget, Search, is_compressible,
};

use crate::{
    AttackError, GradientAttackError, Material, Salt, Stand,
    compression::compress,
    continuation::{knowledge, verbatim},
    latent::{logit_lens, sink_readout},
    relearning::relearn_blocks,
};

/// Reads an instrument off one source. `stand` has the sinks lit that the instrument is about; `watch` is told the part, from 1,
/// and its steps.
pub(crate) fn read(
    instrument: Instrument,
    stand: Stand<'_>,
    material: &Material<'_>,
    source: &str,
    protocol: &Protocol,
    salt: &Salt,
    watch: &dyn Fn(u32, u64) -> ControlFlow<()>,
) -> Result<Vec<Reading>, AttackError> {
    // A question has the digest that its scores have.
    let fact = |probe: &Probe, value: f64, detail: Vec<f64>| Reading {
        item: salt.digest(&["probe", &probe.source, &probe.prompt, &probe.answer]),
        cluster: salt.digest(&["fact", &probe.source, probe.kind.name(), &probe.answer]),
        value,
        detail,
    };
    let specific = |i: usize| material.probes.get(i).filter(|probe| probe.kind == ProbeKind::Specific);
    let of_facts = |values: Vec<(f64, Vec<f64>)>| -> Vec<Reading> {
        let asked = values.into_iter().enumerate().filter_map(|(i, value)| Some((specific(i)?, value)));
        asked.map(|(probe, (value, detail))| fact(probe, value, detail)).collect()
    };
    Ok(match instrument {
        // Compared with rows of before, not read off a stand.
        Instrument::RowsLeft => vec![],
        Instrument::RelearningBackbone | Instrument::RelearningOwn | Instrument::RelearningNeighbour => {
            relearned(stand, material, source, protocol.relearning.as_ref(), salt, watch)?
        }
        Instrument::Compression => compressed(stand, material, protocol.compression.as_ref(), salt, watch)?,
        Instrument::LogitLens => {
            let lens = logit_lens(stand, material).into_iter().map(|layers| {
                let ranks: Vec<f64> = layers.iter().map(|layer| layer.rank).collect();
                (reciprocal(ranks.iter().copied().fold(f64::INFINITY, f64::min)), ranks)
            });
            of_facts(lens.collect())
        }
        Instrument::SinkReadout => {
            let read = sink_readout(stand, material, protocol.seed).unwrap_or_default();
            of_facts(read.into_iter().map(|sink| (reciprocal(sink.lit), vec![sink.lit])).collect())
        }
        Instrument::Knowledge => {
            let answers = protocol.knowledge.as_ref().map(|budget| knowledge(stand, material, budget));
            of_facts(answers.unwrap_or_default().into_iter().map(|rouge| (rouge.recall, vec![])).collect())
        }
        Instrument::Verbatim => {
            let continued = protocol.verbatim.as_ref().map(|budget| verbatim(stand, material, budget));
            let trained = continued.unwrap_or_default().into_iter().filter(|c| c.passage == Passage::Trained);
            let reading = |(number, value): (usize, f64)| {
                let item = salt.digest(&["continuation", source, &number.to_string()]);
                Reading { item, cluster: item, value, detail: vec![] }
            };
            trained.map(|c| c.rouge_l.recall).enumerate().map(reading).collect()
        }
    })
}

/// 1 for the first place of all, towards 0 for the last.
fn reciprocal(rank: f64) -> f64 {
    1.0 / (1.0 + rank)
}

/// One reading for each block of tokens that is evaluated, each time it is done: the mean loss over the steps, with the sign
/// turned. Its detail is the curve: steps and losses in turn. A block is one cluster, however often it is done.
fn relearned(
    stand: Stand<'_>,
    material: &Material<'_>,
    source: &str,
    budget: Option<&RelearningBudget>,
    salt: &Salt,
    watch: &dyn Fn(u32, u64) -> ControlFlow<()>,
) -> Result<Vec<Reading>, AttackError> {
    let mut readings = Vec::new();
    for repeat in 0..budget.map_or(0, |budget| budget.repeats) {
        let Some(budget) = budget else { continue };
        let seeded = RelearningBudget { seed: budget.seed.wrapping_add(u64::from(repeat)), ..budget.clone() };
        let curves = match relearn_blocks(stand, material, &seeded, |progress| watch(repeat + 1, progress.step)) {
            // A source of one document leaves nothing to be evaluated on: that is not tested, and no reason to test nothing.
            Err(GradientAttackError::Material { .. }) => return Ok(vec![]),
            curves => curves?,
        };
        for (block, curve) in curves {
            readings.push(Reading {
                item: salt.digest(&["relearning", source, &block, &repeat.to_string()]),
                cluster: salt.digest(&["relearning", source, &block]),
                value: -mean_loss(&curve),
                detail: curve.iter().flat_map(|point| [f64::from(point.step), point.loss]).collect(),
            });
        }
    }
    Ok(readings)
}

/// Trapezoids between the points, over the steps.
fn mean_loss(curve: &[Point]) -> f64 {
    let area: f64 =
        curve.windows(2).map(|pair| f64::from(pair[1].step - pair[0].step) * (pair[0].loss + pair[1].loss) / 2.0).sum();
    match (curve.first(), curve.last()) {
        (Some(first), Some(last)) if last.step > first.step => area / f64::from(last.step - first.step),
        (first, _) => first.map_or(f64::NAN, |point| point.loss),
    }
}

/// 1 where a prompt shorter than the text was found. Its detail: tokens of the text; of the shortest prompt, or nothing; the
/// longest length tried in full where none was found; steps; rows put through the model; whether the budget ended it.
fn compressed(
    stand: Stand<'_>,
    material: &Material<'_>,
    budget: Option<&CompressionBudget>,
    salt: &Salt,
    watch: &dyn Fn(u32, u64) -> ControlFlow<()>,
) -> Result<Vec<Reading>, AttackError> {
    let Some(budget) = budget else { return Ok(vec![]) };
    let found = compress(stand, material, budget, salt, |text, steps| watch(text as u32 + 1, u64::from(steps)))?;
    let reading = |c: crate::Compression| {
        let (found, tried) = match c.search {
            Search::Found(prompt) => (f64::from(prompt), 0.0),
            Search::Censored(tried) => (0.0, f64::from(tried)),
        };
        let told = is_compressible(c.target_tokens, c.search) == Some(true);
        Reading {
            item: c.item,
            cluster: c.item,
            value: f64::from(u8::from(told)),
            detail: vec![
                f64::from(c.target_tokens),
                found,
                tried,
                f64::from(c.steps),
                c.forwards as f64,
                f64::from(u8::from(c.budget_ended)),
            ],
        }
    };
    Ok(found.into_iter().map(reading).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::specimen::Specimen;

    #[test]
    fn a_source_of_one_document_is_not_relearned_and_ends_nothing() {
        let specimen = Specimen::untrained();
        let mut material = specimen.material(0);
        material.held_out.clear();
        material.trained.truncate(1);
        let protocol = Protocol::parse(Protocol::shipped("standard").unwrap()).unwrap();
        let (stand, salt) = (specimen.stand(None), Salt::new([0; 32]));
        let found = read(Instrument::RelearningOwn, stand, &material, "one", &protocol, &salt, &|_, _| {
            ControlFlow::Continue(())
        })
        .unwrap();
        assert!(found.is_empty());
    }

    #[test]
    fn who_watches_sees_every_step_and_may_stop_the_attack() {
        let specimen = Specimen::untrained();
        let (stand, material, salt) = (specimen.stand(None), specimen.material(0), Salt::new([0; 32]));
        let protocol = Protocol::parse(Protocol::shipped("deep").unwrap()).unwrap();
        for instrument in [Instrument::RelearningOwn, Instrument::Compression] {
            let seen = std::cell::RefCell::new(vec![]);
            let stop = |part, step| {
                seen.borrow_mut().push((part, step));
                if step == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let stopped = read(instrument, stand, &material, "one", &protocol, &salt, &stop);
            assert!(stopped.unwrap_err().to_string().contains("cancelled"));
            assert_eq!(*seen.borrow(), [(1, 1), (1, 2)]);
        }
    }

    #[test]
    fn a_curves_mean_is_over_its_steps() {
        let curve = [(0, 3.0), (10, 2.0), (40, 1.0)].map(|(step, loss)| Point { step, loss });
        assert!((mean_loss(&curve) - (25.0 + 45.0) / 40.0).abs() < 1e-12);
        assert!((mean_loss(&curve[..1]) - 3.0).abs() < 1e-12);
    }
}
