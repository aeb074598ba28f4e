//! What others say to a case after it was filed: who objects to it, and who complains of how it is treated.

use sea_orm_migration::prelude::*;

use crate::columns::{integer, name, nullable_integer, nullable_text, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let notices = Table::create()
            .table("case_notices")
            .col(name(manager, "request"))
            .col(integer("number"))
            .col(text("kind"))
            .col(text("sender"))
            .col(text("words"))
            .col(integer("received_at"))
            .col(nullable_integer("settled_at"))
            .col(nullable_text("outcome"))
            .primary_key(Index::create().col("request").col("number"))
            .foreign_key(ForeignKey::create().from("case_notices", "request").to("requests", "reference"))
            .to_owned();
        manager.create_table(notices).await
    }
}
