//! What authorities may look at and for how long, and the samples that they and auditors draw.

use sea_orm_migration::prelude::*;

use crate::{
    append_only,
    columns::{blob, integer, name, nullable_integer, nullable_name, nullable_text, row_number, text},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let grants = Table::create()
            .table("access_grants")
            .col(row_number("id"))
            .col(integer("person"))
            .col(text("matter"))
            .col(integer("starts_at"))
            .col(integer("ends_at"))
            .col(integer("draws"))
            .col(text("given_by"))
            .col(integer("given_at"))
            .col(nullable_integer("revoked_at"))
            .col(nullable_text("revoked_by"))
            .foreign_key(ForeignKey::create().from("access_grants", "person").to("persons", "id"))
            .check(Expr::cust("starts_at < ends_at AND draws >= 0"))
            .to_owned();
        let samples = Table::create()
            .table("samples")
            .col(name(manager, "id").primary_key())
            .col(integer("person"))
            .col(nullable_integer("access_grant"))
            // A seed that was used before is no surprise to anybody.
            .col(name(manager, "seed_digest").unique_key())
            .col(integer("size"))
            .col(blob("population"))
            .col(name(manager, "population_digest"))
            .col(integer("committed_at"))
            .col(nullable_text("seed"))
            .col(nullable_integer("revealed_at"))
            .foreign_key(ForeignKey::create().from("samples", "person").to("persons", "id"))
            .foreign_key(ForeignKey::create().from("samples", "access_grant").to("access_grants", "id"))
            .check(Expr::cust("(seed IS NULL) = (revealed_at IS NULL)"))
            .to_owned();
        let cases = Table::create()
            .table("access_grant_cases")
            .col(integer("access_grant"))
            .col(name(manager, "request"))
            .col(nullable_name(manager, "sample"))
            .col(integer("added_at"))
            .primary_key(Index::create().col("access_grant").col("request"))
            .foreign_key(ForeignKey::create().from("access_grant_cases", "access_grant").to("access_grants", "id"))
            .foreign_key(ForeignKey::create().from("access_grant_cases", "request").to("requests", "reference"))
            .foreign_key(ForeignKey::create().from("access_grant_cases", "sample").to("samples", "id"))
            .to_owned();
        for table in [grants, samples, cases] {
            manager.create_table(table).await?;
        }
        let of_person = "CREATE INDEX access_grants_of_a_person ON access_grants (person)";
        manager.get_connection().execute_unprepared(of_person).await?;
        append_only::refuse_removal(manager, "access_grants").await?;
        append_only::refuse_changes(manager, "access_grant_cases").await?;
        append_only::refuse_removal(manager, "samples").await?;
        for (table, condition, why) in [
            ("access_grants", "OLD.revoked_at IS NOT NULL", "a grant that was taken back stays so"),
            ("samples", "OLD.seed IS NOT NULL", "a seed is revealed once"),
        ] {
            append_only::refuse(manager, table, "UPDATE", condition, why).await?;
        }
        Ok(())
    }
}
