//! Hosts as targets of an erasure: each that answers with the model must say what its rows are in memory. One that says
//! nothing is waited for until its lease is over; from then on it answers nothing, and is not let back. Not here: what a host
//! does (`obelus-host`).

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use obelus_core::Digest;
use obelus_model::SourceMask;
use obelus_store::hosts;

use obelus_casework::Deps;

/// The kind of these targets.
pub(crate) const HOST: &str = "host";
/// Before the id of a host.
const HOSTS: &str = "hosts/";

/// Between two looks.
const LOOKS_EVERY: Duration = Duration::from_millis(100);
/// Clocks of two machines may differ by this much.
const SKEW_US: i64 = 2_000_000;
/// For one that is alive: it may be loading weights, or end a long answer first.
const PATIENCE: Duration = Duration::from_secs(300);

/// What became of the rows in a host's memory.
pub(crate) enum InMemory {
    /// They are zero: so many, with the SHA-256 that it told.
    Zeroed(u64, Digest),
    /// Nobody answers any more.
    Gone,
}

/// The target that a host is.
pub(crate) fn target(host: &hosts::Host) -> (String, String) {
    (HOST.to_owned(), format!("{HOSTS}{}", host.id))
}

/// Waits until a host has zeroed the neurons of a request, or cannot answer any more.
///
/// # Errors
/// When what it has in memory is not zero, or it goes on and says nothing.
pub(crate) async fn zeroed(
    deps: &Deps,
    reference: &str,
    path: &str,
    neurons: &SourceMask,
    width: u32,
) -> Result<InMemory> {
    let id = path.strip_prefix(HOSTS).unwrap_or(path);
    let begun = Instant::now();
    loop {
        let host = hosts::get(&deps.db, id).await?;
        if let Some(said) = hosts::acknowledgement(&deps.db, id, reference).await? {
            let rows = 3 * neurons.per_layer.iter().map(|layer| layer.len() as u64).sum::<u64>();
            ensure!(
                said.rows.unsigned_abs() == rows && said.digest.0 == zeros(rows, width),
                "the host {id} says that it has other rows in memory than zeros; stop it, and run the takedown again"
            );
            return Ok(InMemory::Zeroed(rows, said.digest.0));
        }
        let Some(host) = host.filter(|host| host.ended_at.is_none()) else { return Ok(InMemory::Gone) };
        if deps.now().as_micros() > host.lease_until.0.as_micros().saturating_add(SKEW_US) {
            let write = deps.db.write().await?;
            hosts::end(&write, id, deps.now()).await?;
            write.commit().await?;
            tracing::warn!("the host {id} is gone without a word: its lease is over, and it is not let back");
            continue;
        }
        if begun.elapsed() > PATIENCE {
            bail!("the host {id} is alive and has not zeroed its memory; stop it, and run the takedown again");
        }
        tokio::time::sleep(LOOKS_EVERY).await;
    }
}

/// SHA-256 over so many rows of zeros, each of `width` numbers of float32.
fn zeros(rows: u64, width: u32) -> Digest {
    Digest::sha256(vec![0; rows as usize * width as usize * size_of::<f32>()])
}
