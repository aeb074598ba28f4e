//! A model as it lies on disk and in the database, opened for scoring. Refused masks are never handed out.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use obelus_attack::{Materials, Subject};
use obelus_core::Digest;
use obelus_corpus::{Corpus, Library, Tokenizer};
use obelus_model::{ModelRecord, SourceMask};
use obelus_store::{models, models::ModelStatus, sources};
use tch::Device;

use crate::{Deps, NotThere, registration::registered};

/// A model with its record, corpus, tokenizer and seeds.
pub struct Opened {
    /// Its row.
    pub row: models::Model,
    /// Its record.
    pub record: ModelRecord,
    /// Its corpus.
    pub corpus: Corpus,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// The seeds of every source of the lineage.
    pub seeds: BTreeMap<String, Digest>,
    /// Sources whose masks must not be applied: suppressed or revoked.
    pub refused: BTreeSet<String>,
    /// Those among them whose neurons are zero.
    pub revoked: BTreeSet<String>,
}

impl Opened {
    /// Opens a model that is whole.
    ///
    /// # Errors
    /// When there is none, it is being trained or struck, or its files are damaged.
    pub async fn open(deps: &Deps, name: &str) -> Result<Self> {
        let row = models::get(&deps.db, name).await?;
        let row = row.ok_or_else(|| NotThere::model(name))?;
        let folder = deps.data.model(name);
        match row.status {
            ModelStatus::Ready => {}
            ModelStatus::Training => anyhow::bail!("model {name} is still being trained"),
            ModelStatus::Striking => anyhow::bail!(
                "model {name} is in the middle of a takedown and is not used until it has ended; run obelus takedown \
                 execute again"
            ),
            ModelStatus::Adapting => anyhow::bail!(
                "model {name} is in the middle of an adaptation and is not used until it has ended; run its command \
                 again"
            ),
        }
        let record = ModelRecord::open(&folder)?;
        let corpus = Library::new(deps.data.corpora()).open(&row.corpus)?;
        let tokenizer = Tokenizer::load(&folder.join("tokenizer.json"))?;
        ensure!(
            tokenizer.digest() == record.tokenizer,
            "{}/tokenizer.json is not the one that the model was trained with; restore it",
            folder.display()
        );
        let seeds = registered(deps, &row.lineage).await?.seeds;
        let (mut refused, mut revoked) = (BTreeSet::new(), BTreeSet::new());
        for source in sources::refused(&deps.db, &row.lineage).await? {
            if source.revoked_at.is_some() {
                revoked.insert(source.source_id.clone());
            }
            refused.insert(source.source_id);
        }
        Ok(Self { row, record, corpus, tokenizer, seeds, refused, revoked })
    }

    /// The mask of a source that the model was trained on, whether or not it may be applied. For arithmetic on neurons.
    ///
    /// # Errors
    /// When the source is not registered.
    pub fn neurons_of(&self, source: &str) -> Result<SourceMask> {
        let seed = self.seeds.get(source).ok_or_else(|| NotThere::source(source))?;
        Ok(SourceMask::derive(seed.as_bytes(), 0, &self.record.config)?)
    }

    /// The mask of a source, to light it.
    ///
    /// # Errors
    /// When the source is suppressed or revoked, or the model was not trained on it.
    pub fn mask(&self, source: &str) -> Result<SourceMask> {
        ensure!(!self.refused.contains(source), "source {source} is suppressed or revoked: its sinks are not lit");
        ensure!(self.row.control.is_none(), "model {} is a control and has no sinks", self.row.name);
        ensure!(
            !self.row.excluded.0.iter().any(|id| id == source),
            "model {} was trained without {source}, so it has no sinks for it",
            self.row.name
        );
        self.neurons_of(source)
    }

    /// Sources that may be lit, ascending.
    pub fn lightable(&self) -> Vec<&str> {
        let trained = self.corpus.sources().iter().map(|s| s.id.as_str());
        let mut ids: Vec<&str> = trained
            .filter(|id| self.row.control.is_none() && !self.refused.contains(*id) && self.seeds.contains_key(*id))
            .filter(|id| !self.row.excluded.0.iter().any(|e| e == id))
            .collect();
        ids.sort_unstable();
        ids
    }

    /// Loads the weights and prepares routing over every source that may be lit.
    ///
    /// # Errors
    /// When the checkpoint is damaged.
    pub fn subject(&self, deps: &Deps, materials: &Materials<'_>) -> Result<Subject<'_>> {
        obelus_model::set_threads(deps.settings.threads);
        let model = self.record.load(&deps.data.model(&self.row.name), Device::Cpu)?;
        let mut masks = BTreeMap::new();
        for id in self.lightable() {
            masks.insert(id.to_owned(), self.neurons_of(id)?);
        }
        Ok(Subject::new(model, &self.tokenizer, masks, materials)?)
    }
}

/// The retrain to compare a model with: one without all of `struck` if there is one, else the one that leaves most out.
///
/// # Errors
/// When the named one is no baseline of the model.
pub async fn baseline(deps: &Deps, model: &str, struck: &[String], named: Option<&str>) -> Result<Option<String>> {
    let all = models::baselines_of(&deps.db, model).await?;
    let usable: Vec<_> = all.iter().filter(|b| b.status == ModelStatus::Ready && b.control.is_none()).collect();
    if let Some(named) = named {
        ensure!(
            usable.iter().any(|b| b.name == named),
            "{named:?} is no finished retrain of {model}; obelus model train NAME --baseline-of {model} --exclude ID..."
        );
        return Ok(Some(named.to_owned()));
    }
    let without_all = |b: &models::Model| struck.iter().all(|s| b.excluded.0.contains(s));
    Ok(usable.iter().max_by_key(|b| (without_all(b), b.excluded.0.len())).map(|b| b.name.clone()))
}
