//! What a program gives to an address and gets from it: said once, by the types that are read and written, for the answer and
//! for the document. Not here: the document (`openapi.rs`).

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, LOCATION},
    },
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, de::DeserializeOwned};

use super::json;
use crate::route::Answer;

/// What can be read from a body.
pub(crate) trait Body: DeserializeOwned + JsonSchema + 'static {}
impl<T: DeserializeOwned + JsonSchema + 'static> Body for T {}

/// What can be answered.
pub(crate) trait Told: Serialize + JsonSchema + 'static {}
impl<T: Serialize + JsonSchema + 'static> Told for T {}

/// What an operation takes and answers.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// Its name in programs.
    pub(crate) id: &'static str,
    /// What it is for.
    pub(crate) says: &'static str,
    pub(crate) body: Option<fn(&mut SchemaGenerator) -> Schema>,
    pub(crate) reply: fn(&mut SchemaGenerator) -> Schema,
    /// It is a list that is read a page at a time.
    pub(crate) is_paged: bool,
    /// It takes an `Idempotency-Key`.
    pub(crate) is_once: bool,
}

impl Operation {
    /// One that changes nothing.
    pub(crate) fn telling<T: Told>((id, says): (&'static str, &'static str)) -> Self {
        Self { id, says, body: None, reply: SchemaGenerator::subschema_for::<T>, is_paged: false, is_once: false }
    }

    /// One that takes a body.
    pub(crate) fn doing<B: Body, T: Told>(named: (&'static str, &'static str)) -> Self {
        Self { body: Some(SchemaGenerator::subschema_for::<B>), ..Self::telling::<T>(named) }
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply<T> {
    status: StatusCode,
    location: Option<String>,
    body: T,
}

impl<T: Told> Reply<T> {
    /// That everything is well.
    pub(crate) fn ok(body: T) -> Self {
        Self { status: StatusCode::OK, location: None, body }
    }

    /// That there is something new, and where.
    pub(crate) fn created(location: String, body: T) -> Self {
        Self { status: StatusCode::CREATED, location: Some(location), body }
    }

    /// As it is sent.
    pub(crate) fn respond(&self) -> Answer {
        let mut answer = HttpResponse::build(self.status);
        if let Some(location) = &self.location {
            answer.insert_header((LOCATION, location.as_str()));
        }
        Ok(answer.insert_header((CONTENT_TYPE, "application/json")).body(json::write(&self.body)?))
    }
}
