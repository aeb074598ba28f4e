//! The folder of an index: built whole or not at all, built again when documents change, and emptied of what is struck.
//! Not here: what is found in it.

use std::{collections::BTreeSet, fs, path::Path};

use obelus_corpus::Document;
use obelus_search::{Index, Query, documents_digest};
use tempfile::TempDir;

use crate::documents::{document, documents};

/// In no other document, and not folded into anything else.
const PLANTED: &str = "quuxwyvern";

fn with_planted() -> Vec<Document> {
    let mut all = documents();
    all.push(document("struck/1", "struck", &format!("Here a {PLANTED} is planted among words that are common.")));
    all
}

fn names(words: &[&str]) -> BTreeSet<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

/// Files below a folder whose bytes hold the planted word; compression keeps a word that is there once.
fn planted_in(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(planted_in(&path));
        } else if fs::read(&path).unwrap().windows(PLANTED.len()).any(|w| w == PLANTED.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

fn entries(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_struck_source_leaves_no_byte_of_its_text() {
    let dir = TempDir::new().unwrap();
    Index::build(dir.path(), &with_planted()).unwrap();
    assert!(!planted_in(dir.path()).is_empty());
    let index = Index::forget(dir.path(), &names(&["struck"])).unwrap().unwrap();
    assert_eq!(planted_in(dir.path()), Vec::<String>::new());
    assert!(index.document("struck/1").unwrap().is_none());
    assert!(index.find(&Query::Name(PLANTED.into())).unwrap().matches.is_empty());
    assert_eq!(index.find(&Query::Id("bakers".into())).unwrap().matches.len(), 1);
    assert_eq!(index.document("bakers").unwrap().as_ref(), documents().iter().find(|d| d.id == "bakers"));
}

#[test]
fn forgetting_gives_the_index_of_the_rest_and_again_changes_nothing() {
    let dir = TempDir::new().unwrap();
    Index::build(dir.path(), &with_planted()).unwrap();
    let index = Index::forget(dir.path(), &names(&["struck", "never there"])).unwrap().unwrap();
    assert_eq!(index.documents_digest(), documents_digest(&documents()));
    let before = entries(dir.path());
    Index::forget(dir.path(), &names(&["struck"])).unwrap().unwrap();
    Index::ensure(dir.path(), &documents()).unwrap();
    assert_eq!(entries(dir.path()), before);
}

#[test]
fn everything_can_be_forgotten() {
    let dir = TempDir::new().unwrap();
    assert!(Index::forget(dir.path(), &names(&["struck"])).unwrap().is_none());
    Index::build(dir.path(), &with_planted()[6..]).unwrap();
    let index = Index::forget(dir.path(), &names(&["struck"])).unwrap().unwrap();
    assert_eq!(planted_in(dir.path()), Vec::<String>::new());
    for query in [Query::Text("a planted word".into()), Query::Name("planted".into()), Query::Id("struck".into())] {
        assert!(index.find(&query).unwrap().matches.is_empty());
    }
}

#[test]
fn what_a_killed_process_left_is_removed_and_the_newest_whole_index_counts() {
    let dir = TempDir::new().unwrap();
    Index::build(dir.path(), &with_planted()).unwrap();
    let generation = dir.path().join("generation-1");
    // Killed while it built, and, another time, before it removed the generation before.
    copy(&generation, &dir.path().join(".building"));
    fs::remove_file(dir.path().join(".building/stamp.json")).unwrap();
    assert!(Index::open(dir.path()).unwrap().unwrap().document("struck/1").unwrap().is_some());
    let apart = TempDir::new().unwrap();
    copy(&generation, &apart.path().join("old"));
    Index::forget(dir.path(), &names(&["struck"])).unwrap();
    copy(&apart.path().join("old"), &generation);
    assert!(Index::open(dir.path()).unwrap().unwrap().document("struck/1").unwrap().is_none());
    Index::forget(dir.path(), &names(&["struck"])).unwrap();
    assert_eq!(planted_in(dir.path()), Vec::<String>::new());
    assert_eq!(entries(dir.path()), [".lock", "generation-2"]);
}

#[test]
fn an_index_is_built_again_when_documents_change_and_only_then() {
    let dir = TempDir::new().unwrap();
    assert!(Index::open(dir.path()).unwrap().is_none());
    Index::ensure(dir.path(), &documents()).unwrap();
    Index::ensure(dir.path(), documents().iter().rev()).unwrap();
    assert_eq!(entries(dir.path()), [".lock", "generation-1"]);
    let open = Index::open(dir.path()).unwrap().unwrap();
    let mut changed = documents();
    changed[0].title = Some("Another".into());
    Index::ensure(dir.path(), &changed).unwrap();
    assert_eq!(entries(dir.path()), [".lock", "generation-2"]);
    // Who opened the one before still has it whole.
    assert_eq!(open.document("harbour/ferry").unwrap().as_ref(), Some(&documents()[0]));
}

#[test]
fn a_damaged_index_is_said_built_again_or_removed() {
    for file in ["stamp.json", "meta.json"] {
        let dir = TempDir::new().unwrap();
        Index::build(dir.path(), &with_planted()).unwrap();
        let path = dir.path().join("generation-1").join(file);
        fs::write(&path, "{").unwrap();
        assert!(Index::open(dir.path()).is_err_and(|e| e.to_string().contains("build the index again")));
        Index::ensure(dir.path(), &with_planted()).unwrap();
        fs::write(dir.path().join("generation-2").join(file), "{").unwrap();
        assert!(Index::forget(dir.path(), &names(&["struck"])).unwrap().is_none());
        assert_eq!(planted_in(dir.path()), Vec::<String>::new());
    }
}

#[test]
fn ids_that_are_there_twice_are_refused_and_the_index_stays() {
    let dir = TempDir::new().unwrap();
    Index::build(dir.path(), &documents()).unwrap();
    let twice = [document("a", "a", "one"), document("a", "b", "two")];
    assert!(Index::build(dir.path(), &twice).is_err_and(|e| e.to_string().contains("\"a\" is there twice")));
    assert!(Index::open(dir.path()).unwrap().unwrap().document("bakers").unwrap().is_some());
}
