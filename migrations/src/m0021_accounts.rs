//! Accounts of persons, and what stands for somebody for a while: sessions, links that work once, and API tokens. Of each
//! secret only a hash is here.

use sea_orm_migration::{prelude::*, sea_orm::ConnectionTrait};

use crate::{
    append_only,
    columns::{integer, name, nullable_integer, nullable_name, row_number, text},
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }

    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in tables(manager) {
            manager.create_table(table).await?;
        }
        for index in [
            // The newest link of a purpose and subject is the only one that works.
            "CREATE UNIQUE INDEX a_link_is_open_once ON one_time_links (purpose, subject) WHERE used_at IS NULL",
            "CREATE INDEX sessions_of_a_person ON sessions (person)",
            "CREATE INDEX sessions_that_end ON sessions (expires_at)",
            "CREATE INDEX api_tokens_of_a_person ON api_tokens (person)",
        ] {
            manager.get_connection().execute_unprepared(index).await?;
        }
        append_only::refuse_removal(manager, "accounts").await?;
        append_only::refuse_removal(manager, "api_tokens").await?;
        for (table, condition, why) in [
            ("sessions", "OLD.revoked_at IS NOT NULL", "a revoked session stays revoked"),
            ("one_time_links", "OLD.used_at IS NOT NULL", "a link works once"),
            ("api_tokens", "OLD.revoked_at IS NOT NULL", "a revoked token stays revoked"),
        ] {
            append_only::refuse(manager, table, "UPDATE", condition, why).await?;
        }
        Ok(())
    }
}

fn tables(manager: &SchemaManager<'_>) -> [TableCreateStatement; 4] {
    let of_person = |table| ForeignKey::create().from(table, "person").to("persons", "id").to_owned();
    let accounts = Table::create()
        .table("accounts")
        .col(integer("person").primary_key())
        .col(text("password_hash"))
        .col(integer("created_at"))
        .col(nullable_integer("disabled_at"))
        .foreign_key(&mut of_person("accounts"))
        .to_owned();
    let sessions = Table::create()
        .table("sessions")
        .col(name(manager, "token_hash").primary_key())
        .col(nullable_integer("person"))
        .col(nullable_name(manager, "request"))
        .col(integer("created_at"))
        .col(integer("seen_at"))
        .col(integer("expires_at"))
        .col(nullable_integer("stepped_up_at"))
        .col(nullable_integer("revoked_at"))
        .col(text("user_agent"))
        .foreign_key(&mut of_person("sessions"))
        .foreign_key(ForeignKey::create().from("sessions", "request").to("requests", "reference"))
        // Of a person or of whoever filed a request, and never of both or of nobody.
        .check(Expr::cust("(person IS NULL) <> (request IS NULL)"))
        .to_owned();
    let links = Table::create()
        .table("one_time_links")
        .col(name(manager, "token_hash").primary_key())
        .col(name(manager, "purpose"))
        .col(name(manager, "subject"))
        .col(integer("created_at"))
        .col(integer("expires_at"))
        .col(nullable_integer("used_at"))
        .to_owned();
    let tokens = Table::create()
        .table("api_tokens")
        .col(row_number("id"))
        .col(integer("person"))
        .col(text("name"))
        .col(name(manager, "token_hash").unique_key())
        .col(text("scopes"))
        .col(integer("created_at"))
        .col(integer("expires_at"))
        .col(nullable_integer("last_used_at"))
        .col(nullable_integer("revoked_at"))
        .foreign_key(&mut of_person("api_tokens"))
        .to_owned();
    [accounts, sessions, links, tokens]
}
