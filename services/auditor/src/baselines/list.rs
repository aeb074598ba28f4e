//! The retrains of an installation: who asked for each, how far it is, and which verifications it served. Not here: those
//! that are missing (`proposal.rs`).

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use obelus_model::ModelRecord;
use obelus_store::{
    baselines::{self, Baseline},
    jobs::{self, Job, JobKind, JobState},
    models::{self, Model, ModelStatus},
    verifications,
};
use serde::{Deserialize, Serialize};

use obelus_casework::{Deps, NotThere};

/// A retrain, trained or to be trained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// The model that it is a retrain for.
    pub model: String,
    /// `matched` or `panel`; none where it was trained without a job.
    pub kind: Option<String>,
    /// How many sources it leaves out.
    pub excluded: usize,
    /// Its seed, where it is known: one that was begun without a job says it at its end.
    pub seed: Option<u64>,
    /// `queued`, `running`, `dead`, `refused`, `cancelled`, or what may be done with the model.
    pub state: String,
    /// Percent of its steps that are done.
    pub percent: Option<i64>,
    /// Why it ended, or why the last attempt failed.
    pub why: Option<String>,
    /// Who asked for it; none where it was trained without a job.
    pub requested_by: Option<String>,
    /// The job that trains it, or has trained it.
    pub job: Option<i64>,
    /// Verification runs that compared with it.
    pub used_by: Vec<String>,
}

/// What of a run's results says what it was compared with.
#[derive(Deserialize)]
struct Compared {
    baseline: Option<String>,
    #[serde(default)]
    further_baselines: Vec<String>,
}

/// The retrains of a model, or all, by name.
///
/// # Errors
/// When there is no such model, or the results of a run are damaged.
pub async fn list(deps: &Deps, model: Option<&str>) -> Result<Vec<Listed>> {
    if let Some(model) = model {
        models::get(&deps.db, model).await?.ok_or_else(|| NotThere::model(model))?;
    }
    let of_it = |of: &str| model.is_none_or(|model| model == of);
    let all = models::list(&deps.db).await?;
    let trained: BTreeMap<&str, &Model> = all.iter().map(|row| (row.name.as_str(), row)).collect();
    let asked = baselines::all(&deps.db).await?;
    let by_hand = all.iter().filter(|row| row.control.is_none() && asked.iter().all(|own| own.name != row.name));
    let mut listed = Vec::new();
    for row in &asked {
        if of_it(&row.model) {
            let job = jobs::of_subject(&deps.db, JobKind::TrainBaseline, &row.name).await?;
            listed.push(of_job(row, trained.get(row.name.as_str()).copied(), job.as_ref()));
        }
    }
    for row in by_hand {
        if let Some(base) = row.baseline_of.as_ref().filter(|base| of_it(base)) {
            listed.push(without_job(deps, row, base));
        }
    }
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    let of: BTreeSet<String> = listed.iter().map(|one| one.model.clone()).collect();
    for model in of {
        let used = used_by(deps, &model).await?;
        for one in listed.iter_mut().filter(|one| one.model == model) {
            one.used_by = used.get(&one.name).cloned().unwrap_or_default();
        }
    }
    Ok(listed)
}

fn of_job(row: &Baseline, model: Option<&Model>, job: Option<&Job>) -> Listed {
    let begun = (row.steps_done > 0).then(|| 100 * row.steps_done / row.steps_all.max(1));
    let whole = model.filter(|model| !matches!(model.status, ModelStatus::Training | ModelStatus::Refused));
    let state = match (whole, row.ended, job.map(|job| job.state)) {
        (Some(model), ..) => model.status.to_string(),
        (None, Some(end), _) => end.to_string(),
        (None, None, Some(JobState::Running)) => "running".to_owned(),
        (None, None, Some(JobState::Dead)) => "dead".to_owned(),
        (None, None, _) => "queued".to_owned(),
    };
    let failed = job.filter(|job| job.state != JobState::Done).and_then(|job| job.outcome.clone());
    Listed {
        name: row.name.clone(),
        model: row.model.clone(),
        kind: Some(row.kind.to_string()),
        excluded: row.excluded.0.len(),
        seed: u64::try_from(row.seed).ok(),
        percent: if whole.is_some() { None } else { begun },
        why: if whole.is_some() { None } else { row.why.clone().or(failed).filter(|why| !why.is_empty()) },
        state,
        requested_by: Some(row.requested_by.clone()),
        job: job.map(|job| job.id),
        used_by: vec![],
    }
}

fn without_job(deps: &Deps, row: &Model, base: &str) -> Listed {
    Listed {
        name: row.name.clone(),
        model: base.to_owned(),
        kind: None,
        excluded: row.excluded.0.len(),
        seed: ModelRecord::open(&deps.data.model(&row.name)).ok().map(|record| record.seed),
        state: row.status.to_string(),
        percent: None,
        why: None,
        requested_by: None,
        job: None,
        used_by: vec![],
    }
}

/// The judged runs of a model by the retrains that they compared with.
async fn used_by(deps: &Deps, model: &str) -> Result<BTreeMap<String, Vec<String>>> {
    let mut used: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for run in verifications::judged_of_model(&deps.db, model).await? {
        let Some(results) = &run.results else { continue };
        let compared: Compared =
            serde_json::from_slice(results).with_context(|| format!("the results of {} are damaged", run.id))?;
        for retrain in compared.baseline.into_iter().chain(compared.further_baselines) {
            used.entry(retrain).or_default().push(run.id.clone());
        }
    }
    Ok(used)
}
