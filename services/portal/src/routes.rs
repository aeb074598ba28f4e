//! Every address there is, and who may call it. Where two fit, the first answers.

use obelus_policy::Action;

use crate::{
    log_file,
    pages::{
        account, audit, cases, certificates, chosen_password, home, log, monitor, people, requests, sessions, setup,
        sign_in, step_up,
    },
    permission::{MANAGE_PEOPLE, READ_AUDIT, READ_CASE},
    route::{
        Route,
        Who::{May, MayInCases, Monitor, Public, Requester, SignedIn},
    },
    static_file,
};

/// A pasted text is at most a mebibyte, and grows when a form is written for the way.
const LARGEST_REQUEST: usize = 4 << 20;

/// The table. Acts in a case are asked for by their roles here, and once more on the case itself.
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
        Route::get("/request/new", Public, requests::form),
        Route::post("/request/new", Public, requests::file).of_bytes(LARGEST_REQUEST),
        Route::get("/open/{reference}", Public, requests::entrance),
        Route::post("/open/{reference}", Public, requests::send_link),
        Route::get("/open/{reference}/{token}", Public, requests::link),
        Route::post("/open/{reference}/{token}", Public, requests::enter),
        Route::get("/r/{reference}", Requester, requests::show),
        Route::get("/r/{reference}/receipt", Requester, requests::receipt),
        Route::post("/r/{reference}/answer", Requester, requests::answer),
        Route::post("/r/{reference}/withdraw", Requester, requests::withdraw),
        Route::get("/cases", MayInCases(READ_CASE), cases::list),
        Route::get("/cases/{reference}", SignedIn, cases::show),
        Route::post("/cases/{reference}/ask", MayInCases(Action::Ask), cases::ask),
        Route::post("/cases/{reference}/answer", SignedIn, cases::answer),
        Route::get("/cases/{reference}/find", MayInCases(Action::MatchSources), cases::find_form),
        Route::post("/cases/{reference}/find", MayInCases(Action::MatchSources), cases::find).of_bytes(LARGEST_REQUEST),
        Route::post("/cases/{reference}/sources", MayInCases(Action::MatchSources), cases::match_sources),
        Route::post("/cases/{reference}/triage", MayInCases(Action::Triage), cases::triage),
        Route::post("/cases/{reference}/partially", MayInCases(Action::GrantPartially), cases::partially),
        Route::post("/cases/{reference}/suppress", MayInCases(Action::Suppress), cases::suppress),
        Route::post("/cases/{reference}/approve", MayInCases(Action::Approve), cases::approve).fresh(),
        Route::post("/cases/{reference}/refuse", MayInCases(Action::Refuse), cases::refuse).fresh(),
        Route::post("/cases/{reference}/extend", MayInCases(Action::Extend), cases::extend),
        Route::post("/cases/{reference}/hold", MayInCases(Action::Hold), cases::hold),
        Route::post("/cases/{reference}/release", MayInCases(Action::Release), cases::release).fresh(),
        Route::post("/cases/{reference}/undo", MayInCases(Action::Undo), cases::undo).fresh(),
        Route::post("/cases/{reference}/duplicate", MayInCases(Action::MarkDuplicate), cases::duplicate),
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
