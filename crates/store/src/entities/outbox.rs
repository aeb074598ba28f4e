//! Letters to be sent and sent ones. Queries are elsewhere.

use std::fmt;

use sea_orm::entity::prelude::*;

use crate::{
    column::{Micros, Sha256},
    outbox::{LetterKind, LetterState},
};

/// A letter. Printing it for the log shows neither whom it is to nor what it says.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub struct Model {
    /// Counted by the database.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// What it tells.
    pub kind: LetterKind,
    /// The request that it is about, if it is about one.
    pub request: Option<String>,
    /// The address that it goes to: personal data, which is in no log and no error.
    pub recipient: String,
    /// The language that it is written in, as a tag of BCP 47.
    pub language: String,
    /// The line that is read before it is opened: what it tells and the reference, and no personal data.
    pub subject: String,
    /// Its text, lines ended by `\n`. Empty when it held a one-time link that was sent or given up.
    pub body: String,
    /// SHA-256 of all of the above but the number, as it was written.
    pub digest: Sha256,
    /// When it was written.
    pub created_at: Micros,
    /// It is not sent before.
    pub not_before: Micros,
    /// How far it has come.
    pub state: LetterState,
    /// How often its sending was begun.
    pub attempts: i64,
    /// Why the last attempt failed, without personal data.
    pub last_error: Option<String>,
    /// When it was handed over.
    pub sent_at: Option<Micros>,
    /// Until when nobody else begins to send it.
    pub lease_until: Option<Micros>,
    /// Names the attempt under way.
    pub token: Option<String>,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("request", &self.request)
            .field("state", &self.state)
            .field("attempts", &self.attempts)
            .field("last_error", &self.last_error)
            .finish_non_exhaustive()
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
