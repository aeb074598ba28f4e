//! Everybody's tokens, for those who let people in: whose each is, what for, when it was last used; and revoking one. Not here:
//! one's own (`tokens.rs`).

use askama::Template;
use obelus_store::{api_tokens, audit, persons};

use crate::{
    dispatch::{Call, see_other},
    page::{self, Layout},
    problem::Problem,
    route::Answer,
    shown::Shown,
};

const TOKENS_PER_PAGE: u64 = 50;

#[derive(Template)]
#[template(path = "all_tokens.html")]
struct AllTokensPage {
    layout: Layout,
    tokens: Vec<Line>,
    next: Option<String>,
}

struct Line {
    id: i64,
    owner: Shown,
    name: Shown,
    scopes: String,
    issued: String,
    expires: String,
    used: Option<String>,
    /// One word for why it does not work any more; none of one that works.
    over: Option<&'static str>,
}

/// `GET /settings/people/tokens`: newest first.
pub(crate) async fn show(call: Call) -> Answer {
    let (db, now) = (&call.portal.deps.work.db, call.now());
    let before = call.query("before").parse().unwrap_or(i64::MAX);
    let mut rows = api_tokens::page(db, before, TOKENS_PER_PAGE + 1).await?;
    let more = rows.len() as u64 > TOKENS_PER_PAGE;
    rows.truncate(TOKENS_PER_PAGE as usize);
    let next = rows.last().filter(|_| more).map(|last| format!("/settings/people/tokens?before={}", last.id));
    let mut tokens = Vec::new();
    for token in rows {
        let owner = persons::get(db, token.person).await?.map(|person| person.name).unwrap_or_default();
        tokens.push(Line {
            id: token.id,
            owner: Shown::new(&owner),
            name: Shown::new(&token.name),
            scopes: token.scopes.0.join(", "),
            issued: page::time(token.created_at.0),
            expires: page::time(token.expires_at.0),
            used: token.last_used_at.map(|used| page::time(used.0)),
            over: match token.revoked_at {
                Some(_) => Some("Revoked"),
                None => (token.expires_at.0 <= now).then_some("Expired"),
            },
        });
    }
    let layout = call.form_layout("Everybody's tokens")?.under(&[("/settings", "Settings")]);
    call.show(&AllTokensPage { layout, tokens, next })
}

/// `POST /settings/people/tokens/{id}/revoke`.
pub(crate) async fn revoke(call: Call) -> Answer {
    let missing = || Problem::not_found("There is no token of this number. The page Everybody's tokens lists them.");
    let id: i64 = call.part("id").parse().map_err(|_| missing())?;
    let (write, now) = (call.portal.deps.work.db.write().await?, call.now());
    let token = api_tokens::get(&write, id).await?.ok_or_else(missing)?;
    // One that was revoked already is what was wanted.
    if api_tokens::revoke(&write, token.person, id, now).await? {
        let owner = persons::get(&write, token.person).await?.map(|person| person.name).unwrap_or_default();
        let detail = serde_json::json!({ "token": id, "name": token.name }).to_string();
        audit::append(&write, now, &call.person()?.name, "revoke_token", &owner, &detail).await?;
    }
    write.commit().await?;
    Ok(see_other("/settings/people/tokens"))
}
