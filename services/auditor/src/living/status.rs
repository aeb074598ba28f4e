//! The status of every certificate, signed and logged: a list each time that one changes. Not here: why one changes, and
//! how a list is checked (`obelus_ledger::verify`).
//!
//! A change is made first and listed after: whatever the last list does not say yet is on the next one, so that a process
//! that was killed in between is made up for by whoever comes next.

use anyhow::{Context as _, Result, bail};
use obelus_core::Timestamp;
use obelus_ledger::{
    bundle::Place,
    canonical,
    statement::{CertificateStatus as Stated, Predicate, Statement, StatusEntry, Subject},
    status_list::{FORMAT, MOST_CHANGES, SUBJECT, StatusDocument, StatusList},
};
use obelus_store::{
    Error, Micros, certificates::Certificate, certificates::CertificateStatus, log, status_lists,
    status_lists::NewStatusList,
};

use super::{all, valid_until};
use obelus_casework::{
    Deps, exhibits,
    fault::point,
    transparency::{self, publish, sign},
};

const DAY_US: i64 = 86_400_000_000;
/// How long a list counts. Whoever hands out an old one can do so for this long.
const COUNTS_DAYS: i64 = 7;
/// A list that nothing changed is confirmed after this long.
const CONFIRMED_AFTER_DAYS: i64 = 1;
/// Others that make a list at the same time are faster at most this often.
const ATTEMPTS: u32 = 50;

/// What became known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Number of the last list; none while there is no certificate.
    pub sequence: Option<u64>,
    /// Entries that are new or others than on the list before.
    pub changes: Vec<StatusEntry>,
}

/// The status of a certificate as it is now: one whose end has come is expired, also where nobody has noted it yet.
///
/// # Errors
/// When its statement is missing.
pub async fn today(deps: &Deps, row: &Certificate) -> Result<CertificateStatus> {
    let over = row.status == CertificateStatus::Valid && valid_until(deps, row).await? <= deps.now();
    Ok(if over { CertificateStatus::Expired } else { row.status })
}

/// Signs and logs what the last list does not say yet; a list of yesterday is confirmed. Done again it changes nothing.
///
/// # Errors
/// When the log refuses to sign, or others are faster again and again.
pub async fn settle(deps: &Deps) -> Result<Settled> {
    let mut settled = Settled::default();
    for _ in 0..ATTEMPTS {
        let last = status_lists::last(&deps.db).await?;
        let before = match &last {
            None => StatusList::new(0, vec![]),
            Some(row) => listed(row)?,
        };
        settled.sequence = last.as_ref().map(|_| before.sequence);
        let mut changes = entries(deps).await?;
        changes.retain(|entry| before.entry(&entry.id) != Some(entry));
        let now = deps.now();
        let old = last
            .as_ref()
            .is_some_and(|row| now.as_micros() - row.made_at.0.as_micros() >= CONFIRMED_AFTER_DAYS * DAY_US);
        if changes.is_empty() && !old {
            return Ok(settled);
        }
        changes.truncate(MOST_CHANGES);
        match state(deps, &before, last.map(|row| row.statement.0), &changes).await {
            Ok(sequence) => {
                settled.sequence = Some(sequence);
                settled.changes.extend(changes);
            }
            // Somebody else has made the list of this number.
            Err(error) if matches!(error.downcast_ref(), Some(Error::Exists { .. })) => {}
            Err(error) => return Err(error),
        }
    }
    bail!("{ATTEMPTS} lists were made and there are changes still; run the command again")
}

fn listed(row: &status_lists::StatusList) -> Result<StatusList> {
    let bytes = row.list.as_deref().context("the last status list has lost its bytes; restore the last backup")?;
    canonical::from_bytes(bytes).context("the last status list is damaged; restore the last backup")
}

async fn entries(deps: &Deps) -> Result<Vec<StatusEntry>> {
    let mut entries = Vec::new();
    for row in all(deps).await? {
        let Micros(since) = row.changed_at.unwrap_or(row.issued_at);
        entries.push(StatusEntry {
            statement: row.statement.0,
            status: row.status.to_string(),
            since,
            valid_until: valid_until(deps, &row).await?,
            id: row.id,
        });
    }
    Ok(entries)
}

/// Signs the next list; gives its number.
async fn state(
    deps: &Deps,
    before: &StatusList,
    previous: Option<obelus_core::Digest>,
    changes: &[StatusEntry],
) -> Result<u64> {
    let mut entries = before.entries.clone();
    entries.retain(|entry| changes.iter().all(|change| change.id != entry.id));
    entries.extend_from_slice(changes);
    let list = StatusList::new(before.sequence + 1, entries);
    // A clock that was set back does not make a list that is older than what it lists.
    let latest = list.entries.iter().map(|entry| entry.since).max();
    let now = latest.map_or(deps.now(), |latest| latest.max(deps.now()));
    let next_update = Timestamp::from_micros(now.as_micros() + COUNTS_DAYS * DAY_US);
    let statement = Statement::new(
        Subject::sha256(SUBJECT, list.digest()?),
        Stated {
            sequence: list.sequence,
            previous,
            count: list.entries.len() as u64,
            changes: changes.to_vec(),
            stated_at: now,
            next_update,
            salt: deps.salt()?,
        },
    );
    let bytes = canonical::to_bytes(&list)?;
    publish(deps, sign(deps, &statement)?, async |write, digest| {
        let sequence = i64::try_from(list.sequence).context("lists are counted from 1")?;
        let new = NewStatusList { sequence, list: bytes.clone(), statement: *digest, next_update };
        Ok(status_lists::append(write, new, now).await?)
    })
    .await?;
    point("status-listed");
    Ok(list.sequence)
}

/// The last list with its signed statement, as it is handed out; made or confirmed first, so that it is of today.
///
/// # Errors
/// When there is no certificate, or the log refuses to sign.
pub async fn document(deps: &Deps) -> Result<StatusDocument> {
    settle(deps).await?;
    let row =
        status_lists::last(&deps.db).await?.context("no certificate was issued yet, so there is no status list")?;
    let index = log::index_of(&deps.db, &row.statement.0).await?;
    let index = index.context("the last status list is not in the log")?;
    let mut proofs = transparency::prove(deps, &[index]).await?;
    let place = Place { index, path: proofs.paths.pop().context("one leaf has one path")? };
    let envelope = exhibits::envelope(deps, &row.statement.0).await?;
    let bundle = exhibits::bundle(deps, Stated::ROLE, envelope, &place, &proofs.note)?;
    Ok(StatusDocument { format: FORMAT.to_owned(), bundle, list: listed(&row)? })
}
