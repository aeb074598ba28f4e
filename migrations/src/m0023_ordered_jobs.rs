//! Work that a person orders: who, what more was said, and how far it is for those who wait for it.

use sea_orm_migration::prelude::*;

use crate::columns::nullable_text;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One at a time: SQLite adds no more in one statement.
        for column in ["ordered_by", "argument", "progress"] {
            let column = nullable_text(column);
            manager.alter_table(Table::alter().table("jobs").add_column(column).to_owned()).await?;
        }
        Ok(())
    }
}
