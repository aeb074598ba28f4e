//! One line of the table of addresses: what it answers to, who may call it, and what answers. A line without a rule cannot be
//! written, nor one for programs without what it takes and answers. Not here: the table (`routes.rs`), and how a rule is kept
//! (`dispatch.rs` for people, `api/entrance.rs` for programs).

use std::{fmt, pin::Pin, rc::Rc};

use actix_web::{HttpResponse, http::Method};
use obelus_policy::Action;

use crate::{
    api::{ApiCall, Body, Operation, Reply, Told},
    dispatch::Call,
    problem::Problem,
    scope::Scope,
};

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
    /// Whoever the rules permit one of two such acts.
    MayEither(Action, Action),
    /// Whoever the rules permit an act in a case in which nothing has happened yet, be it one of those that a grant names. On
    /// the case itself it is asked again.
    MayInCases(Action),
    /// The program that watches this one.
    Monitor,
    /// A program with a token of somebody with an account.
    Program,
    /// A program with a token of this scope, of somebody whom the rules permit an act that is about no case.
    ProgramMay(Scope, Action),
    /// The same for an act in a case in which nothing has happened yet. On the case itself it is asked again.
    ProgramMayInCases(Scope, Action),
}

pub(crate) type Answer = Result<HttpResponse, Problem>;
type Answering = Pin<Box<dyn Future<Output = Answer>>>;

/// What answers a browser.
pub(crate) type Page = Rc<dyn Fn(Call) -> Answering>;

/// What answers.
#[derive(Clone)]
pub(crate) enum Handler {
    /// For browsers, which come with cookies.
    Page(Page),
    /// For programs, which come with tokens; and what it takes and answers.
    Api(Rc<dyn Fn(ApiCall) -> Answering>, Rc<Operation>),
}

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
    pub(crate) handler: Handler,
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} for {:?}{}", self.method, self.path, self.who, if self.fresh { ", fresh" } else { "" })
    }
}

impl Route {
    fn new(method: Method, path: &'static str, who: Who, handler: Handler) -> Self {
        Self { method, path, who, fresh: false, body_bytes: BODY_BYTES, handler }
    }

    fn page<F>(method: Method, path: &'static str, who: Who, handler: impl Fn(Call) -> F + 'static) -> Self
    where
        F: Future<Output = Answer> + 'static,
    {
        Self::new(method, path, who, Handler::Page(Rc::new(move |call| Box::pin(handler(call)))))
    }

    /// A page.
    pub(crate) fn get<F>(path: &'static str, who: Who, handler: impl Fn(Call) -> F + 'static) -> Self
    where
        F: Future<Output = Answer> + 'static,
    {
        Self::page(Method::GET, path, who, handler)
    }

    /// A form.
    pub(crate) fn post<F>(path: &'static str, who: Who, handler: impl Fn(Call) -> F + 'static) -> Self
    where
        F: Future<Output = Answer> + 'static,
    {
        Self::page(Method::POST, path, who, handler)
    }

    /// What a program is told. `named` is the operation's name and what it is for.
    pub(crate) fn told<T, F>(
        path: &'static str,
        who: Who,
        named: (&'static str, &'static str),
        handler: impl Fn(ApiCall) -> F + 'static,
    ) -> Self
    where
        T: Told,
        F: Future<Output = Result<Reply<T>, Problem>> + 'static,
    {
        let handler = move |call| -> Answering {
            let reply = handler(call);
            Box::pin(async move { reply.await?.respond() })
        };
        Self::new(Method::GET, path, who, Handler::Api(Rc::new(handler), Rc::new(Operation::telling::<T>(named))))
    }

    /// What a program does. `named` is the operation's name and what it is for.
    pub(crate) fn done<B, T, F>(
        path: &'static str,
        who: Who,
        named: (&'static str, &'static str),
        handler: impl Fn(ApiCall, B) -> F + 'static,
    ) -> Self
    where
        B: Body,
        T: Told,
        F: Future<Output = Result<Reply<T>, Problem>> + 'static,
    {
        let handler = Rc::new(handler);
        let handler = move |call: ApiCall| -> Answering {
            let handler = Rc::clone(&handler);
            Box::pin(async move {
                let body = call.body::<B>()?;
                handler(call, body).await?.respond()
            })
        };
        Self::new(Method::POST, path, who, Handler::Api(Rc::new(handler), Rc::new(Operation::doing::<B, T>(named))))
    }

    /// A list that is read a page at a time: it takes `after` and `limit`.
    pub(crate) fn paged(self) -> Self {
        self.described(|operation| operation.is_paged = true)
    }

    /// What is done once for each `Idempotency-Key`: it answers 201, and 200 when the key was used before.
    pub(crate) fn once(self) -> Self {
        self.described(|operation| operation.is_once = true)
    }

    fn described(mut self, change: impl FnOnce(&mut Operation)) -> Self {
        if let Handler::Api(_, operation) = &mut self.handler {
            change(Rc::make_mut(operation));
        }
        self
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

    /// What a program gives and gets there; none where it is for browsers.
    pub(crate) fn operation(&self) -> Option<&Operation> {
        match &self.handler {
            Handler::Api(_, operation) => Some(operation),
            Handler::Page(_) => None,
        }
    }

    /// Whether it is for programs, which come with tokens and whose cookies are not looked at.
    pub fn is_api(&self) -> bool {
        self.operation().is_some()
    }
}
