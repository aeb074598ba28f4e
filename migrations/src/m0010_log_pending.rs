//! Statements on their way into the log: stored with what they change, and given their places by whoever sequences next.

use sea_orm_migration::prelude::*;

use crate::columns::{blob, name, row_number};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let pending = Table::create()
            .table("log_pending")
            // Their order is the order of their leaves.
            .col(row_number("id"))
            .col(blob("body"))
            .col(blob("leaf_hash"))
            .col(name(manager, "statement").unique_key())
            .foreign_key(ForeignKey::create().from("log_pending", "statement").to("statements", "digest"))
            .to_owned();
        manager.create_table(pending).await
    }
}
