//! The segments of the sink pool: how they are assigned to sources when a model is built, and appended for sources that
//! come later. Appending never changes what an older source lights.
//!
//! Not here: which neurons a seed gives in a segment (`obelus-mask`), and the rows themselves (`adaptation.rs`).

use obelus_mask::Segment;
use serde::{Deserialize, Serialize};

use crate::{ModelConfig, ModelError};

/// Sinks of one layer that a shape may have; more is a slip of the pen.
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
        end = end.checked_add(s.n).filter(|end| *end <= MOST_SINKS).ok_or_else(|| {
            ModelError::Config(format!("segment {s:?} makes the pool larger than {MOST_SINKS} sinks a layer"))
        })?;
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
