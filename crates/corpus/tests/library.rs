//! A corpus on disk: added whole or not at all, opened only as it was written, and its tokens likewise.
#![allow(clippy::unwrap_used, missing_docs, reason = "a failed unwrap in a test is the failure report")]

use std::{collections::BTreeSet, fs, path::Path};

use obelus_corpus::{
    Corpus, Document, Library, LibraryError, PairSupport, TokenShards,
    generator::{self, Options},
    ingest::{Ingested, SourceBy},
};

fn document(id: &str, source: &str, text: &str) -> Document {
    Document { id: id.into(), source: source.into(), title: None, publisher: None, license: None, text: text.into() }
}

fn small(root: &Path) -> Corpus {
    small_in(&Library::new(root))
}

fn small_in(library: &Library) -> Corpus {
    let documents = vec![
        document("a/1", "a", "the red fox sleeps"),
        document("a/2", "a", "the red fox runs"),
        document("b", "b", "the red hen runs"),
    ];
    library.add("small", &Ingested { documents, ..Default::default() }, &SourceBy::Document).unwrap()
}

/// As earlier versions kept corpora.
fn small_plain(root: &Path) -> Corpus {
    small_in(&Library::new(root).in_plain_files())
}

#[test]
fn a_name_is_taken_once_and_never_escapes() {
    let dir = tempfile::tempdir().unwrap();
    let library = Library::new(dir.path().join("corpora"));
    assert_eq!(library.list().unwrap(), Vec::<String>::new());
    assert!(matches!(library.open("small"), Err(LibraryError::Unknown { .. })));
    let corpus = small(&dir.path().join("corpora"));
    assert_eq!(library.list().unwrap(), ["small"]);
    let before = fs::read(corpus.dir().join("corpus.json")).unwrap();
    let other = Ingested { documents: vec![document("z", "z", "z")], ..Default::default() };
    assert!(matches!(library.add("small", &other, &SourceBy::Document), Err(LibraryError::Exists(_))));
    assert_eq!(fs::read(corpus.dir().join("corpus.json")).unwrap(), before);
    for bad in ["", ".", "..", "../x", "a/b", "A", "-a", ".a", "a b", "é", &"x".repeat(65)] {
        assert!(matches!(library.add(bad, &other, &SourceBy::Document), Err(LibraryError::Name(_))), "{bad:?}");
    }
    assert_eq!(library.add(&"x".repeat(64), &other, &SourceBy::Document).unwrap().documents().len(), 1);
}

#[test]
fn remains_of_a_killed_process_are_no_corpus_and_no_obstacle() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(".adding-small")).unwrap();
    fs::write(dir.path().join(".adding-small/documents.jsonl"), "half").unwrap();
    assert_eq!(Library::new(dir.path()).list().unwrap(), Vec::<String>::new());
    assert_eq!(small(dir.path()).documents().len(), 3);
}

#[test]
fn sources_group_documents() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = small(dir.path());
    let ids: Vec<_> = corpus.sources().iter().map(|s| (s.id.as_str(), s.documents)).collect();
    assert_eq!(ids, [("a", 2), ("b", 1)]);
    assert_eq!(corpus.source("b").unwrap().documents, 1);
    assert!(corpus.source("c").is_none());
}

#[test]
fn changed_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = small_plain(dir.path());
    for name in ["documents.jsonl", "corpus.json", "probes.jsonl"] {
        let path = corpus.dir().join(name);
        let good = fs::read(&path).unwrap();
        fs::write(&path, [good.as_slice(), b"{}"].concat()).unwrap();
        let message = Corpus::open(corpus.dir()).unwrap_err().to_string();
        assert!(message.contains(name), "{message}");
        fs::remove_file(&path).unwrap();
        assert!(Corpus::open(corpus.dir()).is_err());
        fs::write(&path, good).unwrap();
    }
    Corpus::open(corpus.dir()).unwrap();
}

#[test]
fn a_generated_corpus_is_kept_with_its_probes_and_more_can_be_added() {
    let dir = tempfile::tempdir().unwrap();
    let generated = generator::generate(Options { sources: 20, seed: 3 }).unwrap();
    let library = Library::new(dir.path());
    let mut corpus = library.add_generated("made", &generated).unwrap();
    assert_eq!(corpus.sources().len(), 20);
    assert!(corpus.sources().iter().all(|s| s.documents == 5));
    assert_eq!(corpus.held_out(), generated.held_out);
    assert_eq!(corpus.probes(), generated.probes);
    let digest = corpus.probes_digest();
    let known = generated.probes[0].clone();
    assert!(matches!(corpus.add_probes(vec![known.clone()]), Err(LibraryError::Probe { index: 1, .. })));
    let mut new = known;
    new.prompt.push_str(" certainly");
    corpus.add_probes(vec![new]).unwrap();
    let again = library.open("made").unwrap();
    assert_eq!(again.probes().len(), 201);
    assert_ne!(again.probes_digest(), digest);
    assert_eq!(again.probes_digest(), corpus.probes_digest());
}

#[test]
fn tokens_are_made_once_and_belong_to_their_corpus() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = small(dir.path());
    let first = corpus.tokenised(300).unwrap();
    let again = corpus.tokenised(300).unwrap();
    assert_eq!(first.tokenizer.digest(), again.tokenizer.digest());
    assert_eq!(first.shards.digest(), again.shards.digest());
    assert_eq!(first.support, again.support);
    assert_eq!(first.shards.len(), 3);
    for (i, document) in corpus.documents().iter().enumerate() {
        assert_eq!(first.shards.index()[i].id, document.id);
        assert_eq!(first.shards.doc(i).to_vec(), first.tokenizer.encode_document(&document.text));
    }
    let total: usize = (0..3).map(|i| first.shards.doc(i).len()).sum();
    assert_eq!(first.shards.total_tokens(), total as u64);
}

#[test]
fn damaged_tokens_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = small_plain(dir.path());
    let tokens = corpus.dir().join("tokens-300");
    drop(corpus.tokenised(300).unwrap());
    let bin = tokens.join("tokens.bin");
    let good = fs::read(&bin).unwrap();
    let mut outside = good.clone();
    outside[3] = 0xff;
    for bad in [&good[..good.len() - 2], &[good.as_slice(), &[0, 0]].concat(), &outside, &[]] {
        fs::write(&bin, bad).unwrap();
        let message = TokenShards::open(&tokens).unwrap_err().to_string();
        assert!(message.contains("tokens.bin"), "{message}");
    }
    let mut flipped = good.clone();
    flipped[2] ^= 1;
    fs::write(&bin, &flipped).unwrap();
    assert!(corpus.tokenised(300).unwrap_err().to_string().contains("SHA-256"));
    fs::write(&bin, &good).unwrap();

    let support = tokens.join("support.bin");
    let good = fs::read(&support).unwrap();
    for i in 0..good.len() {
        let mut bad = good.clone();
        bad[i] ^= 1;
        fs::write(&support, &bad).unwrap();
        assert!(corpus.tokenised(300).is_err(), "byte {i}");
        fs::write(&support, &good[..i]).unwrap();
        assert!(corpus.tokenised(300).is_err(), "cut at {i}");
    }
    fs::remove_file(&support).unwrap();
    corpus.tokenised(300).unwrap();
    assert_eq!(fs::read(&support).unwrap(), good);
}

#[test]
fn support_counts_sources_not_occurrences() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = small(dir.path());
    let made = corpus.tokenised(300).unwrap();
    let pair = |text: &str| {
        let ids = made.tokenizer.encode(text);
        assert_eq!(ids.len(), 2, "{text}: {ids:?}");
        (ids[0], ids[1])
    };
    let (the, red) = pair("the red");
    assert_eq!(made.support.sources(the, red), 2);
    assert_eq!(made.support.sources(red, the), 0);
    assert_eq!(made.support.sources(made.tokenizer.bot_id(), the), 2);
    let (red, fox) = pair(" red fox");
    assert_eq!(made.support.sources(red, fox), 1, "said twice, by one source");

    let tokens = made.shards.doc(0).to_vec();
    let weights = made.support.weights(&tokens, 2);
    assert_eq!(weights.len(), tokens.len() - 1);
    assert_eq!(weights[0], 1.0);
    assert!(weights.contains(&0.0));
    for off in [0, 1] {
        assert!(made.support.weights(&tokens, off).iter().all(|w| *w == 1.0));
    }
    for (pair, weight) in tokens.windows(2).zip(&weights) {
        assert_eq!(*weight == 1.0, made.support.sources(pair[0], pair[1]) >= 2);
    }
    let without_b = PairSupport::count(&made.shards, &BTreeSet::from(["b".to_owned()]));
    assert_eq!(without_b.sources(the, red), 1);
    let nobody = PairSupport::count(&made.shards, &BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    assert!(nobody.is_empty());
}

#[test]
fn corpora_read_as_one_have_the_wanted_sources_alone() {
    let dir = tempfile::tempdir().unwrap();
    let first = small(dir.path());
    let documents = vec![document("0", "c", "the blue fox"), document("9", "d", "the blue hen")];
    let later = Ingested { documents, ..Default::default() };
    let later = Library::new(dir.path()).add("later", &later, &SourceBy::Document).unwrap();
    let digest = first.probes_digest();
    let both = first.with(later, |id| id == "c");
    let ids: Vec<_> = both.documents().iter().map(|d| d.id.as_str()).collect();
    assert_eq!(ids, ["0", "a/1", "a/2", "b"]);
    assert!(both.source("c").is_some() && both.source("d").is_none());
    assert_eq!(both.name(), "small");
    assert_ne!(both.probes_digest(), digest);
}
