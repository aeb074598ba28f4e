//! Erasures and their targets: what must become zero or be destroyed, and how far that has come.

use sea_orm_migration::prelude::*;

use crate::columns::{integer, name, nullable_integer, nullable_name, nullable_text, row_number, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let erasures = Table::create()
            .table("erasures")
            .col(name(manager, "request").primary_key())
            .col(name(manager, "model"))
            .col(text("state"))
            .col(name(manager, "root_before"))
            .col(nullable_name(manager, "root_after"))
            .col(nullable_text("row_proof"))
            .col(nullable_name(manager, "statement"))
            .col(integer("started_at"))
            .col(nullable_integer("finished_at"))
            .foreign_key(ForeignKey::create().from("erasures", "request").to("requests", "reference"))
            .foreign_key(ForeignKey::create().from("erasures", "model").to("models", "name"))
            .foreign_key(ForeignKey::create().from("erasures", "statement").to("statements", "digest"))
            .to_owned();
        let targets = Table::create()
            .table("erasure_targets")
            .col(row_number("id"))
            .col(name(manager, "request"))
            .col(name(manager, "kind"))
            .col(name(manager, "path"))
            .col(text("state"))
            .col(nullable_text("evidence"))
            .col(integer("changed_at"))
            .foreign_key(ForeignKey::create().from("erasure_targets", "request").to("erasures", "request"))
            .to_owned();
        for table in [erasures, targets] {
            manager.create_table(table).await?;
        }
        let once = Index::create()
            .name("a_target_once_per_erasure")
            .table("erasure_targets")
            .col("request")
            .col("kind")
            .col("path")
            .unique()
            .to_owned();
        manager.create_index(once).await
    }
}
