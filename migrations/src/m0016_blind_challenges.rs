//! Blind challenges: sealed probes that were deposited before a takedown, and what came of them once they were open.

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
        let challenges = Table::create()
            .table("blind_challenges")
            .col(name(manager, "id").primary_key())
            .col(name(manager, "request"))
            .col(nullable_blob("sealed"))
            .col(name(manager, "sealed_digest"))
            .col(integer("sealed_bytes"))
            .col(name(manager, "commitment"))
            .col(name(manager, "deposit").unique_key())
            .col(text("deposited_by"))
            .col(integer("deposited_at"))
            .col(nullable_blob("results"))
            .col(nullable_name(manager, "results_digest"))
            .col(nullable_text("outcome"))
            .col(nullable_name(manager, "result").unique_key())
            .col(nullable_text("opened_by"))
            .col(nullable_integer("opened_at"))
            .foreign_key(ForeignKey::create().from("blind_challenges", "request").to("requests", "reference"))
            .foreign_key(ForeignKey::create().from("blind_challenges", "deposit").to("statements", "digest"))
            .foreign_key(ForeignKey::create().from("blind_challenges", "result").to("statements", "digest"))
            .to_owned();
        manager.create_table(challenges).await?;
        let once = "CREATE UNIQUE INDEX a_sealed_file_is_one_challenge ON blind_challenges (request, sealed_digest)";
        manager.get_connection().execute_unprepared(once).await?;
        append_only::refuse_removal(manager, "blind_challenges").await
    }
}
