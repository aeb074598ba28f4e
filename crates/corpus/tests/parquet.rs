//! Parquet as other programs write it, good and bad: the same documents as from JSON lines, and the same words for what is
//! wrong. The files in `tables/` are from pyarrow and polars; bad ones are written here.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::Arc,
};

use obelus_corpus::ingest::{self, IngestError, IngestOptions, Ingested, SourceBy};
use parquet::{
    basic::{Compression, ZstdLevel},
    data_type::{BoolType, ByteArray, ByteArrayType, Int64Type},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};

fn table(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tables").join(name)
}

fn read(path: &Path, options: &IngestOptions) -> Result<Ingested, IngestError> {
    ingest::read(&[path], options)
}

fn skipping() -> IngestOptions {
    IngestOptions { skip_bad: true, ..Default::default() }
}

/// Writes rows of an id and a text, none for null, as two row groups.
fn write(path: &Path, schema: &str, rows: &[[Option<&[u8]>; 2]], properties: WriterProperties) {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer = SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::new(properties)).unwrap();
    for half in rows.chunks(rows.len().div_ceil(2)) {
        let mut group = writer.next_row_group().unwrap();
        for column in 0..2 {
            let values: Vec<ByteArray> =
                half.iter().filter_map(|row| row[column]).map(|v| ByteArray::from(v.to_vec())).collect();
            let levels: Vec<i16> = half.iter().map(|row| i16::from(row[column].is_some())).collect();
            let mut out = group.next_column().unwrap().unwrap();
            out.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
            out.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
}

const TEXTS: &str = "message m { optional binary id (UTF8); optional binary text (UTF8); }";

fn plain() -> WriterProperties {
    WriterProperties::builder().build()
}

#[test]
fn what_pyarrow_and_polars_write_is_what_json_lines_say() {
    for source_by in [SourceBy::Document, SourceBy::Field("site".into())] {
        let options = IngestOptions { source_by: Some(source_by), ..Default::default() };
        let expected = read(&table("articles.jsonl"), &options).unwrap().documents;
        assert_eq!(expected.len(), 40);
        assert!(expected.iter().any(|d| d.publisher.is_none()) && expected.iter().all(|d| d.title.is_some()));
        for name in ["articles.pyarrow.parquet", "articles.polars.parquet"] {
            assert_eq!(read(&table(name), &options).unwrap().documents, expected, "{name}");
        }
    }
}

#[test]
fn columns_of_other_kinds_are_named_as_fields_are() {
    for name in ["articles.jsonl", "articles.pyarrow.parquet", "articles.polars.parquet"] {
        for (field, reason) in [
            ("words", "field \"words\" is a number, not text"),
            ("tags", "field \"tags\" is a list, not text"),
            ("extra", "field \"extra\" is an object, not text"),
            ("site2", "field \"site2\" is missing"),
        ] {
            let options = IngestOptions { source_by: Some(SourceBy::Field(field.into())), ..Default::default() };
            let message = read(&table(name), &options).unwrap_err().to_string();
            assert!(message.contains(&format!("{name}:1: {reason}")), "{message}");
            let options = IngestOptions { skip_bad: true, ..options };
            assert!(read(&table(name), &options).unwrap_err().to_string().contains("(40 bad lines skipped)"));
        }
    }
    let options = IngestOptions { id_field: "words".into(), text_field: "none".into(), ..Default::default() };
    let message = read(&table("articles.polars.parquet"), &options).unwrap_err().to_string();
    assert!(message.contains("field \"words\" is a number"), "{message}");
}

#[test]
fn bad_rows_are_refused_with_file_row_and_reason() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bad.parquet");
    let good: [[Option<&[u8]>; 2]; 2] = [[Some(b"a"), Some(b"one")], [Some(b"b"), Some(b"two")]];
    let bad: [([Option<&[u8]>; 2], &str); 8] = [
        ([None, Some(b"t")], "field \"id\" is missing"),
        ([Some(b"c"), None], "field \"text\" is missing"),
        ([Some(b""), Some(b"t")], "field \"id\" is empty"),
        ([Some(b"a"), Some(b"t")], "first seen at"),
        ([Some(b"c\x07"), Some(b"t")], "control character U+0007"),
        ([Some(b"c"), Some(b"a\0b")], "NUL character at byte 1"),
        ([Some(b"c"), Some(b"a\xff")], "field \"text\": invalid UTF-8 at byte 1"),
        ([Some(b"\xc3"), Some(b"t")], "field \"id\": invalid UTF-8 at byte 0"),
    ];
    for (row, reason) in bad {
        write(&path, TEXTS, &[good[0], good[1], row, [Some(b"z"), Some(b"end")]], plain());
        let message = read(&path, &IngestOptions::default()).unwrap_err().to_string();
        assert!(message.contains("bad.parquet:3: ") && message.contains(reason), "{message}");
        let rest = read(&path, &skipping()).unwrap();
        let ids: Vec<&str> = rest.documents.iter().map(|d| d.id.as_str()).collect();
        assert_eq!((ids, rest.skipped.count, rest.skipped.first[0].line), (vec!["a", "b", "z"], 1, 3), "{reason}");
    }
}

#[test]
fn text_that_is_not_marked_as_text_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("old.parquet");
    let rows: [[Option<&[u8]>; 2]; 2] = [[Some(b"a"), Some(b"one")], [Some(b"b"), Some("zw\u{f6}lf".as_bytes())]];
    for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::ZSTD(ZstdLevel::default())] {
        let properties = WriterProperties::builder().set_compression(compression).set_dictionary_enabled(false);
        write(&path, "message m { optional binary id; optional binary text; }", &rows, properties.build());
        let documents = read(&path, &IngestOptions::default()).unwrap().documents;
        assert_eq!(documents.iter().map(|d| d.text.as_str()).collect::<Vec<_>>(), ["one", "zw\u{f6}lf"]);
    }
}

#[test]
fn files_that_are_no_parquet_have_no_rows_or_no_such_columns_are_refused_even_when_skipping() {
    let dir = tempfile::tempdir().unwrap();
    let whole = fs::read(table("articles.pyarrow.parquet")).unwrap();
    for (name, bytes, reason) in [
        ("json.parquet", b"{\"id\":\"a\",\"text\":\"one\"}\n".to_vec(), "Invalid Parquet file"),
        ("empty.parquet", vec![], "cut off"),
        ("cut.parquet", whole[..whole.len() - 100].to_vec(), "Invalid Parquet file"),
        ("footless.parquet", whole[..4000].to_vec(), "Invalid Parquet file"),
        ("middle.parquet", [&whole[..2000], &whole[5000..]].concat(), ""),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        let message = read(&path, &skipping()).unwrap_err().to_string();
        assert!(message.contains(name) && message.contains("nothing was changed"), "{message}");
        assert!(message.contains(reason), "{message}");
    }
    let path = dir.path().join("none.parquet");
    write(&path, "message m { optional binary x; optional binary y; }", &[[Some(b"a"), Some(b"b")]], plain());
    let message = read(&path, &skipping()).unwrap_err().to_string();
    assert!(message.contains("none of the columns"), "{message}");
    let schema = Arc::new(parse_message_type("message m { required boolean id; required int64 text; }").unwrap());
    let mut writer = SerializedFileWriter::new(File::create(&path).unwrap(), schema, Arc::new(plain())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<BoolType>().write_batch(&[true], None, None).unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<Int64Type>().write_batch(&[7], None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    assert!(read(&path, &skipping()).unwrap_err().to_string().contains("none of the columns"));
}

/// Nothing here says that a flipped byte is noticed: Parquet as it is mostly written has no checksum. It ends in an error
/// or in documents, and never in anything else.
#[test]
fn no_flipped_byte_or_truncation_ends_in_anything_but_an_error_or_documents() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("flipped.parquet");
    let rows: Vec<[Option<&[u8]>; 2]> = (0..6u8)
        .map(|i| [Some(&b"abcdef"[usize::from(i)..=usize::from(i)]), (i != 2).then_some(&b"some text of it"[..])])
        .collect();
    for (compression, dictionary) in [(Compression::SNAPPY, true), (Compression::UNCOMPRESSED, false)] {
        let properties = WriterProperties::builder().set_compression(compression).set_dictionary_enabled(dictionary);
        write(&path, TEXTS, &rows, properties.build());
        let whole = fs::read(&path).unwrap();
        let attempt = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            match read(&path, &skipping()) {
                Ok(read) => assert!(read.documents.len() <= 6),
                Err(error) => assert!(error.to_string().contains("nothing was changed"), "{error}"),
            }
        };
        for at in 0..whole.len() {
            for bits in [0x01, 0xff] {
                let mut flipped = whole.clone();
                flipped[at] ^= bits;
                attempt(&flipped);
            }
            attempt(&whole[..at]);
        }
    }
}
