//! The first account, by the link that the first start prints. It becomes an admin, who invites the others.

use askama::Template;
use obelus_core::Digest;
use obelus_store::{
    accounts, audit,
    one_time_links::{self, Purpose},
    persons,
};

use crate::{
    dispatch::Call,
    form::{self, FieldErrors},
    page::Layout,
    pages::{chosen_password, sign_in},
    problem::Problem,
    route::Answer,
    shown::Shown,
    token::Token,
};

#[derive(Template)]
#[template(path = "setup.html")]
struct SetupPage {
    layout: Layout,
    errors: FieldErrors,
    action: String,
    name: Shown,
}

/// The hash of the token in the path.
pub(crate) fn token_hash(call: &Call) -> Result<Digest, Problem> {
    call.part("token").parse::<Token>().map(|token| token.hash()).map_err(|_| Problem::link_is_over())
}

/// `GET /setup/{token}`.
pub(crate) async fn form(call: Call) -> Answer {
    let db = &call.portal.deps.work.db;
    let link = one_time_links::open(db, &token_hash(&call)?, Purpose::Setup, call.now()).await?;
    if link.is_none() || accounts::any(db).await? {
        return Err(Problem::setup_link_is_over());
    }
    call.show(&page(&call, FieldErrors::default())?)
}

fn page(call: &Call, errors: FieldErrors) -> Result<SetupPage, Problem> {
    let name: String = call.fields.get("name").chars().take(64).collect();
    let action = call.request.path().to_owned();
    Ok(SetupPage { layout: call.form_layout("Make the first account")?, errors, action, name: Shown::new(&name) })
}

/// `POST /setup/{token}`.
pub(crate) async fn set_up(call: Call) -> Answer {
    let token = token_hash(&call)?;
    let (db, now) = (&call.portal.deps.work.db, call.now());
    // Before the password is hashed: a stranger's link costs us nothing.
    one_time_links::open(db, &token, Purpose::Setup, now).await?.ok_or_else(Problem::setup_link_is_over)?;
    let mut errors = FieldErrors::default();
    let name = errors.take("name", form::person_name(call.fields.get("name")));
    let password = chosen_password::read(&call, name.unwrap_or_default(), &mut errors);
    let (Some(name), Some(password)) = (name, password) else { return call.show_again(&page(&call, errors)?) };
    let hash = call.portal.passwords.hash(password).await?;
    let write = db.write().await?;
    let link = one_time_links::use_up(&write, &token, Purpose::Setup, now).await?;
    if link.is_none() || accounts::any(&write).await? {
        return Err(Problem::setup_link_is_over());
    }
    let person = persons::add(&write, name, "admin", now).await?;
    accounts::create(&write, person.id, &hash, now).await?;
    let session = sign_in::begin(&call, &write, person.id).await?;
    audit::append(&write, now, name, "set_up", name, "{}").await?;
    write.commit().await?;
    Ok(sign_in::signed_in(&call, session, "/account"))
}
