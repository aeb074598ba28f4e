//! The few kinds of column that tables are made of, alike on both databases. Not here: any table.
//!
//! Times are integers (microseconds), digests lowercase hexadecimal text, what was signed and key material blobs. There
//! are no arrays, no JSON columns and no unsigned integers: the two databases do not agree on them.

use sea_orm_migration::{
    prelude::{ColumnDef, SchemaManager},
    sea_orm::DbBackend,
};

/// Text that identifies or orders rows, compared byte by byte: PostgreSQL would otherwise sort by the server's language.
pub(crate) fn name(manager: &SchemaManager<'_>, column: &'static str) -> ColumnDef {
    let mut definition = nullable_name(manager, column);
    definition.not_null();
    definition
}

/// [`name`], or nothing.
pub(crate) fn nullable_name(manager: &SchemaManager<'_>, column: &'static str) -> ColumnDef {
    let mut definition = ColumnDef::new(column);
    definition.text();
    if manager.get_database_backend() == DbBackend::Postgres {
        definition.extra("COLLATE \"C\"");
    }
    definition
}

/// Text that is only read.
pub(crate) fn text(column: &'static str) -> ColumnDef {
    let mut definition = ColumnDef::new(column);
    definition.text().not_null();
    definition
}

/// [`text`], or nothing.
pub(crate) fn nullable_text(column: &'static str) -> ColumnDef {
    let mut definition = ColumnDef::new(column);
    definition.text();
    definition
}

/// A signed 64-bit integer: counts, positions, and times in microseconds.
pub(crate) fn integer(column: &'static str) -> ColumnDef {
    let mut definition = ColumnDef::new(column);
    definition.big_integer().not_null();
    definition
}

/// [`integer`], or nothing.
pub(crate) fn nullable_integer(column: &'static str) -> ColumnDef {
    let mut definition = ColumnDef::new(column);
    definition.big_integer();
    definition
}

/// A row number that the database gives out.
pub(crate) fn row_number(column: &'static str) -> ColumnDef {
    let mut definition = ColumnDef::new(column);
    definition.big_integer().not_null().auto_increment().primary_key();
    definition
}

/// Bytes.
pub(crate) fn blob(column: &'static str) -> ColumnDef {
    let mut definition = ColumnDef::new(column);
    definition.blob().not_null();
    definition
}

/// [`blob`], or nothing.
pub(crate) fn nullable_blob(column: &'static str) -> ColumnDef {
    let mut definition = ColumnDef::new(column);
    definition.blob();
    definition
}
