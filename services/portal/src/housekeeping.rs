//! What is done beside answering: forgetting sessions, links and drafts that are over, and the addresses of those who have been
//! quiet. Not here: anything that somebody waits for.

use std::{sync::Arc, time::Duration};

use obelus_core::Timestamp;
use obelus_store::{one_time_links, request_drafts, sessions};

use crate::state::Portal;

const EVERY: Duration = Duration::from_secs(60);
/// What is over is kept for a week, for whoever asks why it is.
const KEPT_FOR_US: i64 = 7 * 24 * 3_600_000_000;

/// Goes on until it is dropped.
pub(crate) async fn keep(portal: Arc<Portal>) {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        portal.limits.forget_the_quiet();
        portal.metrics.upkeep();
        if let Err(error) = forget_what_is_over(&portal).await {
            tracing::warn!(
                "sessions, links and drafts that are over were not removed; this is tried again in a minute: {error}"
            );
        }
    }
}

async fn forget_what_is_over(portal: &Portal) -> obelus_store::Result<()> {
    let now = portal.deps.work.clock.now();
    let before = Timestamp::from_micros(now.as_micros().saturating_sub(KEPT_FOR_US));
    let write = portal.deps.work.db.write().await?;
    sessions::remove_expired(&write, before).await?;
    one_time_links::remove_expired(&write, before).await?;
    // What nobody sent is nobody's business any more.
    request_drafts::remove_expired(&write, now).await?;
    write.commit().await
}
