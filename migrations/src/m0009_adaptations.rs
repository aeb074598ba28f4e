//! Models that are adapted after their training: segments of the pool beyond the campaign's, sources that came later, and
//! how far an adaptation has come.

use sea_orm_migration::prelude::*;

use crate::columns::{integer, name, nullable_integer, nullable_name, row_number, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Every source so far is in the first manifest, has its sinks in the first segment, came with its model, and is in
        // the model's corpus.
        let manifest = integer("manifest").default(1).to_owned();
        let segment = integer("segment").default(0).to_owned();
        let since = integer("since").default(1).to_owned();
        for column in [manifest, segment, since, nullable_name(manager, "corpus")] {
            manager.alter_table(Table::alter().table("sources").add_column(column).to_owned()).await?;
        }
        let extensions = Table::create()
            .table("pool_extensions")
            .col(name(manager, "lineage"))
            .col(integer("first_segment"))
            .col(integer("base"))
            .col(integer("n"))
            .col(integer("k"))
            .col(integer("count"))
            .col(text("reason"))
            .col(name(manager, "statement"))
            .col(integer("created_at"))
            .primary_key(Index::create().col("lineage").col("first_segment"))
            .foreign_key(ForeignKey::create().from("pool_extensions", "lineage").to("campaigns", "lineage"))
            .foreign_key(ForeignKey::create().from("pool_extensions", "statement").to("statements", "digest"))
            .to_owned();
        let adaptations = Table::create()
            .table("adaptations")
            .col(row_number("id"))
            .col(name(manager, "model"))
            .col(text("kind"))
            .col(text("sources"))
            .col(text("state"))
            .col(text("checkpoint"))
            .col(text("moments"))
            .col(nullable_name(manager, "statement"))
            .col(integer("started_at"))
            .col(nullable_integer("finished_at"))
            .foreign_key(ForeignKey::create().from("adaptations", "model").to("models", "name"))
            .foreign_key(ForeignKey::create().from("adaptations", "statement").to("statements", "digest"))
            .to_owned();
        for table in [extensions, adaptations] {
            manager.create_table(table).await?;
        }
        let of_model = Index::create().name("adaptations_of_a_model").table("adaptations").col("model").to_owned();
        manager.create_index(of_model).await
    }
}
