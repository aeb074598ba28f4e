//! What a host may answer now: the sources that it refuses, and until when it knows that. Asked before every answer and
//! between two tokens of one. Not here: where it is learnt (`follower.rs`).

use std::{
    collections::BTreeSet,
    sync::{PoisonError, RwLock},
    time::{Duration, Instant},
};

/// How long what was learnt counts. Whoever waits for a host to be gone waits this long after its last beat.
pub(crate) const LEASE: Duration = Duration::from_secs(5);

/// Why nothing is answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// The source must not be lit.
    #[error("source {0} is suppressed or revoked: its sinks are not lit")]
    Source(String),
    /// Nothing was learnt for too long.
    #[error("this host cannot look at the database and answers nothing until it can; try again")]
    Stale,
}

#[derive(Debug, Default)]
struct Known {
    refused: BTreeSet<String>,
    until: Option<Instant>,
}

/// Shared by everything that answers.
#[derive(Debug, Default)]
pub(crate) struct Standing(RwLock<Known>);

impl Standing {
    /// Whether an answer with this source's sinks, or without any, may go on.
    pub(crate) fn permits(&self, source: Option<&str>) -> Result<(), Refused> {
        // Whoever panicked with the lock has not left half a list behind: it is replaced as a whole.
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if known.until.is_none_or(|until| Instant::now() >= until) {
            return Err(Refused::Stale);
        }
        match source.filter(|id| known.refused.contains(*id)) {
            Some(id) => Err(Refused::Source(id.to_owned())),
            None => Ok(()),
        }
    }

    /// The sources that are refused.
    pub(crate) fn refused(&self) -> BTreeSet<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).refused.clone()
    }

    /// Refuses these from now on, and no others. True where that is news.
    pub(crate) fn refuse(&self, refused: BTreeSet<String>) -> bool {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_new = known.refused != refused;
        known.refused = refused;
        is_new
    }

    /// What was learnt at `learnt` counts for the length of a lease.
    pub(crate) fn renew(&self, learnt: Instant) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).until = Some(learnt + LEASE);
    }

    /// Nothing is answered any more.
    pub(crate) fn end(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_answered_that_is_refused_or_not_known_any_more() {
        let standing = Standing::default();
        assert_eq!(standing.permits(None), Err(Refused::Stale), "before anything is known");
        standing.renew(Instant::now());
        assert!(standing.refuse(BTreeSet::from(["anna".to_owned()])));
        assert!(!standing.refuse(BTreeSet::from(["anna".to_owned()])));
        assert_eq!(standing.permits(Some("anna")), Err(Refused::Source("anna".into())));
        assert_eq!((standing.permits(Some("ben")), standing.permits(None)), (Ok(()), Ok(())));
        standing.renew(Instant::now().checked_sub(LEASE).unwrap());
        assert_eq!(standing.permits(Some("ben")), Err(Refused::Stale));
        standing.renew(Instant::now());
        standing.end();
        assert_eq!(standing.permits(None), Err(Refused::Stale));
    }
}
