//! Where answers are kept between the pages of a request: in the database, for a day, encrypted under a key that is made from
//! the token in the browser's cookie. What is never sent can so be read by nobody but whoever wrote it, and no answer is in an
//! address. Not here: what the answers say.

use aes_gcm::{
    Aes256Gcm, KeyInit as _, Nonce,
    aead::{Aead as _, Payload},
};
use anyhow::Context as _;
use obelus_core::{Digest, Timestamp};
use obelus_store::request_drafts;

use super::answers::Answers;
use crate::{
    cookie::{self, Kind},
    dispatch::{Call, address},
    problem::Problem,
    token::Token,
};

/// How long answers are kept after the last of them.
const KEPT_US: i64 = 24 * 3_600_000_000;
const NONCE_BYTES: usize = 12;
/// What the key is for.
const PURPOSE: &str = "obelus/request-draft/v1";

/// The token that this browser has for its answers.
pub(super) fn token(call: &Call) -> Option<Token> {
    cookie::read(&call.request, &call.portal.deps.settings.origin, Kind::Draft)
}

/// The answers of this browser; none where it has given none, or their day is over.
pub(super) async fn answers(call: &Call) -> Result<Option<Answers>, Problem> {
    let Some(token) = token(call) else { return Ok(None) };
    let sealed = request_drafts::sealed(&call.portal.deps.work.db, &token.hash(), call.now()).await?;
    Ok(sealed.and_then(|sealed| open(&token, &sealed)))
}

/// Keeps answers. Gives the token that the browser is to have from now on, where that is a new one.
pub(super) async fn keep(call: &Call, answers: &Answers) -> Result<Option<Token>, Problem> {
    let now = call.now();
    let expires_at = Timestamp::from_micros(now.as_micros().saturating_add(KEPT_US));
    let db = &call.portal.deps.work.db;
    if let Some(token) = token(call) {
        let sealed = seal(&token, answers)?;
        let write = db.write().await?;
        if request_drafts::change(&write, &token.hash(), sealed, now, expires_at).await? {
            write.commit().await?;
            return Ok(None);
        }
    }
    // Strangers make rows here, so that they make few.
    let from = address(&call.request, call.portal.deps.settings.proxy);
    if !call.portal.limits.allow_account(&format!("draft from {from}")) {
        return Err(Problem::too_often());
    }
    let token = Token::random()?;
    let write = db.write().await?;
    request_drafts::begin(&write, &token.hash(), seal(&token, answers)?, now, expires_at).await?;
    write.commit().await?;
    Ok(Some(token))
}

/// Removes the answers of this browser.
pub(super) async fn forget(call: &Call) -> Result<(), Problem> {
    if let Some(token) = token(call) {
        let write = call.portal.deps.work.db.write().await?;
        request_drafts::remove(&write, &token.hash()).await?;
        write.commit().await?;
    }
    Ok(())
}

/// By what a draft is known again once it was sent.
pub(super) fn key(token: &Token) -> Digest {
    Digest::new(token.code("obelus/filing-draft/v1"))
}

fn seal(token: &Token, answers: &Answers) -> anyhow::Result<Vec<u8>> {
    // Random, because one key seals the few versions of one draft.
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).context("the system gives no random numbers")?;
    let msg = &serde_json::to_vec(answers)?;
    let sealed = cipher(token)?.encrypt(&Nonce::from(nonce), Payload { msg, aad: PURPOSE.as_bytes() });
    let sealed = sealed.ok().context("the answers are too long to be encrypted")?;
    Ok([&nonce[..], &sealed].concat())
}

fn open(token: &Token, sealed: &[u8]) -> Option<Answers> {
    let (nonce, msg) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let payload = Payload { msg, aad: PURPOSE.as_bytes() };
    let bytes = cipher(token).ok()?.decrypt(&Nonce::from(*nonce), payload).ok()?;
    // Of a version that asked other questions: they are asked again.
    serde_json::from_slice(&bytes).ok()
}

fn cipher(token: &Token) -> anyhow::Result<Aes256Gcm> {
    Aes256Gcm::new_from_slice(&token.code(PURPOSE)).ok().context("a key has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_by_whoever_has_the_token_and_are_in_no_row() {
        let (token, other) = (Token::random().unwrap(), Token::random().unwrap());
        let answers = Answers { name: "Ada Lovelace".to_owned(), ..Answers::default() };
        let sealed = seal(&token, &answers).unwrap();
        assert!(open(&token, &sealed).unwrap() == answers);
        assert!(open(&other, &sealed).is_none());
        assert!(open(&token, &sealed[..20]).is_none());
        assert!(!String::from_utf8_lossy(&sealed).contains("Lovelace"));
        assert_ne!(seal(&token, &answers).unwrap(), sealed);
        let mut flipped = sealed;
        *flipped.last_mut().unwrap() ^= 1;
        assert!(open(&token, &flipped).is_none());
    }
}
