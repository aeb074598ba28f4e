//! Repair: neurons that takedowns have zeroed begin anew, and the sinks of the sources that stay are fitted. What was
//! struck is never seen.

use anyhow::{Context as _, Result, ensure};
use obelus_attack::{Erased, Materials, Measurement, Salt, Strike, unwatched};
use obelus_ledger::weight_tree::zero_leaf_hash;
use obelus_model::{ModelRecord, SourceMask, WeightTree};
use obelus_store::adaptations::AdaptationKind;
use obelus_verdict::{Condition, ConditionSummary, Protocol, Scope, summarise};
use serde::Serialize;

use super::{Begun, begin, hold};
use crate::subject::Opened;
use obelus_casework::Deps;

/// Prepares to repair a model.
///
/// # Errors
/// When the person may not, the model cannot be adapted now, or it has nothing to repair.
pub async fn repair(deps: &Deps, by: &str, model: &str) -> Result<Begun> {
    let held = hold(deps, by, model).await?;
    let opened = &held.opened;
    let suppressed: Vec<&str> =
        opened.refused.iter().filter(|id| !opened.revoked.contains(*id)).map(String::as_str).collect();
    ensure!(
        suppressed.is_empty(),
        "{} suppressed in {model} and could not be trained on, though a refusal of their requests would bring them back; \
         decide those first",
        suppressed.join(", ")
    );
    let survivors: Vec<String> = opened.lightable().into_iter().map(str::to_owned).collect();
    let mut sources = Vec::with_capacity(survivors.len());
    for id in survivors {
        let mask = opened.neurons_of(&id)?;
        sources.push((id, mask));
    }
    let masks: Vec<SourceMask> = sources.iter().map(|(_, mask)| mask.clone()).collect();
    let changed = SourceMask::union(&masks);
    // What an earlier repair has filled again is not zero any more, and what no survivor lights stays zero.
    let renewed = zeroed_of(&held.before, &changed)?;
    ensure!(
        renewed.per_layer.iter().any(|neurons| !neurons.is_empty()),
        "no neuron that a source of {model} uses is zero: there is nothing to repair"
    );
    let config = opened.record.config.clone();
    let row = begin(deps, by, &held, AdaptationKind::Repair, vec![]).await?;
    Ok(Begun { config, sources, renewed, changed, row, before: held.before, opened: held.opened, _alone: held.alone })
}

/// Those of the neurons whose gate, up and down rows are zero.
pub(crate) fn zeroed_of(tree: &WeightTree, neurons: &SourceMask) -> Result<SourceMask> {
    let (layout, leaves) = (tree.layout(), tree.nodes().leaves());
    let mut per_layer = Vec::with_capacity(neurons.per_layer.len());
    for (l, all) in neurons.per_layer.iter().enumerate() {
        let place = layout.sinks(l).with_context(|| format!("layer {l} has no sinks"))?;
        let zero = |n: &u32| {
            let leaf = place.first_leaf + u64::from(*n);
            leaves.get(leaf as usize).is_some_and(|hash| *hash == zero_leaf_hash(place, leaf))
        };
        per_layer.push(all.iter().copied().filter(zero).collect());
    }
    Ok(SourceMask { per_layer })
}

/// What sources are known to know, and struck ones not to.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// The sources that stay, each with its own sinks lit.
    pub survivors: ConditionSummary,
    /// The struck sources whose text is there, with the masks that they had: what somebody finds who keeps the seeds and the weights.
    pub struck_own_mask: Option<ConditionSummary>,
    /// The same on the backbone alone.
    pub struck_none: Option<ConditionSummary>,
}

/// Measures a model with the weights that `record` names: its own, or those of a generation that is not in place yet.
///
/// # Errors
/// When the checkpoint is damaged or a source has no text.
pub fn measure(deps: &Deps, opened: &Opened, record: &ModelRecord) -> Result<Figures> {
    let materials = Materials::new(&opened.corpus);
    let subject = opened.subject_of(deps, record, &materials)?;
    let protocol = Protocol::parse(Protocol::shipped("quick").context("the quick protocol ships with the program")?)?;
    let measured = |ids: &[String], executed: bool, conditions: &[Condition]| -> Result<_> {
        let masks = ids.iter().map(|id| opened.neurons_of(id)).collect::<Result<Vec<_>>>()?;
        let mut strike = Strike::new(ids, &masks, &subject);
        strike.erased = if executed { Erased::AsItIs } else { Erased::InMemory };
        // Scores never leave this process with their digests, so the salt protects nothing here.
        let salt = &Salt::new([0; 32]);
        let scores = Measurement {
            strike,
            materials: &materials,
            protocol: &protocol,
            scope: Scope::Source,
            salt,
            watch: &unwatched,
        }
        .score(conditions)?;
        Ok(summarise(&scores, &protocol.resampler()))
    };
    let survivors: Vec<String> = opened.lightable().into_iter().map(str::to_owned).collect();
    // Nobody can ask about those whose text was destroyed.
    let asked = |id: &&String| opened.holds(id) && !opened.corpus.is_destroyed(id);
    let struck: Vec<String> = opened.revoked.iter().filter(asked).cloned().collect();
    let mut kept = measured(&survivors, false, &[Condition::On])?;
    let mut gone = match struck.is_empty() {
        true => Default::default(),
        false => measured(&struck, true, &[Condition::Zeroed, Condition::OffNone])?,
    };
    Ok(Figures {
        survivors: kept.remove(&Condition::On).context("the surviving sources were measured")?,
        struck_own_mask: gone.remove(&Condition::Zeroed),
        struck_none: gone.remove(&Condition::OffNone),
    })
}
