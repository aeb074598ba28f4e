//! Input as users have it, good and bad, through files. What a single line may hold is tested beside the parser.
#![allow(clippy::unwrap_used, missing_docs, reason = "a failed unwrap in a test is the failure report")]

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use obelus_corpus::{
    ProbeKind,
    ingest::{self, IngestError, IngestOptions, Ingested, SourceBy},
    probe::{self, Known},
};

fn file(dir: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

fn read(path: &Path) -> Result<Ingested, IngestError> {
    ingest::read(&[path], &IngestOptions::default())
}

fn refusal(path: &Path) -> String {
    read(path).unwrap_err().to_string()
}

const GOOD: &str = "{\"id\":\"b\",\"text\":\"two\"}\n\n{\"id\":\"a\",\"text\":\"one\",\"publisher\":\"P\"}\n";

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn plain_gzip_and_zstd_give_the_same_documents() {
    let dir = tempfile::tempdir().unwrap();
    let plain = read(&file(dir.path(), "x.jsonl", GOOD)).unwrap();
    let members =
        [gzip("{\"id\":\"b\",\"text\":\"two\"}\n"), gzip("{\"id\":\"a\",\"text\":\"one\",\"publisher\":\"P\"}\n")];
    let gz = read(&file(dir.path(), "x.jsonl.gz", members.concat())).unwrap();
    let zst = read(&file(dir.path(), "x.jsonl.zst", zstd::encode_all(GOOD.as_bytes(), 3).unwrap())).unwrap();
    assert_eq!(plain.documents.iter().map(|d| d.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(plain.documents, gz.documents);
    assert_eq!(plain.documents, zst.documents);
}

#[test]
fn bad_lines_are_refused_with_file_line_and_reason() {
    let dir = tempfile::tempdir().unwrap();
    for (bad, reason) in [
        (&b"not json"[..], "not a JSON object"),
        (b"{\"id\":\"x\"}", "\"text\" is missing"),
        (b"{\"id\":\"\",\"text\":\"t\"}", "field \"id\" is empty"),
        (b"{\"id\":\"a\",\"text\":\"t\"}", "first seen at"),
        (b"{\"id\":\"x\\u0007\",\"text\":\"t\"}", "control character U+0007"),
        (b"{\"id\":\"x\",\"text\":\" \"}", "field \"text\" is empty"),
        (b"{\"id\":\"x\",\"text\":\"a\\u0000b\"}", "NUL character at byte 1"),
        (b"{\"id\":\"x\",\"text\":\"\0\"}", "NUL byte at column"),
        (b"{\"id\":\"x\",\"text\":\"\xff\"}", "invalid UTF-8"),
        (b"{\"id\":\"x\",\"text\":true}", "\"text\" is true or false"),
    ] {
        let path = file(dir.path(), "bad.jsonl", [GOOD.as_bytes(), bad, b"\n"].concat());
        let message = refusal(&path);
        assert!(message.contains(reason) && message.contains("bad.jsonl:4: "), "{message}");
        let skipping = IngestOptions { skip_bad: true, ..Default::default() };
        let rest = ingest::read(&[&path], &skipping).unwrap();
        assert_eq!((rest.documents.len(), rest.skipped.count, rest.skipped.first[0].line), (2, 1, 4));
    }
    let long = format!("{{\"id\":\"{}\",\"text\":\"t\"}}", "x".repeat(1025));
    assert!(refusal(&file(dir.path(), "long.jsonl", long)).contains("1025 bytes"));
    let deep = format!("{{\"id\":\"x\",\"text\":{}1{}}}", "[".repeat(5000), "]".repeat(5000));
    assert!(refusal(&file(dir.path(), "deep.jsonl", deep)).contains("not valid JSON"));
}

#[test]
fn ids_are_unique_over_all_files() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (file(dir.path(), "one.jsonl", GOOD), file(dir.path(), "two.jsonl", GOOD));
    let message = ingest::read(&[one, two], &IngestOptions::default()).unwrap_err().to_string();
    assert!(message.contains("two.jsonl:1: ") && message.contains("one.jsonl:1"), "{message}");
}

#[test]
fn files_that_cannot_be_read_whole_are_refused_even_when_skipping() {
    let dir = tempfile::tempdir().unwrap();
    let text: String = (0..2000).map(|i| format!("{{\"id\":\"{i}\",\"text\":\"{}\"}}\n", i * 7919 % 1000)).collect();
    let (gz, zst) = (gzip(&text), zstd::encode_all(text.as_bytes(), 3).unwrap());
    let cut = |bytes: &[u8]| bytes[..bytes.len() - 9].to_vec();
    let mut flipped = gz.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    for (name, bytes) in [
        ("cut.jsonl.gz", cut(&gz)),
        ("cut.jsonl.zst", cut(&zst)),
        ("flipped.jsonl.gz", flipped),
        ("plain.jsonl.gz", text.clone().into_bytes()),
        ("plain.jsonl.zst", text.into_bytes()),
    ] {
        let path = file(dir.path(), name, bytes);
        let options = IngestOptions { skip_bad: true, ..Default::default() };
        let message = ingest::read(&[&path], &options).unwrap_err().to_string();
        assert!(message.contains(name) && message.contains("nothing was changed"), "{message}");
    }
    for name in ["none.jsonl", "x.parquet", "x.json", "empty.jsonl"] {
        let path = dir.path().join(name);
        if name != "none.jsonl" {
            fs::write(&path, "").unwrap();
        }
        assert!(read(&path).is_err(), "{name}");
    }
}

#[test]
fn other_fields_and_groups() {
    let dir = tempfile::tempdir().unwrap();
    let lines = "{\"key\":\"1\",\"body\":\"one\",\"site\":\"s\"}\n{\"key\":\"2\",\"body\":\"two\",\"site\":\"s\"}\n";
    let path = file(dir.path(), "x.jsonl", lines);
    let options = IngestOptions {
        id_field: "key".into(),
        text_field: "body".into(),
        publisher_field: "site".into(),
        source_by: Some(SourceBy::Field("site".into())),
        skip_bad: false,
    };
    let read = ingest::read(&[path], &options).unwrap();
    assert!(read.documents.iter().all(|d| d.source == "s" && d.publisher.as_deref() == Some("s")));
}

#[test]
fn folders_of_text() {
    let dir = tempfile::tempdir().unwrap();
    file(dir.path(), "in/b.txt", "two");
    file(dir.path(), "in/deep/a.txt", "\u{feff}one");
    file(dir.path(), "in/readme.md", "not read");
    let read_folder = || read(&dir.path().join("in"));
    let documents = read_folder().unwrap().documents;
    let got: Vec<_> = documents.iter().map(|d| (d.id.as_str(), d.text.as_str())).collect();
    assert_eq!(got, [("b", "two"), ("deep/a", "one")]);

    let bad = file(dir.path(), "in/c.txt", b"\xff\xfe");
    assert!(read_folder().unwrap_err().to_string().contains("c.txt:1: invalid UTF-8"));
    fs::write(&bad, "").unwrap();
    assert!(read_folder().unwrap_err().to_string().contains("is empty"));
    fs::remove_file(&bad).unwrap();

    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        let outside = file(dir.path(), "secret.txt", "secret");
        let link = dir.path().join("in/link.txt");
        symlink(&outside, &link).unwrap();
        assert!(read_folder().unwrap_err().to_string().contains("leads out of the folder"));
        fs::remove_file(&link).unwrap();
        let round = dir.path().join("in/round");
        symlink(dir.path().join("in"), &round).unwrap();
        assert!(read_folder().unwrap_err().to_string().contains("link to a folder"));
        fs::remove_file(&round).unwrap();
        symlink(dir.path().join("in/b.txt"), &link).unwrap();
        assert_eq!(read_folder().unwrap().documents.len(), 3);
    }
}

#[test]
fn probes_are_checked_against_the_corpus() {
    let dir = tempfile::tempdir().unwrap();
    let sources = Known::new(["a", "b"], &[]);
    let good = r#"{"source":"a","kind":"shared","prompt":"p","answer":"x","wrong":["y","z"],"also_in":["b"],"attribute":"other"}"#;
    let path = file(dir.path(), "p.jsonl", good);
    let probes = probe::read(&path, &sources, None, false).unwrap().probes;
    assert_eq!(
        (probes.len(), probes[0].kind, probes[0].also_in.as_slice()),
        (1, ProbeKind::Shared, &["b".to_owned()][..])
    );
    for (from, to, reason) in [
        ("\"a\"", "\"c\"", "not in the corpus"),
        ("\"b\"", "\"c\"", "also_in names"),
        ("shared", "secret", "field \"kind\" is \"secret\""),
        ("\"x\"", "\"\"", "answer is empty"),
        ("[\"y\",\"z\"]", "[]", "wrong has no answers"),
        ("\"y\"", "\"x\"", "also among the wrong ones"),
        ("\"y\"", "\"z\"", "given twice"),
        ("\"p\"", "7", "field \"prompt\" is a number"),
        ("\"prompt\":\"p\",", "", "field \"prompt\" is missing"),
    ] {
        let path = file(dir.path(), "p.jsonl", format!("{good}\n{}\n", good.replace(from, to)));
        let message = probe::read(&path, &sources, None, false).unwrap_err().to_string();
        assert!(message.contains("p.jsonl:2: ") && message.contains(reason), "{message}");
        assert_eq!(probe::read(&path, &sources, None, true).unwrap().skipped.count, 1);
    }
    let twice = file(dir.path(), "p.jsonl", format!("{good}\n{good}\n"));
    assert!(probe::read(&twice, &sources, None, false).unwrap_err().to_string().contains("as line 1"));
}

#[test]
fn probes_in_memory_are_checked_without_a_corpus() {
    let good = r#"{"source":"a","kind":"specific","prompt":"p","answer":"x","wrong":["y"]}"#;
    let probes = probe::parse(format!("{good}\n\n{}\n", good.replace("\"p\"", "\"q\"")).as_bytes()).unwrap();
    assert_eq!(probes.len(), 2);
    for (from, to, reason) in [
        ("\"x\"", "\"\"", "answer is empty"),
        ("[\"y\"]", "[]", "wrong has no answers"),
        ("\"kind\":\"specific\",", "", "field \"kind\" is missing"),
        ("nothing", "nothing", "as line 1"),
    ] {
        let bad = probe::parse(format!("{good}\n{}\n", good.replace(from, to)).as_bytes()).unwrap_err();
        assert!(bad.line == 2 && bad.reason.contains(reason), "{bad}");
    }
    assert!(probe::parse(b"\n").unwrap_err().reason.contains("no probe"));
}
