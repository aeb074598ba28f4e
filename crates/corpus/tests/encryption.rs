//! Encrypted corpora: read as they were written, opened by their own keys in their own places, and gone with them.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use obelus_corpus::{
    Corpus, Document, Library, LibraryError, Probe,
    generator::{self, Generated, Options},
    ingest::{Ingested, SourceBy},
};
use proptest::prelude::*;

const NAME: &str = "made";
const VOCAB: usize = 512;

fn generated() -> Generated {
    let mut made = generator::generate(Options { sources: 20, seed: 5 }).unwrap();
    made.documents.sort_by(|a, b| a.id.cmp(&b.id));
    made
}

fn document(id: &str, source: &str, text: &str) -> Document {
    Document { id: id.into(), source: source.into(), title: None, publisher: None, license: None, text: text.into() }
}

/// Every file under a folder with what is in it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.insert(entry.path(), fs::read(entry.path()).unwrap());
        }
    }
    found
}

/// Every twelve bytes in a row that texts, probes and titles of one source have, and no other's.
fn own_bytes(corpus: &Generated, source: &str) -> HashSet<[u8; 12]> {
    let bytes = |own: bool| {
        let documents = corpus.documents.iter().chain(&corpus.held_out).filter(|d| (d.source == source) == own);
        let probes = corpus.probes.iter().filter(|p| (p.source == source) == own);
        let texts = documents.flat_map(|d| [Some(&d.text), d.title.as_ref()].into_iter().flatten());
        let texts = texts.chain(probes.flat_map(|p| [&p.prompt, &p.answer].into_iter().chain(&p.wrong)));
        let windows = |text: &String| text.as_bytes().windows(12).map(|w| w.try_into().unwrap()).collect::<Vec<_>>();
        texts.flat_map(windows).collect::<HashSet<[u8; 12]>>()
    };
    bytes(true).difference(&bytes(false)).copied().collect()
}

/// Files with some of these bytes, but for tokenizers, which are of all sources.
fn found(folder: &Path, own: &HashSet<[u8; 12]>) -> Vec<PathBuf> {
    let has = |bytes: &[u8]| bytes.windows(12).any(|window| own.contains(window));
    let all = files(folder).into_iter().filter(|(path, _)| !path.ends_with("tokenizer.json"));
    all.filter(|(_, bytes)| has(bytes)).map(|(path, _)| path).collect()
}

fn same(corpus: &Corpus, made: &Generated, but: Option<&str>) {
    let stays = |source: &str| Some(source) != but;
    let documents: Vec<&Document> = made.documents.iter().filter(|d| stays(&d.source)).collect();
    assert_eq!(corpus.documents().iter().collect::<Vec<_>>(), documents);
    let held_out: Vec<&Document> = made.held_out.iter().filter(|d| stays(&d.source)).collect();
    assert_eq!(corpus.held_out().iter().collect::<Vec<_>>(), held_out);
    let probes: Vec<&Probe> = made.probes.iter().filter(|p| stays(&p.source)).collect();
    assert_eq!(corpus.probes().iter().collect::<Vec<_>>(), probes);
}

#[test]
fn an_encrypted_corpus_is_the_plain_one_when_it_is_read_and_nothing_of_it_when_it_is_not() {
    let (sealed, plain) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let made = generated();
    let sealed_corpus = Library::new(sealed.path()).add_generated(NAME, &made).unwrap();
    let plain_corpus = Library::new(plain.path()).in_plain_files().add_generated(NAME, &made).unwrap();
    assert!(sealed_corpus.is_encrypted() && !plain_corpus.is_encrypted());
    same(&sealed_corpus, &made, None);
    same(&plain_corpus, &made, None);
    assert_eq!(sealed_corpus.sources(), plain_corpus.sources());
    assert_eq!(sealed_corpus.probes_digest(), plain_corpus.probes_digest());
    assert_eq!(sealed_corpus.record().documents_digest, plain_corpus.record().documents_digest);
    let (a, b) = (sealed_corpus.tokenised(VOCAB).unwrap(), plain_corpus.tokenised(VOCAB).unwrap());
    assert_eq!((a.shards.digest(), a.shards.index(), &a.support), (b.shards.digest(), b.shards.index(), &b.support));
    for i in 0..a.shards.len() {
        assert_eq!(a.shards.doc(i).to_vec(), b.shards.doc(i).to_vec());
    }
    let source = &made.documents[0].source;
    let own = own_bytes(&made, source);
    assert!(own.len() > 100, "{}", own.len());
    assert_eq!(found(sealed.path(), &own), Vec::<PathBuf>::new());
    assert!(found(plain.path(), &own).len() >= 3, "documents, held-out renderings and probes");
}

#[test]
fn destroyed_text_is_gone_and_other_text_is_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let (library, made) = (Library::new(dir.path()), generated());
    let corpus = library.add_generated(NAME, &made).unwrap();
    let before = corpus.tokenised(VOCAB).unwrap();
    let source = made.documents[0].source.clone();
    let left_as_they_are = files(&dir.path().join(NAME));
    let first = library.destroy_text(NAME, &source).unwrap();
    let again = library.destroy_text(NAME, &source).unwrap();
    assert!(first.now && !again.now);
    assert_eq!((first.ciphertext, first.records, first.bytes), (again.ciphertext, again.records, again.bytes));
    let own = |documents: &[Document]| documents.iter().filter(|d| d.source == source).count();
    let asked = made.probes.iter().filter(|p| p.source == source).count();
    assert_eq!(first.records as usize, 2 * own(&made.documents) + own(&made.held_out) + asked);
    assert_eq!(files(&dir.path().join(NAME)), left_as_they_are, "only the key is changed");

    let after = library.open(NAME).unwrap();
    same(&after, &made, Some(&source));
    assert!(after.is_destroyed(&source) && !after.is_destroyed("another"));
    let (was, is) = (corpus.source(&source).unwrap(), after.source(&source).unwrap());
    assert_eq!((was.documents, was.text_bytes, was.content_digest), (is.documents, is.text_bytes, is.content_digest));
    assert_eq!((&is.publisher, &is.license), (&None, &None));
    assert_eq!(after.sources().len(), corpus.sources().len());
    let tokens = after.tokenised(VOCAB).unwrap();
    assert_eq!(tokens.tokenizer.digest(), before.tokenizer.digest());
    assert_eq!(tokens.shards.digest(), before.shards.digest());
    assert!(tokens.shards.index().iter().all(|entry| entry.source != source));
    for (i, entry) in tokens.shards.index().iter().enumerate() {
        let at = before.shards.index().iter().position(|e| e.id == entry.id).unwrap();
        assert_eq!(tokens.shards.doc(i).to_vec(), before.shards.doc(at).to_vec());
    }
    assert!(after.tokenised(300).unwrap().shards.index().iter().all(|entry| entry.source != source));

    // More can be asked about the others, and nothing about it.
    let mut after = after;
    let probe = |source: &str| Probe { prompt: "Who else".into(), source: source.into(), ..made.probes[0].clone() };
    let refused = after.add_probes(vec![Probe { also_in: vec![], ..probe(&source) }]).unwrap_err();
    assert!(refused.to_string().contains("not in the corpus"), "{refused}");
    let other = made.documents.iter().find(|d| d.source != source).unwrap().source.clone();
    after.add_probes(vec![Probe { also_in: vec![], ..probe(&other) }]).unwrap();
    assert_eq!(library.open(NAME).unwrap().probes(), after.probes());
    assert!(library.destroy_text(NAME, "nobody").unwrap_err().to_string().contains("no source"));
}

#[test]
fn keys_are_the_owners_alone_and_without_them_nothing_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let library = Library::new(dir.path());
    let corpus = library.add_generated(NAME, &generated()).unwrap();
    let keys = dir.path().join(".keys").join(format!("{NAME}.keys"));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&keys), mode(keys.parent().unwrap())), (0o600, 0o700));
    assert!(!format!("{corpus:?}").contains(&format!("{:?}", &fs::read(&keys).unwrap()[96..128])));
    let refused = |what: &str| {
        let error = library.open(NAME).unwrap_err();
        assert!(matches!(error, LibraryError::Keys { .. }) && error.to_string().contains(what), "{error}");
    };
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o640)).unwrap();
    refused("chmod 600");
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o600)).unwrap();
    let good = fs::read(&keys).unwrap();
    for bad in [&good[..good.len() - 1], &good[64..], &[good.as_slice(), &[1; 64]].concat()] {
        fs::write(&keys, bad).unwrap();
        refused("not the file");
    }
    // One bit of a key, and it is no key.
    let mut other = good.clone();
    other[100] ^= 1;
    fs::write(&keys, &other).unwrap();
    assert!(library.open(NAME).unwrap_err().to_string().contains("does not open"));
    fs::remove_file(&keys).unwrap();
    refused("not there");
    fs::write(&keys, &good).unwrap();
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o600)).unwrap();
    library.open(NAME).unwrap();
}

#[test]
fn a_corpus_in_plain_files_is_read_encrypted_where_it_is_and_then_destroyed() {
    let dir = tempfile::tempdir().unwrap();
    let (library, made) = (Library::new(dir.path()), generated());
    let plain = library.clone().in_plain_files().add_generated(NAME, &made).unwrap();
    let before = plain.tokenised(VOCAB).unwrap();
    let (tokenizer, tokens) = (before.tokenizer.digest(), before.shards.digest());
    let source = made.documents[0].source.clone();
    let own = own_bytes(&made, &source);
    assert!(matches!(library.destroy_text(NAME, &source), Err(LibraryError::Plain(_))));
    // Somebody reads the tokens.
    assert!(library.encrypt(NAME).unwrap_err().to_string().contains("reading"));
    assert!(!library.open(NAME).unwrap().is_encrypted());
    drop(before);
    // Killed before the record was written, and after it.
    fs::write(plain.dir().join("documents.sealed"), "half").unwrap();
    assert!(library.encrypt(NAME).unwrap());
    fs::write(plain.dir().join("documents.jsonl"), own.iter().next().unwrap()).unwrap();
    assert!(!library.encrypt(NAME).unwrap());
    let corpus = library.open(NAME).unwrap();
    same(&corpus, &made, None);
    assert_eq!(corpus.sources(), plain.sources());
    let after = corpus.tokenised(VOCAB).unwrap();
    assert_eq!((after.tokenizer.digest(), after.shards.digest()), (tokenizer, tokens));
    assert_eq!(found(dir.path(), &own), Vec::<PathBuf>::new());
    library.destroy_text(NAME, &source).unwrap();
    same(&library.open(NAME).unwrap(), &made, Some(&source));
}

/// The records of a file, header first.
fn records(file: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = vec![file[..24].to_vec()];
    let mut rest = &file[24..];
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[16..20].try_into().unwrap()) as usize;
        parts.push(rest[..20 + length].to_vec());
        rest = &rest[20 + length..];
    }
    parts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_added_is_read_whatever_it_is(texts in prop::collection::vec(("[a-e]", "[^\\x00\\s][^\\x00]{0,60}"), 1..20)) {
        let dir = tempfile::tempdir().unwrap();
        let documents: Vec<Document> =
            texts.iter().enumerate().map(|(i, (source, text))| document(&format!("{i:03}"), source, text)).collect();
        let ingested = Ingested { documents: documents.clone(), ..Default::default() };
        let corpus = Library::new(dir.path()).add("c", &ingested, &SourceBy::Document).unwrap();
        prop_assert_eq!(corpus.documents(), documents);
    }

    /// Nothing opens in another's place: swapped, under another source's number, of another file, or changed by a bit.
    #[test]
    fn a_record_opens_in_its_own_place_alone(a in 0..6usize, b in 0..6usize, bit in any::<prop::sample::Index>()) {
        let dir = tempfile::tempdir().unwrap();
        let library = Library::new(dir.path());
        // All of one length, so that nothing but their places tells them apart.
        let documents: Vec<Document> =
            (0..6).map(|i| document(&format!("{i}"), if i < 3 { "a" } else { "b" }, &format!("text {i}"))).collect();
        library.add("c", &Ingested { documents, ..Default::default() }, &SourceBy::Document).unwrap();
        let (path, record) = (dir.path().join("c/documents.sealed"), dir.path().join("c/corpus.json"));
        let (good, said) = (fs::read(&path).unwrap(), fs::read_to_string(&record).unwrap());
        let digest = |file: &[u8]| obelus_core::Digest::sha256(file).to_string();
        let opens = |file: &[u8]| {
            fs::write(&path, file).unwrap();
            // Whoever can write here can write the digest too.
            fs::write(&record, said.replace(&digest(&good), &digest(file))).unwrap();
            library.open("c").is_ok()
        };
        prop_assert!(opens(&good));
        let mut parts = records(&good);
        parts.swap(a + 1, b + 1);
        prop_assert_eq!(opens(&parts.concat()), a == b);
        let mut parts = records(&good);
        let number = parts[a + 1][0];
        parts[a + 1][0] = 1 - number;
        prop_assert!(!opens(&parts.concat()), "under another source's key");
        let mut changed = good.clone();
        let at = bit.index(changed.len() * 8);
        changed[at / 8] ^= 1 << (at % 8);
        prop_assert!(!opens(&changed), "bit {at}");
        prop_assert!(!opens(&records(&good)[..6].concat()), "one is missing");
    }
}

#[test]
fn a_corpus_under_another_name_is_not_the_one_that_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let library = Library::new(dir.path());
    library.add_generated(NAME, &generated()).unwrap();
    let record = dir.path().join(NAME).join("corpus.json");
    let said = fs::read_to_string(&record).unwrap();
    fs::write(&record, said.replace("\"made\"", "\"else\"")).unwrap();
    let keys = dir.path().join(".keys");
    fs::copy(keys.join("made.keys"), keys.join("else.keys")).unwrap();
    assert!(library.open(NAME).unwrap_err().to_string().contains("does not open"));
}
