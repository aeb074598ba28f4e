//! Signed statements, the leaves of the transparency log and its one checkpoint. Tiles are files, not rows.

use sea_orm_migration::{prelude::*, sea_orm::ConnectionTrait};

use crate::{
    append_only,
    columns::{blob, integer, name, text},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let statements = Table::create()
            .table("statements")
            .col(name(manager, "digest").primary_key())
            .col(text("kind"))
            .col(blob("envelope"))
            .col(integer("created_at"))
            .to_owned();
        let leaves = Table::create()
            .table("log_leaves")
            .col(integer("position").primary_key())
            .col(blob("body"))
            .col(blob("leaf_hash"))
            // Unique: a statement is logged once, so that logging again after a crash finds the first entry.
            .col(name(manager, "statement").unique_key())
            .foreign_key(ForeignKey::create().from("log_leaves", "statement").to("statements", "digest"))
            .to_owned();
        let checkpoint = Table::create()
            .table("log_checkpoint")
            .col(integer("id").primary_key())
            .col(integer("size"))
            .col(name(manager, "root"))
            .col(blob("note"))
            .check(Expr::col("id").eq(1))
            .to_owned();
        for table in [statements, leaves, checkpoint] {
            manager.create_table(table).await?;
        }
        append_only::refuse_changes(manager, "statements").await?;
        append_only::refuse_changes(manager, "log_leaves").await?;
        append_only::refuse_removal(manager, "log_checkpoint").await?;
        let backwards = "NEW.id <> OLD.id OR NEW.size <= OLD.size";
        append_only::refuse(manager, "log_checkpoint", "UPDATE", backwards, "the log only moves forward").await?;

        // The empty log is a row like any other, so that a missing row can only mean damage. Its root is SHA-256 of
        // nothing (RFC 6962, section 2.1).
        let empty = Query::insert()
            .into_table("log_checkpoint")
            .columns(["id", "size", "root", "note"])
            .values_panic([
                1i64.into(),
                0i64.into(),
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".into(),
                Vec::<u8>::new().into(),
            ])
            .to_owned();
        manager.get_connection().execute(&empty).await?;
        Ok(())
    }
}
