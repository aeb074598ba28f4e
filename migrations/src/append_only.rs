//! Triggers that refuse to change what was written, on both databases. Not a defence against somebody who may drop
//! triggers: it stops a mistake in a query, and the transparency log shows the rest.

use sea_orm_migration::{
    prelude::{DbErr, SchemaManager},
    sea_orm::{ConnectionTrait, DbBackend},
};

/// Refuses UPDATE and DELETE (and TRUNCATE where it exists) on `table`.
pub(crate) async fn refuse_changes(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    refuse(manager, table, "UPDATE", "TRUE", "rows are only ever added").await?;
    refuse_removal(manager, table).await
}

/// Refuses DELETE (and TRUNCATE where it exists) on `table`.
pub(crate) async fn refuse_removal(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    refuse(manager, table, "DELETE", "TRUE", "rows are never removed").await?;
    if manager.get_database_backend() == DbBackend::Postgres {
        let sql = format!(
            "CREATE TRIGGER {table}_refuse_truncate BEFORE TRUNCATE ON {table}
             FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse_delete()"
        );
        manager.get_connection().execute_unprepared(&sql).await?;
    }
    Ok(())
}

/// Refuses `event` on a row of `table` for which `condition` holds (SQL over OLD, and NEW for an update).
pub(crate) async fn refuse(
    manager: &SchemaManager<'_>,
    table: &str,
    event: &str,
    condition: &str,
    why: &str,
) -> Result<(), DbErr> {
    let trigger = format!("{table}_refuse_{}", event.to_lowercase());
    let statements = match manager.get_database_backend() {
        DbBackend::Postgres => vec![
            format!(
                "CREATE FUNCTION {trigger}() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION '{table}: {why}'; END $$"
            ),
            format!(
                "CREATE TRIGGER {trigger} BEFORE {event} ON {table}
                 FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION {trigger}()"
            ),
        ],
        _ => vec![format!(
            "CREATE TRIGGER {trigger} BEFORE {event} ON {table} FOR EACH ROW WHEN ({condition})
             BEGIN SELECT RAISE(ABORT, '{table}: {why}'); END"
        )],
    };
    for sql in statements {
        manager.get_connection().execute_unprepared(&sql).await?;
    }
    Ok(())
}
