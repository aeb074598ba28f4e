//! The way to one's own request: a link by letter, to the address that stands in it. Whoever asks for a link gets the same
//! answer whether or not there is such a request with such an address.

use askama::Template;
use obelus_casework::{filing::Filing, letters};
use obelus_core::Timestamp;
use obelus_ledger::canonical;
use obelus_notify::Mailbox;
use obelus_store::{
    filings,
    one_time_links::{self, NewLink, Purpose},
    sessions::{self, Holder, NewSession},
};

use crate::{
    cookie::{self, Kind},
    dispatch::Call,
    page::Layout,
    pages::{
        setup::token_hash,
        sign_in::{signed_in, user_agent},
    },
    problem::Problem,
    route::Answer,
    shown::Shown,
    token::Token,
};

/// A link works for a day.
const WORKS_FOR_US: i64 = 24 * 3_600_000_000;
/// A session of a requester ends after two hours.
const SESSION_US: i64 = 2 * 3_600_000_000;

#[derive(Template)]
#[template(path = "request_entrance.html")]
struct EntrancePage {
    layout: Layout,
    reference: Shown,
    /// A link was asked for.
    is_sent: bool,
}

#[derive(Template)]
#[template(path = "request_link.html")]
struct LinkPage {
    layout: Layout,
    action: String,
}

/// `GET /open/{reference}`.
pub(crate) async fn entrance(call: Call) -> Answer {
    call.reference()?;
    show(&call, false)
}

fn show(call: &Call, is_sent: bool) -> Answer {
    let layout = call.form_layout("Open your request")?;
    call.show(&EntrancePage { layout, reference: Shown::new(call.part("reference")), is_sent })
}

/// `POST /open/{reference}`.
pub(crate) async fn send_link(call: Call) -> Answer {
    let reference = call.reference()?;
    if !call.portal.limits.allow_account(&format!("request {reference}")) {
        return Err(Problem::too_often());
    }
    let given = call.fields.get("email").trim();
    if let Some(to) = address(&call, reference).await?.filter(|to| to.as_str().eq_ignore_ascii_case(given)) {
        let (token, now) = (Token::random()?, call.now());
        let until = Timestamp::from_micros(now.as_micros().saturating_add(WORKS_FOR_US));
        let (purpose, subject) = (Purpose::Requester, reference.to_owned());
        let new = NewLink { token_hash: token.hash(), purpose, subject, expires_at: until };
        let link = format!("{}/open/{reference}/{}", call.portal.deps.settings.origin, token.reveal());
        let write = call.portal.deps.work.db.write().await?;
        one_time_links::make(&write, new, now).await?;
        letters::link(&call.portal.deps.work, &write, reference, &to, &link, until).await?;
        write.commit().await?;
    }
    show(&call, true)
}

/// The address in a request; none where there is none of this name.
async fn address(call: &Call, reference: &str) -> Result<Option<Mailbox>, Problem> {
    let document = filings::get(&call.portal.deps.work.db, reference).await?.and_then(|filing| filing.document);
    let filing = document.and_then(|bytes| canonical::from_bytes::<Filing>(&bytes).ok());
    Ok(filing.and_then(|filing| filing.requester).and_then(|who| who.email.parse().ok()))
}

/// `GET /open/{reference}/{token}`: a button, for some mailboxes follow every link in a letter.
pub(crate) async fn link(call: Call) -> Answer {
    let token = token_hash(&call)?;
    let opened = one_time_links::open(&call.portal.deps.work.db, &token, Purpose::Requester, call.now()).await?;
    opened.filter(|link| link.subject == call.part("reference")).ok_or_else(Problem::link_is_over)?;
    call.show(&LinkPage { layout: call.form_layout("Open your request")?, action: call.request.path().to_owned() })
}

/// `POST /open/{reference}/{token}`.
pub(crate) async fn enter(call: Call) -> Answer {
    let (token, reference) = (token_hash(&call)?, call.reference()?);
    let write = call.portal.deps.work.db.write().await?;
    let used = one_time_links::use_up(&write, &token, Purpose::Requester, call.now()).await?;
    used.filter(|link| link.subject == reference).ok_or_else(Problem::link_is_over)?;
    write.commit().await?;
    let session = begin(&call, reference).await?;
    Ok(signed_in(&call, session, &format!("/r/{reference}")))
}

/// Begins a session of whoever made a request; the one that the browser had ends. Gives its token.
pub(super) async fn begin(call: &Call, reference: &str) -> Result<Token, Problem> {
    let (token, now) = (Token::random()?, call.now());
    let write = call.portal.deps.work.db.write().await?;
    if let Some(old) = cookie::read(&call.request, &call.portal.deps.settings.origin, Kind::Session) {
        sessions::revoke(&write, &old.hash(), now).await?;
    }
    let expires_at = Timestamp::from_micros(now.as_micros().saturating_add(SESSION_US));
    let (token_hash, holder) = (token.hash(), Holder::Request(reference.to_owned()));
    let new = NewSession { token_hash, holder, expires_at, user_agent: user_agent(call) };
    sessions::begin(&write, new, now).await?;
    write.commit().await?;
    Ok(token)
}
