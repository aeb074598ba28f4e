//! Corpora, models, and every copy of a model's weights that is known. The bytes themselves are files.

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
        let corpora = Table::create()
            .table("corpora")
            .col(name(manager, "name").primary_key())
            .col(text("path"))
            .col(integer("documents"))
            .col(integer("sources"))
            .col(nullable_integer("tokens"))
            .col(integer("created_at"))
            .to_owned();
        let models = Table::create()
            .table("models")
            .col(name(manager, "name").primary_key())
            .col(name(manager, "lineage"))
            .col(name(manager, "corpus"))
            .col(text("preset"))
            .col(integer("generation"))
            .col(text("checkpoint"))
            .col(nullable_name(manager, "baseline_of"))
            .col(nullable_text("control"))
            .col(text("excluded"))
            .col(nullable_name(manager, "weight_root"))
            .col(nullable_name(manager, "layout_digest"))
            .col(nullable_name(manager, "training_statement"))
            .col(text("status"))
            .col(integer("created_at"))
            .foreign_key(ForeignKey::create().from("models", "lineage").to("campaigns", "lineage"))
            .foreign_key(ForeignKey::create().from("models", "corpus").to("corpora", "name"))
            .foreign_key(ForeignKey::create().from("models", "baseline_of").to("models", "name"))
            .foreign_key(ForeignKey::create().from("models", "training_statement").to("statements", "digest"))
            .to_owned();
        let copies = Table::create()
            .table("copies")
            .col(row_number("id"))
            .col(name(manager, "model"))
            .col(text("kind"))
            .col(name(manager, "path").unique_key())
            .col(integer("generation"))
            .col(nullable_name(manager, "root"))
            .col(integer("registered_at"))
            .col(nullable_integer("zeroed_at"))
            .col(nullable_integer("destroyed_at"))
            .foreign_key(ForeignKey::create().from("copies", "model").to("models", "name"))
            .to_owned();
        for table in [corpora, models, copies] {
            manager.create_table(table).await?;
        }
        manager.create_index(Index::create().name("copies_of_a_model").table("copies").col("model").to_owned()).await?;
        let lineage = Index::create().name("models_of_a_lineage").table("models").col("lineage").to_owned();
        manager.create_index(lineage).await
    }
}
