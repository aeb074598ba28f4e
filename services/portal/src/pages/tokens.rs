//! Tokens, with which programs act for a person: each person's own. A token is shown once, when it is issued; what is kept is its
//! hash. Not here: what programs do with one (`api/`).

use askama::Template;
use obelus_core::Timestamp;
use obelus_store::{
    api_tokens::{self, ApiToken, NewToken},
    audit,
};

use crate::{
    dispatch::{Call, see_other},
    form::{self, FieldErrors},
    page::{self, Layout},
    problem::Problem,
    route::Answer,
    scope::Scope,
    shown::Shown,
    token::Token,
};

const DAY_US: i64 = 24 * 3_600_000_000;
/// How long a token may work, in days.
const DAYS: &[(&str, i64, &str)] =
    &[("7", 7, "a week"), ("30", 30, "30 days"), ("90", 90, "90 days"), ("365", 365, "a year")];

#[derive(Template)]
#[template(path = "tokens.html")]
struct TokensPage {
    layout: Layout,
    tokens: Vec<Line>,
}

struct Line {
    id: i64,
    name: Shown,
    scopes: String,
    issued: String,
    expires: String,
    used: Option<String>,
    /// One word for why it does not work any more; none of one that works.
    over: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "token_new.html")]
struct NewPage {
    layout: Layout,
    errors: FieldErrors,
    name: Shown,
    scopes: Vec<Choice>,
    days: Vec<Choice>,
}

struct Choice {
    value: &'static str,
    words: &'static str,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "token_issued.html")]
struct IssuedPage {
    layout: Layout,
    name: Shown,
    token: String,
    until: String,
}

/// `GET /settings/tokens`.
pub(crate) async fn show(call: Call) -> Answer {
    let now = call.now();
    let line = |token: ApiToken| Line {
        id: token.id,
        name: Shown::new(&token.name),
        scopes: token.scopes.0.join(", "),
        issued: page::time(token.created_at.0),
        expires: page::time(token.expires_at.0),
        used: token.last_used_at.map(|used| page::time(used.0)),
        over: match token.revoked_at {
            Some(_) => Some("Revoked"),
            None => (token.expires_at.0 <= now).then_some("Expired"),
        },
    };
    let tokens = api_tokens::of_person(&call.portal.deps.work.db, call.person()?.id).await?;
    let layout = call.form_layout("Tokens for programs")?.under(&[("/account", "Your account")]);
    call.show(&TokensPage { layout, tokens: tokens.into_iter().map(line).collect() })
}

/// `GET /settings/tokens/new`.
pub(crate) async fn form(call: Call) -> Answer {
    call.show(&new_page(&call, FieldErrors::default())?)
}

fn new_page(call: &Call, errors: FieldErrors) -> Result<NewPage, Problem> {
    let ticked = |scope: Scope| call.fields.all("scope").any(|ticked| ticked == scope.name());
    let scope = |scope: Scope| Choice { value: scope.name(), words: scope.says(), chosen: ticked(scope) };
    let days = |(value, _, words): &(&'static str, i64, &'static str)| Choice {
        value,
        words,
        chosen: call.fields.get("days") == *value,
    };
    let name: String = call.fields.get("name").chars().take(64).collect();
    let crumbs = [("/account", "Your account"), ("/settings/tokens", "Tokens for programs")];
    let layout = call.form_layout("Issue a token")?.under(&crumbs);
    let (scopes, days) = (Scope::ALL.into_iter().map(scope).collect(), DAYS.iter().map(days).collect());
    Ok(NewPage { layout, errors, name: Shown::new(&name), scopes, days })
}

/// `POST /settings/tokens/new`.
pub(crate) async fn issue(call: Call) -> Answer {
    let person = call.person()?;
    let mut errors = FieldErrors::default();
    let name = errors.take("name", form::plain_name(call.fields.get("name")));
    let is_ticked = |scope: &Scope| call.fields.all("scope").any(|ticked| ticked == scope.name());
    let scopes: Vec<Scope> = Scope::ALL.into_iter().filter(is_ticked).collect();
    if scopes.is_empty() || call.fields.all("scope").any(|ticked| ticked.parse::<Scope>().is_err()) {
        errors.add("scope", "Choose what it is for");
    }
    let days = DAYS.iter().find(|(value, _, _)| *value == call.fields.get("days"));
    if days.is_none() {
        errors.add("days", "Choose how long it works");
    }
    let Some((name, (_, days, _))) = name.zip(days).filter(|_| errors.is_empty()) else {
        return call.show_again(&new_page(&call, errors)?);
    };
    let (token, now) = (Token::random()?, call.now());
    let expires_at = Timestamp::from_micros(now.as_micros().saturating_add(days * DAY_US));
    let scopes: Vec<String> = scopes.iter().map(ToString::to_string).collect();
    let detail = serde_json::json!({ "name": name, "scopes": scopes, "expires_at": expires_at });
    let new = NewToken { person: person.id, name: name.to_owned(), token_hash: token.hash(), scopes, expires_at };
    let write = call.portal.deps.work.db.write().await?;
    api_tokens::issue(&write, new, now).await?;
    audit::append(&write, now, &person.name, "issue_token", &person.name, &detail.to_string()).await?;
    write.commit().await?;
    let crumbs = [("/account", "Your account"), ("/settings/tokens", "Tokens for programs")];
    call.show(&IssuedPage {
        layout: call.layout("Copy the token now")?.under(&crumbs),
        name: Shown::new(name),
        token: token.reveal(),
        until: page::time(expires_at),
    })
}

/// `POST /settings/tokens/{id}/revoke`.
pub(crate) async fn revoke(call: Call) -> Answer {
    let person = call.person()?;
    let missing = || Problem::not_found("You have no token of this number. The page Tokens for programs lists yours.");
    let id: i64 = call.part("id").parse().map_err(|_| missing())?;
    let (write, now) = (call.portal.deps.work.db.write().await?, call.now());
    let own = api_tokens::of_person(&write, person.id).await?;
    let token = own.into_iter().find(|token| token.id == id).ok_or_else(missing)?;
    // One that was revoked already is what was wanted.
    if api_tokens::revoke(&write, person.id, id, now).await? {
        let detail = serde_json::json!({ "name": token.name }).to_string();
        audit::append(&write, now, &person.name, "revoke_token", &person.name, &detail).await?;
    }
    write.commit().await?;
    Ok(see_other("/settings/tokens"))
}
