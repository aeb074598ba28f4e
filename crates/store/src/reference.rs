//! References such as `OB-2026-000001`: a series, the year, and a number that is never given twice. Not here: what they
//! refer to.

use obelus_core::Timestamp;
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::{
    database::{Connected, Write},
    error::{Error, Result},
};

/// The next reference of `series` in the year of `now` (UTC).
pub(crate) async fn next(write: &Write, series: &str, now: Timestamp) -> Result<String> {
    let date = now.to_string();
    let year = date.split('-').next().unwrap_or_default();
    let series = format!("{series}-{year}");
    let connection = write.connection();
    // One statement: two transactions that count at once wait for each other here.
    let counted = match connection.get_database_backend() {
        DbBackend::Postgres => "INSERT INTO reference_numbers (series, last) VALUES ($1, 1)",
        _ => "INSERT INTO reference_numbers (series, last) VALUES (?, 1)",
    };
    let sql = format!("{counted} ON CONFLICT (series) DO UPDATE SET last = reference_numbers.last + 1 RETURNING last");
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, [series.as_str().into()]);
    let row = connection
        .query_one_raw(statement)
        .await?
        .ok_or_else(|| Error::Damaged(format!("no number was given for {series}")))?;
    let last: i64 = row.try_get("", "last")?;
    Ok(format!("{series}-{last:06}"))
}
