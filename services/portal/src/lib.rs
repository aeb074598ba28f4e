//! The web pages and the interface for programs: requests for those who make them, cases and accounts for those who work here, and what is public about
//! certificates and the log. Rendered on the
//! server, and of use without JavaScript.
//!
//! Every address is a line of one table ([`routes`]), which says who may call it; there is no other way to add one. Not here:
//! models and libtorch, which this service must never need, and who may do what (`obelus-policy`).
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report"))]

mod api;
mod app;
mod caller;
mod cookie;
mod dispatch;
mod forgery;
mod form;
mod headers;
mod housekeeping;
mod limit;
mod log_file;
mod metric;
mod origin;
mod page;
mod pages;
mod password;
mod permission;
mod problem;
mod route;
mod routes;
mod scope;
mod served_file;
mod server;
mod settings;
mod setup_link;
mod shown;
mod state;
mod static_file;
mod token;

pub use api::document as api_document;
pub use app::app;
pub use origin::{Origin, OriginError};
pub use route::{Route, Who};
pub use routes::routes;
pub use scope::Scope;
pub use server::{run, stop_signal};
pub use settings::{Settings, SettingsError};
pub use setup_link::setup_link;
pub use state::{Deps, Portal};
pub use token::Token;
