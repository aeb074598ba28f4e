//! Verification runs and certificates. A certificate without a stored statement and a stored run cannot be inserted.

use sea_orm_migration::prelude::*;

use crate::columns::{blob, integer, name, nullable_blob, nullable_integer, nullable_name, nullable_text, text};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let runs = Table::create()
            .table("verification_runs")
            .col(name(manager, "id").primary_key())
            .col(nullable_name(manager, "request"))
            .col(name(manager, "model"))
            .col(name(manager, "source_id"))
            .col(name(manager, "protocol_digest"))
            .col(blob("protocol"))
            .col(name(manager, "protocol_statement"))
            .col(text("phase"))
            .col(nullable_blob("scores_before"))
            .col(nullable_blob("results"))
            .col(nullable_name(manager, "results_digest"))
            .col(nullable_text("verdict"))
            .col(nullable_name(manager, "statement"))
            .col(integer("started_at"))
            .col(nullable_integer("finished_at"))
            .foreign_key(ForeignKey::create().from("verification_runs", "request").to("requests", "reference"))
            .foreign_key(ForeignKey::create().from("verification_runs", "model").to("models", "name"))
            .foreign_key(
                ForeignKey::create().from("verification_runs", "protocol_statement").to("statements", "digest"),
            )
            .foreign_key(ForeignKey::create().from("verification_runs", "statement").to("statements", "digest"))
            .to_owned();
        let certificates = Table::create()
            .table("certificates")
            .col(name(manager, "id").primary_key())
            .col(name(manager, "request"))
            .col(name(manager, "model"))
            .col(name(manager, "source_id"))
            .col(text("status"))
            .col(text("level"))
            .col(text("verdict"))
            .col(integer("issued_at"))
            .col(text("path"))
            .col(name(manager, "verification_run").unique_key())
            .col(name(manager, "statement"))
            .foreign_key(ForeignKey::create().from("certificates", "request").to("erasures", "request"))
            .foreign_key(ForeignKey::create().from("certificates", "model").to("models", "name"))
            .foreign_key(ForeignKey::create().from("certificates", "verification_run").to("verification_runs", "id"))
            .foreign_key(ForeignKey::create().from("certificates", "statement").to("statements", "digest"))
            .to_owned();
        for table in [runs, certificates] {
            manager.create_table(table).await?;
        }
        let of_request = Index::create().name("runs_of_a_request").table("verification_runs").col("request").to_owned();
        manager.create_index(of_request).await?;
        let of_case = Index::create()
            .name("certificates_of_a_case")
            .table("certificates")
            .col("request")
            .col("source_id")
            .to_owned();
        manager.create_index(of_case).await
    }
}
