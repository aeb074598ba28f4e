//! Measuring a takedown: the panel and the struck sources under every condition, before and after.

use std::{
    fs,
    num::NonZero,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::{Context as _, Result};
use obelus_attack::{Erased, Materials, Measurement, Rows, Salt, Step, Strike, Subject, Watch, unwatched};
use obelus_core::Digest;
use obelus_model::SourceMask;
use obelus_verdict::{Condition, Protocol, Scope, Scores};
use serde::{Deserialize, Serialize};

use crate::{progress::Progress, subject::Opened};
use obelus_casework::Deps;

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
    /// Names of the retrains with other seeds.
    #[serde(default)]
    pub further_baselines: Vec<String>,
    /// Number of sources in the panel.
    pub panel_sources: usize,
    /// The panel, each source struck alone in memory.
    pub panel: Scores,
    /// The struck sources: every condition that needs their sinks, and the retrain's.
    pub source: Scores,
    /// The rows of the struck sources' sinks, one entry a source, in the order of the request.
    #[serde(default)]
    pub rows: Vec<Rows>,
    /// Sources that stay and share most neurons with the struck ones, most first.
    #[serde(default)]
    pub survivors: Vec<String>,
    /// What they know, their own sinks lit.
    #[serde(default)]
    pub survivor_scores: Scores,
}

/// What is measured after an erasure.
pub struct After {
    /// The struck sources.
    pub source: Scores,
    /// The sources that stay, those of before.
    pub survivors: Scores,
}

/// The format name.
pub const FORMAT: &str = "obelus-scores-before/v1";

/// Checkpoints up to this many bytes are loaded once for each worker.
const SMALL_BYTES: u64 = 256 << 20;
/// Each worker holds the model, its retrains and what forgot after the fact.
const MOST_WORKERS: usize = 8;

/// Everything that a measurement compares.
pub struct Setting<'a> {
    /// The model.
    pub opened: &'a Opened,
    /// Retrains of it that leave out the same sources and differ in their seed.
    pub retrains: &'a [Opened],
    /// Ordinary transformers that were made to forget, by condition.
    pub post_hoc: &'a [(Condition, Opened)],
    /// The sources to be struck together.
    pub struck: &'a [String],
    /// The protocol.
    pub protocol: &'a Protocol,
    /// Salt of item digests.
    pub salt: Salt,
    /// Says how far long attacks are.
    pub progress: &'a Progress,
}

impl Setting<'_> {
    /// Sources that both the retrain left out and the model was trained on.
    pub fn panel(&self) -> Vec<String> {
        let Some(baseline) = self.retrains.first() else { return vec![] };
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
        let mut retrains = Vec::new();
        for retrain in self.retrains {
            retrains.push(retrain.subject(deps, &materials)?);
        }
        let post_hoc = self.post_hoc_subjects(deps, &materials)?;
        let panel_sources = self.panel();
        let panel = self.score_panel(deps, &panel_sources)?;
        // A retrain that was trained on the struck sources says nothing about them.
        let left_out = |retrain: &Opened| self.struck.iter().all(|id| retrain.row.excluded.0.contains(id));
        if !self.retrains.first().is_some_and(left_out) {
            retrains.clear();
        }
        let conditions: Vec<Condition> = Measurement::conditions(self.protocol, Scope::Source)
            .into_iter()
            .filter(|c| !c.needs_baseline() || !retrains.is_empty())
            .filter(|c| rehearse || !c.is_after())
            .filter(|c| self.forgot(*c, self.struck))
            .collect();
        let masks = self.masks()?;
        let mut strike = Strike::new(self.struck, &masks, &subject);
        (strike.retrains, strike.post_hoc) = (&retrains, &post_hoc);
        self.progress.stage("scoring what is to be struck");
        let watch = |step: &Step<'_>| self.progress.step(step);
        let rows = self.measurement(Scope::Source, strike, &materials, &unwatched).rows();
        let source = self.measurement(Scope::Source, strike, &materials, &watch).run(&conditions, &rows)?;
        let survivors = self.survivors()?;
        let survivor_scores = match rehearse {
            true => self.rehearsed(&survivors, &subject, &materials)?,
            false => self.of_survivors(&survivors, &subject, Condition::On, &materials)?,
        };
        Ok(Before {
            format: FORMAT.to_owned(),
            root: self.opened.row.weight_root.context("a finished model has a weight root")?.0,
            baseline: self.retrains.first().map(|retrain| retrain.row.name.clone()),
            further_baselines: self.retrains.iter().skip(1).map(|retrain| retrain.row.name.clone()).collect(),
            panel_sources: panel_sources.len(),
            panel,
            source,
            rows,
            survivors,
            survivor_scores,
        })
    }

    /// The sources that stay and share most neurons with the struck ones, most first: those that a takedown costs most.
    fn survivors(&self) -> Result<Vec<String>> {
        let struck = SourceMask::union(&self.masks()?);
        let mut survivors = Vec::new();
        for id in self.opened.lightable().into_iter().filter(|id| !self.struck.iter().any(|own| own == id)) {
            survivors.push((self.opened.neurons_of(id)?.lost_fraction(&struck), id.to_owned()));
        }
        survivors.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        survivors.truncate(self.protocol.survivors.as_ref().map_or(0, |budget| budget.most_sources));
        Ok(survivors.into_iter().map(|(_, id)| id).collect())
    }

    /// Scores sources that stay before the takedown, and with the struck neurons zeroed in memory.
    ///
    /// # Errors
    /// When one of them has no text.
    pub fn rehearsed(&self, survivors: &[String], model: &Subject<'_>, materials: &Materials<'_>) -> Result<Scores> {
        let mut scores = self.of_survivors(survivors, model, Condition::On, materials)?;
        let struck = model.with_model(model.model.with_struck(&SourceMask::union(&self.masks()?)));
        scores.complete(self.of_survivors(survivors, &struck, Condition::Zeroed, materials)?);
        Ok(scores)
    }

    /// Scores sources that stay, each with its own sinks lit, on a model before (`on`) or after (`zeroed`) the takedown.
    fn of_survivors(
        &self,
        survivors: &[String],
        model: &Subject<'_>,
        when: Condition,
        materials: &Materials<'_>,
    ) -> Result<Scores> {
        let mut scores = Scores::default();
        for id in survivors {
            let (own, masks) = ([id.clone()], [self.opened.neurons_of(id)?]);
            let mut strike = Strike::new(&own, &masks, model);
            strike.erased = Erased::AsItIs;
            scores.append(self.measurement(Scope::Survivors, strike, materials, &unwatched).score(&[when])?);
        }
        Ok(scores)
    }

    /// Scores the sources of the panel, each struck alone. Where the weights are small, several at a time, each worker with
    /// weights of its own: a tensor operation of that size does not fill two cores.
    fn score_panel(&self, deps: &Deps, sources: &[String]) -> Result<Scores> {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let bytes = fs::metadata(self.opened.record.checkpoint_path(&deps.data.model(&self.opened.row.name)))?.len();
        let workers = if bytes > SMALL_BYTES { 1 } else { cores.min(MOST_WORKERS).min(sources.len().max(1)) };
        let done = AtomicUsize::new(0);
        let share = |worker: usize| self.score_share(deps, sources, worker, workers, &done);
        let mut shares = thread::scope(|scope| -> Result<Vec<_>> {
            let running: Vec<_> = (0..workers).map(|worker| scope.spawn(move || share(worker))).collect();
            let joined = running.into_iter().map(|running| match running.join() {
                Ok(scores) => scores.map(Vec::into_iter),
                Err(panic) => std::panic::resume_unwind(panic),
            });
            joined.collect()
        })?;
        let mut panel = Scores::default();
        for at in 0..sources.len() {
            panel.append(shares[at % workers].next().context("every source was scored")?);
        }
        Ok(panel)
    }

    /// Every `workers`th source, from `worker` on.
    fn score_share(
        &self,
        deps: &Deps,
        sources: &[String],
        worker: usize,
        workers: usize,
        done: &AtomicUsize,
    ) -> Result<Vec<Scores>> {
        let materials = Materials::new(&self.opened.corpus);
        let subject = self.opened.subject(deps, &materials)?;
        let retrains = self.retrains.iter().map(|r| r.subject(deps, &materials)).collect::<Result<Vec<_>>>()?;
        let post_hoc = self.post_hoc_subjects(deps, &materials)?;
        let conditions = Measurement::conditions(self.protocol, Scope::Panel);
        let watch = |step: &Step<'_>| self.progress.step(step);
        let mut scored = Vec::new();
        for source in sources.iter().skip(worker).step_by(workers) {
            let number = done.fetch_add(1, Ordering::Relaxed) + 1;
            self.progress.stage(&format!("scoring panel source {number} of {}", sources.len()));
            let (own, masks) = ([source.clone()], [self.opened.neurons_of(source)?]);
            let mut strike = Strike::new(&own, &masks, &subject);
            (strike.retrains, strike.post_hoc) = (&retrains, &post_hoc);
            let conditions: Vec<Condition> = conditions.iter().copied().filter(|c| self.forgot(*c, &own)).collect();
            scored.push(self.measurement(Scope::Panel, strike, &materials, &watch).run(&conditions, &[])?);
        }
        Ok(scored)
    }

    fn post_hoc_subjects<'m>(
        &'m self,
        deps: &Deps,
        materials: &Materials<'_>,
    ) -> Result<Vec<(Condition, Subject<'m>)>> {
        self.post_hoc.iter().map(|(condition, opened)| Ok((*condition, opened.subject(deps, materials)?))).collect()
    }

    fn measurement<'m>(
        &'m self,
        scope: Scope,
        strike: Strike<'m>,
        materials: &'m Materials<'m>,
        watch: &'m Watch<'m>,
    ) -> Measurement<'m> {
        Measurement { strike, materials, protocol: self.protocol, scope, salt: &self.salt, watch }
    }

    /// Whether a condition says something about sources: a transformer that was to forget others does not.
    fn forgot(&self, condition: Condition, sources: &[String]) -> bool {
        let forgot = |opened: &Opened| sources.iter().all(|id| opened.row.excluded.0.contains(id));
        !condition.is_post_hoc() || self.post_hoc.iter().any(|(of, opened)| *of == condition && forgot(opened))
    }

    /// Scores the struck sources, and those that stay, on the erased model. `before` is what was recorded of them.
    ///
    /// # Errors
    /// When the checkpoint is damaged.
    pub fn after(&self, deps: &Deps, before: &Before) -> Result<After> {
        let materials = Materials::new(&self.opened.corpus);
        let subject: Subject<'_> = self.opened.subject(deps, &materials)?;
        let masks = self.masks()?;
        let mut strike = Strike::new(self.struck, &masks, &subject);
        strike.erased = Erased::AsItIs;
        self.progress.stage("scoring the erased model");
        let conditions: Vec<Condition> =
            Measurement::conditions(self.protocol, Scope::Source).into_iter().filter(|c| c.is_after()).collect();
        let watch = |step: &Step<'_>| self.progress.step(step);
        let measurement = self.measurement(Scope::Source, strike, &materials, &watch);
        let source = measurement.run(&conditions, &before.rows).context("cannot score the erased model")?;
        // One that was struck since is no survivor any more: its sinks are gone for another reason.
        let stays = before.survivors.iter().all(|id| !self.opened.refused.contains(id));
        let survivors = if stays { &before.survivors[..] } else { &[] };
        Ok(After { source, survivors: self.of_survivors(survivors, &subject, Condition::Zeroed, &materials)? })
    }
}
