//! Who is asking, found by the cookie. Not here: whether they may (`dispatch.rs`).

use actix_web::HttpRequest;
use obelus_casework::grants;
use obelus_core::Timestamp;
use obelus_policy::Grant;
use obelus_store::{persons, sessions};

use crate::{
    cookie::{self, Kind},
    state::Portal,
    token::Token,
};

/// A session that was not used for two hours is over: somebody has left.
const IDLE_US: i64 = 2 * 3_600_000_000;
/// How long an entered password counts as just entered.
const FRESH_US: i64 = 10 * 60_000_000;

/// Somebody with an account.
#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    /// The person's number.
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) roles: Vec<String>,
    /// What their grants show now.
    pub(crate) grant: Option<Grant>,
    pub(crate) session: sessions::Session,
}

impl SignedIn {
    /// Whether the password was entered in the last ten minutes.
    pub(crate) fn is_fresh(&self, now: Timestamp) -> bool {
        self.session.stepped_up_at.is_some_and(|at| now.as_micros() - at.0.as_micros() < FRESH_US)
    }
}

/// Who is asking.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// Nobody that is known.
    Nobody,
    /// Whoever came with the link of this request.
    Requester(String),
    /// A person.
    Person(SignedIn),
}

/// Who is asking, and the token of their session. That it was used is noted, once a minute.
pub(crate) async fn find(portal: &Portal, request: &HttpRequest) -> anyhow::Result<(Caller, Option<Token>)> {
    let (deps, now) = (&portal.deps, portal.deps.work.clock.now());
    let Some(token) = cookie::read(request, &deps.settings.origin, Kind::Session) else {
        return Ok((Caller::Nobody, None));
    };
    let Some(session) = sessions::live(&deps.work.db, &token.hash(), now).await? else {
        return Ok((Caller::Nobody, None));
    };
    if now.as_micros() - session.seen_at.0.as_micros() >= IDLE_US {
        return Ok((Caller::Nobody, None));
    }
    let caller = match (session.person, &session.request) {
        (Some(id), _) => {
            let Some(person) = persons::get(&deps.work.db, id).await? else { return Ok((Caller::Nobody, None)) };
            let (name, roles) = (person.name, person.roles);
            let grant = grants::of(&deps.work.db, id, now).await?;
            Caller::Person(SignedIn { id, name, roles, grant, session: session.clone() })
        }
        (None, Some(reference)) => Caller::Requester(reference.clone()),
        (None, None) => return Ok((Caller::Nobody, None)),
    };
    if sessions::is_seen_late(&session, now) {
        let write = deps.work.db.write().await?;
        sessions::seen(&write, &token.hash(), now).await?;
        write.commit().await?;
    }
    Ok((caller, Some(token)))
}
