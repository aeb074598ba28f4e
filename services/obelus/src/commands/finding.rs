//! Which sources a request means, by id or as somebody describes them. Not here: where they are looked for
//! (`obelus_casework::finding`), and filing.

use std::fs;

use anyhow::Result;
use obelus_casework::{
    Deps,
    finding::{self, Finding},
};
use obelus_search::{MAX_TEXT_BYTES, Query};

use crate::{arguments::Meant, failure::WrongUse};

/// Finds what is meant.
///
/// # Errors
/// When the file cannot be read as text, or there is no such model.
pub async fn find(deps: &Deps, model: &str, meant: &Meant) -> Result<Finding> {
    if meant.source.is_empty() {
        return finding::find(deps, model, query(meant)?).await;
    }
    Ok(Finding { sources: meant.source.clone(), ..Finding::default() })
}

fn query(meant: &Meant) -> Result<Query> {
    let Some(file) = &meant.text else { return Ok(Query::Publisher(meant.publisher.clone().unwrap_or_default())) };
    let shown = file.display();
    let length = fs::metadata(file).map_err(|e| WrongUse(format!("cannot read {shown}: {e}")))?.len();
    if length > MAX_TEXT_BYTES as u64 {
        return Err(WrongUse(format!("{shown} has {length} bytes, at most {MAX_TEXT_BYTES}; give a part of it")).into());
    }
    let text = fs::read_to_string(file).map_err(|e| WrongUse(format!("cannot read {shown} as UTF-8: {e}")))?;
    Ok(Query::Text(text))
}
