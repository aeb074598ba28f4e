//! Choosing a password by a link: somebody who was invited, or who has lost theirs.

use askama::Template;
use obelus_store::{
    Write, accounts, audit,
    one_time_links::{self, Purpose},
    persons, sessions,
};

use crate::{
    dispatch::Call,
    form::FieldErrors,
    page::Layout,
    pages::{setup::token_hash, sign_in},
    password,
    problem::Problem,
    route::Answer,
    shown::Shown,
};

#[derive(Template)]
#[template(path = "chosen_password.html")]
struct ChosenPasswordPage {
    layout: Layout,
    errors: FieldErrors,
    action: String,
    name: Shown,
}

/// `GET /invite/{token}`.
pub(crate) async fn invite_form(call: Call) -> Answer {
    form(call, Purpose::Invite).await
}

/// `GET /reset/{token}`.
pub(crate) async fn reset_form(call: Call) -> Answer {
    form(call, Purpose::Reset).await
}

/// `POST /invite/{token}`.
pub(crate) async fn invite(call: Call) -> Answer {
    choose(call, Purpose::Invite).await
}

/// `POST /reset/{token}`.
pub(crate) async fn reset(call: Call) -> Answer {
    choose(call, Purpose::Reset).await
}

async fn form(call: Call, purpose: Purpose) -> Answer {
    let link = one_time_links::open(&call.portal.deps.work.db, &token_hash(&call)?, purpose, call.now()).await?;
    let link = link.ok_or_else(Problem::link_is_over)?;
    call.show(&page(&call, &link.subject, FieldErrors::default())?)
}

fn page(call: &Call, name: &str, errors: FieldErrors) -> Result<ChosenPasswordPage, Problem> {
    let layout = call.form_layout("Choose a password")?;
    Ok(ChosenPasswordPage { layout, errors, action: call.request.path().to_owned(), name: Shown::new(name) })
}

async fn choose(call: Call, purpose: Purpose) -> Answer {
    let token = token_hash(&call)?;
    let (db, now) = (&call.portal.deps.work.db, call.now());
    // Before the password is hashed: a stranger's link costs us nothing.
    let link = one_time_links::open(db, &token, purpose, now).await?.ok_or_else(Problem::link_is_over)?;
    let mut errors = FieldErrors::default();
    let Some(password) = read(&call, &link.subject, &mut errors) else {
        return call.show_again(&page(&call, &link.subject, errors)?);
    };
    let hash = call.portal.passwords.hash(password).await?;
    let write = db.write().await?;
    let link = one_time_links::use_up(&write, &token, purpose, now).await?.ok_or_else(Problem::link_is_over)?;
    let person = persons::named(&write, &link.subject).await?.ok_or_else(Problem::link_is_over)?;
    let done = keep(&call, &write, &person, &hash).await?;
    let session = sign_in::begin(&call, &write, person.id).await?;
    audit::append(&write, now, &person.name, done, &person.name, "{}").await?;
    write.commit().await?;
    Ok(sign_in::signed_in(&call, session, "/account"))
}

/// Keeps the password of somebody who has an account, or makes one. Gives the name of what was done.
async fn keep(call: &Call, write: &Write, person: &persons::Person, hash: &str) -> Result<&'static str, Problem> {
    let Some(account) = accounts::get(write, person.id).await? else {
        accounts::create(write, person.id, hash, call.now()).await?;
        return Ok("accept_invitation");
    };
    if account.disabled_at.is_some() {
        return Err(Problem::link_is_over());
    }
    accounts::replace_password(write, person.id, &account.password_hash, hash).await?;
    // Whoever had the old one is out.
    sessions::revoke_all(write, person.id, None, call.now()).await?;
    Ok("reset_password")
}

/// The password that was entered twice, if it may be chosen.
pub(crate) fn read(call: &Call, name: &str, errors: &mut FieldErrors) -> Option<String> {
    let chosen = call.fields.get("new_password");
    errors.take("new_password", password::fit(chosen, name))?;
    if chosen != call.fields.get("again") {
        errors.add("again", "Enter the same password in both fields");
        return None;
    }
    Some(chosen.to_owned())
}
