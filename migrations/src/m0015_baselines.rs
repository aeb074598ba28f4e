//! Retrains that somebody asked for, to be trained as jobs.

use sea_orm_migration::prelude::*;

use crate::{
    append_only,
    columns::{integer, name, nullable_integer, nullable_text, text},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let baselines = Table::create()
            .table("baselines")
            .col(name(manager, "name").primary_key())
            .col(name(manager, "model"))
            .col(text("kind"))
            .col(text("excluded"))
            .col(integer("seed"))
            .col(nullable_integer("panel_seed"))
            .col(nullable_integer("steps"))
            .col(text("device"))
            .col(integer("threads"))
            .col(text("cost"))
            .col(text("requested_by"))
            .col(integer("requested_at"))
            .col(integer("steps_done"))
            .col(integer("steps_all"))
            .col(nullable_text("ended"))
            .col(nullable_text("why"))
            .col(nullable_integer("ended_at"))
            .foreign_key(ForeignKey::create().from("baselines", "model").to("models", "name"))
            .to_owned();
        manager.create_table(baselines).await?;
        let of_model = Index::create().name("baselines_of_a_model").table("baselines").col("model").to_owned();
        manager.create_index(of_model).await?;
        append_only::refuse_removal(manager, "baselines").await
    }
}
