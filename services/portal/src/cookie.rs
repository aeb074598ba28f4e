//! The cookies: of a session, of a visit before anybody signed in, and of a request that is not sent yet. Not here: whose
//! session it is.

use actix_web::{
    HttpRequest,
    cookie::{Cookie, SameSite, time::Duration},
};

use crate::{origin::Origin, token::Token};

/// Which cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Somebody is signed in.
    Session,
    /// Nobody is: it binds the forms that are open to everybody to one browser.
    Visit,
    /// Somebody answers the questions of a request: it opens their answers.
    Draft,
}

impl Kind {
    /// `__Host-` makes browsers refuse a cookie that another host of the domain has set, or that did not come over TLS.
    const fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, true) => "__Host-session",
            (Self::Session, false) => "session",
            (Self::Visit, true) => "__Host-visit",
            (Self::Visit, false) => "visit",
            (Self::Draft, true) => "__Host-draft",
            (Self::Draft, false) => "draft",
        }
    }
}

/// The token in a cookie, if there is one of the right form. Of several with the name, the browser's first.
pub(crate) fn read(request: &HttpRequest, origin: &Origin, kind: Kind) -> Option<Token> {
    request.cookie(kind.name(origin.is_secure()))?.value().parse().ok()
}

/// A cookie that the browser keeps until it is closed.
pub(crate) fn holding(origin: &Origin, kind: Kind, token: &Token) -> Cookie<'static> {
    base(origin, kind, token.reveal())
}

/// A cookie that takes one away.
pub(crate) fn without(origin: &Origin, kind: Kind) -> Cookie<'static> {
    let mut cookie = base(origin, kind, String::new());
    cookie.set_max_age(Duration::ZERO);
    cookie
}

fn base(origin: &Origin, kind: Kind, value: String) -> Cookie<'static> {
    Cookie::build(kind.name(origin.is_secure()), value)
        .path("/")
        .http_only(true)
        .secure(origin.is_secure())
        // Lax and not Strict: whoever follows a link from a letter is still signed in. Forms have a code of their own.
        .same_site(SameSite::Lax)
        .finish()
}
