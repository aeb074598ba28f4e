//! Answers to the questions of a request that is not sent yet.

use sea_orm_migration::prelude::*;

use crate::columns::{blob, integer, name};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let drafts = Table::create()
            .table("request_drafts")
            .col(name(manager, "token_hash").primary_key())
            .col(blob("sealed"))
            .col(integer("saved_at"))
            .col(integer("expires_at"))
            .to_owned();
        manager.create_table(drafts).await?;
        let by_end = Index::create().name("request_drafts_by_end").table("request_drafts").col("expires_at").to_owned();
        manager.create_index(by_end).await
    }
}
