//! The file of the calendar that the regime of a request was counted on when it came in: a later calendar, too, does not
//! move its clocks.

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
        let file = nullable_text("calendar_file");
        manager.alter_table(Table::alter().table("requests").add_column(file).to_owned()).await
    }
}
