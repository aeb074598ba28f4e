//! Audit events: who did what, when, to which case. Rows are only ever added.

use sea_orm_migration::prelude::*;

use crate::{
    append_only,
    columns::{integer, name, row_number, text},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let events = Table::create()
            .table("audit_events")
            .col(row_number("id"))
            .col(integer("happened_at"))
            .col(name(manager, "actor"))
            .col(text("action"))
            .col(name(manager, "subject"))
            .col(text("detail"))
            .to_owned();
        manager.create_table(events).await?;
        let of_subject =
            Index::create().name("audit_events_of_a_subject").table("audit_events").col("subject").col("id").to_owned();
        manager.create_index(of_subject).await?;
        append_only::refuse_changes(manager, "audit_events").await
    }
}
