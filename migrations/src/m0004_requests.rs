//! Persons and their roles, requests, the sources they name, approvals, and the numbers that references are made of.

use sea_orm_migration::prelude::*;

use crate::columns::{integer, name, nullable_blob, nullable_integer, nullable_name, nullable_text, row_number, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let persons = Table::create()
            .table("persons")
            .col(row_number("id"))
            .col(name(manager, "name").unique_key())
            .col(integer("created_at"))
            .to_owned();
        let roles = Table::create()
            .table("person_roles")
            .col(integer("person"))
            .col(name(manager, "role"))
            .primary_key(Index::create().col("person").col("role"))
            .foreign_key(ForeignKey::create().from("person_roles", "person").to("persons", "id"))
            .to_owned();
        let numbers = Table::create()
            .table("reference_numbers")
            .col(name(manager, "series").primary_key())
            .col(integer("last"))
            .to_owned();
        let requests = Table::create()
            .table("requests")
            .col(name(manager, "reference").primary_key())
            .col(text("state"))
            .col(text("regime"))
            .col(name(manager, "model"))
            .col(integer("filed_by"))
            .col(integer("received_at"))
            .col(nullable_name(manager, "plan_digest"))
            .col(nullable_blob("plan"))
            .col(nullable_text("refusal_code"))
            .col(nullable_text("refusal_reason"))
            .col(nullable_integer("held_at"))
            .foreign_key(ForeignKey::create().from("requests", "model").to("models", "name"))
            .foreign_key(ForeignKey::create().from("requests", "filed_by").to("persons", "id"))
            .to_owned();
        let sources = Table::create()
            .table("request_sources")
            .col(name(manager, "request"))
            .col(name(manager, "source_id"))
            .primary_key(Index::create().col("request").col("source_id"))
            .foreign_key(ForeignKey::create().from("request_sources", "request").to("requests", "reference"))
            .to_owned();
        let approvals = Table::create()
            .table("approvals")
            .col(name(manager, "request"))
            .col(integer("person"))
            .col(name(manager, "plan_digest"))
            .col(integer("approved_at"))
            .primary_key(Index::create().col("request").col("person"))
            .foreign_key(ForeignKey::create().from("approvals", "request").to("requests", "reference"))
            .foreign_key(ForeignKey::create().from("approvals", "person").to("persons", "id"))
            .to_owned();
        for table in [persons, roles, numbers, requests, sources, approvals] {
            manager.create_table(table).await?;
        }
        Ok(())
    }
}
