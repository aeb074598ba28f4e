//! A model as it lies on disk and in the database, opened for scoring. Refused masks are never handed out.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use obelus_attack::{Materials, Subject};
use obelus_corpus::{Corpus, Library, Tokenizer};
use obelus_model::{Control, ModelRecord, SourceMask};
use obelus_store::{models, models::ModelStatus, sources};
use obelus_verdict::Condition;
use tch::Device;

use crate::registration::{Assigned, registered};
use obelus_casework::{Deps, NotThere, case};

/// A model with its record, corpus, tokenizer and sources.
pub struct Opened {
    /// Its row.
    pub row: models::Model,
    /// Its record.
    pub record: ModelRecord,
    /// Its corpus, with the texts of sources that it holds and that came later.
    pub corpus: Corpus,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// Every source of the lineage.
    pub sources: BTreeMap<String, Assigned>,
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
        case::trained(&row)?;
        match row.status {
            ModelStatus::Ready | ModelStatus::Training | ModelStatus::Refused => {}
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
        let sources = registered(deps, &row.lineage).await?.sources;
        let corpus = corpus(deps, &row, &sources)?;
        let tokenizer = Tokenizer::load(&folder.join("tokenizer.json"))?;
        ensure!(
            tokenizer.digest() == record.tokenizer,
            "{}/tokenizer.json is not the one that the model was trained with; restore it",
            folder.display()
        );
        let (mut refused, mut revoked) = (BTreeSet::new(), BTreeSet::new());
        for source in sources::refused(&deps.db, &row.lineage).await? {
            if source.revoked_at.is_some() {
                revoked.insert(source.source_id.clone());
            }
            refused.insert(source.source_id);
        }
        Ok(Self { row, record, corpus, tokenizer, sources, refused, revoked })
    }

    /// The mask of a source that the model was trained on, whether or not it may be applied. For arithmetic on neurons.
    ///
    /// # Errors
    /// When the source is not registered.
    pub fn neurons_of(&self, source: &str) -> Result<SourceMask> {
        let source = self.sources.get(source).ok_or_else(|| NotThere::source(source))?;
        Ok(source.key.mask(&self.record.config)?)
    }

    /// Whether the weights hold a source, or held it until it was struck.
    pub fn holds(&self, source: &str) -> bool {
        holds(&self.row, &self.sources, source)
    }

    /// The mask of a source, to light it.
    ///
    /// # Errors
    /// When the source is suppressed or revoked, or the model was not trained on it.
    pub fn mask(&self, source: &str) -> Result<SourceMask> {
        ensure!(!self.refused.contains(source), "source {source} is suppressed or revoked: its sinks are not lit");
        ensure!(self.row.control.is_none(), "model {} is a control and has no sinks", self.row.name);
        ensure!(
            self.holds(source) || !self.sources.contains_key(source),
            "model {} was trained without {source}, so it has no sinks for it",
            self.row.name
        );
        self.neurons_of(source)
    }

    /// Sources that may be lit, ascending.
    pub fn lightable(&self) -> Vec<&str> {
        let trained = self.corpus.sources().iter().map(|s| s.id.as_str());
        let mut ids: Vec<&str> =
            trained.filter(|id| self.row.control.is_none() && !self.refused.contains(*id) && self.holds(id)).collect();
        ids.sort_unstable();
        ids
    }

    /// Loads the weights and prepares routing over every source that may be lit.
    ///
    /// # Errors
    /// When the checkpoint is damaged.
    pub fn subject(&self, deps: &Deps, materials: &Materials<'_>) -> Result<Subject<'_>> {
        self.subject_of(deps, &self.record, materials)
    }

    /// As [`Opened::subject`], with the weights that another record of the same model names.
    pub(crate) fn subject_of(
        &self,
        deps: &Deps,
        record: &ModelRecord,
        materials: &Materials<'_>,
    ) -> Result<Subject<'_>> {
        obelus_model::set_threads(deps.settings.threads);
        let model = record.load(&deps.data.model(&self.row.name), Device::Cpu)?;
        let mut masks = BTreeMap::new();
        for id in self.lightable() {
            masks.insert(id.to_owned(), self.neurons_of(id)?);
        }
        Ok(Subject::new(model, &self.tokenizer, masks, materials)?)
    }
}

fn holds(row: &models::Model, sources: &BTreeMap<String, Assigned>, source: &str) -> bool {
    let since = sources.get(source).and_then(|assigned| assigned.since);
    since.is_some_and(|since| since <= row.generation) && !row.excluded.0.iter().any(|id| id == source)
}

/// A model's corpus with the texts of the sources that came later.
fn corpus(deps: &Deps, row: &models::Model, sources: &BTreeMap<String, Assigned>) -> Result<Corpus> {
    let library = Library::new(deps.data.corpora());
    let later: BTreeSet<&String> = sources.values().filter_map(|assigned| assigned.corpus.as_ref()).collect();
    let mut corpus = library.open(&row.corpus)?;
    for name in later {
        let of_it = |id: &str| sources.get(id).and_then(|assigned| assigned.corpus.as_ref()) == Some(name);
        corpus = corpus.with(library.open(name)?, |id| of_it(id) && holds(row, sources, id));
    }
    Ok(corpus)
}

/// The retrains to compare a model with: one without all of `struck` if there is one, else the one that leaves most out;
/// then those that leave out the same and differ in their seed.
///
/// # Errors
/// When the named one is no baseline of the model.
pub async fn retrains(deps: &Deps, model: &str, struck: &[String], named: Option<&str>) -> Result<Vec<Opened>> {
    let all = models::baselines_of(&deps.db, model).await?;
    let usable: Vec<_> = all.iter().filter(|b| b.status == ModelStatus::Ready && b.control.is_none()).collect();
    if let Some(named) = named {
        ensure!(
            usable.iter().any(|b| b.name == named),
            "{named:?} is no finished retrain of {model}; obelus model train NAME --baseline-of {model} --exclude ID..."
        );
    }
    let mut late = BTreeSet::new();
    for id in struck {
        let source = match all.first() {
            Some(base) => sources::get(&deps.db, &base.lineage, id).await?,
            None => None,
        };
        if source.is_some_and(|source| source.since > 1) {
            late.insert(id);
        }
    }
    // No retrain has seen what came after the training.
    let without_all = |b: &models::Model| struck.iter().all(|s| late.contains(s) || b.excluded.0.contains(s));
    let first = match named {
        Some(named) => usable.iter().find(|b| b.name == named),
        // Of equals the first by name.
        None => usable.iter().rev().max_by_key(|b| (without_all(b), b.excluded.0.len())),
    };
    let Some(first) = first else { return Ok(vec![]) };
    let left_out = |b: &models::Model| b.excluded.0.iter().cloned().collect::<BTreeSet<String>>();
    let same = usable.iter().filter(|b| b.name != first.name && left_out(b) == left_out(first));
    let mut retrains = Vec::new();
    for row in [first].into_iter().chain(same) {
        retrains.push(Opened::open(deps, &row.name).await?);
    }
    let mut seeds = BTreeSet::new();
    // The same seed gives the same weights: a copy says nothing about chance.
    retrains.retain(|retrain| seeds.insert(retrain.record.seed));
    Ok(retrains)
}

/// The ordinary transformers that were made to forget the struck sources, or else most of the panel, after the fact: one
/// for each method that was tried on the model's corpus.
///
/// # Errors
/// When the database fails or a transformer's files are damaged.
pub async fn post_hoc(
    deps: &Deps,
    model: &Opened,
    struck: &[String],
    retrains: &[Opened],
) -> Result<Vec<(Condition, Opened)>> {
    let panel = retrains.first().map_or(&[][..], |retrain| &retrain.row.excluded.0);
    let wanted: BTreeSet<&String> = struck.iter().chain(panel).collect();
    let all = models::list(&deps.db).await?;
    let mut found = Vec::new();
    for (condition, control) in
        [(Condition::PostHocGradientAscent, Control::GradientAscent), (Condition::PostHocNpo, Control::Npo)]
    {
        let forgot = |m: &models::Model| m.excluded.0.iter().filter(|id| wanted.contains(id)).count();
        let of_it = |m: &&models::Model| {
            m.status == ModelStatus::Ready && m.corpus == model.row.corpus && m.control.as_deref() == control.name()
        };
        let all_struck = |m: &models::Model| struck.iter().all(|id| m.excluded.0.contains(id));
        let best = all.iter().filter(of_it).filter(|m| forgot(m) > 0).max_by_key(|m| (all_struck(m), forgot(m)));
        if let Some(best) = best {
            found.push((condition, Opened::open(deps, &best.name).await?));
        }
    }
    Ok(found)
}
