//! Entering the password again, before something that should not be done in a browser that was left open.

use askama::Template;
use obelus_store::{accounts, audit, sessions};

use crate::{
    dispatch::{Call, local_path, see_other},
    form::FieldErrors,
    page::Layout,
    problem::Problem,
    route::Answer,
};

#[derive(Template)]
#[template(path = "step_up.html")]
struct StepUpPage {
    layout: Layout,
    errors: FieldErrors,
    next: String,
}

/// `GET /step-up`.
pub(crate) async fn form(call: Call) -> Answer {
    let next = call.query("next");
    show(&call, FieldErrors::default(), &next)
}

fn show(call: &Call, errors: FieldErrors, next: &str) -> Answer {
    let again = !errors.is_empty();
    let layout = call.form_layout("Enter your password again")?;
    let page = StepUpPage { layout, errors, next: local_path(next).unwrap_or_default().to_owned() };
    if again { call.show_again(&page) } else { call.show(&page) }
}

/// `POST /step-up`.
pub(crate) async fn step_up(call: Call) -> Answer {
    let person = call.person()?;
    let (password, next) = (call.fields.get("password"), call.fields.get("next"));
    if !is_password_of(&call, person.id, &person.name, password).await? {
        let mut errors = FieldErrors::default();
        errors.add("password", "The password is wrong. Try again");
        return show(&call, errors, next);
    }
    let (write, now) = (call.portal.deps.work.db.write().await?, call.now());
    if !sessions::step_up(&write, &person.session.token_hash.0, now).await? {
        return Err(Problem::not_signed_in());
    }
    audit::append(&write, now, &person.name, "enter_password", &person.name, "{}").await?;
    write.commit().await?;
    Ok(see_other(local_path(next).unwrap_or("/account")))
}

/// Whether a password is that of somebody who is signed in. Guessing it is limited as at the sign-in.
pub(crate) async fn is_password_of(call: &Call, id: i64, name: &str, password: &str) -> Result<bool, Problem> {
    if !call.portal.limits.allow_account(name) {
        return Err(Problem::too_often());
    }
    let account = accounts::get(&call.portal.deps.work.db, id).await?;
    let hash = account.map(|account| account.password_hash);
    Ok(call.portal.passwords.is(password.to_owned(), hash.as_deref()).await?)
}
