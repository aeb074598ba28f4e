//! The steps of cases, each with its signed statement, and what the further states of a request need: what was filed, questions
//! to requesters, extensions, refused sources, the dispute window.

use sea_orm_migration::prelude::*;

use crate::{
    append_only,
    columns::{integer, name, nullable_blob, nullable_integer, nullable_name, nullable_text, text},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let of_request =
            |table: &'static str| ForeignKey::create().from(table, "request").to("requests", "reference").to_owned();
        let of_statement = |table: &'static str, column: &'static str| {
            ForeignKey::create().from(table, column).to("statements", "digest").to_owned()
        };
        let events = Table::create()
            .table("case_events")
            .col(name(manager, "request"))
            .col(integer("sequence"))
            .col(name(manager, "statement").unique_key())
            .col(text("action"))
            .col(nullable_text("from_state"))
            .col(text("to_state"))
            .col(text("actor"))
            .col(text("detail"))
            .col(integer("happened_at"))
            .primary_key(Index::create().col("request").col("sequence"))
            .foreign_key(&mut of_request("case_events"))
            .foreign_key(&mut of_statement("case_events", "statement"))
            .to_owned();
        let filings = Table::create()
            .table("filings")
            .col(name(manager, "request").primary_key())
            .col(nullable_blob("document"))
            .col(name(manager, "document_digest"))
            .col(nullable_name(manager, "receipt").unique_key())
            .foreign_key(&mut of_request("filings"))
            .foreign_key(&mut of_statement("filings", "receipt"))
            .to_owned();
        let questions = Table::create()
            .table("case_questions")
            .col(name(manager, "request"))
            .col(integer("number"))
            .col(text("kind"))
            .col(text("question"))
            .col(integer("asked_at"))
            .col(nullable_text("answer"))
            .col(nullable_integer("answered_at"))
            .primary_key(Index::create().col("request").col("number"))
            .foreign_key(&mut of_request("case_questions"))
            .to_owned();
        let extensions = Table::create()
            .table("case_extensions")
            .col(name(manager, "request").primary_key())
            .col(text("reasons"))
            .col(integer("told_at"))
            .foreign_key(&mut of_request("case_extensions"))
            .to_owned();
        for table in [events, filings, questions, extensions] {
            manager.create_table(table).await?;
        }
        append_only::refuse_changes(manager, "case_events").await?;
        for column in [nullable_integer("window_until"), nullable_name(manager, "duplicate_of")] {
            manager.alter_table(Table::alter().table("requests").add_column(column).to_owned()).await?;
        }
        for column in [nullable_text("refusal_code"), nullable_text("refusal_reason")] {
            manager.alter_table(Table::alter().table("request_sources").add_column(column).to_owned()).await?;
        }
        // What a plan gives was called so before there was a window.
        let renamed = "UPDATE requests SET state = 'impact_assessed' WHERE state = 'planned'";
        manager.get_connection().execute_unprepared(renamed).await?;
        Ok(())
    }
}
