//! `obelus model train`: register first, train, then sign what was trained.

use std::{collections::BTreeSet, fs, ops::ControlFlow, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use obelus_auditor::{
    registration::{self, NewModel, Registered},
    training,
};
use obelus_casework::{
    Deps, NotThere,
    case::{OWNER, permitted},
};
use obelus_core::{Digest, Timestamp};
use obelus_corpus::{Corpus, Library};
use obelus_model::{Control, ElementType, ModelConfig, ModelRecord, PostHoc, Preset, Progress, Unlearned};
use obelus_policy::Action;
use obelus_store::{corpora, models, models::ModelStatus};
use obelus_trainer::{Order, shape};

use crate::{arguments::Train, failure::WrongUse};

/// What is trained when neither a preset nor a file is named.
const DEFAULT_PRESET: &str = "demo";

/// Everything that the arguments say, looked up.
struct Plan {
    corpus: Corpus,
    preset: Preset,
    preset_name: String,
    control: Control,
    excluded: BTreeSet<String>,
    registered: Registered,
    config: ModelConfig,
    baseline_of: Option<String>,
    unlearn_from: Option<(Unlearned, PathBuf)>,
}

/// Trains, or continues a training that was cut off; gives the weight root. `watch` sees every step and may stop it.
///
/// # Errors
/// Bad settings, a name that is taken, a full disk, an interrupt.
pub async fn run(deps: &Deps, arguments: &Train, watch: impl FnMut(&Progress) -> ControlFlow<()>) -> Result<Digest> {
    // Before anything is registered under a name that would then be taken.
    obelus_trainer::device(&arguments.device)?;
    let plan = register(deps, arguments).await?;
    let started_at = deps.now();
    // Whoever is cut off may be at its last step when the next one begins.
    let _alone = training::alone(deps, &arguments.name)?;
    let record = match finished(deps, arguments) {
        // The training had ended, and the process did before anything was signed.
        Some(record) => record,
        None => {
            let order = Order {
                name: arguments.name.clone(),
                folder: deps.data.model(&arguments.name),
                lineage: plan.registered.lineage.clone(),
                campaign_salt: plan.registered.campaign_salt,
                preset: plan.preset,
                preset_name: plan.preset_name,
                control: plan.control,
                excluded: plan.excluded,
                sources: plan.registered.sources.into_iter().map(|(id, source)| (id, source.key)).collect(),
                baseline_of: plan.baseline_of.clone(),
                unlearn_from: plan.unlearn_from,
                seed: arguments.seed,
                steps: arguments.steps,
                threads: arguments.threads,
                device: arguments.device.clone(),
                compute: compute(deps, arguments, &plan.config)?,
            };
            obelus_trainer::run(&order, &plan.corpus, watch)?
        }
    };
    if let Some(base) = &plan.baseline_of {
        wait_for(deps, base).await?;
    }
    training::finish(deps, &record, started_at).await
}

fn finished(deps: &Deps, arguments: &Train) -> Option<ModelRecord> {
    ModelRecord::open(&deps.data.model(&arguments.name)).ok()
}

/// The element type asked for, else the one that a retrain's model was trained in, else what suits the device.
fn compute(deps: &Deps, arguments: &Train, config: &ModelConfig) -> Result<ElementType> {
    if let Some(dtype) = arguments.dtype {
        return Ok(dtype.into());
    }
    let base = arguments.baseline_of.as_ref().and_then(|base| ModelRecord::open(&deps.data.model(base)).ok());
    Ok(base.map_or_else(|| obelus_trainer::compute_for(&arguments.device, config), |base| base.compute))
}

/// A retrain's statement cites its model's, which may be training beside it.
async fn wait_for(deps: &Deps, base: &str) -> Result<()> {
    let training = async || -> Result<bool> {
        let row = models::get(&deps.db, base).await?.ok_or_else(|| NotThere::model(base))?;
        Ok(row.status == ModelStatus::Training)
    };
    if training().await? {
        tracing::info!("waiting for {base}, which is still being trained");
        while training().await? {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    Ok(())
}

/// Looks everything up and registers the model. Idempotent.
async fn register(deps: &Deps, arguments: &Train) -> Result<Plan> {
    permitted(deps, OWNER, Action::Register, None).await?;
    registration::check_name(&arguments.name).map_err(|e| WrongUse(e.to_string()))?;
    let corpus = Library::new(deps.data.corpora()).open(&arguments.corpus)?;
    registration::register_corpus(deps, &corpus).await?;
    let start = start(deps, arguments).await?;
    let (preset, preset_name) = match &start {
        Some(start) => (start.preset.clone(), start.record.preset.clone()),
        None => preset(deps, arguments).await?,
    };
    let control = arguments.control.map_or(Control::None, Control::from);
    tracing::info!("tokenising {} with a vocabulary of {}", corpus.name(), preset.model.vocab);
    let tokenised = corpus.tokenised(preset.model.vocab as usize)?;
    let write = deps.db.write().await?;
    corpora::record_tokens(&write, corpus.name(), tokenised.shards.total_tokens() as i64).await?;
    write.commit().await?;
    let config = shape(&preset, control, tokenised.tokenizer.vocab(), corpus.sources().len() as u64)?;
    let excluded: BTreeSet<String> = arguments.exclude.iter().cloned().collect();
    let salt = match &arguments.salt {
        None => None,
        Some(hex) => Some(hex.parse::<Digest>().map_err(|e| WrongUse(format!("--salt: {e}")))?),
    };
    let own = start.as_ref().and_then(|start| start.record.baseline_of.clone());
    let baseline_of = arguments.baseline_of.clone().or(own);
    let new = NewModel {
        name: &arguments.name,
        corpus: &corpus,
        config: &config,
        preset: &preset_name,
        tokenizer: tokenised.tokenizer.digest(),
        control,
        baseline_of: baseline_of.as_deref(),
        excluded: &excluded,
        salt,
    };
    let registered = registration::register(deps, &new).await?;
    let unlearn_from = start.map(|start| (start.unlearned, deps.data.model(&start.record.name)));
    Ok(Plan { corpus, preset, preset_name, control, excluded, registered, config, baseline_of, unlearn_from })
}

/// What a control that unlearns starts from.
struct Start {
    record: ModelRecord,
    preset: Preset,
    unlearned: Unlearned,
}

/// Looks up `--from`, which goes with the controls that unlearn and with no other.
async fn start(deps: &Deps, arguments: &Train) -> Result<Option<Start>> {
    let method = arguments.control.and_then(|kind| Control::from(kind).post_hoc());
    if arguments.learning_rate.is_some() && arguments.from.is_none() {
        bail!(WrongUse("--learning-rate goes with --from and --add-sources; a preset has its own".to_owned()));
    }
    let (method, from) = match (method, &arguments.from) {
        (None, None) => return Ok(None),
        (Some(method), Some(from)) => (method, from),
        (None, Some(_)) => bail!(WrongUse("--from goes with --control gradient-ascent or npo".to_owned())),
        (Some(_), None) => {
            bail!(WrongUse("name the transformer control to unlearn from: --from MODEL".to_owned()))
        }
    };
    if arguments.exclude.is_empty() {
        bail!(WrongUse("name the sources to unlearn: --exclude ID...".to_owned()));
    }
    let row = models::get(&deps.db, from).await?.ok_or_else(|| NotThere::model(from))?;
    ensure!(row.status == ModelStatus::Ready, "{from} is {}; unlearning starts from a finished model", row.status);
    let record = ModelRecord::open(&deps.data.model(from))?;
    ensure!(
        matches!(record.control, Control::Transformer | Control::WideTransformer),
        "{from} is no ordinary transformer; obelus model train NAME --control transformer makes one"
    );
    let rate = arguments.learning_rate.unwrap_or(record.training.learning_rate / 10.0);
    let preset = Preset { model: record.config.clone(), training: PostHoc::training(&record.training, rate) };
    preset.training.check().map_err(|e| WrongUse(e.to_string()))?;
    let unlearned = Unlearned { from: from.clone(), how: PostHoc::new(method) };
    Ok(Some(Start { record, preset, unlearned }))
}

async fn preset(deps: &Deps, arguments: &Train) -> Result<(Preset, String)> {
    if let Some(path) = &arguments.config {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        return Ok((Preset::parse(&text)?, name));
    }
    let base = match &arguments.baseline_of {
        Some(base) => Some(models::get(&deps.db, base).await?.ok_or_else(|| NotThere::model(base))?),
        None => None,
    };
    let name = match (&arguments.preset, base) {
        (Some(name), _) => name.clone(),
        (None, Some(base)) => return preset_of(deps, &base),
        (None, None) => DEFAULT_PRESET.to_owned(),
    };
    Ok((Preset::named(&name)?, name))
}

/// The preset of a model's retrains: a retrain differs from its model in what it has not seen, and in nothing else.
///
/// # Errors
/// When the model has none that ships, and is not trained yet.
pub fn preset_of(deps: &Deps, base: &models::Model) -> Result<(Preset, String)> {
    if Preset::names().any(|name| name == base.preset) {
        return Ok((Preset::named(&base.preset)?, base.preset.clone()));
    }
    // From a file, which may be gone: the model's record holds what it said.
    let record = ModelRecord::open(&deps.data.model(&base.name))?;
    Ok((Preset { model: record.config, training: record.training }, base.preset.clone()))
}

/// Registers a model without training it, so that its retrain can be registered and trained beside it.
///
/// # Errors
/// As [`run`].
pub async fn register_only(deps: &Deps, arguments: &Train) -> Result<Timestamp> {
    register(deps, arguments).await?;
    Ok(deps.now())
}
