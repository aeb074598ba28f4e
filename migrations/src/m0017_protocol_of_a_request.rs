//! The protocol that a takedown is to be judged by, where it is not the standard one.

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
        let protocol = nullable_text("protocol");
        manager.alter_table(Table::alter().table("requests").add_column(protocol).to_owned()).await
    }
}
