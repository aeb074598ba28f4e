//! Measuring a takedown: the panel and the struck sources under every condition, before and after.

use anyhow::{Context as _, Result};
use obelus_attack::{Materials, Salt, Strike, Subject, score};
use obelus_core::Digest;
use obelus_model::SourceMask;
use obelus_verdict::{Condition, Protocol, Scores};
use serde::{Deserialize, Serialize};

use crate::{Deps, subject::Opened};

/// What is recorded before an erasure, because the erasure destroys it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// `obelus-scores-before/v1`
    pub format: String,
    /// Weight root of the model that was scored.
    pub root: Digest,
    /// Name of the retrain, if there is one.
    pub baseline: Option<String>,
    /// Number of sources in the panel.
    pub panel_sources: usize,
    /// The panel, each source struck alone in memory.
    pub panel: Scores,
    /// The struck sources: every condition that needs their sinks, and the retrain's.
    pub source: Scores,
}

/// The format name.
pub const FORMAT: &str = "obelus-scores-before/v1";

/// Everything that a measurement compares.
pub struct Setting<'a> {
    /// The model.
    pub opened: &'a Opened,
    /// Its retrain.
    pub baseline: Option<&'a Opened>,
    /// The sources to be struck together.
    pub struck: &'a [String],
    /// The protocol.
    pub protocol: &'a Protocol,
    /// Salt of item digests.
    pub salt: Salt,
}

impl Setting<'_> {
    /// Sources that both the retrain left out and the model was trained on.
    pub fn panel(&self) -> Vec<String> {
        let Some(baseline) = self.baseline else { return vec![] };
        let trained = |id: &String| self.opened.holds(id);
        let revoked = |id: &String| self.opened.refused.contains(id) && !self.struck.contains(id);
        baseline.row.excluded.0.iter().filter(|id| trained(id) && !revoked(id)).cloned().collect()
    }

    /// Digest over the sorted item digests of every probe that will be asked.
    pub fn probes_digest(&self) -> Digest {
        let panel = self.panel();
        let asked = |id: &String| panel.contains(id) || self.struck.contains(id);
        let mut items: Vec<Digest> = self
            .opened
            .corpus
            .probes()
            .iter()
            .filter(|p| asked(&p.source))
            .map(|p| self.salt.digest(&["probe", &p.source, &p.prompt, &p.answer]))
            .collect();
        items.sort_unstable();
        Digest::sha256(items.iter().flat_map(|d| *d.as_bytes()).collect::<Vec<u8>>())
    }

    fn masks(&self) -> Result<Vec<SourceMask>> {
        self.struck.iter().map(|id| self.opened.neurons_of(id)).collect()
    }

    /// Scores the panel and the struck sources on a model whose sinks still hold what they learnt. With `rehearse` the
    /// struck sources are zeroed in memory as well.
    ///
    /// # Errors
    /// When a checkpoint is damaged or a source has no text.
    pub fn before(&self, deps: &Deps, rehearse: bool) -> Result<Before> {
        let materials = Materials::new(&self.opened.corpus);
        let subject = self.opened.subject(deps, &materials)?;
        let baseline = self.baseline.map(|b| b.subject(deps, &materials)).transpose()?;
        let panel_sources = self.panel();
        let mut panel = Scores::default();
        for (i, source) in panel_sources.iter().enumerate() {
            tracing::info!("scoring panel source {} of {}", i + 1, panel_sources.len());
            let (sources, masks) = ([source.clone()], [self.opened.neurons_of(source)?]);
            let strike = Strike {
                sources: &sources,
                masks: &masks,
                subject: &subject,
                executed: false,
                baseline: baseline.as_ref(),
            };
            panel.append(score(&strike, &Condition::ALL, &materials, self.protocol, &self.salt)?);
        }
        // A retrain that was trained on the struck sources says nothing about them.
        let held_out = self.baseline.is_some_and(|b| self.struck.iter().all(|s| b.row.excluded.0.contains(s)));
        let retrain = baseline.as_ref().filter(|_| held_out);
        let conditions: Vec<Condition> = Condition::ALL
            .into_iter()
            .filter(|c| if c.needs_baseline() { retrain.is_some() } else { rehearse || c.is_before() })
            .collect();
        let masks = self.masks()?;
        let strike =
            Strike { sources: self.struck, masks: &masks, subject: &subject, executed: false, baseline: retrain };
        tracing::info!("scoring what is to be struck");
        let source = score(&strike, &conditions, &materials, self.protocol, &self.salt)?;
        Ok(Before {
            format: FORMAT.to_owned(),
            root: self.opened.row.weight_root.context("a finished model has a weight root")?.0,
            baseline: self.baseline.map(|b| b.row.name.clone()),
            panel_sources: panel_sources.len(),
            panel,
            source,
        })
    }

    /// Scores the struck sources on the erased model.
    ///
    /// # Errors
    /// When the checkpoint is damaged.
    pub fn after(&self, deps: &Deps) -> Result<Scores> {
        let materials = Materials::new(&self.opened.corpus);
        let subject: Subject<'_> = self.opened.subject(deps, &materials)?;
        let masks = self.masks()?;
        let strike = Strike { sources: self.struck, masks: &masks, subject: &subject, executed: true, baseline: None };
        tracing::info!("scoring the erased model");
        let conditions = [Condition::Zeroed, Condition::ZeroedNearest];
        score(&strike, &conditions, &materials, self.protocol, &self.salt).context("cannot score the erased model")
    }
}
