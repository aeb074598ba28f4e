//! What a strike would cost the sources that stay: the neurons are zeroed in memory, and survivors are asked as verification
//! asks them afterwards. Not here: the arithmetic of budgets, and what to do (`obelus_casework::impact`).

use anyhow::{Context as _, Result, ensure};
use obelus_attack::{Materials, Salt};
use obelus_casework::{
    Deps, case,
    impact::{Budget, Forecast, Group, Kept, Loss, Who, advise, decimal},
};
use obelus_model::{Assignment, ModelRecord, SourceMask};
use obelus_store::requests;
use obelus_verdict::{AttackResult, Protocol, Scope, Scores, judge};

use crate::{
    adaptation::zeroed_of,
    measurement::Setting,
    plan::{Plan, score_salt},
    progress::Progress,
    subject::Opened,
    zeroing,
};

/// What striking the neurons `union` is expected to cost the survivors of a plan.
///
/// # Errors
/// When the checkpoint is not the one that was signed, or a survivor's text cannot be read.
pub(crate) async fn of(
    deps: &Deps,
    opened: &Opened,
    plan: &Plan,
    union: &SourceMask,
    protocol: &Protocol,
) -> Result<Forecast> {
    let config = &opened.record.config;
    let (before, after) = kept(deps, opened, plan, union)?;
    let lost = match config.assignment {
        Assignment::Shared => f64::from(config.n_source) / f64::from(config.n_pool.max(1)),
        Assignment::Disjoint => 0.0,
    };
    let mean = |shares: &[f64]| shares.iter().sum::<f64>() / shares.len().max(1) as f64;
    let budget = if before.is_empty() { None } else { Budget::of(lost, mean(&before), mean(&after)) };
    let salt = Salt::new(score_salt(deps, &opened.row.lineage, &plan.reference).await?);
    let mut forecast = Forecast {
        kept_before: Kept::of(&before),
        kept_after: Kept::of(&after),
        budget,
        groups: groups(deps, opened, plan, protocol, salt)?,
        advice: vec![],
    };
    let mut others = 0;
    for other in case::of_model(deps, &plan.model).await? {
        let waits = other.reference != plan.reference && requests::is_reversible(other.state);
        others += usize::from(waits && !requests::sources(&deps.db, &other.reference).await?.is_empty());
    }
    forecast.advice = advise(&forecast, others);
    Ok(forecast)
}

/// The share of its sinks that each survivor has now and would have, in the order of the plan.
fn kept(deps: &Deps, opened: &Opened, plan: &Plan, union: &SourceMask) -> Result<(Vec<f64>, Vec<f64>)> {
    let checkpoint = ModelRecord::checkpoint_path(&opened.record, &deps.data.model(&plan.model));
    let (tree, _) = zeroing::open(deps, &checkpoint, &plan.root_before, union)?;
    ensure!(
        tree.root() == plan.root_before,
        "{} has the weight root {}, and {} was signed: the file was changed outside of Obelus; restore it",
        checkpoint.display(),
        tree.root(),
        plan.root_before
    );
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for survivor in &plan.survivors {
        let own = opened.neurons_of(&survivor.source)?;
        let gone = zeroed_of(&tree, &own)?;
        before.push(1.0 - own.lost_fraction(&gone));
        after.push(1.0 - own.lost_fraction(&SourceMask::union(&[gone, union.clone()])));
    }
    Ok((before, after))
}

/// What survivors would answer: those that verification will ask, and as many of all.
fn groups(deps: &Deps, opened: &Opened, plan: &Plan, protocol: &Protocol, salt: Salt) -> Result<Vec<Group>> {
    let most = protocol.survivors.as_ref().map_or(0, |budget| budget.most_sources);
    // A source whose text was destroyed cannot be asked about.
    let asked = |id: &&str| !opened.refused.contains(*id) && !opened.corpus.is_destroyed(id);
    let ids: Vec<&str> = plan.survivors.iter().map(|s| s.source.as_str()).filter(asked).collect();
    if most == 0 || ids.is_empty() {
        return Ok(vec![]);
    }
    let step = ids.len().div_ceil(most);
    let hardest = ids.iter().take(most).copied().collect();
    let spread = ids.iter().skip(step / 2).step_by(step).copied().collect();
    let mut wanted: Vec<(Who, Vec<&str>)> = vec![(Who::HitHardest, hardest)];
    if step > 1 {
        wanted.push((Who::Spread, spread));
    }
    let setting = Setting {
        opened,
        retrains: &[],
        post_hoc: &[],
        struck: &plan.sources,
        protocol,
        salt,
        progress: &Progress::default(),
    };
    let materials = Materials::new(&opened.corpus);
    let subject = opened.subject(deps, &materials)?;
    let mut groups = Vec::new();
    for (who, ids) in wanted {
        let ids: Vec<String> = ids.into_iter().map(str::to_owned).collect();
        let scores = setting.rehearsed(&ids, &subject, &materials)?;
        groups.push(Group { who, sources: ids.len() as u64, losses: losses(protocol, &scores)? });
    }
    Ok(groups)
}

/// What the survivors' part of a verification says of these scores.
fn losses(protocol: &Protocol, scores: &Scores) -> Result<Vec<Loss>> {
    let judgement = judge(protocol, &Scores::default(), &Scores::default(), scores);
    let prefix = format!("{}.", Scope::Survivors);
    let of_survivors =
        judgement.attacks.iter().filter_map(|(name, result)| Some((name.strip_prefix(&prefix)?, result)));
    of_survivors.filter(|(_, result)| result.items > 0).map(|(metric, result)| loss(metric, result)).collect()
}

fn loss(metric: &str, result: &AttackResult) -> Result<Loss> {
    let outcome = serde_json::to_value(result.outcome)?;
    Ok(Loss {
        metric: metric.to_owned(),
        items: result.items as u64,
        before: decimal(result.original),
        after: decimal(result.erased),
        interval: result.difference_interval.map(|interval| [decimal(interval.low), decimal(interval.high)]),
        margin: decimal(result.margin),
        outcome: outcome.as_str().context("an outcome is a word")?.to_owned(),
    })
}
