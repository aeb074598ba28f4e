//! Sources that come after the training: each gets rows of its own behind the pool, or the rows that its seed gives in the
//! first segment, which others share.

use std::{borrow::Cow, collections::BTreeSet};

use anyhow::{Context as _, Result, bail, ensure};
use obelus_corpus::{Corpus, SourceInfo};
use obelus_model::{Assignment, ModelConfig, SourceMask};
use obelus_store::{adaptations::AdaptationKind, campaigns};

use super::{Begun, begin, hold};
use crate::{
    manifest::{self, NewSource},
    pool,
    registration::{register_corpus, registered},
    subject::Opened,
};
use obelus_casework::{Deps, NotThere};

/// Where the sinks of a source that comes later lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rows {
    /// In fresh rows of its own, appended to the pool. Struck again, the model is bit for bit the one before.
    #[default]
    Fresh,
    /// In the rows that its seed gives, which other sources use too.
    Seeded,
}

/// Registers sources of a corpus and prepares to train them into a model. `wanted` names them; empty means every source
/// of the corpus that the model does not hold.
///
/// # Errors
/// When the person may not, the model cannot be adapted now, or a source is held already, revoked or unknown.
pub async fn add_sources(
    deps: &Deps,
    by: &str,
    model: &str,
    corpus: &Corpus,
    wanted: &BTreeSet<String>,
    rows: Rows,
) -> Result<Begun> {
    let held = hold(deps, by, model).await?;
    let opened = &held.opened;
    let names = chosen(opened, corpus, wanted, rows)?;
    register_corpus(deps, corpus).await?;
    let lineage = &opened.row.lineage;
    let campaign = campaigns::get(&deps.db, lineage).await?.context("the model has a campaign")?;
    // Those that an addition which was cut off has registered keep their records.
    let new: Vec<&SourceInfo> = names.iter().copied().filter(|info| !opened.sources.contains_key(&info.id)).collect();
    if !new.is_empty() {
        let first = match rows {
            Rows::Seeded => None,
            Rows::Fresh => {
                let own = opened.record.config.n_source;
                Some(pool::extend(deps, &campaign, own, new.len(), pool::Reason::AddedSources).await?)
            }
        };
        let segments = (0..).map(|i| first.map_or(0, |first| first + i));
        let new = segments.zip(new).map(|(segment, info)| NewSource {
            info: Cow::Borrowed(info),
            segment,
            corpus: Some(corpus.name()),
        });
        manifest::extend(deps, &campaign, opened.record.tokenizer, new).await?;
    }
    let segments = pool::segments(deps, &campaign).await?;
    let mut config = ModelConfig { segments, ..opened.record.config.clone() };
    config.complete()?;
    let assigned = registered(deps, lineage).await?.sources;
    let mut sources = Vec::with_capacity(names.len());
    for info in &names {
        let source = assigned.get(&info.id).context("the source was just registered")?;
        sources.push((info.id.clone(), source.key.mask(&config)?));
    }
    let masks: Vec<_> = sources.iter().map(|(_, mask)| mask.clone()).collect();
    let changed = SourceMask::union(&masks);
    let renewed = match rows {
        Rows::Fresh => changed.clone(),
        // Others know things by them.
        Rows::Seeded => SourceMask::union([]),
    };
    let added = names.iter().map(|info| info.id.clone()).collect();
    let row = begin(deps, by, &held, AdaptationKind::AddedSources, added).await?;
    Ok(Begun { config, sources, renewed, changed, row, before: held.before, opened: held.opened, _alone: held.alone })
}

/// The sources to add, ascending by id.
fn chosen<'c>(
    opened: &Opened,
    corpus: &'c Corpus,
    wanted: &BTreeSet<String>,
    rows: Rows,
) -> Result<Vec<&'c SourceInfo>> {
    let model = &opened.row.name;
    let disjoint = opened.record.config.assignment == Assignment::Disjoint;
    ensure!(
        !(disjoint && rows == Rows::Seeded),
        "every source of {model} has rows of its own, so there are none that seeds share; add it in fresh rows"
    );
    let waits = |id: &str| opened.sources.get(id).is_some_and(|s| s.since.is_none()) && !opened.refused.contains(id);
    let names: Vec<&SourceInfo> = if wanted.is_empty() {
        let new = |info: &&SourceInfo| {
            (!opened.sources.contains_key(&info.id) || waits(&info.id)) && !corpus.is_destroyed(&info.id)
        };
        corpus.sources().iter().filter(new).collect()
    } else {
        wanted.iter().map(|id| corpus.source(id).ok_or_else(|| NotThere::source(id))).collect::<Result<_, _>>()?
    };
    ensure!(!names.is_empty(), "{model} holds every source of the corpus {} already", corpus.name());
    for info in &names {
        let id = &info.id;
        ensure!(!corpus.is_destroyed(id), "the text of source {id} in the corpus {} was destroyed", corpus.name());
        let Some(known) = opened.sources.get(id) else { continue };
        if opened.revoked.contains(id) {
            bail!("source {id} is revoked in the lineage of {model}; nothing is trained on it again");
        }
        ensure!(!opened.refused.contains(id), "source {id} is suppressed; decide its request first");
        ensure!(!opened.holds(id), "model {model} holds source {id} already");
        ensure!(
            known.since.is_none() && known.corpus.as_deref() == Some(corpus.name()),
            "source {id} is registered in the lineage of {model} with the text of another corpus, and a record is never \
             changed once it is signed; add the text as a source of its own, under another id"
        );
        ensure!(
            (known.key.segment == 0) == (rows == Rows::Seeded) || disjoint,
            "source {id} was registered for {} rows by an addition that was cut off; add it in those",
            if known.key.segment == 0 { "seeded" } else { "fresh" }
        );
    }
    Ok(names)
}
