//! What a source's neurons follow from: campaign, pool extensions and manifest, and its record. Not here: signatures and
//! the log, which come first (`exhibits.rs`), and what became of the neurons (`certificate.rs`, `adaptation.rs`).

use std::collections::BTreeSet;

use obelus_core::Digest;
use obelus_mask::{derive_seed, neurons};

use super::exhibits::Exhibits;
use crate::{
    canonical,
    manifest::{self, Presence},
    statement::{Campaign, PoolExtension, SourceManifest, Statement, check_extensions, segment_at},
};

/// Neurons that one source may have over all layers: forty times the largest preset, so that a hostile campaign cannot
/// keep a verifier busy.
const MOST_NEURONS_OF_A_SOURCE: u64 = 1 << 17;
/// Layers that a model may have.
const MOST_LAYERS: u32 = 1 << 10;

/// The statements under which sources are registered, every signature verified.
pub(super) struct Registration {
    pub(super) campaign: Statement<Campaign>,
    pub(super) campaign_digest: Digest,
    extensions: Vec<(Statement<PoolExtension>, Digest)>,
    pub(super) manifest: Statement<SourceManifest>,
    pub(super) manifest_digest: Digest,
}

/// The neurons of sources, recomputed from campaign salt, lineage and source ids.
pub(super) struct SourceNeurons {
    /// Neurons a layer, ascending.
    pub(super) per_layer: Vec<Vec<u32>>,
    /// Whether all lie in segments that were appended to the pool.
    pub(super) appended: bool,
    /// Whether there are sources, ascending by key and none of them twice.
    pub(super) distinct: bool,
    /// Number of sources.
    pub(super) count: u64,
    /// Digest of the list of sources.
    pub(super) list: Digest,
}

impl Registration {
    /// Reads campaign, this many extensions, and manifest.
    pub(super) fn read(exhibits: &mut Exhibits<'_>, extensions: usize) -> Result<Self, String> {
        let (campaign, campaign_digest) = exhibits.read()?;
        let extensions: Result<_, String> = (0..extensions).map(|_| exhibits.read()).collect();
        let extensions = extensions?;
        let (manifest, manifest_digest) = exhibits.read()?;
        Ok(Self { campaign, campaign_digest, extensions, manifest, manifest_digest })
    }

    /// What campaign and manifest must say of each other.
    pub(super) fn rules(&self) -> [(&'static str, bool); 3] {
        let (l, m) = (&self.campaign.predicate, &self.manifest.predicate);
        [
            ("the campaign's subject is another lineage", self.campaign.subject().name == l.lineage),
            ("the manifest cites another campaign", m.campaign == self.campaign_digest),
            ("the manifest is of another lineage", m.lineage == l.lineage),
        ]
    }

    /// Whether the pool ever grew, by what the manifest or the document say.
    pub(super) fn grew(&self) -> bool {
        !self.extensions.is_empty() || self.manifest.predicate.extension.is_some()
    }

    /// That the extensions form one chain from the campaign to the manifest, and that each continues the pool.
    pub(super) fn pool_agrees(&self) -> Result<String, String> {
        let (l, m) = (&self.campaign.predicate, &self.manifest.predicate);
        let (mut previous, mut made) = (None, l.created_at);
        for (at, (extension, digest)) in self.extensions.iter().enumerate() {
            let e = &extension.predicate;
            let rules = [
                ("cites another campaign", e.campaign == self.campaign_digest),
                ("is of another lineage", e.lineage == l.lineage && extension.subject().name == l.lineage),
                ("does not cite the extension before it", e.previous == previous),
                ("has an unknown reason", ["disjoint-assignment", "added-sources"].contains(&e.reason.as_str())),
                ("was made before the pool that it continues", made <= e.created_at),
            ];
            if let Some((broken, _)) = rules.iter().find(|(_, holds)| !holds) {
                return Err(format!("pool extension {at} {broken}"));
            }
            (previous, made) = (Some(*digest), e.created_at);
        }
        if m.extension != previous {
            return Err("the manifest does not rest on the last pool extension of this file".to_owned());
        }
        if m.created_at < made {
            return Err("the manifest is older than the pool that it rests on".to_owned());
        }
        let segments = check_extensions(&l.segments, &self.extensions()).map_err(|e| e.to_string())?;
        Ok(format!("grown by {} extensions to {segments} segments, without gaps", self.extensions.len()))
    }

    fn extensions(&self) -> Vec<&PoolExtension> {
        self.extensions.iter().map(|(extension, _)| &extension.predicate).collect()
    }

    /// The neurons of sources, after showing that the manifest has their records and that the seeds in them are those of
    /// the ids.
    pub(super) fn neurons_of(&self, sources: &[Presence]) -> Result<SourceNeurons, String> {
        let (campaign, manifest) = (&self.campaign.predicate, &self.manifest.predicate);
        let root = self.manifest.subject().digest.sha256.ok_or("the manifest has no root")?;
        let extensions = self.extensions();
        let lit = campaign.segments.iter().map(|s| s.k).chain(extensions.iter().map(|e| e.k)).max().unwrap_or(0);
        if campaign.layers > MOST_LAYERS || u64::from(lit) * u64::from(campaign.layers) > MOST_NEURONS_OF_A_SOURCE {
            return Err("the campaign's sizes are absurd".to_owned());
        }
        let mut listed = Vec::new();
        let mut names = BTreeSet::new();
        let mut per_layer = vec![BTreeSet::new(); campaign.layers as usize];
        let mut appended = true;
        for presence in sources {
            let record = presence.verify(manifest.count, &root).map_err(|e| e.to_string())?;
            let record = record.ok_or("a source's record is not in the manifest")?;
            let seed = derive_seed(campaign.campaign_salt.as_bytes(), &campaign.lineage, &record.source);
            if Digest::new(seed) != record.seed {
                return Err(format!("the seed in the record of {} is not the one that its id gives", record.source));
            }
            let segment = segment_at(&campaign.segments, &extensions, record.segment)
                .ok_or_else(|| format!("the record of {} names no segment of the pool", record.source))?;
            appended &= record.segment >= campaign.segments.len() as u64;
            for (layer, all) in (0..).zip(&mut per_layer) {
                let layer = if campaign.same_mask_in_all_layers { 0 } else { layer };
                all.extend(neurons(&seed, &[segment], layer).map_err(|e| e.to_string())?);
            }
            listed.push((presence.key, Digest::sha256(presence.record.as_bytes())));
            names.insert(record.source);
        }
        // Keys are made with a secret, so that one source could stand under two of them and count twice.
        let distinct = !listed.is_empty() && names.len() == listed.len() && listed.windows(2).all(|w| w[0].0 < w[1].0);
        let list = manifest::list_digest(listed.iter().copied()).map_err(|e| e.to_string())?;
        let per_layer = per_layer.into_iter().map(|all| all.into_iter().collect()).collect();
        Ok(SourceNeurons { per_layer, appended, distinct, count: listed.len() as u64, list })
    }
}

/// Number and digest of neurons given layer by layer, as statements cite them.
pub(super) fn count_and_digest(per_layer: &[Vec<u32>]) -> Result<(u64, Digest), String> {
    let lists = canonical::to_bytes(&per_layer).map_err(|e| e.to_string())?;
    Ok((per_layer.iter().map(|neurons| neurons.len() as u64).sum(), Digest::sha256(lists)))
}
