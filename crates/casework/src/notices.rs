//! Counter-notices and complaints: recorded with the clocks that they start, and settled with what came of them. While a
//! counter-notice is open nothing is zeroed: what it asks for could not be done any more. Putting the sources back is
//! `decision::undo`.

use anyhow::{Result, ensure};
use obelus_core::Digest;
use obelus_policy::Action;
use obelus_store::{
    case_notices::{self, NewNotice, NoticeKind},
    requests::is_reversible,
};
use serde_json::json;

use crate::{
    Deps,
    case::{existing, permitted},
    letters,
    step::{Act, take},
};

/// A sender's name is no longer.
const SENDER_BYTES: usize = 300;
/// A notice is no longer.
const WORDS_BYTES: usize = 20_000;

/// Records that somebody objects to a request, for which the requester is told.
///
/// # Errors
/// When the person may not, something is missing, or it is too late: rows are zero, or the request is closed.
pub async fn counter_notice(deps: &Deps, by: &str, reference: &str, sender: &str, words: &str) -> Result<()> {
    let person = permitted(deps, by, Action::CounterNotice, Some(reference)).await?;
    let state = existing(deps, reference).await?.state;
    ensure!(is_reversible(state), "{reference} is {state}: there is nothing left that a counter-notice could stop");
    record(deps, &person.name, reference, NoticeKind::CounterNotice, sender, words).await
}

/// Records a complaint about how a request is treated, and tells the requester that it came. Closed or not: whoever was refused
/// may complain of it.
///
/// # Errors
/// When the person may not, or it says nothing.
pub async fn complaint(deps: &Deps, by: &str, reference: &str, sender: &str, words: &str) -> Result<()> {
    let person = permitted(deps, by, Action::Complain, Some(reference)).await?;
    let open = case_notices::open(&deps.db, reference, NoticeKind::Complaint).await?;
    ensure!(open.is_none(), "a complaint about {reference} is open already; it is answered first");
    record(deps, &person.name, reference, NoticeKind::Complaint, sender, words).await
}

async fn record(deps: &Deps, by: &str, reference: &str, kind: NoticeKind, sender: &str, words: &str) -> Result<()> {
    let (sender, words) = (sender.trim(), words.trim());
    ensure!(!words.is_empty(), "say in words what the {kind} says");
    ensure!(kind == NoticeKind::Complaint || !sender.is_empty(), "say who sent the {kind}");
    ensure!(sender.len() <= SENDER_BYTES, "the sender's name is longer than {SENDER_BYTES} bytes; shorten it");
    ensure!(
        words.len() <= WORDS_BYTES,
        "the {kind} is longer than {WORDS_BYTES} bytes; shorten it, and keep the rest as an annex"
    );
    let state = existing(deps, reference).await?.state;
    let action = match kind {
        NoticeKind::CounterNotice => Action::CounterNotice.name(),
        NoticeKind::Complaint => Action::Complain.name(),
    };
    let act = Act::new(action, by, state, state).carrying(&json!({ "words": Digest::sha256(words) }));
    let new = NewNotice { kind, sender: sender.to_owned(), words: words.to_owned() };
    take(deps, reference, &[act], vec![], async |write, _| {
        case_notices::record(write, reference, new.clone(), deps.now()).await?;
        match kind {
            NoticeKind::CounterNotice => letters::objected(deps, write, reference, words).await,
            NoticeKind::Complaint => letters::complained(deps, write, reference, words).await,
        }
    })
    .await
}

/// Notes what came of a notice: that its sender took it back, that the matter is before a court, what was answered.
///
/// # Errors
/// When the person may not, nothing is said, or there is no open one of this number.
pub async fn settle(deps: &Deps, by: &str, reference: &str, number: i64, outcome: &str) -> Result<()> {
    let person = permitted(deps, by, Action::SettleNotice, Some(reference)).await?;
    let outcome = outcome.trim();
    ensure!(!outcome.is_empty(), "say in words what came of it");
    ensure!(outcome.len() <= WORDS_BYTES, "what came of it is longer than {WORDS_BYTES} bytes; shorten it");
    let state = existing(deps, reference).await?.state;
    let act = Act::new(Action::SettleNotice.name(), &person.name, state, state);
    let act = act.carrying(&json!({ "notice": number, "outcome": Digest::sha256(outcome) }));
    take(deps, reference, &[act], vec![], async |write, _| {
        Ok(case_notices::settle(write, reference, number, outcome, deps.now()).await?)
    })
    .await
}
