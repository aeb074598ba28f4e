//! A model in memory with its tokenizer, the masks that it may light, and where a text is routed. Not here: whether a mask
//! may be lit now (`standing.rs`).

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Context as _, Result, bail};
use obelus_casework::{Deps, NotThere, case};
use obelus_core::Digest;
use obelus_corpus::{Library, Tokenizer};
use obelus_model::{
    MaskKey, ModelRecord, Prompt, Router, Sampling, SourceMask, Transformer, generate, pooled_feature, score_spans,
};
use obelus_store::{models, models::ModelStatus, requests, sources};
use sha2::{Digest as _, Sha256};
use tch::Device;

/// Sources read at once.
const PAGE: u64 = 10_000;

/// A model's row and the sources of its lineage, as they are when it is read.
pub(crate) struct Description {
    row: models::Model,
    /// Every registered source: what its mask follows from, the generation from which on the model holds it, and the
    /// corpus that has its text.
    sources: Vec<(String, MaskKey, i64, String)>,
}

/// A model in memory.
pub(crate) struct Served {
    pub(crate) name: String,
    pub(crate) generation: i64,
    /// The weight root that was signed for these weights.
    pub(crate) root: Digest,
    tokenizer: Tokenizer,
    model: Transformer,
    /// Of every source that the model holds, refused ones too: those are not lit.
    masks: BTreeMap<String, SourceMask>,
    router: Router,
}

/// What is to be continued.
#[derive(Clone, Debug)]
pub(crate) struct Completion {
    pub(crate) prompt: String,
    pub(crate) sampling: Draw,
    pub(crate) stop: Vec<String>,
}

/// How tokens are chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw {
    pub(crate) tokens: usize,
    pub(crate) temperature: f64,
    pub(crate) top_p: f64,
    pub(crate) seed: u64,
}

impl Description {
    /// Reads what the database says of a model that is whole.
    ///
    /// # Errors
    /// When there is no such model, or it is being trained, struck or adapted.
    pub(crate) async fn read(deps: &Deps, name: &str) -> Result<Self> {
        let row = models::get(&deps.db, name).await?.ok_or_else(|| NotThere::model(name))?;
        case::trained(&row)?;
        if row.status != ModelStatus::Ready {
            bail!("model {name} is being changed ({}); start again when that has ended", row.status);
        }
        let (mut described, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = sources::page(&deps.db, &row.lineage, after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.source_id.clone());
            described.extend(page.into_iter().map(|source| {
                let key = MaskKey { seed: Digest::new(source.seed.0), segment: source.segment.unsigned_abs() };
                let corpus = source.corpus.unwrap_or_else(|| row.corpus.clone());
                (source.source_id, key, source.since, corpus)
            }));
        }
        Ok(Self { row, sources: described })
    }

    /// Whether the weights hold a source, or held it until it was struck.
    fn holds(&self, id: &str, since: i64) -> bool {
        let held = 0 < since && since <= self.row.generation;
        held && self.row.control.is_none() && !self.row.excluded.0.iter().any(|other| other == id)
    }
}

impl Served {
    /// Loads the weights, and the routing features of every source that has a text.
    ///
    /// # Errors
    /// When a file is damaged, or the row is not of a finished model.
    pub(crate) fn load(deps: &Deps, described: &Description) -> Result<Self> {
        let row = &described.row;
        let folder = deps.data.model(&row.name);
        let record = ModelRecord::open(&folder)?;
        let tokenizer = Tokenizer::load(&folder.join("tokenizer.json"))?;
        obelus_model::set_threads(deps.settings.threads);
        let model = record.load(&folder, Device::Cpu)?;
        let mut texts = BTreeMap::<&str, Vec<&str>>::new();
        let mut masks = BTreeMap::new();
        for (id, key, since, corpus) in &described.sources {
            if described.holds(id, *since) {
                masks.insert(id.clone(), key.mask(&record.config)?);
                texts.entry(corpus).or_default().push(id);
            }
        }
        let library = Library::new(deps.data.corpora());
        let mut features = Vec::with_capacity(masks.len());
        for (name, ids) in texts {
            let corpus = library.open(name)?;
            for document in corpus.documents() {
                // One text each; of a source whose text was destroyed there is none.
                if ids.contains(&&*document.source) && !features.iter().any(|(id, _)| *id == document.source) {
                    features.push((
                        document.source.clone(),
                        pooled_feature(&model, &tokenizer.encode_document(&document.text)),
                    ));
                }
            }
        }
        Ok(Self {
            name: row.name.clone(),
            generation: row.generation,
            root: row.weight_root.context("a finished model has a weight root")?.0,
            tokenizer,
            model,
            masks,
            router: Router::new(features),
        })
    }

    /// The mask of a source.
    ///
    /// # Errors
    /// When the model does not hold it.
    pub(crate) fn mask(&self, source: &str) -> Result<&SourceMask> {
        let missing = || NotThere::source(source);
        Ok(self.masks.get(source).ok_or_else(missing)?)
    }

    /// The source whose text a prompt is most like, leaving out `except`; none when no source is left.
    pub(crate) fn nearest(&self, prompt: &str, except: &[&str]) -> Option<String> {
        let feature = pooled_feature(&self.model, &self.tokenizer.encode_prompt(prompt));
        self.router.nearest(&feature, except).map(str::to_owned)
    }

    /// Continues a prompt. `go_on` is asked after each token.
    ///
    /// # Errors
    /// When the model does not hold the source, or what `go_on` says.
    pub(crate) fn complete(
        &self,
        asked: &Completion,
        source: Option<&str>,
        go_on: impl Fn() -> Result<()>,
    ) -> Result<String> {
        let mask = source.map(|id| self.mask(id)).transpose()?;
        let tokens = self.tokenizer.encode_prompt(&asked.prompt);
        let Draw { tokens: most, temperature, top_p, seed } = asked.sampling;
        let how = Sampling { temperature, top_p, seed, tokens: most, end: self.tokenizer.eot_id() };
        let (mut broken, mut cut) = (None, None);
        let added = generate(&self.model, &[Prompt { tokens: &tokens, mask }], how, |_, added| {
            broken = go_on().err();
            let text = self.tokenizer.decode(added);
            cut = asked.stop.iter().filter_map(|stop| text.find(stop.as_str())).min().map(|at| text[..at].to_owned());
            broken.is_some() || cut.is_some()
        });
        match broken {
            Some(refused) => Err(refused),
            None => Ok(cut.unwrap_or_else(|| self.tokenizer.decode(&added.concat()))),
        }
    }

    /// Mean log-probability a token of an answer after a prompt (natural logarithm), and its tokens.
    ///
    /// # Errors
    /// When the model does not hold the source, or the answer is empty.
    pub(crate) fn score(&self, prompt: &str, answer: &str, source: Option<&str>) -> Result<(f64, usize)> {
        let mask = source.map(|id| self.mask(id)).transpose()?;
        let (mut tokens, answer) = self.tokenizer.encode_probe(prompt, answer);
        let count = answer.len();
        tokens.extend(answer);
        let scores = score_spans(&self.model, mask, &[(tokens, count)]);
        Ok((scores.first().context("a text has a score")?.log_prob_mean(), count))
    }

    /// Zeroes neurons in memory. Gives how many rows that are, three of each neuron, and the SHA-256 over the rows that are there now: gate, up and down of each
    /// layer in turn, float32, little-endian.
    pub(crate) fn strike(&mut self, neurons: &SourceMask) -> (u64, Digest) {
        self.model.strike(neurons);
        let mut hash = Sha256::new();
        for rows in self.model.sink_rows(neurons) {
            rows.iter().for_each(|number| hash.update(number.to_le_bytes()));
        }
        let rows = neurons.per_layer.iter().map(|layer| 3 * layer.len() as u64).sum();
        (rows, Digest::new(hash.finalize().into()))
    }
}

/// The neurons of a request's sources in a model.
///
/// # Errors
/// When a source is not registered.
pub(crate) async fn neurons(deps: &Deps, model: &str, reference: &str) -> Result<SourceMask> {
    let row = models::get(&deps.db, model).await?.ok_or_else(|| NotThere::model(model))?;
    let config = ModelRecord::open(&deps.data.model(model))?.config;
    let mut masks = Vec::new();
    for id in requests::sources(&deps.db, reference).await? {
        let source = sources::get(&deps.db, &row.lineage, &id).await?.ok_or_else(|| NotThere::source(&id))?;
        let key = MaskKey { seed: Digest::new(source.seed.0), segment: source.segment.unsigned_abs() };
        masks.push(key.mask(&config)?);
    }
    Ok(SourceMask::union(&masks))
}

/// What engines are given: the deps outlive them.
pub(crate) type Shared = Arc<Deps>;
