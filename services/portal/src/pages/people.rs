//! Who works here: inviting people with their roles, letting them in or not, and a new link for a lost password. A link is
//! shown once, to the admin, who gives it to the person by a way of their own.

use askama::Template;
use obelus_core::Timestamp;
use obelus_store::{
    Write, accounts, audit,
    one_time_links::{self, NewLink, Purpose},
    persons::{self, Person},
    sessions,
};

use crate::{
    dispatch::{Call, see_other},
    form::{self, FieldErrors},
    page::{self, Layout},
    problem::Problem,
    route::Answer,
    shown::Shown,
    token::Token,
};

/// An invitation works for three days.
const WORKS_FOR_US: i64 = 3 * 24 * 3_600_000_000;

#[derive(Template)]
#[template(path = "people.html")]
struct PeoplePage {
    layout: Layout,
    people: Vec<Line>,
}

struct Line {
    id: i64,
    name: Shown,
    roles: String,
    state: State,
    is_self: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    WithoutAccount,
    MaySignIn,
    Disabled,
}

#[derive(Template)]
#[template(path = "invite.html")]
struct InvitePage {
    layout: Layout,
    errors: FieldErrors,
    name: Shown,
    /// Each with whether it is ticked.
    roles: Vec<(String, bool)>,
}

#[derive(Template)]
#[template(path = "link.html")]
struct LinkPage {
    layout: Layout,
    name: Shown,
    link: String,
    until: String,
}

/// `GET /settings/people`.
pub(crate) async fn show(call: Call) -> Answer {
    let (db, own) = (&call.portal.deps.work.db, call.person()?.id);
    let accounts = accounts::list(db).await?;
    let state = |id| match accounts.iter().find(|account| account.person == id) {
        None => State::WithoutAccount,
        Some(account) if account.disabled_at.is_some() => State::Disabled,
        Some(_) => State::MaySignIn,
    };
    let line = |person: Person| Line {
        id: person.id,
        name: Shown::new(&person.name),
        roles: page::words(&person.roles.join(", ")),
        state: state(person.id),
        is_self: person.id == own,
    };
    let people = persons::list(db).await?;
    let people = people.into_iter().filter(|person| !form::is_reserved(&person.name)).map(line).collect();
    call.show(&PeoplePage { layout: call.form_layout("People")?, people })
}

/// `GET /settings/people/invite`.
pub(crate) async fn invite_form(call: Call) -> Answer {
    call.show(&invite_page(&call, FieldErrors::default())?)
}

fn invite_page(call: &Call, errors: FieldErrors) -> Result<InvitePage, Problem> {
    let ticked = |role: &str| call.fields.all("role").any(|ticked| ticked == role);
    let roles = call.portal.permissions.roles().into_iter().map(|role| (role.to_owned(), ticked(role))).collect();
    let name: String = call.fields.get("name").chars().take(64).collect();
    let layout = call.form_layout("Invite somebody")?.under(&[("/settings/people", "People")]);
    Ok(InvitePage { layout, errors, name: Shown::new(&name), roles })
}

/// `POST /settings/people/invite`.
pub(crate) async fn invite(call: Call) -> Answer {
    let admin = call.person()?;
    let mut errors = FieldErrors::default();
    let name = errors.take("name", form::person_name(call.fields.get("name")));
    let known = call.portal.permissions.roles();
    let roles: Vec<&str> = call.fields.all("role").collect();
    if roles.is_empty() || roles.iter().any(|role| !known.contains(role)) {
        errors.add("role", "Choose at least one of the roles");
    }
    let Some(name) = name.filter(|_| errors.is_empty()) else { return call.show_again(&invite_page(&call, errors)?) };
    let (write, now) = (call.portal.deps.work.db.write().await?, call.now());
    if let Some(person) = persons::named(&write, name).await?
        && accounts::get(&write, person.id).await?.is_some()
    {
        drop(write);
        errors.add(
            "name",
            "Somebody of this name has an account. Choose another name, or make a new link on the page People",
        );
        return call.show_again(&invite_page(&call, errors)?);
    }
    for role in &roles {
        persons::add(&write, name, role, now).await?;
    }
    let detail = serde_json::json!({ "roles": roles }).to_string();
    audit::append(&write, now, &admin.name, "invite", name, &detail).await?;
    link(&call, write, Purpose::Invite, name).await
}

/// `POST /settings/people/{id}/link`: for somebody who has lost the password, or the invitation.
pub(crate) async fn new_link(call: Call) -> Answer {
    let admin = call.person()?;
    let (write, now) = (call.portal.deps.work.db.write().await?, call.now());
    let person = person(&call, &write).await?;
    let (purpose, done) = match accounts::get(&write, person.id).await? {
        Some(_) => (Purpose::Reset, "offer_reset"),
        None => (Purpose::Invite, "invite"),
    };
    audit::append(&write, now, &admin.name, done, &person.name, "{}").await?;
    link(&call, write, purpose, &person.name).await
}

/// Makes a link, keeps what was changed with it, and shows it.
async fn link(call: &Call, write: Write, purpose: Purpose, name: &str) -> Answer {
    let (token, now) = (Token::random()?, call.now());
    let expires_at = Timestamp::from_micros(now.as_micros().saturating_add(WORKS_FOR_US));
    let new = NewLink { token_hash: token.hash(), purpose, subject: name.to_owned(), expires_at };
    one_time_links::make(&write, new, now).await?;
    write.commit().await?;
    let link = format!("{}/{purpose}/{}", call.portal.deps.settings.origin, token.reveal());
    let layout = call.layout("Give this link to them")?.under(&[("/settings/people", "People")]);
    call.show(&LinkPage { layout, name: Shown::new(name), link, until: page::time(expires_at) })
}

/// `POST /settings/people/{id}/disable`: their sessions end.
pub(crate) async fn disable(call: Call) -> Answer {
    let admin = call.person()?;
    let (write, now) = (call.portal.deps.work.db.write().await?, call.now());
    let person = person(&call, &write).await?;
    if person.id == admin.id {
        return Err(Problem::forbidden("Nobody locks themselves out. Ask another admin."));
    }
    accounts::get(&write, person.id).await?.ok_or_else(no_account)?;
    if accounts::disable(&write, person.id, now).await? {
        sessions::revoke_all(&write, person.id, None, now).await?;
        one_time_links::void(&write, Purpose::Reset, &person.name, now).await?;
        audit::append(&write, now, &admin.name, "disable_account", &person.name, "{}").await?;
    }
    write.commit().await?;
    Ok(see_other("/settings/people"))
}

/// `POST /settings/people/{id}/enable`.
pub(crate) async fn enable(call: Call) -> Answer {
    let admin = call.person()?;
    let (write, now) = (call.portal.deps.work.db.write().await?, call.now());
    let person = person(&call, &write).await?;
    accounts::get(&write, person.id).await?.ok_or_else(no_account)?;
    if accounts::enable(&write, person.id).await? {
        audit::append(&write, now, &admin.name, "enable_account", &person.name, "{}").await?;
    }
    write.commit().await?;
    Ok(see_other("/settings/people"))
}

/// The person whose number is in the path.
async fn person(call: &Call, write: &Write) -> Result<Person, Problem> {
    let missing = || Problem::not_found("There is no person of this number. Choose one on the page People.");
    let id: i64 = call.part("id").parse().map_err(|_| missing())?;
    persons::get(write, id).await?.filter(|person| !form::is_reserved(&person.name)).ok_or_else(missing)
}

fn no_account() -> Problem {
    Problem::conflict("The person has no account yet. Make a link for them on the page People.")
}
