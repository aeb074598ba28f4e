//! `obelus database`: the tables' shape and who may do what to them. It needs a database and no data directory, so that
//! their owner's password need not be where the programs run.

use std::path::Path;

use anyhow::Result;
use obelus_casework::open;
use obelus_core::DataDirectory;
use obelus_store::privileges::{self, Roles};
use serde_json::json;

use crate::{
    arguments::Database,
    failure::WrongUse,
    output::{Answer, Output},
};

/// Runs `obelus database`.
pub async fn run(root: &Path, command: &Database, output: &Output) -> Result<Answer> {
    let named = |prefix: &str| Roles::with_prefix(prefix).map_err(|error| WrongUse(error.to_string()));
    match command {
        Database::Migrate => {
            let db = open::database(&DataDirectory::new(root)).await?;
            db.migrate().await?;
            let words = format!("the {:?} database has the shape of this version", db.backend());
            output.print(&words, &json!({ "migrated": true }))?;
        }
        Database::Grant(roles) => {
            let roles = named(&roles.prefix)?;
            let db = open::database(&DataDirectory::new(root)).await?;
            privileges::grant_all(&db, &roles).await?;
            let names: Vec<String> = privileges::Role::ALL.iter().map(|role| roles.name(*role)).collect();
            output.print(&format!("granted to {}", names.join(", ")), &json!({ "roles": names }))?;
        }
        Database::Roles(roles) => {
            let sql = privileges::sql(&named(&roles.prefix)?);
            output.print(sql.trim_end(), &json!({ "sql": sql }))?;
        }
    }
    Ok(Answer::Done)
}
