//! Somebody's own account: name, roles, and another password.

use askama::Template;
use obelus_store::{accounts, audit, sessions};

use crate::{
    dispatch::{Call, see_other},
    form::FieldErrors,
    page::{self, Layout},
    pages::{chosen_password, step_up},
    problem::Problem,
    route::Answer,
    shown::Shown,
};

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    layout: Layout,
    errors: FieldErrors,
    name: Shown,
    roles: Vec<String>,
    /// Whether the password was just changed.
    changed: bool,
}

/// `GET /account`.
pub(crate) async fn show(call: Call) -> Answer {
    let changed = call.query("done") == "password";
    call.show(&page(&call, FieldErrors::default(), changed)?)
}

fn page(call: &Call, errors: FieldErrors, changed: bool) -> Result<AccountPage, Problem> {
    let person = call.person()?;
    let layout = call.form_layout("Your account")?;
    Ok(AccountPage {
        layout,
        errors,
        name: Shown::new(&person.name),
        roles: person.roles.iter().map(|role| page::words(role)).collect(),
        changed,
    })
}

/// `POST /account/password`: other browsers are signed out.
pub(crate) async fn change_password(call: Call) -> Answer {
    let person = call.person()?;
    let mut errors = FieldErrors::default();
    let chosen = chosen_password::read(&call, &person.name, &mut errors);
    let account = accounts::get(&call.portal.deps.work.db, person.id).await?.ok_or_else(Problem::not_signed_in)?;
    if !step_up::is_password_of(&call, person.id, &person.name, call.fields.get("password")).await? {
        errors.add("password", "The password that you have now is wrong. Try again");
    }
    let Some(chosen) = chosen.filter(|_| errors.is_empty()) else {
        return call.show_again(&page(&call, errors, false)?);
    };
    let hash = call.portal.passwords.hash(chosen).await?;
    let (write, now) = (call.portal.deps.work.db.write().await?, call.now());
    match accounts::replace_password(&write, person.id, &account.password_hash, &hash).await {
        Err(obelus_store::Error::State { .. }) => {
            return Err(Problem::conflict("The password was changed elsewhere. Sign in with that one."));
        }
        other => other?,
    }
    sessions::revoke_all(&write, person.id, Some(&person.session.token_hash.0), now).await?;
    audit::append(&write, now, &person.name, "change_password", &person.name, "{}").await?;
    write.commit().await?;
    Ok(see_other("/account?done=password"))
}
