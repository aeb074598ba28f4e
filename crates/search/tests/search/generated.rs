//! The generated corpus: every pasted document finds its source, and every shared fact is said to remain.

use std::collections::BTreeSet;

use obelus_corpus::{
    ProbeKind,
    generator::{Generated, Options, generate},
};
use obelus_search::{Basis, Index, Query};
use tempfile::TempDir;

fn indexed(sources: u32) -> (Generated, Index, TempDir) {
    let generated = generate(Options { sources, seed: 3 }).unwrap();
    let dir = TempDir::new().unwrap();
    let index = Index::build(dir.path(), &generated.documents).unwrap();
    (generated, index, dir)
}

#[test]
fn a_pasted_document_of_each_source_finds_that_source_first() {
    let (generated, index, _dir) = indexed(60);
    for document in generated.documents.iter().filter(|d| d.id.ends_with("/2")) {
        let found = index.find(&Query::Text(document.text.clone())).unwrap();
        let first = &found.matches[0];
        assert_eq!(first.source, document.source);
        let whole = Basis::NearDuplicate { document: document.id.clone(), similarity: 1.0 };
        assert_eq!(first.bases[0], whole);
        assert!(found.complete);
    }
}

#[test]
fn every_shared_fact_remains_in_a_survivor() {
    let (generated, index, _dir) = indexed(40);
    let mut facts = 0;
    for source in generated.documents.iter().map(|d| &d.source).collect::<BTreeSet<_>>() {
        let remains = index.remains(&[source.clone()].into(), &generated.probes, 8).unwrap();
        for probe in generated.probes.iter().filter(|p| p.source == *source && p.kind == ProbeKind::Shared) {
            let fact = remains.facts.iter().find(|f| f.prompt == probe.prompt && f.answer == probe.answer).unwrap();
            assert_eq!(fact.surviving.iter().collect::<BTreeSet<_>>(), probe.also_in.iter().collect());
            facts += 1;
        }
        assert!(remains.runs.iter().all(|run| run.words >= 8 && run.surviving_sources > 0));
        assert!(remains.facts.iter().all(|f| f.kind != ProbeKind::Specific));
    }
    assert_eq!(facts, 40 * 5);
}

#[test]
fn the_same_documents_give_the_same_answers_in_another_folder() {
    let (generated, one, _dir) = indexed(20);
    let dir = TempDir::new().unwrap();
    let two = Index::build(dir.path(), generated.documents.iter().rev()).unwrap();
    for document in generated.documents.iter().step_by(7) {
        for query in [
            Query::Text(document.text.clone()),
            Query::Title(document.title.clone().unwrap()),
            Query::Publisher(document.publisher.clone().unwrap()),
            Query::Name(document.title.clone().unwrap()),
        ] {
            assert_eq!(one.find(&query).unwrap(), two.find(&query).unwrap());
        }
        let chosen = [document.source.clone()].into();
        let remains = |index: &Index| index.remains(&chosen, &generated.probes, 8).unwrap();
        assert_eq!(remains(&one), remains(&two));
    }
}
