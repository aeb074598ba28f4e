//! What programs do here, by tokens: REST over JSON under `/api/v1`, a file for each part. Who may is said by the table of
//! routes and kept in `entrance.rs`; the document of it is made from the same table (`openapi.rs`).
//!
//! Not here: what a step in a case means (`obelus-casework`, as for pages).

pub(crate) mod acts;
pub(crate) mod cases;
mod entrance;
pub(crate) mod filing;
pub(crate) mod json;
pub(crate) mod me;
mod openapi;
mod operation;
pub(crate) mod public;

pub(crate) use entrance::{ApiCall, Program, admit};
pub use openapi::document;
pub(crate) use openapi::show as openapi;
pub(crate) use operation::{Body, Operation, Reply, Told};
