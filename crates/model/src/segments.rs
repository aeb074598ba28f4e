//! The segments of the sink pool: how they are assigned to sources when a model is built, and appended for sources that
//! come later. Appending never changes what an older source lights.
//!
//! Not here: which neurons a seed gives in a segment (`obelus-mask`), and the rows themselves (`adaptation.rs`).

use obelus_mask::Segment;
use serde::{Deserialize, Serialize};

use crate::{ModelConfig, ModelError};

/// Sinks of one layer that sources of their own may add up to; more is a slip of the pen.
const MOST_SINKS: u32 = 1 << 24;

/// How the neurons of the pool are shared out when a model is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assignment {
    /// All sources draw from segment 0: masks overlap (paper section 3.2).
    #[default]
    Shared,
    /// Source number i has segment i to itself: striking it costs no other source anything.
    Disjoint,
}

impl Assignment {
    /// Whether sources draw from one pool: what shapes that say nothing about it do.
    pub(crate) fn is_shared(&self) -> bool {
        *self == Self::Shared
    }
}

/// One segment of the sink pool, as stored in `model.json` (design: seeds and masks, segments).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolSegment {
    /// First neuron of the segment in the pool.
    pub base: u32,
    /// Neurons in the segment.
    pub n: u32,
    /// Neurons that one source activates in it.
    pub k: u32,
}

impl From<PoolSegment> for Segment {
    fn from(s: PoolSegment) -> Self {
        Self { base: s.base, n: s.n, k: s.k }
    }
}

/// Refuses segments that do not make up one pool.
pub(crate) fn check(segments: &[PoolSegment]) -> Result<(), ModelError> {
    let mut end = 0u32;
    for s in segments {
        if s.base != end || s.k == 0 || s.k > s.n {
            return Err(ModelError::Config(format!("segment {s:?} does not continue the pool at {end}")));
        }
        end = end.checked_add(s.n).ok_or_else(|| ModelError::Config("the pool is too large".into()))?;
    }
    Ok(())
}

impl ModelConfig {
    /// The shape for a corpus of `sources`: where the assignment is disjoint, a segment for each, whatever `n_pool` the
    /// preset says; otherwise this shape.
    ///
    /// # Errors
    /// No source, or more than a pool can hold.
    pub fn assigned(&self, sources: u64) -> Result<Self, ModelError> {
        if self.assignment.is_shared() {
            return Ok(self.clone());
        }
        if sources == 0 {
            return Err(ModelError::Config("there is no source to give neurons of its own".into()));
        }
        let mut shape = Self { n_pool: 0, segments: vec![], ..self.clone() };
        shape.append(sources)?;
        shape.n_pool = shape.sinks();
        Ok(shape)
    }

    /// The shape with a segment of its own, `n = k = n_source`, appended for each of `sources` new sources. The first of
    /// them has segment `self.segments.len()`.
    ///
    /// # Errors
    /// A shape without sinks, or more sources than a pool can hold.
    pub fn grown(&self, sources: u64) -> Result<Self, ModelError> {
        if self.segments.is_empty() {
            return Err(ModelError::Config("a model without sinks has no pool to append to".into()));
        }
        let mut shape = self.clone();
        shape.append(sources)?;
        Ok(shape)
    }

    /// The pool's segments in the mask crate's form.
    pub fn mask_segments(&self) -> Vec<Segment> {
        self.segments.iter().copied().map(Segment::from).collect()
    }

    fn append(&mut self, sources: u64) -> Result<(), ModelError> {
        let (k, from) = (self.n_source, self.sinks());
        let sinks = sources.checked_mul(u64::from(k)).and_then(|new| new.checked_add(u64::from(from)));
        if k == 0 || sinks.is_none_or(|sinks| sinks > u64::from(MOST_SINKS)) {
            return Err(ModelError::Config(format!(
                "{sources} sources with {k} sinks of their own each do not fit into a pool of at most {MOST_SINKS} sinks \
                 a layer, of which {from} are taken"
            )));
        }
        let own = |i: u64| PoolSegment { base: from + i as u32 * k, n: k, k };
        self.segments.extend((0..sources).map(own));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Preset, SourceMask};
    use proptest::prelude::*;

    const TINY: &str = include_str!("../presets/tiny.toml");

    fn disjoint() -> ModelConfig {
        Preset::parse(&TINY.replace("[model]", "[model]\nassignment = \"disjoint\"")).unwrap().model
    }

    fn masks(config: &ModelConfig, segments: impl IntoIterator<Item = u64>) -> Vec<SourceMask> {
        segments.into_iter().map(|s| SourceMask::derive(&[s as u8; 32], s, config).unwrap()).collect()
    }

    #[test]
    fn disjoint_sources_share_no_neuron_and_cover_the_pool() {
        let unassigned = disjoint();
        assert!(unassigned.segments.is_empty() && unassigned.sinks() == 0);
        let mut config = unassigned.assigned(20).unwrap();
        config.complete().unwrap();
        assert_eq!((config.n_pool, config.sinks(), config.segments.len()), (160, 160, 20));
        for l in 0..config.layers as usize {
            let mut all: Vec<u32> = masks(&config, 0..20).iter().flat_map(|m| m.per_layer[l].clone()).collect();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..160), "layer {l}");
        }
    }

    #[test]
    fn a_shape_that_shares_its_pool_is_stored_and_assigned_as_ever() {
        let config = Preset::named("tiny").unwrap().model;
        assert_eq!(config.assigned(7).unwrap(), config);
        let stored = serde_json::to_string(&config).unwrap();
        assert!(!stored.contains("assignment"), "{stored}");
        assert_eq!(serde_json::from_str::<ModelConfig>(&stored).unwrap(), config);
        let stored = serde_json::to_string(&disjoint().assigned(2).unwrap()).unwrap();
        assert!(stored.contains(r#""assignment":"disjoint""#), "{stored}");
        for control in [disjoint().as_transformer(), disjoint().assigned(2).unwrap().as_wide_transformer()] {
            assert!(control.assignment.is_shared() && control.sinks() == 0);
        }
    }

    #[test]
    fn absurd_pools_are_refused() {
        for sources in [0, 2_097_153, u64::from(u32::MAX), u64::MAX] {
            let refused = disjoint().assigned(sources).unwrap_err().to_string();
            assert!(
                refused.contains("no source") || refused.contains(&format!("{sources} sources with 8")),
                "{refused}"
            );
        }
        assert_eq!(disjoint().assigned(2_097_152).unwrap().sinks(), 1 << 24);
        let config = Preset::named("tiny").unwrap().model;
        assert!(config.grown(u64::MAX).unwrap_err().to_string().contains("64 are taken"));
        assert!(config.as_transformer().grown(1).unwrap_err().to_string().contains("without sinks"));
        let refused = SourceMask::derive(&[0; 32], 3, &config.grown(2).unwrap()).unwrap_err().to_string();
        assert!(refused.contains("no segment 3; it has 3"), "{refused}");
        let barren =
            TINY.replace("[model]", "[model]\nassignment = \"disjoint\"").replace("n_source = 8", "n_source = 0");
        assert!(Preset::parse(&barren).unwrap_err().to_string().contains("n_source = 0"));
    }

    proptest! {
        #[test]
        fn growth_never_changes_a_mask_and_gives_new_sources_neurons_of_their_own(
            first in 0u64..5, then in 0u64..5, own: bool,
        ) {
            let start = if own { disjoint().assigned(3).unwrap() } else { Preset::named("tiny").unwrap().model };
            let old = start.grown(first).unwrap();
            let mut new = old.grown(then).unwrap();
            new.complete().unwrap();
            prop_assert_eq!(new.n_pool, start.n_pool);
            let count = old.segments.len() as u64;
            prop_assert_eq!(masks(&old, 0..count), masks(&new, 0..count));
            let mut end = old.sinks();
            for mask in masks(&new, count..count + then) {
                for layer in &mask.per_layer {
                    prop_assert!(layer.iter().copied().eq(end..end + new.n_source));
                }
                end += new.n_source;
            }
            prop_assert_eq!(end, new.sinks());
        }
    }
}
