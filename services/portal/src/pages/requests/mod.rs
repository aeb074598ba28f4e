//! Requests for those who make them, without an account: asking a question at a time (`wizard.rs`, `question.rs`) with answers
//! that are kept in between (`answers.rs`, `draft.rs`), sending it (`ask.rs`), the way in by a link (`open.rs`), and how it
//! stands (`own.rs`).

mod answers;
mod ask;
mod draft;
mod open;
mod own;
mod question;
mod wizard;

pub(crate) use ask::{file, unfit};
pub(crate) use open::{enter, entrance, link, send_link};
pub(crate) use own::{answer, complain, receipt, sent, show, withdraw};
pub(crate) use question::Question;
pub(crate) use wizard::{answer as answer_question, check, forget, matches, question as ask_question, start};
