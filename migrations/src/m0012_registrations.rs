//! Registrations under way: rows of sources are written in many transactions, and count once their manifest is there. And the
//! few sources whose masks are not applied are found without reading all.

use sea_orm_migration::prelude::*;

use crate::columns::{integer, name, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let registrations = Table::create()
            .table("registrations")
            .col(name(manager, "lineage").primary_key())
            .col(integer("generation"))
            .col(text("token"))
            .col(integer("staged"))
            .col(integer("begun_at"))
            .foreign_key(ForeignKey::create().from("registrations", "lineage").to("campaigns", "lineage"))
            .to_owned();
        manager.create_table(registrations).await?;
        // The builder knows no index over some of the rows.
        for column in ["suppressed_at", "revoked_at"] {
            let index =
                format!("CREATE INDEX sources_{column} ON sources (lineage, source_id) WHERE {column} IS NOT NULL");
            manager.get_connection().execute_unprepared(&index).await?;
        }
        Ok(())
    }
}
