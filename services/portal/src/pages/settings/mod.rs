//! Settings: which pages there are for the reader, and those about the machine: its work, when it is due, and its keys. Not
//! here: people, grants, sessions and tokens, which have files of their own.

use askama::Template;

use crate::{
    dispatch::Call,
    page::Layout,
    permission::{GRANT_ACCESS, MANAGE_KEYS, MANAGE_PEOPLE, MANAGE_SETTINGS, SCHEDULE},
    route::Answer,
};

pub(crate) mod jobs;
pub(crate) mod keys;
pub(crate) mod schedules;

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    layout: Layout,
    pages: Vec<Entry>,
}

struct Entry {
    path: &'static str,
    name: &'static str,
    what: &'static str,
}

/// `GET /settings`: what the reader may open.
pub(crate) async fn show(call: Call) -> Answer {
    let (person, now) = (call.person()?, call.now());
    let may = |action| call.portal.permissions.permit(person, action, now).is_ok();
    let entry = |is_open: bool, path, name, what| is_open.then_some(Entry { path, name, what });
    let machine = may(MANAGE_SETTINGS) || may(SCHEDULE);
    let pages = [
        entry(
            may(MANAGE_PEOPLE),
            "/settings/people",
            "People",
            "Who works here, with which roles, and who may sign in.",
        ),
        entry(
            may(MANAGE_PEOPLE),
            "/settings/people/tokens",
            "Everybody's tokens",
            "With what programs act for whom, when each was last used; and to revoke one.",
        ),
        entry(may(GRANT_ACCESS), "/settings/grants", "Grants", "Which cases regulators may look at, and for how long."),
        entry(
            machine,
            "/settings/jobs",
            "Jobs",
            "Work that waits, runs, is done or failed; and to try what failed again.",
        ),
        entry(
            machine,
            "/settings/schedules",
            "Schedules",
            "When certificates are verified again, and what came of it.",
        ),
        entry(
            may(MANAGE_SETTINGS) || may(MANAGE_KEYS),
            "/settings/keys",
            "Keys",
            "The public keys of this installation: which is in use, and where in the log each counts.",
        ),
        entry(true, "/settings/sessions", "Your sessions", "Where you are signed in, and to end it there."),
        entry(true, "/settings/tokens", "Your tokens", "With what programs act for you."),
    ];
    call.show(&SettingsPage { layout: call.layout("Settings")?, pages: pages.into_iter().flatten().collect() })
}
