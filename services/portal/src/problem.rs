//! What went wrong, for whoever asked: a page for browsers, and problem details (RFC 9457) for programs. Each says what,
//! where, and what to do next. Not here: what went wrong inside, which is for the server's own log.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        StatusCode,
        header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
};
use askama::Template;
use obelus_casework::NotThere;
use obelus_policy::Refusal;

use crate::{api::json, dispatch::is_reference, form::FieldErrors, page::Layout, scope::Scope, shown::Shown};

/// A request that gets no answer of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    /// The last part of its type, for programs.
    code: &'static str,
    title: &'static str,
    detail: String,
    retry_after_seconds: Option<u32>,
    /// The frame of its page, as whoever asked sees it elsewhere.
    layout: Option<Box<Layout>>,
    /// What is wrong with which field of a body.
    fields: Vec<(&'static str, String)>,
    /// How to ask instead (RFC 6750).
    challenge: Option<Box<str>>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            title,
            detail: detail.into(),
            retry_after_seconds: None,
            fields: Vec::new(),
            challenge: None,
            layout: None,
        }
    }

    /// The request cannot be read.
    pub(crate) fn unreadable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "unreadable", "The request cannot be read", detail)
    }

    /// Nobody is signed in.
    pub(crate) fn not_signed_in() -> Self {
        let detail = "This is for people with an account. Sign in, then try again.";
        Self::new(StatusCode::UNAUTHORIZED, "not-signed-in", "You are not signed in", detail)
    }

    /// The rules forbid it.
    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "not-permitted", "You may not do this", detail)
    }

    /// The password has to be entered again.
    pub(crate) fn stale() -> Self {
        let detail = "This needs your password again, because it was last entered more than ten minutes ago. Go to \
                      /step-up, then try again.";
        Self::new(StatusCode::FORBIDDEN, "password-needed", "Your password is needed again", detail)
    }

    /// A program that says nobody's name.
    pub(crate) fn no_token() -> Self {
        let detail = "This is for programs with a token. Issue one on the page /settings/tokens, and send it as \
                      `Authorization: Bearer TOKEN`. Cookies count for nothing here.";
        let problem = Self::new(StatusCode::UNAUTHORIZED, "token-needed", "A token is needed", detail);
        Self { challenge: Some("Bearer realm=\"obelus\"".into()), ..problem }
    }

    /// A token that does not count.
    pub(crate) fn bad_token() -> Self {
        let detail = "The token is none of this portal, has expired, was revoked, or its owner's account is disabled. The \
                      page /settings/tokens says which; issue another there.";
        let problem = Self::new(StatusCode::UNAUTHORIZED, "token-not-accepted", "The token is not accepted", detail);
        Self { challenge: Some("Bearer realm=\"obelus\", error=\"invalid_token\"".into()), ..problem }
    }

    /// A token that was issued for something else.
    pub(crate) fn no_scope(scope: Scope) -> Self {
        let detail = format!("The token was not issued for this: it needs the scope {scope}. Issue one that has it.");
        let problem = Self::new(StatusCode::FORBIDDEN, "scope-needed", "The token is for something else", detail);
        let challenge = format!("Bearer realm=\"obelus\", error=\"insufficient_scope\", scope=\"{scope}\"");
        Self { challenge: Some(challenge.into()), ..problem }
    }

    /// What a person does who has just entered a password, and no program for them.
    pub(crate) fn not_by_token() -> Self {
        let detail = "This takes a person who has just entered their password, so that no token is enough. Do it on the \
                      page of the case, under /cases.";
        Self::new(StatusCode::FORBIDDEN, "not-by-token", "No program does this", detail)
    }

    /// A body that is no JSON.
    pub(crate) fn media_type() -> Self {
        let detail = "A body is sent as application/json, and it is JSON. Set the header Content-Type.";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "The body is of another type", detail)
    }

    /// A body that can be read, and is not what is taken here.
    pub(crate) fn unfit(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unfit", "The body does not fit", detail)
    }

    /// A body with fields that cannot be.
    pub(crate) fn unfit_fields(errors: &FieldErrors) -> Self {
        let said: Vec<&str> = errors.list().iter().map(|(_, what)| what.as_str()).collect();
        Self { fields: errors.list().to_vec(), ..Self::unfit(format!("{}.", said.join(". "))) }
    }

    /// A key that was used for something else.
    pub(crate) fn key_reused() -> Self {
        let detail = "The Idempotency-Key was used with this token before, for another request or longer than a day ago. \
                      Nothing was filed. Choose a new key.";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "key-reused", "The key was used before", detail)
    }

    /// A form that none of our pages sent.
    pub(crate) fn forged() -> Self {
        let detail = "The form did not come from a page of this site that your browser has open now. Nothing was changed. \
                      Open the page again and send the form from there; your browser must accept cookies.";
        Self::new(StatusCode::FORBIDDEN, "form-not-ours", "The form was not accepted", detail)
    }

    /// There is nothing at this address.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "Page not found", detail)
    }

    /// A link that was used, or whose time is over.
    pub(crate) fn link_is_over() -> Self {
        let detail = "The link was used already, has been replaced by a newer one, or its time is over. Ask whoever gave \
                      it to you for another.";
        Self::new(StatusCode::GONE, "link-is-over", "This link does not work any more", detail)
    }

    /// The same, of the link to the first account, which nobody gave to anybody.
    pub(crate) fn setup_link_is_over() -> Self {
        let detail = "The link was used already, has been replaced by a newer one, or its time is over. A new one is \
                      printed when the portal is started again, unless there is an account: then sign in.";
        Self { detail: detail.to_owned(), ..Self::link_is_over() }
    }

    /// The address takes other methods.
    pub(crate) fn method() -> Self {
        let detail = "This address cannot be used in this way. Open the page before it and go on from there.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", "This address cannot be used in this way", detail)
    }

    /// It does not fit what is the case, perhaps because somebody else was faster.
    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "This cannot be done now", detail)
    }

    /// The body is larger than anything that is expected here.
    pub(crate) fn too_large(limit_bytes: usize) -> Self {
        let detail = format!(
            "What was sent is larger than {limit_bytes} bytes, and no more is taken here. Nothing was kept. Shorten the \
             longest text, then send it again; of a passage a few pages are enough."
        );
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "What was sent is too large", detail)
    }

    /// Too many tries.
    pub(crate) fn too_often() -> Self {
        let detail = "There were too many tries in a short time. Wait a minute, then try again.";
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too-often", "Too many tries", detail);
        Self { retry_after_seconds: Some(60), ..problem }
    }

    /// It took too long.
    pub(crate) fn too_slow() -> Self {
        let detail = "The request took too long and was given up. Try again; if it stays like this, tell whoever runs \
                      this portal.";
        Self::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "It took too long", detail)
    }

    /// Our fault.
    pub(crate) fn internal() -> Self {
        let detail = "The fault is ours and was written to the server's log. Try again; if it stays like this, tell \
                      whoever runs this portal, with the time at which it happened.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong", detail)
    }

    /// The database does not answer.
    pub(crate) fn not_ready() -> Self {
        let detail = "The database does not answer. Check that it is running and that the disk has space.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", "Not ready", detail)
    }

    /// Shown in the frame of whoever asked.
    pub(crate) fn seen_in(self, layout: Option<Layout>) -> Self {
        Self { layout: layout.map(Box::new), ..self }
    }

    /// The answer that says so.
    pub(crate) fn respond(&self, request: &HttpRequest) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status);
        answer.insert_header((CACHE_CONTROL, "no-store"));
        if let Some(seconds) = self.retry_after_seconds {
            answer.insert_header((RETRY_AFTER, seconds));
        }
        if let Some(challenge) = &self.challenge {
            answer.insert_header((WWW_AUTHENTICATE, &**challenge));
        }
        if wants_page(request) {
            let page = ProblemPage {
                layout: match &self.layout {
                    Some(layout) => Layout { title: self.title.to_owned(), ..(**layout).clone() },
                    None => Layout::plain(self.title),
                },
                way_on: way_on(request.path()),
                detail: Shown::new(&self.detail),
                path: Shown::new(&shortened(request.path())),
            };
            if let Ok(html) = page.render() {
                return answer.insert_header((CONTENT_TYPE, "text/html; charset=utf-8")).body(html);
            }
        }
        let mut body = serde_json::json!({
            "type": format!("urn:obelus:problem:{}", self.code),
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
            "instance": shortened(request.path()),
        });
        if !self.fields.is_empty() {
            let field = |(field, what): &(&str, String)| serde_json::json!({ "field": field, "detail": what });
            body["errors"] = self.fields.iter().map(field).collect();
        }
        answer.insert_header((CONTENT_TYPE, "application/problem+json")).body(json::plain(&body.to_string()))
    }
}

impl Problem {
    /// What the rules of cases say to somebody: what they forbid, what is not there, what cannot be done now. Anything else is
    /// our fault.
    pub(crate) fn of_case(error: anyhow::Error) -> Self {
        if let Some(refusal) = error.downcast_ref::<Refusal>() {
            return Self::forbidden(format!("{refusal}."));
        }
        if let Some(missing) = error.downcast_ref::<NotThere>() {
            return Self::not_found(format!("{missing}."));
        }
        let said =
            error.downcast_ref::<String>().cloned().or(error.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let moved = error.downcast_ref().filter(|store| {
            use obelus_store::Error::{Exists, Held, Missing, NoSuchStep, Objected, State, WindowOpen};
            matches!(
                store,
                State { .. }
                    | Exists { .. }
                    | Missing { .. }
                    | NoSuchStep { .. }
                    | Held(_)
                    | Objected(_)
                    | WindowOpen { .. }
            )
        });
        match said.or(moved.map(ToString::to_string)) {
            Some(said) => Self::conflict(format!("{said}.")),
            None => error.into(),
        }
    }
}

// Whatever fails inside is told to the log and not to the client.
impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Self {
        tracing::error!("{error:#}");
        Self::internal()
    }
}

impl From<obelus_store::Error> for Problem {
    fn from(error: obelus_store::Error) -> Self {
        tracing::error!("{error}");
        Self::internal()
    }
}

impl From<askama::Error> for Problem {
    fn from(error: askama::Error) -> Self {
        tracing::error!("a page cannot be made: {error}");
        Self::internal()
    }
}

/// Whether whoever asks shows pages: says so, and does not use the programs' part.
pub(crate) fn wants_page(request: &HttpRequest) -> bool {
    let accepts = request.headers().get_all(ACCEPT).any(|value| value.to_str().is_ok_and(|v| v.contains("text/html")));
    accepts && !request.path().starts_with("/api/")
}

/// Enough of a path to know it by. Of a link that works once the token is left out, for the answer may be kept somewhere.
fn shortened(path: &str) -> String {
    let shown: String = path.chars().take(200).collect();
    for before in ["/setup/", "/invite/", "/reset/", "/open/"] {
        if shown.starts_with(before) {
            return format!("{before}…");
        }
    }
    shown
}

/// The page that an address leads on from, where a part of it names a request.
fn way_on(path: &str) -> Option<(String, &'static str)> {
    let mut parts = path.strip_prefix('/')?.split('/');
    let (begins, reference) = (parts.next()?, parts.next().filter(|reference| is_reference(reference))?);
    parts.next()?;
    let name = match begins {
        "cases" => "Back to the case",
        "r" => "Back to your request",
        "open" => "Ask for a new link",
        _ => return None,
    };
    Some((format!("/{begins}/{reference}"), name))
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    layout: Layout,
    detail: Shown,
    path: Shown,
    /// Where whoever asked may go on, and what is there.
    way_on: Option<(String, &'static str)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_with_a_request_leads_back_to_it() {
        let leads = |path| way_on(path).map(|(to, _)| to);
        assert_eq!(leads("/cases/OB-2026-000001/triage").as_deref(), Some("/cases/OB-2026-000001"));
        assert_eq!(leads("/open/OB-2026-000001/abc").as_deref(), Some("/open/OB-2026-000001"));
        for none in ["/", "/cases", "/cases/OB-2026-000001", "/cases/a%2fb/triage", "/c/CT-2026-000001/files/x"] {
            assert_eq!(leads(none), None, "{none}");
        }
    }
}
