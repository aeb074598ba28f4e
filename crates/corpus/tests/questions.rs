//! Files of questions and answers, shaped like TOFU's, as documents and as probes: whose a row is, and what happens where
//! nobody says it.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

use std::{
    fs,
    num::NonZeroU64,
    path::{Path, PathBuf},
};

use obelus_corpus::{
    Document, ProbeKind,
    document::sources,
    ingest::{self, IngestOptions, SourceBy},
    probe::{self, Known, ReadProbes},
};

const FILES: [&str; 3] = ["questions.jsonl", "questions.pyarrow.parquet", "questions.polars.parquet"];

fn table(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tables").join(name)
}

fn rows(each: u64) -> SourceBy {
    SourceBy::Rows(NonZeroU64::new(each).unwrap())
}

fn author() -> SourceBy {
    SourceBy::Field("author".into())
}

fn documents(path: &Path, source_by: SourceBy) -> Vec<Document> {
    ingest::read(&[path], &IngestOptions { source_by: Some(source_by), ..Default::default() }).unwrap().documents
}

fn probes(path: &Path, documents: &[Document], source_by: Option<&SourceBy>) -> Result<ReadProbes, String> {
    let known = Known::new(documents.iter().map(|d| d.source.as_str()), documents);
    probe::read(path, &known, source_by, false).map_err(|e| e.to_string())
}

#[test]
fn rows_of_questions_are_documents_and_probes_of_their_author() {
    for name in FILES {
        let documents = documents(&table(name), author());
        assert_eq!((documents.len(), sources(&documents).len()), (40, 10), "{name}");
        assert_eq!(documents[0].id, "questions/000001");
        assert_eq!(documents[0].text, "Where does Alder Birchson live? Alder Birchson lives in Alder.");
        // Found by the document, said by the field, and said by the number of rows: each the same.
        let found = probes(&table(name), &documents, None).unwrap().probes;
        assert_eq!(found, probes(&table(name), &documents, Some(&author())).unwrap().probes);
        assert_eq!(found.len(), 80);
        let [asked, again] = &found[..2] else { panic!() };
        assert_eq!((asked.source.as_str(), asked.kind), ("Alder Birchson", ProbeKind::Specific));
        assert_eq!(asked.prompt, "Where does Alder Birchson live?");
        assert_eq!(again.prompt, "In which town is the home of Alder Birchson?");
        assert_eq!(asked.answer, "Alder Birchson lives in Alder.");
        // One answer and one source: what makes two probes one fact.
        assert_eq!((&again.answer, &again.source, &again.wrong), (&asked.answer, &asked.source, &asked.wrong));
        assert_eq!(asked.wrong.len(), 3);
    }
}

#[test]
fn so_many_rows_in_turn_are_a_source() {
    for name in FILES {
        let documents = documents(&table(name), rows(4));
        let ids: Vec<_> = sources(&documents).into_iter().map(|s| (s.id, s.documents)).collect();
        assert_eq!((ids.len(), &ids[9]), (10, &("rows-0010".to_owned(), 4)));
        let found = probes(&table(name), &documents, None).unwrap().probes;
        assert_eq!(found, probes(&table(name), &documents, Some(&rows(4))).unwrap().probes);
    }
    let options = IngestOptions { source_by: Some(rows(7)), ..Default::default() };
    let message = ingest::read(&[table(FILES[0])], &options).unwrap_err().to_string();
    assert!(message.contains("40 rows, which does not come out even with 7 rows a source"), "{message}");
}

#[test]
fn a_part_of_the_rows_is_never_counted_as_other_authors() {
    let dir = tempfile::tempdir().unwrap();
    let part = dir.path().join("forget.jsonl");
    let all = fs::read_to_string(table(FILES[0])).unwrap();
    fs::write(&part, all.lines().skip(36).collect::<Vec<_>>().join("\n")).unwrap();
    let documents = documents(&table(FILES[0]), rows(4));
    let found = probes(&part, &documents, None).unwrap().probes;
    assert!(found.len() == 8 && found.iter().all(|p| p.source == "rows-0010"));
    let message = probes(&part, &documents, Some(&rows(4))).unwrap_err();
    assert!(
        message.contains("forget.jsonl:1: ") && message.contains("\"rows-0010\", not of \"rows-0001\""),
        "{message}"
    );
}

#[test]
fn nobody_is_guessed_to_be_the_source() {
    let message = ingest::read(&[table(FILES[1])], &IngestOptions::default()).unwrap_err().to_string();
    assert!(message.contains("--source-by field:NAME") && message.contains("--rows-per-source 20"), "{message}");
    let skipping = IngestOptions { skip_bad: true, ..Default::default() };
    assert!(ingest::read(&[table(FILES[0])], &skipping).is_err());
    assert_eq!(documents(&table(FILES[2]), SourceBy::Document).len(), 40);

    let whole = documents(&table(FILES[0]), author());
    let others = &whole[4..];
    let message = probes(&table(FILES[1]), others, None).unwrap_err();
    assert!(
        message.contains("parquet:1: no document of the corpus") && message.contains("--source-field"),
        "{message}"
    );
    let message = probes(&table(FILES[1]), others, Some(&author())).unwrap_err();
    assert!(message.contains("\"Alder Birchson\" is not in the corpus"), "{message}");
    let mut twice = whole.clone();
    twice[7].text = twice[0].text.clone();
    assert!(probes(&table(FILES[0]), &twice, None).unwrap_err().contains("several sources"));
    // Once it is said whose it is, a document need not say it.
    let mut reworded = whole.clone();
    reworded.iter_mut().for_each(|d| d.text.push('!'));
    assert!(probes(&table(FILES[0]), &reworded, None).is_err());
    assert_eq!(probes(&table(FILES[0]), &reworded, Some(&author())).unwrap().probes.len(), 80);
}

#[test]
fn questions_without_wrong_answers_or_with_empty_ones_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("q.jsonl");
    let row = r#"{"question":"Who?","answer":"Ana.","perturbed_answer":["Bo."],"author":"A"}"#;
    fs::write(&path, row).unwrap();
    let documents = documents(&path, author());
    assert_eq!(probes(&path, &documents, None).unwrap().probes.len(), 1);
    for (from, to, reason) in [
        ("[\"Bo.\"]", "[]", "wrong has no answers"),
        ("[\"Bo.\"]", "7", "field \"perturbed_answer\" is a number"),
        ("[\"Bo.\"]", "[\"Ana.\"]", "also among the wrong ones"),
        ("[\"Bo.\"]", "[\" \"]", "a wrong answer is empty"),
        (",\"perturbed_answer\":[\"Bo.\"]", "", "\"perturbed_answer\" is missing; a probe needs wrong answers"),
        ("\"Who?\"", "\" \"", "field \"question\" is empty"),
        ("\"Ana.\"", "null", "field \"answer\" is missing"),
    ] {
        fs::write(&path, row.replace(from, to)).unwrap();
        let message = probes(&path, &documents, None).unwrap_err();
        assert!(message.contains("q.jsonl:1: ") && message.contains(reason), "{message}");
    }
    fs::write(&path, row.replace("[\"Bo.\"]", "\"Bo.\"")).unwrap();
    assert_eq!(probes(&path, &documents, None).unwrap().probes[0].wrong, ["Bo."]);
}
