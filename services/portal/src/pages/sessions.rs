//! The browsers in which somebody is signed in, and ending that from elsewhere.

use askama::Template;
use obelus_core::Digest;
use obelus_store::{audit, sessions};

use crate::{
    dispatch::{Call, see_other},
    page::{self, Layout},
    problem::Problem,
    route::Answer,
    shown::Shown,
};

#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsPage {
    layout: Layout,
    sessions: Vec<Line>,
}

struct Line {
    /// The hash of the token, which opens nothing.
    id: Digest,
    user_agent: Shown,
    begun: String,
    seen: String,
    expires: String,
    is_this: bool,
}

/// `GET /settings/sessions`.
pub(crate) async fn show(call: Call) -> Answer {
    let person = call.person()?;
    let this = person.session.token_hash;
    let line = |session: sessions::Session| Line {
        id: session.token_hash.0,
        user_agent: Shown::new(&session.user_agent),
        begun: page::time(session.created_at.0),
        seen: page::time(session.seen_at.0),
        expires: page::time(session.expires_at.0),
        is_this: session.token_hash == this,
    };
    let found = sessions::of_person(&call.portal.deps.work.db, person.id, call.now()).await?;
    let layout = call.form_layout("Where you are signed in")?.under(&[("/account", "Your account")]);
    call.show(&SessionsPage { layout, sessions: found.into_iter().map(line).collect() })
}

/// `POST /settings/sessions`: ends one, or all others.
pub(crate) async fn revoke(call: Call) -> Answer {
    let person = call.person()?;
    let (write, now) = (call.portal.deps.work.db.write().await?, call.now());
    let this = person.session.token_hash.0;
    match call.fields.get("session") {
        "others" => {
            sessions::revoke_all(&write, person.id, Some(&this), now).await?;
        }
        text => {
            let id: Digest =
                text.parse().map_err(|_| Problem::unreadable("Choose a session on the page, and end that."))?;
            // One that has ended already is what was wanted.
            sessions::revoke_of(&write, person.id, &id, now).await?;
        }
    }
    audit::append(&write, now, &person.name, "end_session", &person.name, "{}").await?;
    write.commit().await?;
    Ok(see_other("/settings/sessions"))
}
