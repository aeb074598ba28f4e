//! Requests to strike sources. Queries are elsewhere.

use sea_orm::entity::prelude::*;

use crate::{
    column::{Micros, Sha256},
    requests::RequestState,
};

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "requests")]
pub struct Model {
    /// Such as `OB-2026-000001`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub reference: String,
    /// How far it has come.
    pub state: RequestState,
    /// The regime it was filed under.
    pub regime: String,
    /// The model it is about.
    pub model: String,
    /// Who filed it.
    pub filed_by: i64,
    /// When it was received: the clocks start here.
    pub received_at: Micros,
    /// SHA-256 of the plan.
    pub plan_digest: Option<Sha256>,
    /// The exact bytes of the plan that approvals are about.
    pub plan: Option<Vec<u8>>,
    /// Why it was refused.
    pub refusal_code: Option<String>,
    /// The same in words.
    pub refusal_reason: Option<String>,
    /// Since when a hold forbids zeroing.
    pub held_at: Option<Micros>,
    /// The file of the protocol that it is judged by; none for the standard one.
    pub protocol: Option<String>,
    /// The file of the regime as it was when the request was received; none where that was before regimes were data.
    pub regime_file: Option<String>,
    /// The file of its calendar, likewise.
    pub calendar_file: Option<String>,
    /// When its dispute window ends; none before the plan was approved twice.
    pub window_until: Option<Micros>,
    /// The request that asks for the same.
    pub duplicate_of: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
