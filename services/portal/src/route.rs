//! One line of the table of addresses: what it answers to, who may call it, and what answers. A line without a rule cannot be
//! written. Not here: the table (`routes.rs`), and how a rule is kept (`dispatch.rs`).

use std::{fmt, pin::Pin, rc::Rc};

use actix_web::{HttpResponse, http::Method};
use obelus_policy::Action;

use crate::{dispatch::Call, problem::Problem};

/// Bytes of a body where a route does not say otherwise.
const BODY_BYTES: usize = 1 << 20;

/// Who may call an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody.
    Public,
    /// Whoever came with the link of the request that `{reference}` in the path names.
    Requester,
    /// Everybody with an account.
    SignedIn,
    /// Whoever the rules permit an act that is about no case.
    May(Action),
    /// Whoever the rules permit an act in a case in which nothing has happened yet, be it one of those that a grant names. On
    /// the case itself it is asked again.
    MayInCases(Action),
    /// The program that watches this one.
    Monitor,
}

pub(crate) type Answer = Result<HttpResponse, Problem>;
type Handler = Rc<dyn Fn(Call) -> Pin<Box<dyn Future<Output = Answer>>>>;

/// A line of the table.
#[derive(Clone)]
pub struct Route {
    /// GET (which answers HEAD too) or POST.
    pub method: Method,
    /// The address, with `{names}` for parts that differ.
    pub path: &'static str,
    /// Who may call it.
    pub who: Who,
    /// Whether the password must have been entered in the last ten minutes.
    pub fresh: bool,
    pub(crate) body_bytes: usize,
    handler: Handler,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} for {:?}{}", self.method, self.path, self.who, if self.fresh { ", fresh" } else { "" })
    }
}

impl Route {
    fn new<F>(method: Method, path: &'static str, who: Who, handler: impl Fn(Call) -> F + 'static) -> Self
    where
        F: Future<Output = Answer> + 'static,
    {
        let handler: Handler = Rc::new(move |call| Box::pin(handler(call)));
        Self { method, path, who, fresh: false, body_bytes: BODY_BYTES, handler }
    }

    /// A page.
    pub(crate) fn get<F>(path: &'static str, who: Who, handler: impl Fn(Call) -> F + 'static) -> Self
    where
        F: Future<Output = Answer> + 'static,
    {
        Self::new(Method::GET, path, who, handler)
    }

    /// A form.
    pub(crate) fn post<F>(path: &'static str, who: Who, handler: impl Fn(Call) -> F + 'static) -> Self
    where
        F: Future<Output = Answer> + 'static,
    {
        Self::new(Method::POST, path, who, handler)
    }

    /// For people who have just entered their password.
    pub(crate) fn fresh(self) -> Self {
        Self { fresh: true, ..self }
    }

    /// With a body of at most so many bytes.
    pub(crate) fn of_bytes(self, body_bytes: usize) -> Self {
        Self { body_bytes, ..self }
    }

    /// Whether calling it may change something.
    pub fn is_unsafe(&self) -> bool {
        !self.method.is_safe()
    }

    pub(crate) fn answer(&self, call: Call) -> Pin<Box<dyn Future<Output = Answer>>> {
        (self.handler)(call)
    }
}
