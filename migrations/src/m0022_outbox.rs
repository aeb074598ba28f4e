//! Letters that are to be sent, put here in the transaction of what they tell.

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
        let outbox = Table::create()
            .table("outbox")
            .col(row_number("id"))
            .col(text("kind"))
            .col(nullable_name(manager, "request"))
            .col(text("recipient"))
            .col(text("language"))
            .col(text("subject"))
            .col(text("body"))
            .col(name(manager, "digest"))
            .col(integer("created_at"))
            .col(integer("not_before"))
            .col(text("state"))
            .col(integer("attempts"))
            .col(nullable_text("last_error"))
            .col(nullable_integer("sent_at"))
            .col(nullable_integer("lease_until"))
            .col(nullable_name(manager, "token"))
            .foreign_key(ForeignKey::create().from("outbox", "request").to("requests", "reference"))
            .to_owned();
        manager.create_table(outbox).await?;
        let mut of_a_request = Index::create().name("letters_of_a_request").table("outbox").to_owned();
        manager.create_index(of_a_request.col("request").col("id").to_owned()).await?;
        // The builder knows no index over some of the rows.
        let due = "CREATE INDEX letters_to_be_sent ON outbox (not_before, id) WHERE state IN ('waiting', 'sending')";
        manager.get_connection().execute_unprepared(due).await?;
        Ok(())
    }
}
