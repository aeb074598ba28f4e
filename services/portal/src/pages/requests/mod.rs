//! Requests for those who make them, without an account: asking (`ask.rs`), the way in by a link (`open.rs`), and how it
//! stands (`own.rs`).

mod ask;
mod open;
mod own;

pub(crate) use ask::{file, form, unfit};
pub(crate) use open::{enter, entrance, link, send_link};
pub(crate) use own::{answer, complain, receipt, show, withdraw};
