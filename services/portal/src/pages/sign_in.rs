//! Signing in and out. A name that nobody has takes as long as a wrong password and gets the same answer; a session that
//! the browser had before is never gone on with.

use actix_web::{HttpResponse, cookie::Cookie};
use askama::Template;
use obelus_core::Timestamp;
use obelus_store::{
    Write, accounts, audit, persons,
    sessions::{self, Holder, NewSession},
};

use crate::{
    caller::Caller,
    cookie::{self, Kind},
    dispatch::{Call, local_path, see_other},
    form::FieldErrors,
    metric,
    page::Layout,
    problem::Problem,
    route::Answer,
    shown::Shown,
    token::Token,
};

/// A session ends after twelve hours, used or not.
const SESSION_US: i64 = 12 * 3_600_000_000;
/// Of what a browser calls itself, enough to tell it from another.
const USER_AGENT_CHARACTERS: usize = 120;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage {
    layout: Layout,
    errors: FieldErrors,
    name: Shown,
    next: String,
}

/// `GET /sign-in`.
pub(crate) async fn form(call: Call) -> Answer {
    if matches!(call.caller, Caller::Person(_)) {
        return Ok(see_other("/account"));
    }
    let next = call.query("next");
    call.show(&SignInPage {
        layout: call.form_layout("Sign in")?,
        errors: FieldErrors::default(),
        name: Shown::default(),
        next: local_path(&next).unwrap_or_default().to_owned(),
    })
}

/// `POST /sign-in`.
pub(crate) async fn sign_in(call: Call) -> Answer {
    let (name, password, next) = (call.fields.get("name"), call.fields.get("password"), call.fields.get("next"));
    let next = local_path(next).unwrap_or("/account");
    if !call.portal.limits.allow_account(name) {
        metric::sign_in("limited");
        return Err(Problem::too_often());
    }
    match person_of(&call, name.trim(), password).await? {
        Some((person, hash)) => {
            let db = &call.portal.deps.work.db;
            let (write, now) = (db.write().await?, call.now());
            // The password may have been changed, and its sessions ended, while this one was compared.
            let account = accounts::get(&write, person.id).await?;
            if account.is_some_and(|account| account.password_hash == hash && account.disabled_at.is_none()) {
                let session = begin(&call, &write, person.id).await?;
                audit::append(&write, now, &person.name, "sign_in", &person.name, "{}").await?;
                write.commit().await?;
                metric::sign_in("done");
                return Ok(signed_in(&call, session, next));
            }
        }
        None => metric::sign_in("refused"),
    }
    let mut errors = FieldErrors::default();
    errors.add("name", "The name or the password is wrong. Check both, then try again");
    call.show_again(&SignInPage {
        layout: call.form_layout("Sign in")?,
        errors,
        name: Shown::new(&name.chars().take(64).collect::<String>()),
        next: next.to_owned(),
    })
}

/// The person whose name and password these are, and the hash that was compared; none when there is none, or they are not
/// to be let in.
async fn person_of(call: &Call, name: &str, password: &str) -> Result<Option<(persons::Person, String)>, Problem> {
    let db = &call.portal.deps.work.db;
    // Some text that no name can be is refused by a database; it costs the same time.
    let person = match crate::form::person_name(name) {
        Ok(name) => persons::named(db, name).await?,
        Err(_) => None,
    };
    let account = match &person {
        Some(person) => accounts::get(db, person.id).await?,
        None => None,
    };
    let hash = account.as_ref().map(|account| account.password_hash.clone());
    let is = call.portal.passwords.is(password.to_owned(), hash.as_deref()).await?;
    let enabled = account.is_some_and(|account| account.disabled_at.is_none());
    Ok(person.zip(hash).filter(|_| is && enabled))
}

/// Begins a session of a person who has just proved who they are; the one that the browser had ends. Gives its token.
pub(crate) async fn begin(call: &Call, write: &Write, person: i64) -> Result<Token, Problem> {
    let (token, now) = (Token::random()?, call.now());
    if let Some(old) = cookie::read(&call.request, &call.portal.deps.settings.origin, Kind::Session) {
        sessions::revoke(write, &old.hash(), now).await?;
    }
    let expires_at = Timestamp::from_micros(now.as_micros().saturating_add(SESSION_US));
    let (token_hash, holder, user_agent) = (token.hash(), Holder::Person(person), user_agent(call));
    sessions::begin(write, NewSession { token_hash, holder, expires_at, user_agent }, now).await?;
    Ok(token)
}

/// What the browser calls itself, shortened.
pub(crate) fn user_agent(call: &Call) -> String {
    let header = call.request.headers().get(actix_web::http::header::USER_AGENT);
    let text = header.and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.chars().take(USER_AGENT_CHARACTERS).collect()
}

/// The answer to whoever is signed in now.
pub(crate) fn signed_in(call: &Call, session: Token, next: &str) -> HttpResponse {
    let origin = &call.portal.deps.settings.origin;
    let mut answer = see_other(next);
    let both = [cookie::holding(origin, Kind::Session, &session), cookie::without(origin, Kind::Visit)];
    set(&mut answer, &both);
    answer
}

/// `POST /sign-out`.
pub(crate) async fn sign_out(call: Call) -> Answer {
    let person = call.person()?;
    let (write, now) = (call.portal.deps.work.db.write().await?, call.now());
    sessions::revoke(&write, &person.session.token_hash.0, now).await?;
    audit::append(&write, now, &person.name, "sign_out", &person.name, "{}").await?;
    write.commit().await?;
    let mut answer = see_other("/");
    set(&mut answer, &[cookie::without(&call.portal.deps.settings.origin, Kind::Session)]);
    Ok(answer)
}

fn set(answer: &mut HttpResponse, cookies: &[Cookie<'_>]) {
    for cookie in cookies {
        answer.add_cookie(cookie).expect("a cookie of ours is letters, digits and signs that a header may have");
    }
}
