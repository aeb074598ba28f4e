//! What somebody without an account may be told about the sources of a model when they ask: of published sources those whose
//! name or publisher they have named themselves, in full.
//!
//! Nothing here reads a text. Whether a text, or a person in it, is in a corpus would tell strangers about others, so that only
//! people who handle the case look for those (`finding.rs`). A source without a publisher may be somebody's own writing, and is
//! never named; nor is one that was struck, for that it was is its requester's affair.

use anyhow::Result;
use obelus_ledger::{canonical, manifest::SourceRecord};
use obelus_search::Words;
use obelus_store::{models, sources};
use serde::{Deserialize, Serialize};

use crate::{Deps, NotThere};

/// Most sources that are looked through for a stranger.
const MOST_SOURCES: usize = 20_000;
/// Most that are told.
const MOST_TOLD: usize = 10;
const PAGE: u64 = 1000;

/// What may be meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicMatch {
    /// The source's name; none where it was its publisher that was named.
    pub source: Option<String>,
    /// Who published it.
    pub publisher: String,
    /// How many sources of the publisher there are.
    pub sources: u64,
}

/// Looks through the register for what somebody has named. None where the register is too large to be read for a stranger.
///
/// # Errors
/// When there is no such model, or the database fails.
pub async fn find(deps: &Deps, model: &str, words: &str) -> Result<Option<Vec<PublicMatch>>> {
    let row = models::get(&deps.db, model).await?.ok_or_else(|| NotThere::model(model))?;
    let asked = Words::of(words);
    let (mut named, mut published) = (Vec::new(), Vec::<PublicMatch>::new());
    let (mut after, mut seen) = (None::<String>, 0);
    loop {
        let page = sources::page(&deps.db, &row.lineage, after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.source_id.clone());
        seen += page.len();
        if seen > MOST_SOURCES {
            return Ok(None);
        }
        let held = |source: &&sources::Source| {
            let is_held = source.since > 0 && source.since <= row.generation;
            is_held && source.revoked_at.is_none() && !row.excluded.0.contains(&source.source_id)
        };
        for source in page.iter().filter(held) {
            let record: SourceRecord = canonical::from_bytes(&source.record)?;
            if record.publisher.is_empty() {
                continue;
            }
            if names(&asked, &record.source) && named.len() < MOST_TOLD {
                let (source, publisher) = (Some(record.source.clone()), record.publisher.clone());
                named.push(PublicMatch { source, publisher, sources: 1 });
            }
            // Several publishers of one source stand in one line.
            for publisher in record.publisher.split("; ").filter(|publisher| names(&asked, publisher)) {
                match published.iter().position(|known| known.publisher == publisher) {
                    Some(known) => published[known].sources += 1,
                    None if published.len() < MOST_TOLD => {
                        published.push(PublicMatch { source: None, publisher: publisher.to_owned(), sources: 1 });
                    }
                    None => {}
                }
            }
        }
    }
    named.extend(published);
    named.truncate(MOST_TOLD);
    Ok(Some(named))
}

/// Whether what was asked names something in full: all its words one after another, or, where it is a single word, nothing
/// else, for single words are everywhere.
fn names(asked: &Words, name: &str) -> bool {
    let name = Words::of(name);
    let (asked, name): (Vec<&str>, Vec<&str>) = (asked.iter().collect(), name.iter().collect());
    match name.len() {
        0 => false,
        1 => asked == name,
        length => asked.windows(length).any(|run| run == name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_named_in_full_or_not_at_all() {
        for (asked, name, is) in [
            ("the Calder Valley Survey of 1881", "Calder valley survey", true),
            ("Calder", "Calder valley survey", false),
            ("valley survey", "Calder valley survey", false),
            ("a", "a", true),
            ("such a thing", "a", false),
            ("Nature", "NATURE", true),
            ("", "a", false),
            ("a", "", false),
            ("", "", false),
        ] {
            assert_eq!(names(&Words::of(asked), name), is, "{asked:?} {name:?}");
        }
    }
}
