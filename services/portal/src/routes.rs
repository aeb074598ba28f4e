//! Every address there is, and who may call it. Where two fit, the first answers.

use obelus_policy::Action;

use crate::{
    api::{self, acts, filing, me, public},
    log_file,
    pages::{
        account, all_tokens, audit, cases, certificates, chosen_password, exports, grants, home, log, monitor, people,
        requests, requests::Question, samples, sessions, settings, setup, sign_in, step_up, tokens,
    },
    permission::{
        GRANT_ACCESS, MANAGE_KEYS, MANAGE_PEOPLE, MANAGE_SETTINGS, READ_AUDIT, READ_CASE, SAMPLE_CASES, SCHEDULE,
    },
    route::{
        Route,
        Who::{
            May, MayEither, MayInCases, Monitor, Program, ProgramMay, ProgramMayInCases, Public, Requester, SignedIn,
        },
    },
    scope::Scope::{Decide, File, Read, Work},
    static_file,
};

/// A pasted text is at most a mebibyte, and grows when a form is written for the way.
const LARGEST_REQUEST: usize = 4 << 20;

/// The table: what browsers open, and what programs do. Acts in a case are asked for by their roles here, and once more on the case itself.
pub fn routes() -> Vec<Route> {
    let mut routes = pages();
    for question in Question::ALL {
        let (ask, answer) = (requests::ask_question, requests::answer_question);
        routes.push(Route::get(question.path(), Public, move |call| ask(call, question)));
        let answered = Route::post(question.path(), Public, move |call| answer(call, question));
        routes.push(if question == Question::Work { answered.of_bytes(LARGEST_REQUEST) } else { answered });
    }
    routes.extend(programs());
    routes
}

fn pages() -> Vec<Route> {
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
        Route::get("/request/new", Public, requests::start),
        Route::post("/request/new", Public, requests::file),
        Route::post("/request/new/forget", Public, requests::forget),
        Route::get("/request/new/matches", Public, requests::matches),
        Route::get("/request/new/check", Public, requests::check),
        Route::get("/open/{reference}", Public, requests::entrance),
        Route::post("/open/{reference}", Public, requests::send_link),
        Route::get("/open/{reference}/{token}", Public, requests::link),
        Route::post("/open/{reference}/{token}", Public, requests::enter),
        Route::get("/r/{reference}", Requester, requests::show),
        Route::get("/r/{reference}/sent", Requester, requests::sent),
        Route::get("/r/{reference}/receipt", Requester, requests::receipt),
        Route::post("/r/{reference}/answer", Requester, requests::answer),
        Route::post("/r/{reference}/complain", Requester, requests::complain),
        Route::post("/r/{reference}/withdraw", Requester, requests::withdraw),
        Route::get("/cases", MayInCases(READ_CASE), cases::list),
        Route::get("/cases/{reference}", SignedIn, cases::show),
        Route::get("/cases/{reference}/impact", SignedIn, cases::impact),
        Route::post("/cases/{reference}/ask", MayInCases(Action::Ask), cases::ask),
        Route::post("/cases/{reference}/answer", SignedIn, cases::answer),
        Route::get("/cases/{reference}/find", MayInCases(Action::MatchSources), cases::find_form),
        Route::post("/cases/{reference}/find", MayInCases(Action::MatchSources), cases::find).of_bytes(LARGEST_REQUEST),
        Route::post("/cases/{reference}/sources", MayInCases(Action::MatchSources), cases::match_sources),
        Route::post("/cases/{reference}/triage", MayInCases(Action::Triage), cases::triage),
        Route::post("/cases/{reference}/partially", MayInCases(Action::GrantPartially), cases::partially),
        Route::post("/cases/{reference}/suppress", MayInCases(Action::Suppress), cases::suppress),
        Route::post("/cases/{reference}/plan", MayInCases(Action::Plan), cases::plan),
        Route::post("/cases/{reference}/approve", MayInCases(Action::Approve), cases::approve).fresh(),
        Route::post("/cases/{reference}/execute", MayInCases(Action::Execute), cases::execute).fresh(),
        Route::post("/cases/{reference}/verify", MayInCases(Action::Verify), cases::verify),
        Route::get("/cases/{reference}/progress", SignedIn, cases::progress),
        Route::get("/cases/{reference}/export", MayInCases(Action::HandOut), exports::of_case),
        Route::post("/cases/{reference}/refuse", MayInCases(Action::Refuse), cases::refuse).fresh(),
        Route::post("/cases/{reference}/extend", MayInCases(Action::Extend), cases::extend),
        Route::post("/cases/{reference}/hold", MayInCases(Action::Hold), cases::hold),
        Route::post("/cases/{reference}/release", MayInCases(Action::Release), cases::release).fresh(),
        Route::post("/cases/{reference}/undo", MayInCases(Action::Undo), cases::undo).fresh(),
        Route::post("/cases/{reference}/objection", MayInCases(Action::CounterNotice), cases::objection),
        Route::post("/cases/{reference}/complaint", SignedIn, cases::complaint),
        Route::post("/cases/{reference}/settle", MayInCases(Action::SettleNotice), cases::settle),
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
        Route::get("/settings", SignedIn, settings::show),
        Route::get("/settings/jobs", MayEither(MANAGE_SETTINGS, SCHEDULE), settings::jobs::show),
        Route::post("/settings/jobs/{id}/retry", MayEither(MANAGE_SETTINGS, SCHEDULE), settings::jobs::retry),
        Route::get("/settings/schedules", MayEither(MANAGE_SETTINGS, SCHEDULE), settings::schedules::show),
        Route::post("/settings/schedules", May(SCHEDULE), settings::schedules::add),
        Route::post("/settings/schedules/{id}/end", May(SCHEDULE), settings::schedules::end),
        Route::get("/settings/keys", MayEither(MANAGE_SETTINGS, MANAGE_KEYS), settings::keys::show),
        Route::get("/settings/sessions", SignedIn, sessions::show),
        Route::post("/settings/sessions", SignedIn, sessions::revoke),
        Route::get("/settings/tokens", SignedIn, tokens::show),
        Route::get("/settings/tokens/new", SignedIn, tokens::form).fresh(),
        Route::post("/settings/tokens/new", SignedIn, tokens::issue).fresh(),
        Route::post("/settings/tokens/{id}/revoke", SignedIn, tokens::revoke),
        Route::get("/settings/people/tokens", May(MANAGE_PEOPLE), all_tokens::show),
        Route::post("/settings/people/tokens/{id}/revoke", May(MANAGE_PEOPLE), all_tokens::revoke).fresh(),
        Route::get("/settings/people", May(MANAGE_PEOPLE), people::show),
        Route::get("/settings/people/invite", May(MANAGE_PEOPLE), people::invite_form).fresh(),
        Route::post("/settings/people/invite", May(MANAGE_PEOPLE), people::invite).fresh(),
        Route::post("/settings/people/{id}/link", May(MANAGE_PEOPLE), people::new_link).fresh(),
        Route::post("/settings/people/{id}/disable", May(MANAGE_PEOPLE), people::disable).fresh(),
        Route::post("/settings/people/{id}/enable", May(MANAGE_PEOPLE), people::enable).fresh(),
        Route::get("/settings/grants", May(GRANT_ACCESS), grants::show),
        Route::get("/settings/grants/new", May(GRANT_ACCESS), grants::form).fresh(),
        Route::post("/settings/grants/new", May(GRANT_ACCESS), grants::give).fresh(),
        Route::post("/settings/grants/{id}/revoke", May(GRANT_ACCESS), grants::revoke).fresh(),
        Route::get("/audit", MayInCases(READ_AUDIT), audit::show),
        Route::get("/audit/access", May(READ_AUDIT), audit::access),
        Route::get("/audit/sample", May(SAMPLE_CASES), samples::list),
        Route::post("/audit/sample", May(SAMPLE_CASES), samples::commit),
        Route::get("/audit/sample/{id}", May(SAMPLE_CASES), samples::show),
        Route::post("/audit/sample/{id}/reveal", May(SAMPLE_CASES), samples::reveal),
        Route::get("/audit/sample/{id}/files/{name}", May(SAMPLE_CASES), samples::download),
        Route::get("/audit/sample/{id}/export", May(SAMPLE_CASES), exports::of_sample),
    ]
}

fn programs() -> Vec<Route> {
    let read = || ProgramMayInCases(Read, READ_CASE);
    let work = |action| ProgramMayInCases(Work, action);
    let decide = |action| ProgramMayInCases(Decide, action);
    vec![
        Route::told("/api/v1/openapi.json", Public, ("openapi", "This document"), api::openapi),
        Route::told("/api/v1/me", Program, ("me", "Whose the token is, and what it is for"), me::show),
        Route::told("/api/v1/certificates", Public, ("list_certificates", "Certificates"), public::certificates)
            .paged(),
        Route::told("/api/v1/certificates/{id}", Public, ("certificate", "A certificate"), public::certificate),
        Route::told("/api/v1/log", Public, ("log", "The newest checkpoint of the log"), public::log),
        Route::done("/api/v1/requests", ProgramMay(File, Action::File), ("file", "File a request"), filing::file)
            .of_bytes(LARGEST_REQUEST)
            .once(),
        Route::told("/api/v1/cases", read(), ("list_cases", "Cases"), api::cases::list).paged(),
        Route::told("/api/v1/cases/{reference}", read(), ("case", "A case"), api::cases::show),
        Route::done("/api/v1/cases/{reference}/ask", work(Action::Ask), ("ask", "Ask the requester"), acts::ask),
        Route::done(
            "/api/v1/cases/{reference}/answer",
            work(Action::Answer),
            ("answer", "Record an answer that came by another way"),
            acts::answer,
        ),
        Route::done(
            "/api/v1/cases/{reference}/sources",
            work(Action::MatchSources),
            ("match_sources", "Say which sources are meant, besides those that are named"),
            acts::match_sources,
        ),
        Route::done(
            "/api/v1/cases/{reference}/triage",
            work(Action::Triage),
            ("triage", "Find that it is to be done for the sources that it names"),
            acts::triage,
        ),
        Route::done(
            "/api/v1/cases/{reference}/partially",
            work(Action::GrantPartially),
            ("grant_partially", "Refuse it for some of its sources"),
            acts::partially,
        ),
        Route::done(
            "/api/v1/cases/{reference}/suppress",
            work(Action::Suppress),
            ("suppress", "Switch its sources off, which can be undone"),
            acts::suppress,
        ),
        Route::done(
            "/api/v1/cases/{reference}/approve",
            decide(Action::Approve),
            ("approve", "Approve the plan"),
            acts::by_a_person,
        )
        .fresh(),
        Route::done("/api/v1/cases/{reference}/refuse", decide(Action::Refuse), ("refuse", "Refuse it"), acts::refuse),
        Route::done(
            "/api/v1/cases/{reference}/extend",
            work(Action::Extend),
            ("extend", "Tell the requester that it takes longer"),
            acts::extend,
        ),
        Route::done("/api/v1/cases/{reference}/hold", work(Action::Hold), ("hold", "Put a hold on it"), acts::hold),
        Route::done(
            "/api/v1/cases/{reference}/release",
            decide(Action::Release),
            ("release", "Agree to end the hold"),
            acts::by_a_person,
        )
        .fresh(),
        Route::done(
            "/api/v1/cases/{reference}/undo",
            decide(Action::Undo),
            ("undo", "Use its sources again, and close it"),
            acts::undo,
        ),
        Route::done(
            "/api/v1/cases/{reference}/duplicate",
            work(Action::MarkDuplicate),
            ("mark_duplicate", "Close it as the same as another"),
            acts::duplicate,
        ),
        Route::done(
            "/api/v1/cases/{reference}/withdraw",
            work(Action::Withdraw),
            ("withdraw", "Take it back, for its requester"),
            acts::withdraw,
        ),
    ]
}
