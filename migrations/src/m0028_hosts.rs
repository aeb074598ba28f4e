//! Processes that keep a model in memory and answer with it: what a suppression and a takedown must reach besides files.

use sea_orm_migration::prelude::*;

use crate::columns::{integer, name, nullable_integer, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let hosts = Table::create()
            .table("hosts")
            .col(name(manager, "id").primary_key())
            .col(name(manager, "model"))
            .col(text("address"))
            .col(integer("started_at"))
            .col(integer("lease_until"))
            .col(text("refused"))
            .col(nullable_integer("ended_at"))
            .foreign_key(ForeignKey::create().from("hosts", "model").to("models", "name"))
            .to_owned();
        manager.create_table(hosts).await?;
        let of_model = Index::create().name("hosts_of_model").table("hosts").col("model").to_owned();
        manager.create_index(of_model).await?;
        let acknowledgements = Table::create()
            .table("host_acknowledgements")
            .col(name(manager, "host"))
            .col(name(manager, "request"))
            .col(integer("rows"))
            .col(text("digest"))
            .col(integer("acknowledged_at"))
            .primary_key(Index::create().col("host").col("request"))
            .foreign_key(ForeignKey::create().from("host_acknowledgements", "host").to("hosts", "id"))
            .foreign_key(ForeignKey::create().from("host_acknowledgements", "request").to("requests", "reference"))
            .to_owned();
        manager.create_table(acknowledgements).await
    }
}
