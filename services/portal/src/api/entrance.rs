//! The way in for programs: whose token it is, whether it and the rules permit what is asked, and what was sent. A cookie
//! opens nothing here, so that no page of another site can use a browser's. Not here: the routes.

use std::sync::Arc;

use actix_web::{
    HttpRequest,
    http::header::{AUTHORIZATION, CONTENT_TYPE},
    web,
};
use obelus_core::Timestamp;
use obelus_store::{
    api_tokens::{self, ApiToken},
    persons,
};

use super::{Body, json};
use crate::{
    dispatch::{address, read_body, reference_in},
    form::Fields,
    problem::Problem,
    route::{Route, Who},
    scope::Scope,
    state::Portal,
    token::Token,
};

/// Lines of a page of a list, and how many there may be.
const LINES: u64 = 50;
pub(super) const MOST_LINES: u64 = 200;

/// A program, for the person who issued its token.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// The person's name.
    pub(crate) name: String,
    pub(crate) roles: Vec<String>,
    pub(crate) token: ApiToken,
}

impl Program {
    /// Whether its token was issued for this.
    pub(crate) fn has(&self, scope: Scope) -> bool {
        self.token.scopes.0.iter().any(|word| word.parse() == Ok(scope))
    }
}

/// A request of a program that may be answered: its rule is kept.
pub(crate) struct ApiCall {
    pub(crate) portal: Arc<Portal>,
    pub(crate) request: HttpRequest,
    /// Nobody where everybody may.
    program: Option<Program>,
    bytes: web::Bytes,
}

impl ApiCall {
    /// The present.
    pub(crate) fn now(&self) -> Timestamp {
        self.portal.deps.work.clock.now()
    }

    /// Who asks.
    pub(crate) fn program(&self) -> Result<&Program, Problem> {
        self.program.as_ref().ok_or_else(Problem::no_token)
    }

    /// The reference in the path.
    pub(crate) fn reference(&self) -> Result<&str, Problem> {
        reference_in(&self.request)
    }

    /// What was sent.
    pub(crate) fn body<B: Body>(&self) -> Result<B, Problem> {
        json::read(&self.bytes)
    }

    /// After which line a list goes on, if not from its beginning, and how many lines are asked for.
    pub(crate) fn page(&self) -> Result<(Option<String>, u64), Problem> {
        let fields = query(&self.request)?;
        let (after, limit) = (fields.get("after"), fields.get("limit"));
        let is_cursor = |text: &str| text.len() <= 40 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !is_cursor(after) {
            return Err(Problem::unreadable("`after` is what the page before has said under `next`. Send that."));
        }
        let limit = if limit.is_empty() { Some(LINES) } else { limit.parse().ok() };
        let limit = limit.filter(|limit| (1..=MOST_LINES).contains(limit));
        let limit = limit.ok_or_else(|| Problem::unreadable(format!("`limit` is a number from 1 to {MOST_LINES}.")))?;
        Ok((Some(after.to_owned()).filter(|after| !after.is_empty()), limit))
    }
}

/// Whoever may call a route.
pub(crate) async fn admit(
    portal: &Arc<Portal>,
    route: &Route,
    request: HttpRequest,
    body: web::Payload,
) -> Result<ApiCall, Problem> {
    let program = match route.who {
        Who::Public => None,
        Who::Program | Who::ProgramMay(..) | Who::ProgramMayInCases(..) => {
            let program = program(portal, &request).await?;
            if route.is_unsafe() && !portal.limits.allow_token(program.token.id) {
                return Err(Problem::too_often());
            }
            permit(portal, route, &program)?;
            Some(program)
        }
        // They take a cookie, and none counts here.
        Who::Requester | Who::SignedIn | Who::May(_) | Who::MayEither(..) | Who::MayInCases(_) | Who::Monitor => {
            return Err(Problem::no_token());
        }
    };
    let takes: &[&str] =
        if route.operation().is_some_and(|operation| operation.is_paged) { &["after", "limit"] } else { &[] };
    if query(&request)?.names().any(|name| !takes.contains(&name)) {
        let detail =
            "The address has something after the `?` that is not taken here. /api/v1/openapi.json says what is.";
        return Err(Problem::unreadable(detail));
    }
    let bytes = if route.is_unsafe() { read(route, &request, body).await? } else { web::Bytes::new() };
    Ok(ApiCall { portal: Arc::clone(portal), request, program, bytes })
}

fn query(request: &HttpRequest) -> Result<Fields, Problem> {
    let fields = Fields::read(request.query_string().as_bytes());
    fields.ok_or_else(|| Problem::unreadable("The address has too much after the `?`. Leave it out."))
}

async fn read(route: &Route, request: &HttpRequest, body: web::Payload) -> Result<web::Bytes, Problem> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Problem::media_type());
    }
    read_body(route, body).await
}

/// For whom a token stands. Whoever tries others is slowed down.
async fn program(portal: &Portal, request: &HttpRequest) -> Result<Program, Problem> {
    let found = find(portal, request).await;
    if found.is_err() && !portal.limits.allow_address(address(request, portal.deps.settings.proxy)) {
        return Err(Problem::too_often());
    }
    found
}

async fn find(portal: &Portal, request: &HttpRequest) -> Result<Program, Problem> {
    let mut given = request.headers().get_all(AUTHORIZATION);
    let text = given.next().ok_or_else(Problem::no_token)?;
    // Which of two would count is nobody's to guess.
    if given.next().is_some() {
        return Err(Problem::bad_token());
    }
    let token = bearer(text.to_str().unwrap_or_default()).ok_or_else(Problem::bad_token)?;
    let (db, now) = (&portal.deps.work.db, portal.deps.work.clock.now());
    let token = api_tokens::live(db, &token.hash(), now).await?.ok_or_else(Problem::bad_token)?;
    let person = persons::get(db, token.person).await?.ok_or_else(Problem::bad_token)?;
    if api_tokens::is_used_late(&token, now) {
        let write = db.write().await?;
        api_tokens::used(&write, token.id, now).await?;
        write.commit().await?;
    }
    Ok(Program { name: person.name, roles: person.roles, token })
}

/// The token of `Bearer TOKEN`. Of the first word the case does not count (RFC 9110, section 11.1).
fn bearer(text: &str) -> Option<Token> {
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().parse().ok()).flatten()
}

/// Whether the token was issued for it, and the rules permit it to the person.
fn permit(portal: &Portal, route: &Route, program: &Program) -> Result<(), Problem> {
    let now = portal.deps.work.clock.now();
    let (scope, permitted) = match route.who {
        Who::ProgramMay(scope, action) => (scope, portal.permissions.permit(program, action, now)),
        Who::ProgramMayInCases(scope, action) => (scope, portal.permissions.permit_in_cases(program, action, now)),
        _ => return Ok(()),
    };
    if !program.has(scope) {
        return Err(Problem::no_scope(scope));
    }
    permitted.map_err(|refusal| Problem::forbidden(format!("{refusal}.")))?;
    // A token is no password that was just entered, and stands for none.
    if route.fresh { Err(Problem::not_by_token()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_given_in_one_way() {
        let text = Token::random().unwrap().reveal();
        for good in [format!("Bearer {text}"), format!("bearer {text}"), format!("BEARER  {text} ")] {
            assert!(bearer(&good).is_some_and(|token| token.reveal() == text), "{good}");
        }
        for bad in [String::new(), text.clone(), format!("Basic {text}"), format!("Bearer{text}"), "Bearer ".to_owned()]
        {
            assert!(bearer(&bad).is_none(), "{bad}");
        }
    }
}
