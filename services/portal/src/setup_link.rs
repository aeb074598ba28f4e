//! The way into a new installation: a link that works once and makes the first account. There is no default password. Not
//! here: the page behind the link (`pages/setup.rs`).

use obelus_store::{
    accounts,
    one_time_links::{self, NewLink, Purpose},
};

use crate::{state::Deps, token::Token};

/// There is one set-up, so that a new link takes the place of the one before.
pub(crate) const SUBJECT: &str = "installation";
/// A day.
const WORKS_FOR_US: i64 = 24 * 3_600_000_000;

/// A new link for the first account; none when there is an account. The one before does not work any more.
///
/// # Errors
/// When the database fails.
pub async fn setup_link(deps: &Deps) -> anyhow::Result<Option<String>> {
    let (now, token) = (deps.work.clock.now(), Token::random()?);
    let write = deps.work.db.write().await?;
    if accounts::any(&write).await? {
        return Ok(None);
    }
    let expires_at = obelus_core::Timestamp::from_micros(now.as_micros().saturating_add(WORKS_FOR_US));
    let link = NewLink { token_hash: token.hash(), purpose: Purpose::Setup, subject: SUBJECT.to_owned(), expires_at };
    one_time_links::make(&write, link, now).await?;
    write.commit().await?;
    Ok(Some(format!("{}/setup/{}", deps.settings.origin, token.reveal())))
}
