//! What must not stay: a training that was set aside half-way, of a source that was struck meanwhile, is a copy that no
//! takedown finds. Not here: trainings that somebody goes on with, who look themselves.

use std::fs;

use anyhow::Result;
use obelus_store::{
    baselines::{self, BaselineEnd},
    copies, jobs,
    jobs::{JobKind, JobState},
    models::{self, ModelStatus},
};

use crate::{export, refusal};
use obelus_casework::Deps;

/// Gives up every retrain that nobody is training and that reads what must not be trained on, and removes what is left of
/// those that were given up before.
///
/// # Errors
/// When a file cannot be removed, or the database fails.
pub(crate) async fn sweep(deps: &Deps) -> Result<()> {
    for row in baselines::all(&deps.db).await? {
        let Some(model) = models::get(&deps.db, &row.name).await? else { continue };
        let job = jobs::of_subject(&deps.db, JobKind::TrainBaseline, &row.name).await?;
        let at_work = job.is_some_and(|job| matches!(job.state, JobState::Queued | JobState::Running));
        let why = match (model.status, row.ended) {
            (ModelStatus::Training, Some(BaselineEnd::Cancelled) | None) if !at_work => {
                refusal::of_model(&deps.db, &model).await?
            }
            (ModelStatus::Refused, Some(BaselineEnd::Refused)) => {
                let left = !copies::of_model(&deps.db, &row.name).await?.is_empty();
                left.then(|| row.why.clone().unwrap_or_default())
            }
            _ => None,
        };
        if let Some(why) = why {
            fs::create_dir_all(deps.data.model(&row.name))?;
            let _alone = export::lock(deps, &row.name, true)?;
            tracing::warn!("{} is given up: {why}", row.name);
            refusal::give_up(deps, &row.name, &why).await?;
        }
    }
    Ok(())
}
