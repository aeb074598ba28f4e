//! Campaigns, the sources registered in them, and the manifests that list those. Text and documents are files.

use sea_orm_migration::prelude::*;

use crate::columns::{blob, integer, name, nullable_integer, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let campaigns = Table::create()
            .table("campaigns")
            .col(name(manager, "lineage").primary_key())
            .col(blob("salt"))
            .col(text("segments"))
            .col(blob("manifest_key"))
            .col(name(manager, "statement"))
            .col(integer("created_at"))
            .foreign_key(ForeignKey::create().from("campaigns", "statement").to("statements", "digest"))
            .to_owned();
        let sources = Table::create()
            .table("sources")
            .col(name(manager, "lineage"))
            .col(name(manager, "source_id"))
            .col(blob("record"))
            .col(blob("record_key"))
            .col(blob("seed"))
            .col(nullable_integer("suppressed_at"))
            .col(nullable_integer("revoked_at"))
            .primary_key(Index::create().col("lineage").col("source_id"))
            .foreign_key(ForeignKey::create().from("sources", "lineage").to("campaigns", "lineage"))
            .to_owned();
        let manifests = Table::create()
            .table("manifests")
            .col(name(manager, "lineage"))
            .col(integer("generation"))
            .col(name(manager, "root"))
            .col(integer("sources"))
            .col(name(manager, "statement"))
            .col(integer("created_at"))
            .primary_key(Index::create().col("lineage").col("generation"))
            .foreign_key(ForeignKey::create().from("manifests", "lineage").to("campaigns", "lineage"))
            .foreign_key(ForeignKey::create().from("manifests", "statement").to("statements", "digest"))
            .to_owned();
        for table in [campaigns, sources, manifests] {
            manager.create_table(table).await?;
        }
        // Manifests list their sources in the order of the keys.
        let order = Index::create()
            .name("sources_in_manifest_order")
            .table("sources")
            .col("lineage")
            .col("record_key")
            .unique()
            .to_owned();
        manager.create_index(order).await
    }
}
