//! The transparency log for people: its checkpoint, its entries, and the proof that an entry is in it. Programs read the
//! files (`log_file.rs`); nothing here has to be believed, for every page says how to check it.

use std::io::ErrorKind;

use anyhow::Context as _;
use askama::Template;
use obelus_store::log;

use crate::{
    dispatch::Call,
    log_file::{checkpoint_path, inclusion_proof},
    page::Layout,
    problem::Problem,
    route::Answer,
    shown::Shown,
    state::Portal,
};

const ENTRIES_PER_PAGE: u64 = 50;
/// A signed note is a few hundred bytes.
const LARGEST_NOTE_BYTES: u64 = 64 << 10;

#[derive(Template)]
#[template(path = "log.html")]
struct LogPage {
    layout: Layout,
    note: Option<Shown>,
    size: u64,
    entries: Vec<EntryLine>,
    older: Option<String>,
}

struct EntryLine {
    index: u64,
    statement: String,
}

#[derive(Template)]
#[template(path = "log_entry.html")]
struct EntryPage {
    layout: Layout,
    index: u64,
    size: u64,
    leaf_hash: String,
    statement: String,
    body: Shown,
    path: Vec<String>,
    note: Shown,
}

/// What was published last: the note and its size. None when nothing was.
pub(crate) async fn published(portal: &Portal) -> Result<Option<(String, u64)>, Problem> {
    let path = checkpoint_path(&portal.deps.work.data);
    let bytes = match tokio::fs::read(&path).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let damaged = || format!("{} is no checkpoint; publish it again or restore it from a copy", path.display());
    let small = bytes.len() as u64 <= LARGEST_NOTE_BYTES;
    let note = String::from_utf8(bytes).ok().filter(|_| small).with_context(damaged)?;
    let size = note.lines().nth(1).and_then(|line| line.parse().ok()).with_context(damaged)?;
    Ok(Some((note, size)))
}

/// `GET /log`.
pub(crate) async fn show(call: Call) -> Answer {
    let published = published(&call.portal).await?;
    let (note, size) = published.map_or((None, 0), |(note, size)| (Some(Shown::new(&note)), size));
    // The newest first; `before` is the first index of the page before.
    let before = call.query("before").parse::<u64>().map_or(size, |before| before.min(size));
    let from = before.saturating_sub(ENTRIES_PER_PAGE);
    let leaves = log::leaves(&call.portal.deps.work.db, from..before).await?;
    let line = |leaf: log::Leaf| EntryLine { index: leaf.index, statement: leaf.statement.to_string() };
    let entries = leaves.into_iter().rev().map(line).collect();
    let older = (from > 0).then(|| format!("/log?before={from}"));
    call.show(&LogPage { layout: call.layout("Transparency log")?, note, size, entries, older })
}

/// `GET /log/{index}`.
pub(crate) async fn entry(call: Call) -> Answer {
    let missing = || Problem::not_found("The published log has no such entry. Its page lists those that it has.");
    let text = call.part("index");
    let index: u64 = text.parse().ok().filter(|index: &u64| index.to_string() == text).ok_or_else(missing)?;
    let (note, size) = published(&call.portal).await?.ok_or_else(missing)?;
    // An entry that no published checkpoint covers is not shown: nobody could check it.
    if index >= size {
        return Err(missing());
    }
    let leaf = log::leaf(&call.portal.deps.work.db, index).await?.ok_or_else(missing)?;
    let data = call.portal.deps.work.data.clone();
    let proof = tokio::task::spawn_blocking(move || inclusion_proof(&data, index, size)).await;
    let path = proof.context("the proof was not finished")??.ok_or_else(missing)?;
    let layout = call.layout(&format!("Log entry {index}"))?.under(&[("/log", "Transparency log")]);
    call.show(&EntryPage {
        layout,
        index,
        size,
        leaf_hash: leaf.leaf_hash.to_string(),
        statement: leaf.statement.to_string(),
        body: Shown::new(&String::from_utf8_lossy(&leaf.body)),
        path: path.iter().map(ToString::to_string).collect(),
        note: Shown::new(&note),
    })
}
