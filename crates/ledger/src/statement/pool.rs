//! The sink pool as campaign and pool extensions give it: which segment has which index, and that extensions follow one
//! another without gaps. Not here: which neurons a seed lights in a segment (`obelus-mask`), and signatures.

use obelus_mask::Segment;

use super::{PoolExtension, PoolSegment};

/// Why extensions do not describe one pool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// The segments' numbers do not continue.
    #[error("pool extension {at} begins at segment {found}, the pool before it has {wanted}")]
    Segments {
        /// Which extension, from 0.
        at: usize,
        /// Index that it states.
        found: u64,
        /// Index that continues the pool.
        wanted: u64,
    },
    /// The neurons do not continue.
    #[error("pool extension {at} begins at neuron {found}, the pool before it ends at {wanted}")]
    Neurons {
        /// Which extension, from 0.
        at: usize,
        /// Neuron that it states.
        found: u32,
        /// Neuron that continues the pool.
        wanted: u64,
    },
    /// No segment, more lit neurons than there are, or neurons beyond the largest number.
    #[error("the sizes of pool extension {0} are impossible")]
    Sizes(usize),
}

/// The segment with this index: those of the campaign come first, then those of each extension. None when there is no
/// such segment, or when it would end beyond the largest neuron number. Does not check that the extensions follow one
/// another; see [`check_extensions`].
pub fn segment_at(campaign: &[PoolSegment], extensions: &[&PoolExtension], index: u64) -> Option<Segment> {
    if let Some(segment) = usize::try_from(index).ok().and_then(|i| campaign.get(i)) {
        return Some(Segment { base: segment.base, n: segment.n, k: segment.k });
    }
    let holds = |e: &&&PoolExtension| index.checked_sub(e.first_segment).is_some_and(|i| i < e.count);
    let extension = extensions.iter().find(holds)?;
    let offset = (index - extension.first_segment).checked_mul(u64::from(extension.n))?;
    let base = u32::try_from(offset.checked_add(u64::from(extension.base))?).ok()?;
    base.checked_add(extension.n)?;
    Some(Segment { base, n: extension.n, k: extension.k })
}

/// Checks that every extension begins where the pool before it ended, by segment number and by neuron, and that its
/// sizes are possible. Takes time by the number of extensions, whatever their counts. Gives the number of segments.
///
/// # Errors
/// Names the first extension that does not continue the pool.
pub fn check_extensions(campaign: &[PoolSegment], extensions: &[&PoolExtension]) -> Result<u64, PoolError> {
    let mut segments = campaign.len() as u64;
    let mut end = campaign.iter().map(|s| u64::from(s.base) + u64::from(s.n)).max().unwrap_or(0);
    for (at, extension) in extensions.iter().enumerate() {
        if extension.first_segment != segments {
            return Err(PoolError::Segments { at, found: extension.first_segment, wanted: segments });
        }
        if u64::from(extension.base) != end {
            return Err(PoolError::Neurons { at, found: extension.base, wanted: end });
        }
        let lit = (1..=extension.n).contains(&extension.k) && extension.count > 0;
        let neurons = extension.count.checked_mul(u64::from(extension.n)).filter(|_| lit);
        let ends = neurons.and_then(|n| end.checked_add(n)).filter(|end| *end <= u64::from(u32::MAX));
        end = ends.ok_or(PoolError::Sizes(at))?;
        segments = segments.checked_add(extension.count).ok_or(PoolError::Sizes(at))?;
    }
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use obelus_core::{Digest, Timestamp};

    const CAMPAIGN: [PoolSegment; 1] = [PoolSegment { base: 0, n: 8, k: 2 }];

    fn extension(first_segment: u64, base: u32, n: u32, k: u32, count: u64) -> PoolExtension {
        PoolExtension {
            lineage: "lineage-a".to_owned(),
            campaign: Digest::sha256("campaign"),
            previous: None,
            first_segment,
            base,
            n,
            k,
            count,
            reason: "added-sources".to_owned(),
            operator: "Example Operator".to_owned(),
            created_at: Timestamp::from_micros(0),
            salt: String::new(),
        }
    }

    fn check(extensions: &[PoolExtension], index: u64, wanted: Option<(u32, u32, u32)>) {
        let all: Vec<&PoolExtension> = extensions.iter().collect();
        let found = segment_at(&CAMPAIGN, &all, index).map(|s| (s.base, s.n, s.k));
        assert_eq!(found, wanted, "segment {index}");
    }

    #[test]
    fn segments_are_numbered_through_campaign_and_extensions() {
        let pool = [extension(1, 8, 3, 3, 2), extension(3, 14, 4, 2, 1)];
        assert_eq!(check_extensions(&CAMPAIGN, &pool.iter().collect::<Vec<_>>()), Ok(4));
        for (index, wanted) in [(0, (0, 8, 2)), (1, (8, 3, 3)), (2, (11, 3, 3)), (3, (14, 4, 2))] {
            check(&pool, index, Some(wanted));
        }
        for index in [4, 1 << 40, u64::MAX] {
            check(&pool, index, None);
        }
    }

    #[test]
    fn absurd_counts_cost_nothing_and_give_no_segment() {
        let pool = [extension(1, 8, u32::MAX, 1, u64::MAX)];
        check(&pool, 1, None);
        check(&pool, u64::MAX, None);
        check(&[extension(u64::MAX, 8, 1, 1, u64::MAX)], u64::MAX, Some((8, 1, 1)));
    }

    #[test]
    fn extensions_that_do_not_continue_the_pool_are_refused() {
        let refused = |e: PoolExtension| check_extensions(&CAMPAIGN, &[&e]).unwrap_err();
        assert!(matches!(refused(extension(2, 8, 3, 3, 1)), PoolError::Segments { found: 2, wanted: 1, .. }));
        assert!(matches!(refused(extension(1, 9, 3, 3, 1)), PoolError::Neurons { found: 9, wanted: 8, .. }));
        for (n, k, count) in [(3, 4, 1), (3, 0, 1), (0, 0, 1), (3, 3, 0), (3, 3, u64::MAX), (u32::MAX, 1, 1)] {
            assert_eq!(refused(extension(1, 8, n, k, count)), PoolError::Sizes(0), "{n} {k} {count}");
        }
    }
}
