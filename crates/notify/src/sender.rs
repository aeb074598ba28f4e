//! Sending what is due: one letter after another, each claimed, handed over and ticked off. Not here: who calls this and
//! when, and how a letter is handed over (`smtp.rs`, `directory.rs`).

use std::time::Duration;

use obelus_core::{Clock, Timestamp};
use obelus_store::{
    Db,
    outbox::{self, Lease, LetterState},
};

use crate::notify::{Notify, NotifyError, Trouble};

/// How [`deliver_due`] goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliverOptions {
    /// How long one letter may take. Nobody else takes it for twice as long, so that no two send one letter at a time.
    pub patience: Duration,
    /// After so many letters in a row that could not be sent now, the rest waits for the next call: then it is not the
    /// letters.
    pub most_in_a_row: u32,
}

impl Default for DeliverOptions {
    fn default() -> Self {
        Self { patience: Duration::from_secs(150), most_in_a_row: 3 }
    }
}

/// What became of the letters that were due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Handed over.
    pub sent: u64,
    /// Put back for later.
    pub put_back: u64,
    /// Given up until a person looks.
    pub dead: u64,
    /// Handed over or not, but taken by another sender meanwhile: their word counts.
    pub lost: u64,
    /// Whether the rest was left for the next call.
    pub stopped: bool,
}

/// Why sending ended before everything was tried.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// The outbox cannot be read or written.
    #[error(transparent)]
    Store(#[from] obelus_store::Error),
    /// There are no random numbers, which nobody could do without.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

/// Sends letters until none is due. May be called by several processes at once, and be cut off at any point: a letter that
/// was being sent then is sent again later.
///
/// # Errors
/// When the database fails; a letter that was handed over before is then sent again.
pub async fn deliver_due(
    db: &Db,
    notify: &dyn Notify,
    clock: &dyn Clock,
    options: DeliverOptions,
) -> Result<Delivered, DeliverError> {
    let mut delivered = Delivered::default();
    let mut in_a_row = 0;
    while let Some(lease) = claim(db, clock, options).await? {
        let result = if lease.letter.is_intact() {
            let sending = tokio::time::timeout(options.patience, notify.send(&lease.letter)).await;
            sending.unwrap_or(Err(NotifyError::Temporary(Trouble::TimedOut)))
        } else {
            Err(NotifyError::Permanent(Trouble::Changed))
        };
        in_a_row = if matches!(result, Err(NotifyError::Temporary(_))) { in_a_row + 1 } else { 0 };
        match record(db, &lease, result, clock.now()).await? {
            Some(LetterState::Sent) => delivered.sent += 1,
            Some(LetterState::Dead) => delivered.dead += 1,
            Some(LetterState::Waiting | LetterState::Sending) => delivered.put_back += 1,
            None => delivered.lost += 1,
        }
        if in_a_row >= options.most_in_a_row {
            delivered.stopped = true;
            break;
        }
    }
    Ok(delivered)
}

async fn claim(db: &Db, clock: &dyn Clock, options: DeliverOptions) -> Result<Option<Lease>, DeliverError> {
    let mut token = [0; 16];
    getrandom::fill(&mut token).map_err(DeliverError::Random)?;
    let lease_us = i64::try_from(options.patience.saturating_mul(2).as_micros()).unwrap_or(i64::MAX);
    let write = db.write().await?;
    let now = clock.now();
    let until = Timestamp::from_micros(now.as_micros().saturating_add(lease_us));
    let lease = outbox::claim(&write, &hex::encode(token), now, until).await?;
    // Committed before the letter leaves: others must see that it is being sent.
    write.commit().await?;
    Ok(lease)
}

/// Writes down what became of a letter; none when another sender has it now.
async fn record(
    db: &Db,
    lease: &Lease,
    result: Result<(), NotifyError>,
    now: Timestamp,
) -> Result<Option<LetterState>, DeliverError> {
    let write = db.write().await?;
    let recorded = match result {
        Ok(()) => outbox::sent(&write, lease, now).await.map(|()| LetterState::Sent),
        Err(NotifyError::Temporary(trouble)) => outbox::failed(&write, lease, &trouble.to_string(), now).await,
        Err(NotifyError::Permanent(trouble)) => {
            outbox::dead(&write, lease, &trouble.to_string()).await.map(|()| LetterState::Dead)
        }
    };
    match recorded {
        Ok(state) => {
            write.commit().await?;
            Ok(Some(state))
        }
        Err(obelus_store::Error::State { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
