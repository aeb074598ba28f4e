//! From a request to its answer: who asks, whether they may, whether the form is ours, and only then the route's own code.
//! Whatever happens in there, the client gets an answer. Not here: the routes.

use std::{
    cell::Cell,
    net::{IpAddr, Ipv4Addr},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    rc::Rc,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{AUTHORIZATION, CONTENT_TYPE, FORWARDED, HeaderName, LOCATION},
    web,
};
use askama::Template;
use obelus_casework::grants;
use obelus_core::Timestamp;

use crate::{
    api,
    caller::{self, Caller, SignedIn},
    cookie::{self, Kind},
    forgery,
    form::Fields,
    metric,
    page::Layout,
    permission::{
        GRANT_ACCESS, MANAGE_KEYS, MANAGE_PEOPLE, MANAGE_SETTINGS, READ_AUDIT, READ_CASE, SAMPLE_CASES, SCHEDULE,
    },
    problem::{Problem, wants_page},
    route::{Answer, Handler, Page, Route, Who},
    state::Portal,
    token::Token,
};

/// How long a body may take to arrive, and a route to answer.
const PATIENCE: Duration = Duration::from_secs(30);
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A request that may be answered: its rule is kept.
pub(crate) struct Call {
    pub(crate) portal: Arc<Portal>,
    pub(crate) request: HttpRequest,
    pub(crate) caller: Caller,
    pub(crate) fields: Fields,
    /// The token of the session, or of the visit.
    browser: Token,
    is_new_visit: bool,
    has_form: Cell<bool>,
}

impl Call {
    /// The present.
    pub(crate) fn now(&self) -> Timestamp {
        self.portal.deps.work.clock.now()
    }

    /// A part of the path by the name that it has in the table.
    pub(crate) fn part(&self, name: &str) -> &str {
        self.request.match_info().get(name).unwrap_or_default()
    }

    /// The reference of a request in the path, which has the form of one. Not every database takes any text.
    pub(crate) fn reference(&self) -> Result<&str, Problem> {
        reference_in(&self.request)
    }

    /// A field that is a text, perhaps of several lines: browsers end its lines by CR LF.
    pub(crate) fn text(&self, name: &str) -> Result<String, Problem> {
        let text = self.fields.get(name).replace("\r\n", "\n").trim().to_owned();
        if text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')) {
            let detail = "The text holds a character that is none (a NUL or a control character). Remove it, then send it again.";
            return Err(Problem::unreadable(detail));
        }
        Ok(text)
    }

    /// A field of what follows the `?`; empty when there is none.
    pub(crate) fn query(&self, name: &str) -> String {
        let fields = Fields::read(self.request.query_string().as_bytes()).unwrap_or_default();
        fields.get(name).to_owned()
    }

    /// The person who is signed in.
    pub(crate) fn person(&self) -> Result<&SignedIn, Problem> {
        match &self.caller {
            Caller::Person(person) => Ok(person),
            Caller::Nobody | Caller::Requester(_) => Err(Problem::not_signed_in()),
        }
    }

    /// Notes that a regulator reads this, before it is shown.
    pub(crate) async fn note_reading(
        &self,
        reading: &'static str,
        subject: &str,
        detail: &serde_json::Value,
    ) -> Result<(), Problem> {
        let person = self.person()?;
        let who = (person.name.as_str(), person.roles.as_slice());
        Ok(grants::note_reading(&self.portal.deps.work, who, reading, subject, detail).await?)
    }

    /// The frame of a page. On one without forms of its own only whoever is signed in has one: to sign out.
    pub(crate) fn layout(&self, title: &str) -> Result<Layout, Problem> {
        layout(&self.portal, &self.caller, &self.browser, title)
    }

    /// The frame of a page with a form. It gives the browser something to tie the form to.
    pub(crate) fn form_layout(&self, title: &str) -> Result<Layout, Problem> {
        self.has_form.set(true);
        Ok(Layout { code: forgery::code(&self.browser)?, ..self.layout(title)? })
    }

    /// A page as an answer.
    pub(crate) fn show(&self, page: &impl Template) -> Answer {
        self.show_as(HttpResponse::Ok(), page)
    }

    /// A form with what is wrong in it.
    pub(crate) fn show_again(&self, page: &impl Template) -> Answer {
        self.show_as(HttpResponse::UnprocessableEntity(), page)
    }

    fn show_as(&self, mut answer: actix_web::HttpResponseBuilder, page: &impl Template) -> Answer {
        let html = page.render()?;
        if self.is_new_visit && self.has_form.get() {
            answer.cookie(cookie::holding(&self.portal.deps.settings.origin, Kind::Visit, &self.browser));
        }
        Ok(answer.insert_header((CONTENT_TYPE, "text/html; charset=utf-8")).body(html))
    }
}

fn layout(portal: &Portal, caller: &Caller, browser: &Token, title: &str) -> Result<Layout, Problem> {
    let mut layout = Layout::plain(title);
    if let Caller::Person(person) = caller {
        let now = portal.deps.work.clock.now();
        let permissions = &portal.permissions;
        let may = |action| permissions.permit(person, action, now).is_ok();
        let may_in_cases = |action| permissions.permit_in_cases(person, action, now).is_ok();
        layout.person = Some(crate::shown::Shown::new(&person.name));
        layout.may_manage_people = may(MANAGE_PEOPLE);
        layout.may_read_audit = may_in_cases(READ_AUDIT);
        layout.may_read_cases = may_in_cases(READ_CASE);
        layout.may_sample = may(SAMPLE_CASES);
        layout.may_grant = may(GRANT_ACCESS);
        layout.may_set = [MANAGE_SETTINGS, SCHEDULE, MANAGE_KEYS].into_iter().any(may);
        layout.code = forgery::code(browser)?;
    }
    Ok(layout)
}

/// The answer to an address that there is not.
pub(crate) async fn no_page(portal: Arc<Portal>, request: HttpRequest) -> HttpResponse {
    let detail = "There is no page at this address. If you typed it, check it; if you followed a link, start from /.";
    let layout = match caller::find(&portal, &request).await {
        Ok((caller, Some(session))) => layout(&portal, &caller, &session, "").ok(),
        // Who it is changes nothing but the frame.
        _ => None,
    };
    Problem::not_found(detail).seen_in(layout).respond(&request)
}

/// The reference in a path, which has the form of one.
pub(crate) fn reference_in(request: &HttpRequest) -> Result<&str, Problem> {
    let reference = request.match_info().get("reference").unwrap_or_default();
    let missing = || Problem::not_found("There is no request of this name. It looks like OB-2026-000001.");
    is_reference(reference).then_some(reference).ok_or_else(missing)
}

/// Whether text has the form of a reference.
pub(crate) fn is_reference(text: &str) -> bool {
    !text.is_empty() && text.len() <= 40 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Sends a browser elsewhere, by GET.
pub(crate) fn see_other(path: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, path)).finish()
}

/// A path of this site, where somebody wanted to go; none for anything else.
pub(crate) fn local_path(path: &str) -> Option<&str> {
    let is_local = path.starts_with('/') && !path.starts_with("//") && path.len() <= 500;
    (is_local && path.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')).then_some(path)
}

/// Answers a request to a route.
pub(crate) async fn dispatch(
    portal: Arc<Portal>,
    route: Rc<Route>,
    request: HttpRequest,
    body: web::Payload,
) -> HttpResponse {
    let began = Instant::now();
    let work = answer(&portal, &route, request.clone(), body);
    let answer = match tokio::time::timeout(2 * PATIENCE, caught(work)).await {
        Ok(Some(answer)) => answer,
        Ok(None) => {
            tracing::error!(route = route.path, "the code of a route panicked");
            Err(Problem::internal())
        }
        Err(_) => Err(Problem::too_slow()),
    };
    let response = answer.unwrap_or_else(|problem| problem.respond(&request));
    metric::answered(&route.method, route.path, response.status(), began.elapsed());
    response
}

/// What the work gives; none when it panics.
async fn caught<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    std::future::poll_fn(|context| {
        // The work is not polled again after a panic, and what it shares with others is behind locks of its own.
        match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        }
    })
    .await
}

async fn answer(portal: &Arc<Portal>, route: &Route, request: HttpRequest, body: web::Payload) -> Answer {
    let page = match &route.handler {
        Handler::Page(page) => page,
        Handler::Api(done, _) => return done(api::admit(portal, route, request, body).await?).await,
    };
    let settings = &portal.deps.settings;
    if route.is_unsafe() && !matches!(route.who, Who::SignedIn | Who::May(_) | Who::MayEither(..) | Who::MayInCases(_))
    {
        let allowed = portal.limits.allow_address(address(&request, settings.proxy));
        allowed.then_some(()).ok_or_else(Problem::too_often)?;
    }
    let (caller, session) = caller::find(portal, &request).await?;
    let visit = session.or_else(|| cookie::read(&request, &settings.origin, Kind::Visit));
    let is_new_visit = visit.is_none();
    let browser = match visit {
        Some(token) => token,
        None => Token::random()?,
    };
    let (who, code) = (caller.clone(), browser.clone());
    let answer = answer_to(portal, (route, page), (request, body), caller, (browser, is_new_visit)).await;
    answer.map_err(|problem| problem.seen_in(layout(portal, &who, &code, "").ok()))
}

/// Answers whoever it is, if they may.
async fn answer_to(
    portal: &Arc<Portal>,
    (route, page): (&Route, &Page),
    (request, body): (HttpRequest, web::Payload),
    caller: Caller,
    (browser, is_new_visit): (Token, bool),
) -> Answer {
    let settings = &portal.deps.settings;
    if let Err(problem) = permit(portal, route, &request, &caller) {
        return refuse(problem, route, &request);
    }
    let mut fields = Fields::default();
    if route.is_unsafe() {
        if !forgery::is_from_here(request.headers(), &settings.origin) {
            return Err(Problem::forged());
        }
        fields = read_form(route, &request, body).await?;
        if !forgery::is_code(&browser, fields.get(forgery::FIELD)) {
            return Err(Problem::forged());
        }
    }
    let has_form = Cell::new(false);
    page(Call { portal: Arc::clone(portal), request, caller, fields, browser, is_new_visit, has_form }).await
}

/// Whether the rule of a route lets somebody through.
fn permit(portal: &Portal, route: &Route, request: &HttpRequest, caller: &Caller) -> Result<(), Problem> {
    match (route.who, caller) {
        (Who::Public, _) => {}
        (Who::Monitor, _) => return monitor(portal, request),
        (Who::Requester, Caller::Requester(reference)) => {
            if request.match_info().get("reference") != Some(reference) {
                return Err(Problem::forbidden("The link that you followed is of another request. Follow this one's."));
            }
        }
        (Who::Requester, _) => return Err(Problem::not_signed_in()),
        (Who::SignedIn, Caller::Person(_)) => {}
        (Who::May(action), Caller::Person(person)) => {
            let permitted = portal.permissions.permit(person, action, portal.deps.work.clock.now());
            permitted.map_err(|refusal| Problem::forbidden(format!("{refusal}.")))?;
        }
        (Who::MayEither(one, other), Caller::Person(person)) => {
            let permitted = |action| portal.permissions.permit(person, action, portal.deps.work.clock.now());
            permitted(one)
                .or_else(|_| permitted(other))
                .map_err(|refusal| Problem::forbidden(format!("{refusal}.")))?;
        }
        (Who::MayInCases(action), Caller::Person(person)) => {
            let permitted = portal.permissions.permit_in_cases(person, action, portal.deps.work.clock.now());
            permitted.map_err(|refusal| Problem::forbidden(format!("{refusal}.")))?;
        }
        (Who::SignedIn | Who::May(_) | Who::MayEither(..) | Who::MayInCases(_), _) => {
            return Err(Problem::not_signed_in());
        }
        // A browser is no program, whoever uses it.
        (Who::Program | Who::ProgramMay(..) | Who::ProgramMayInCases(..), _) => return Err(Problem::no_token()),
    }
    if route.fresh && !matches!(caller, Caller::Person(person) if person.is_fresh(portal.deps.work.clock.now())) {
        return Err(Problem::stale());
    }
    Ok(())
}

/// With the token; or, where there is none, on a machine whose portal is for itself alone, from itself and not through a
/// proxy.
fn monitor(portal: &Portal, request: &HttpRequest) -> Result<(), Problem> {
    let settings = &portal.deps.settings;
    let permitted = match &settings.metrics_token {
        Some(token) => {
            let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
            let given = given.and_then(|value| value.strip_prefix("Bearer ")).and_then(|text| text.parse().ok());
            given.is_some_and(|given: Token| given.is(token))
        }
        None => {
            let from_here = request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback());
            let direct = [FORWARDED_FOR, FORWARDED].iter().all(|name| !request.headers().contains_key(name));
            !settings.origin.is_secure() && from_here && direct
        }
    };
    let refuse = || {
        Problem::forbidden(
            "This is for the program that watches the portal. Send the token of the setting metrics_token as \
             `Authorization: Bearer TOKEN`.",
        )
    };
    permitted.then_some(()).ok_or_else(refuse)
}

/// Browsers are led to where they can do what is missing.
fn refuse(problem: Problem, route: &Route, request: &HttpRequest) -> Answer {
    let missing = [(Problem::not_signed_in(), "/sign-in"), (Problem::stale(), "/step-up")];
    let Some((_, page)) = missing.iter().find(|(missing, _)| *missing == problem).filter(|_| wants_page(request))
    else {
        return Err(problem);
    };
    if route.who == Who::Requester {
        // Theirs is no account but a link, which they are sent.
        let reference = request.match_info().get("reference").unwrap_or_default();
        return if is_reference(reference) { Ok(see_other(&format!("/open/{reference}"))) } else { Err(problem) };
    }
    // What a form would have done is not done later: its page is shown again.
    let back =
        if route.is_unsafe() { referrer(request) } else { request.uri().path_and_query().map(|p| p.to_string()) };
    let Some(back) = back.as_deref().and_then(local_path) else { return Ok(see_other(page)) };
    let next: String = form_urlencoded::byte_serialize(back.as_bytes()).collect();
    Ok(see_other(&format!("{page}?next={next}")))
}

/// The path of the page that a form was on, if the browser says so.
fn referrer(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(actix_web::http::header::REFERER)?.to_str().ok()?;
    let uri: actix_web::http::Uri = value.parse().ok()?;
    uri.path_and_query().map(|path| path.to_string())
}

async fn read_form(route: &Route, request: &HttpRequest, body: web::Payload) -> Result<Fields, Problem> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/x-www-form-urlencoded") {
        let expected = "A form is sent as application/x-www-form-urlencoded. Send it from its page.";
        return Err(Problem::unreadable(expected));
    }
    let bytes = read_body(route, body).await?;
    Fields::read(&bytes)
        .ok_or_else(|| Problem::unreadable("The form has more fields than any page here. Send it from its page."))
}

/// What is sent to a route, if it is not larger than anything that is expected there.
pub(crate) async fn read_body(route: &Route, body: web::Payload) -> Result<web::Bytes, Problem> {
    let read = tokio::time::timeout(PATIENCE, body.to_bytes_limited(route.body_bytes));
    let read = read.await.map_err(|_| Problem::too_slow())?.map_err(|_| Problem::too_large(route.body_bytes))?;
    read.map_err(|_| Problem::unreadable("The connection ended before everything had arrived. Send it again."))
}

/// The address that asks: that of the connection, or what our own proxy says.
pub(crate) fn address(request: &HttpRequest, proxy: Option<IpAddr>) -> IpAddr {
    // There is always one on a socket; without one all share a limit.
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip().to_canonical());
    if proxy.is_none_or(|proxy| proxy.to_canonical() != peer) {
        return peer;
    }
    // The last one is the proxy's; those before it are whatever the client has sent.
    let last = request.headers().get_all(FORWARDED_FOR).last().and_then(|value| value.to_str().ok());
    let last = last.and_then(|value| value.rsplit(',').next()).and_then(|text| text.trim().parse().ok());
    last.unwrap_or(peer)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_our_own_proxy_says_for_whom_it_asks() {
        let request = TestRequest::default()
            .peer_addr("192.0.2.9:1234".parse().unwrap())
            .insert_header(("x-forwarded-for", "198.51.100.1, 203.0.113.7"))
            .to_http_request();
        for (proxy, asks) in [(None, "192.0.2.9"), (Some("192.0.2.8"), "192.0.2.9"), (Some("192.0.2.9"), "203.0.113.7")]
        {
            let proxy = proxy.map(|proxy| proxy.parse().unwrap());
            assert_eq!(address(&request, proxy).to_string(), asks);
        }
    }

    #[test]
    fn nobody_is_led_to_another_site() {
        for path in ["/", "/account", "/c/CT-1?x=%2f"] {
            assert_eq!(local_path(path), Some(path));
        }
        for path in ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nSet-Cookie: x", "/é", "a"]
        {
            assert_eq!(local_path(path), None, "{path:?}");
        }
        assert_eq!(local_path(&format!("/{}", "a".repeat(500))), None);
    }

    #[tokio::test]
    async fn a_panic_ends_at_the_route() {
        assert_eq!(caught(async { 1 }).await, Some(1));
        assert_eq!(caught(async { panic!("as a fault would") }).await, None::<()>);
    }
}
