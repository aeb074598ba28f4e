//! Reading documents from files, completely and strictly, before anything is changed. Keeping them is `library`.
//!
//! Read are `.jsonl`, `.jsonl.gz`, `.jsonl.zst`, `.parquet` and folders of `.txt`. Whatever is wrong is refused with file,
//! line and reason; with `skip_bad` a bad line is counted and left out, while a file that cannot be read to its end still
//! fails.

pub mod folder;
pub(crate) mod json;
pub(crate) mod lines;
mod parquet;
pub(crate) mod record;
pub(crate) mod row;
pub(crate) mod rows;

use std::{
    collections::HashMap,
    io,
    num::NonZeroU64,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use self::{
    record::Place,
    rows::{Numbered, Rows},
};
use crate::{
    clusters::{self, ClusterError},
    document::{Document, name_fault, text_fault},
};

/// How many skipped lines are kept with their reason; beyond it they are only counted.
const KEPT_REASONS: usize = 100;

/// What a document's source is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceBy {
    /// Each document is a source of its own.
    #[default]
    Document,
    /// Documents with the same value in this field are one source, named by that value.
    Field(String),
    /// So many rows in turn are one source, `rows-0001` and on: TOFU's own files have twenty of each author.
    Rows(NonZeroU64),
    /// Documents about the same things are one source, of so many: `cluster-0001` and on (`clusters`).
    Clusters(usize),
}

/// Which fields to read, and what to do with bad lines.
#[derive(Clone, Debug)]
pub struct IngestOptions {
    /// Field or column of the id.
    pub id_field: String,
    /// Field or column of the text.
    pub text_field: String,
    /// Field or column of the publisher.
    pub publisher_field: String,
    /// How documents are grouped into sources. Where nobody says it, documents are sources of their own, and rows of
    /// questions are refused: one alone is hardly ever what is struck.
    pub source_by: Option<SourceBy>,
    /// Leave bad lines out and count them, instead of refusing everything.
    pub skip_bad: bool,
}

impl Default for IngestOptions {
    fn default() -> Self {
        Self {
            id_field: "id".into(),
            text_field: "text".into(),
            publisher_field: "publisher".into(),
            source_by: None,
            skip_bad: false,
        }
    }
}

/// Why input was refused.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// A line or row that cannot be used.
    #[error("{}:{line}: {reason}; nothing was changed (correct the line, or skip such lines with --skip-bad)", .file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// The line or row, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A path that cannot be used.
    #[error("{}: {reason}; nothing was changed", .path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that cannot be read to its end.
    #[error("{}: {}; nothing was changed", .path.display(), unreadable(.during, .source))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What was being done, with the position.
        during: String,
        /// The system's reason.
        source: io::Error,
    },
    /// More clusters than documents, or too many.
    #[error(transparent)]
    Clusters(#[from] ClusterError),
    /// Nothing usable was found.
    #[error("no {what} found ({skipped} bad lines skipped); nothing was changed")]
    NothingLeft {
        /// What was looked for.
        what: &'static str,
        /// Bad lines skipped.
        skipped: u64,
    },
}

fn unreadable(during: &str, source: &io::Error) -> String {
    let cause = if source.kind() == io::ErrorKind::UnexpectedEof { "the file is cut off: " } else { "" };
    format!("{during}: {cause}{source}")
}

/// A line that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SkippedLine {
    /// The file.
    pub file: PathBuf,
    /// The line or row, from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// What `skip_bad` left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// How many lines.
    pub count: u64,
    /// The first hundred of them.
    pub first: Vec<SkippedLine>,
}

impl Skipped {
    /// Notes a bad line, or refuses it.
    pub(crate) fn note(&mut self, file: &Path, line: u64, reason: String, skip: bool) -> Result<(), IngestError> {
        if !skip {
            return Err(IngestError::Line { file: file.to_owned(), line, reason });
        }
        self.count += 1;
        if self.first.len() < KEPT_REASONS {
            self.first.push(SkippedLine { file: file.to_owned(), line, reason });
        }
        Ok(())
    }
}

/// Documents as read, ready for [`Library::add`](crate::Library::add).
#[derive(Debug, Default)]
pub struct Ingested {
    /// Ascending by id (bytes).
    pub documents: Vec<Document>,
    /// What `skip_bad` left out.
    pub skipped: Skipped,
}

/// Reads every path: a `.jsonl`, `.jsonl.gz`, `.jsonl.zst` or `.parquet` file, or a folder of `.txt` files.
///
/// # Errors
/// The first bad line or path, with its place and reason; see [`IngestError`].
pub fn read(paths: &[impl AsRef<Path>], options: &IngestOptions) -> Result<Ingested, IngestError> {
    let mut collector =
        Collector { options, out: Ingested::default(), seen: HashMap::new(), files: Vec::new(), rows: 0 };
    for path in paths {
        let path = path.as_ref();
        let meta = std::fs::metadata(path).map_err(|source| IngestError::Unreadable {
            path: path.to_owned(),
            during: "opening it".into(),
            source,
        })?;
        if meta.is_dir() { collector.folder(path)? } else { collector.rows(path)? }
    }
    let mut out = collector.out;
    if out.documents.is_empty() {
        return Err(IngestError::NothingLeft { what: "document", skipped: out.skipped.count });
    }
    out.documents.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    if let Some(SourceBy::Clusters(count)) = options.source_by {
        clusters::form(&mut out.documents, count)?;
    }
    Ok(out)
}

struct Collector<'a> {
    options: &'a IngestOptions,
    out: Ingested,
    /// Where each id was first seen: index into `files`, line.
    seen: HashMap<String, (usize, u64)>,
    files: Vec<PathBuf>,
    /// Rows of all files so far, bad ones counted.
    rows: u64,
}

impl Collector<'_> {
    fn rows(&mut self, path: &Path) -> Result<(), IngestError> {
        let refuse = |reason: String| IngestError::Path { path: path.to_owned(), reason };
        let mut rows = Rows::open(path, record::fields(self.options))?;
        let file = self.begin(path);
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let name = name.split('.').next().unwrap_or_default();
        let before = self.rows;
        while let Some(Numbered { number, row }) = rows.next_row()? {
            self.rows += 1;
            if self.options.source_by.is_none() && row.as_ref().is_ok_and(|row| record::is_question(row, self.options))
            {
                return Err(refuse(
                    "its rows are questions with answers, and nothing says whose they are; use --source-by field:NAME, \
                     --rows-per-source 20 (the original files of TOFU), --source-by cluster:K, or --source-by document \
                     if each row may be struck alone"
                        .into(),
                ));
            }
            let place = Place { file: name, row: self.rows - before, of_all: self.rows };
            let document = row.and_then(|row| record::document(&row, &place, self.options));
            self.take(file, number, document)?;
        }
        if let Some(SourceBy::Rows(each)) = self.options.source_by
            && !(self.rows - before).is_multiple_of(each.get())
        {
            let rows = self.rows - before;
            return Err(refuse(format!("has {rows} rows, which does not come out even with {each} rows a source")));
        }
        Ok(())
    }

    fn folder(&mut self, path: &Path) -> Result<(), IngestError> {
        if matches!(self.options.source_by, Some(SourceBy::Field(_) | SourceBy::Rows(_))) {
            return Err(IngestError::Path {
                path: path.to_owned(),
                reason: "text files have neither fields nor rows to group by; use --source-by document or cluster:K"
                    .into(),
            });
        }
        for found in folder::texts(path)? {
            let file = self.begin(&found.path);
            self.take(file, 1, found.read()?)?;
        }
        Ok(())
    }

    fn begin(&mut self, path: &Path) -> usize {
        self.files.push(path.to_owned());
        self.files.len() - 1
    }

    fn take(&mut self, file: usize, line: u64, document: Result<Document, String>) -> Result<(), IngestError> {
        let checked = document.and_then(|d| check(d, self.options)).and_then(|d| match self.seen.get(&d.id) {
            Some((first, at)) => {
                Err(format!("the id {:?} was first seen at {}:{at}", d.id, self.files[*first].display()))
            }
            None => Ok(d),
        });
        match checked {
            Ok(document) => {
                self.seen.insert(document.id.clone(), (file, line));
                self.out.documents.push(document);
                Ok(())
            }
            Err(reason) => self.out.skipped.note(&self.files[file], line, reason, self.options.skip_bad),
        }
    }
}

fn check(document: Document, options: &IngestOptions) -> Result<Document, String> {
    let source_field = match &options.source_by {
        Some(SourceBy::Field(name)) => name,
        _ => &options.id_field,
    };
    let names = [
        (&options.id_field, Some(&document.id)),
        (source_field, Some(&document.source)),
        (&"title".to_owned(), document.title.as_ref()),
        (&options.publisher_field, document.publisher.as_ref()),
        (&"license".to_owned(), document.license.as_ref()),
    ];
    for (field, value) in names {
        if let Some(fault) = value.and_then(|v| name_fault(v)) {
            return Err(format!("field {field:?} {fault}"));
        }
    }
    match text_fault(&document.text) {
        Some(fault) => Err(format!("field {:?} {fault}", options.text_field)),
        None => Ok(document),
    }
}
