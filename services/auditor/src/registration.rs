//! What must be signed and logged before a training may start: campaign, source records, manifest.
//!
//! Order matters: a salt chosen after training, or a manifest made after it, would prove nothing.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use anyhow::{Context as _, Result, bail, ensure};
use obelus_core::Digest;
use obelus_corpus::{Corpus, SourceInfo};
use obelus_ledger::statement::{Campaign, PoolSegment, Statement, Subject};
use obelus_model::{Assignment, Control, MaskKey, ModelConfig, ModelRecord};
use obelus_store::{
    Bytes32, Micros, Names, Sha256, Write, audit, campaigns, copies,
    copies::{CopyKind, NewCopy},
    corpora, manifests, models,
    models::ModelStatus,
    sources,
};

use crate::{
    manifest::{self, NewSource},
    pool,
    refusal::{self, Reads},
};
use obelus_casework::{
    Deps, NotThere,
    transparency::{publish, sign},
};

/// Sources read at once.
const PAGE: u64 = 10_000;

/// A model to be trained.
#[derive(Debug)]
pub struct NewModel<'a> {
    /// Its name, which names its folder too.
    pub name: &'a str,
    /// The corpus.
    pub corpus: &'a Corpus,
    /// The complete shape, with the tokenizer's vocabulary.
    pub config: &'a ModelConfig,
    /// Preset or file that the configuration came from.
    pub preset: &'a str,
    /// SHA-256 of the tokenizer.
    pub tokenizer: Digest,
    /// What is trained.
    pub control: Control,
    /// The model that this is a retrain for.
    pub baseline_of: Option<&'a str>,
    /// Sources left out.
    pub excluded: &'a BTreeSet<String>,
    /// A salt for reproducible studies; random otherwise.
    pub salt: Option<Digest>,
}

/// What training needs to know.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The lineage.
    pub lineage: String,
    /// Its salt.
    pub campaign_salt: Digest,
    /// Every source in the manifest.
    pub sources: BTreeMap<String, Assigned>,
}

/// A registered source: what its mask follows from, and which generations hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// What its mask follows from.
    pub key: MaskKey,
    /// The generation of the lineage's model from which on it holds the source; none while no generation does.
    pub since: Option<i64>,
    /// The corpus with its text, where that is not the model's.
    pub corpus: Option<String>,
}

impl From<&sources::Source> for Assigned {
    fn from(row: &sources::Source) -> Self {
        Self {
            key: MaskKey { seed: Digest::new(row.seed.0), segment: row.segment.unsigned_abs() },
            since: (row.since > 0).then_some(row.since),
            corpus: row.corpus.clone(),
        }
    }
}

/// Checks a model's name: it becomes a folder.
///
/// # Errors
/// Says what a name may look like.
pub fn check_name(name: &str) -> Result<()> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    ensure!(
        first && name.len() <= 64 && name.bytes().all(fits),
        "{:?} is not a model's name: use at most 64 of a-z, 0-9, '.', '_' and '-', a letter or digit first",
        name.chars().take(80).collect::<String>()
    );
    Ok(())
}

/// Registers a model, or finds it registered by an interrupted run with the same settings.
///
/// # Errors
/// A name that is taken, a source that does not exist, a revoked source in the training data.
pub async fn register(deps: &Deps, new: &NewModel<'_>) -> Result<Registered> {
    check_name(new.name)?;
    for id in new.excluded {
        new.corpus.source(id).ok_or_else(|| NotThere::source(id))?;
    }
    let unlearns = new.control.post_hoc().is_some();
    let read = |id: &String| unlearns || !new.excluded.contains(id);
    let mut ids = new.corpus.sources().iter().map(|source| &source.id);
    if let Some(id) = ids.find(|id| new.corpus.is_destroyed(id) && read(id)) {
        bail!(
            "the text of source {id} in the corpus {} was destroyed, so that nothing can be trained on it{}",
            new.corpus.name(),
            if unlearns { "" } else { "; leave it out with --exclude" }
        );
    }
    let lineage = match new.baseline_of {
        None => new.name.to_owned(),
        Some(base) => lineage_of_base(deps, new, base).await?,
    };
    let reads = Reads {
        lineage: &lineage,
        excluded: &new.excluded.iter().cloned().collect::<Vec<_>>(),
        unlearns,
        suppressed_too: false,
    };
    if let Some(row) = models::get(&deps.db, new.name).await? {
        // Also of a training that goes on: its source may have been struck since it began.
        refusal::check(&deps.db, &reads).await?;
        return resumed(deps, new, &row, &lineage).await;
    }
    if campaigns::get(&deps.db, &lineage).await?.is_none() {
        begin_campaign(deps, &lineage, new.config, new.salt).await?;
    }
    let campaign = campaigns::get(&deps.db, &lineage).await?.context("the campaign was just begun")?;
    if manifests::latest(&deps.db, &lineage).await?.is_none() {
        assign(deps, new, &campaign).await?;
    }
    refusal::check(&deps.db, &reads).await?;
    let folder = format!("models/{}", new.name);
    let row = models::Model {
        name: new.name.to_owned(),
        lineage: lineage.clone(),
        corpus: new.corpus.name().to_owned(),
        preset: new.preset.to_owned(),
        generation: 0,
        checkpoint: folder.clone(),
        baseline_of: new.baseline_of.map(str::to_owned),
        control: new.control.name().map(str::to_owned),
        excluded: Names(new.excluded.iter().cloned().collect()),
        weight_root: None,
        layout_digest: None,
        training_statement: None,
        status: ModelStatus::Training,
        created_at: Micros(deps.now()),
    };
    let write = deps.db.write().await?;
    models::create(&write, row).await?;
    register_copies(deps, &write, new.name, &folder).await?;
    write.commit().await?;
    registered(deps, &lineage).await
}

/// Copies are known before their files appear: a file that nobody knows of is one that no takedown finds.
async fn register_copies(deps: &Deps, write: &Write, model: &str, folder: &str) -> Result<()> {
    for (kind, file) in [(CopyKind::Checkpoint, ModelRecord::CHECKPOINT), (CopyKind::Optimizer, ModelRecord::MOMENTS)] {
        let copy = NewCopy {
            model: model.to_owned(),
            kind,
            path: format!("{folder}/{file}"),
            generation: 1,
            root: None,
            source_id: None,
        };
        copies::register(write, &copy, deps.now()).await?;
    }
    Ok(())
}

async fn lineage_of_base(deps: &Deps, new: &NewModel<'_>, base: &str) -> Result<String> {
    let base_row = models::get(&deps.db, base).await?;
    let base_row = base_row.ok_or_else(|| NotThere::model(base))?;
    ensure!(
        base_row.corpus == new.corpus.name(),
        "{base} was trained on the corpus {}, so its baseline must be too; got {}",
        base_row.corpus,
        new.corpus.name()
    );
    ensure!(
        !new.excluded.is_empty() || new.control != Control::None,
        "a retrain leaves sources out: name them with --exclude"
    );
    Ok(base_row.lineage)
}

async fn resumed(deps: &Deps, new: &NewModel<'_>, row: &models::Model, lineage: &str) -> Result<Registered> {
    let goes_on = matches!(row.status, ModelStatus::Training | ModelStatus::Refused);
    ensure!(goes_on, "there already is a model {:?}; choose another name", new.name);
    let excluded: Vec<String> = new.excluded.iter().cloned().collect();
    let same = (row.corpus.as_str(), row.preset.as_str(), row.baseline_of.as_deref(), row.control.as_deref())
        == (new.corpus.name(), new.preset, new.baseline_of, new.control.name())
        && row.excluded.0 == excluded
        && row.lineage == lineage;
    if !same {
        bail!(
            "the training of {:?} was begun with other settings (corpus {}, preset {}, {} sources excluded); continue \
             it with those, or choose another name",
            new.name,
            row.corpus,
            row.preset,
            row.excluded.0.len()
        );
    }
    if row.status == ModelStatus::Refused {
        // What it was given up for has been lifted; its files are gone, and it begins anew.
        let write = deps.db.write().await?;
        models::begin_training_again(&write, new.name).await?;
        register_copies(deps, &write, new.name, &row.checkpoint).await?;
        write.commit().await?;
    }
    registered(deps, lineage).await
}

/// Registers sources in a lineage that has none, as they come: a campaign, their records, a manifest. For measurements; a
/// model's sources are registered by [`register`].
///
/// # Errors
/// When the lineage's name is none, it has sources, or one comes twice.
pub async fn register_sources(
    deps: &Deps,
    lineage: &str,
    config: &ModelConfig,
    tokenizer: Digest,
    sources: impl Iterator<Item = SourceInfo>,
) -> Result<()> {
    check_name(lineage)?;
    ensure!(manifests::latest(&deps.db, lineage).await?.is_none(), "the lineage {lineage} has sources already");
    if campaigns::get(&deps.db, lineage).await?.is_none() {
        begin_campaign(deps, lineage, config, None).await?;
    }
    let campaign = campaigns::get(&deps.db, lineage).await?.context("the campaign was just begun")?;
    let sources = sources.map(|info| NewSource { info: Cow::Owned(info), segment: 0, corpus: None });
    manifest::extend(deps, &campaign, tokenizer, sources).await
}

async fn begin_campaign(deps: &Deps, lineage: &str, config: &ModelConfig, salt: Option<Digest>) -> Result<()> {
    let salt = match salt {
        Some(salt) => salt,
        None => Digest::new(random()?),
    };
    let segments: Vec<PoolSegment> = match config.assignment {
        Assignment::Shared => config.segments.iter().map(|s| PoolSegment { base: s.base, n: s.n, k: s.k }).collect(),
        // One for every source would not fit into a statement: an extension says all of them at once.
        Assignment::Disjoint => vec![],
    };
    let statement = Statement::new(
        Subject::sha256(lineage, Digest::sha256(lineage)),
        Campaign {
            lineage: lineage.to_owned(),
            campaign_salt: salt,
            mask_scheme: "null-mask/v1".to_owned(),
            layers: config.layers,
            same_mask_in_all_layers: config.same_mask_in_all_layers,
            segments: segments.clone(),
            operator: deps.settings.operator.clone(),
            created_at: deps.now(),
            salt: deps.salt()?,
        },
    );
    let manifest_key = random()?;
    let segments = serde_json::to_string(&segments)?;
    let now = deps.now();
    publish(deps, sign(deps, &statement)?, async |write, digest| {
        let campaign = campaigns::Campaign {
            lineage: lineage.to_owned(),
            salt: Bytes32(*salt.as_bytes()),
            segments: segments.clone(),
            manifest_key: Bytes32(manifest_key),
            statement: Sha256(*digest),
            created_at: Micros(now),
        };
        campaigns::create(write, campaign).await?;
        Ok(audit::append(write, now, &deps.settings.operator, "begin_campaign", lineage, "{}").await?)
    })
    .await?;
    Ok(())
}

/// Gives every source its segment of the pool, and signs the first manifest.
async fn assign(deps: &Deps, new: &NewModel<'_>, campaign: &campaigns::Campaign) -> Result<()> {
    let all = new.corpus.sources();
    let disjoint = new.config.assignment == Assignment::Disjoint;
    // Not again, where a registration was cut off between the two statements.
    if disjoint && pool::segments(deps, campaign).await?.is_empty() {
        pool::extend(deps, campaign, new.config.n_source, all.len(), pool::Reason::DisjointAssignment).await?;
    }
    let sources = (0..).zip(all).map(|(i, info)| NewSource {
        info: Cow::Borrowed(info),
        segment: if disjoint { i } else { 0 },
        corpus: None,
    });
    manifest::extend(deps, campaign, new.tokenizer, sources).await
}

/// The lineage's salt and sources, all of them in memory, as training needs them.
///
/// # Errors
/// When there is no such lineage.
pub async fn registered(deps: &Deps, lineage: &str) -> Result<Registered> {
    let campaign = campaigns::get(&deps.db, lineage).await?;
    let campaign = campaign.with_context(|| format!("there is no campaign {lineage}"))?;
    let mut sources = BTreeMap::new();
    let mut after: Option<String> = None;
    loop {
        let page = sources::page(&deps.db, lineage, after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.source_id.clone());
        sources.extend(page.iter().map(|row| (row.source_id.clone(), Assigned::from(row))));
    }
    Ok(Registered { lineage: lineage.to_owned(), campaign_salt: Digest::new(campaign.salt.0), sources })
}

/// Makes sure that a corpus on disk is known to the database.
///
/// # Errors
/// When the database fails.
pub async fn register_corpus(deps: &Deps, corpus: &Corpus) -> Result<()> {
    if corpora::get(&deps.db, corpus.name()).await?.is_some() {
        return Ok(());
    }
    let write = deps.db.write().await?;
    let row = corpora::Corpus {
        name: corpus.name().to_owned(),
        path: format!("corpora/{}", corpus.name()),
        documents: corpus.documents().len() as i64,
        sources: corpus.sources().len() as i64,
        tokens: None,
        created_at: Micros(deps.now()),
    };
    corpora::create(&write, row).await?;
    Ok(write.commit().await?)
}

fn random() -> Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|e| anyhow::anyhow!("the operating system gives no randomness: {e}"))?;
    Ok(bytes)
}
