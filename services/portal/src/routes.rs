//! Every address there is, and who may call it. Where two fit, the first answers.

use crate::{
    log_file,
    pages::{
        account, audit, certificates, chosen_password, home, log, monitor, people, sessions, setup, sign_in, step_up,
    },
    permission::{MANAGE_PEOPLE, READ_AUDIT},
    route::{
        Route,
        Who::{May, Monitor, Public, SignedIn},
    },
    static_file,
};

/// The table.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/", Public, home::show),
        Route::get("/health", Public, monitor::health),
        Route::get("/ready", Public, monitor::ready),
        Route::get("/metrics", Monitor, monitor::metrics),
        Route::get("/static/{name}", Public, static_file::serve),
        Route::get("/verify", Public, static_file::verifier),
        Route::get("/certificates", Public, certificates::list),
        Route::get("/c/{id}", Public, certificates::show),
        Route::get("/c/{id}/files/{name}", Public, certificates::download),
        Route::get("/log", Public, log::show),
        Route::get("/log/{index}", Public, log::entry),
        Route::get("/log-files/checkpoint", Public, log_file::checkpoint),
        Route::get("/log-files/tile/{path:.*}", Public, log_file::tile),
        Route::get("/setup/{token}", Public, setup::form),
        Route::post("/setup/{token}", Public, setup::set_up),
        Route::get("/invite/{token}", Public, chosen_password::invite_form),
        Route::post("/invite/{token}", Public, chosen_password::invite),
        Route::get("/reset/{token}", Public, chosen_password::reset_form),
        Route::post("/reset/{token}", Public, chosen_password::reset),
        Route::get("/sign-in", Public, sign_in::form),
        Route::post("/sign-in", Public, sign_in::sign_in),
        Route::post("/sign-out", SignedIn, sign_in::sign_out),
        Route::get("/step-up", SignedIn, step_up::form),
        Route::post("/step-up", SignedIn, step_up::step_up),
        Route::get("/account", SignedIn, account::show),
        Route::post("/account/password", SignedIn, account::change_password),
        Route::get("/settings/sessions", SignedIn, sessions::show),
        Route::post("/settings/sessions", SignedIn, sessions::revoke),
        Route::get("/settings/people", May(MANAGE_PEOPLE), people::show),
        Route::get("/settings/people/invite", May(MANAGE_PEOPLE), people::invite_form).fresh(),
        Route::post("/settings/people/invite", May(MANAGE_PEOPLE), people::invite).fresh(),
        Route::post("/settings/people/{id}/link", May(MANAGE_PEOPLE), people::new_link).fresh(),
        Route::post("/settings/people/{id}/disable", May(MANAGE_PEOPLE), people::disable).fresh(),
        Route::post("/settings/people/{id}/enable", May(MANAGE_PEOPLE), people::enable).fresh(),
        Route::get("/audit", May(READ_AUDIT), audit::show),
    ]
}
