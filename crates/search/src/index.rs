//! The index of a corpus in a folder: built, opened, and built again without struck sources. Not here: questions to it
//! (`query.rs`), how generations replace each other (`folder.rs`).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use obelus_core::Digest;
use obelus_corpus::Document;
use tantivy::{
    DocAddress, DocId, IndexWriter, ReloadPolicy, Searcher, SegmentReader, TantivyDocument, TantivyError,
    columnar::Column, directory::error::OpenReadError, indexer::NoMergePolicy,
};

use crate::{
    error::SearchError,
    fields::{self, Fields},
    folder::{Folder, newest},
    query::Limits,
    stamp::{DocumentsDigest, SourceSize, Stamp, by_id, documents_digest},
    words::Words,
};

/// What is written out at a time while an index is built.
const WRITER_BYTES: usize = 64 << 20;

/// An index, opened. It stays as it was opened, also when it is built again meanwhile.
pub struct Index {
    generation: PathBuf,
    pub(crate) stamp: Stamp,
    pub(crate) fields: Fields,
    pub(crate) limits: Limits,
    pub(crate) searcher: Searcher,
    columns: Option<Columns>,
}

/// Numbers of documents, of an index that has any.
struct Columns {
    source_places: Column<u64>,
    word_counts: Column<u64>,
}

impl Index {
    /// Builds the index of these documents in `dir` and opens it. It replaces the one that is there when it is whole.
    ///
    /// # Errors
    /// Two documents have one id, or the system refuses; then the index that was there is still there.
    pub fn build<'a>(dir: &Path, documents: impl IntoIterator<Item = &'a Document>) -> Result<Self, SearchError> {
        let folder = Folder::lock(dir)?;
        Self::build_in(&folder, &by_id(documents))
    }

    /// Opens the index in `dir` if it was built from these documents, and builds it otherwise.
    ///
    /// # Errors
    /// As [`Index::build`]. An index that cannot be read is built again, unless the system refuses to read it.
    pub fn ensure<'a>(dir: &Path, documents: impl IntoIterator<Item = &'a Document>) -> Result<Self, SearchError> {
        let documents = by_id(documents);
        let folder = Folder::lock(dir)?;
        match Self::open(dir) {
            Ok(Some(index)) if index.documents_digest() == documents_digest(documents.iter().copied()) => Ok(index),
            Ok(_) | Err(SearchError::Corrupt { .. }) => Self::build_in(&folder, &documents),
            Err(e) => Err(e),
        }
    }

    fn build_in(folder: &Folder, documents: &[&Document]) -> Result<Self, SearchError> {
        if let Some(pair) = documents.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(SearchError::Twice(pair[0].id.clone()));
        }
        let sources = documents.iter().map(|d| d.source.as_str()).collect();
        let generation = folder.begin()?;
        write(&generation, &sources, documents.iter().copied().map(|d| Ok(d.clone())))?;
        Self::open_generation(&folder.publish()?)?.ok_or_else(|| corrupt(&generation, "it was written in another form"))
    }

    /// Opens the index in `dir`; none if none was built there, or by a version that wrote another form.
    ///
    /// # Errors
    /// It is damaged, or the system refuses.
    pub fn open(dir: &Path) -> Result<Option<Self>, SearchError> {
        while let Some(generation) = newest(dir)? {
            match Self::open_generation(&generation) {
                // Somebody put another one in its place while we read.
                Err(_) if newest(dir)?.as_ref() != Some(&generation) => {}
                other => return other,
            }
        }
        Ok(None)
    }

    fn open_generation(generation: &Path) -> Result<Option<Self>, SearchError> {
        let Some(stamp) = Stamp::read(generation)? else { return Ok(None) };
        let failed = |e| failed(generation, e);
        let (schema, fields) = Fields::schema();
        let index = tantivy::Index::open_in_dir(generation).map_err(failed)?;
        if index.schema() != schema {
            return Err(corrupt(generation, "its fields are not those of its stamp"));
        }
        fields::register(&index);
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into().map_err(failed)?;
        let searcher = reader.searcher();
        if searcher.num_docs() != stamp.documents || searcher.segment_readers().len() > 1 {
            return Err(corrupt(generation, "its documents are not those of its stamp"));
        }
        let columns = searcher.segment_readers().first().map(Columns::open).transpose().map_err(failed)?;
        let limits = Limits::default();
        Ok(Some(Self { generation: generation.to_owned(), stamp, fields, limits, searcher, columns }))
    }

    /// Builds the index in `dir` again without these sources, and removes the one before: of their text nothing is left in
    /// any file of the folder. What the disk keeps of removed files is not seen from here. May be called again after it
    /// was cut off, and with sources that are gone. An index that is damaged or of another form is removed; then, and
    /// where there is none, there is nothing to open.
    ///
    /// # Errors
    /// The system refuses; then the text may still be there.
    pub fn forget(dir: &Path, sources: &BTreeSet<String>) -> Result<Option<Self>, SearchError> {
        let folder = Folder::lock(dir)?;
        let without = |index: &Self| -> Result<Self, SearchError> {
            let kept = index.stamp.sources.iter().map(|s| s.id.as_str()).filter(|id| !sources.contains(*id)).collect();
            let generation = folder.begin()?;
            let stays = |d: &Result<Document, SearchError>| d.as_ref().map_or(true, |d| !sources.contains(&d.source));
            write(&generation, &kept, (0..index.stamp.documents as DocId).map(|d| index.entry(d)).filter(stays))?;
            Self::open_generation(&folder.publish()?)?.ok_or_else(|| corrupt(dir, "it was written in another form"))
        };
        let opened = Self::open(dir).and_then(|index| match index {
            Some(index) if index.stamp.sources.iter().any(|s| sources.contains(&s.id)) => without(&index).map(Some),
            other => Ok(other),
        });
        match opened {
            Ok(None) | Err(SearchError::Corrupt { .. }) => folder.clear().map(|()| None),
            other => other,
        }
    }

    /// What it was built from, as [`documents_digest`] tells it.
    pub fn documents_digest(&self) -> Digest {
        self.stamp.documents_digest
    }

    /// Another bound on the work of a question.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The document of this id.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn document(&self, id: &str) -> Result<Option<Document>, SearchError> {
        let term = tantivy::Term::from_field_text(self.fields.id, id);
        self.postings(&term)?.first().map(|doc| self.entry(*doc)).transpose()
    }

    /// The document at a place.
    pub(crate) fn entry(&self, doc: DocId) -> Result<Document, SearchError> {
        let entry: TantivyDocument = self.searcher.doc(DocAddress::new(0, doc)).map_err(|e| self.failed(e))?;
        self.fields.document(&entry).ok_or_else(|| corrupt(&self.generation, "a document lacks its id or text"))
    }

    pub(crate) fn segment(&self) -> Option<&SegmentReader> {
        self.searcher.segment_readers().first()
    }

    /// The place of a document's source among all.
    pub(crate) fn source_place(&self, doc: DocId) -> usize {
        self.columns.as_ref().and_then(|c| c.source_places.first(doc)).unwrap_or_default() as usize
    }

    /// Words of a document's text.
    pub(crate) fn word_count(&self, doc: DocId) -> u64 {
        self.columns.as_ref().and_then(|c| c.word_counts.first(doc)).unwrap_or_default()
    }

    pub(crate) fn failed(&self, error: TantivyError) -> SearchError {
        failed(&self.generation, error)
    }
}

impl Columns {
    fn open(segment: &SegmentReader) -> Result<Self, TantivyError> {
        let fast = segment.fast_fields();
        Ok(Self { source_places: fast.u64(fields::SOURCE_PLACE)?, word_counts: fast.u64(fields::WORD_COUNT)? })
    }
}

/// Writes a generation: documents ascending by id, in one segment, and the stamp.
fn write(
    generation: &Path,
    sources: &BTreeSet<&str>,
    documents: impl Iterator<Item = Result<Document, SearchError>>,
) -> Result<(), SearchError> {
    let failed = |e| failed(generation, e);
    let places: BTreeMap<&str, usize> = sources.iter().copied().zip(0..).collect();
    let mut sizes: Vec<SourceSize> =
        sources.iter().map(|id| SourceSize { id: (*id).to_owned(), documents: 0, words: 0 }).collect();
    let (schema, fields) = Fields::schema();
    let index = tantivy::Index::create_in_dir(generation, schema).map_err(failed)?;
    fields::register(&index);
    let mut writer: IndexWriter = index.writer_with_num_threads(1, WRITER_BYTES).map_err(failed)?;
    writer.set_merge_policy(Box::new(NoMergePolicy));
    let (mut digest, mut count) = (DocumentsDigest::default(), 0);
    for document in documents {
        let document = document?;
        let Some(place) = places.get(document.source.as_str()) else {
            return Err(corrupt(generation, "a document's source is not in the stamp"));
        };
        let words = Words::of(&document.text);
        digest.add(&document);
        sizes[*place].documents += 1;
        sizes[*place].words += words.len() as u64;
        writer.add_document(fields.entry(&document, &words, *place, count)).map_err(failed)?;
        count += 1;
    }
    writer.commit().map_err(failed)?;
    let mut parts = Vec::new();
    for segment in index.reader().map_err(failed)?.searcher().segment_readers() {
        let first = segment.fast_fields().u64(fields::PLACE).map_err(failed)?.first(0);
        parts.push((first, segment.segment_id()));
    }
    if parts.len() > 1 {
        // One after the other as they were written, so that the same documents always stand in the same order.
        parts.sort_unstable();
        let parts: Vec<_> = parts.into_iter().map(|(_, id)| id).collect();
        writer.merge(&parts).wait().map_err(failed)?;
        writer.garbage_collect_files().wait().map_err(failed)?;
    }
    writer.wait_merging_threads().map_err(failed)?;
    Stamp::new(digest.finish(), count as u64, sizes).write(generation)
}

fn corrupt(path: &Path, reason: &str) -> SearchError {
    SearchError::Corrupt { path: path.to_owned(), reason: reason.to_owned() }
}

fn failed(path: &Path, error: TantivyError) -> SearchError {
    let io = |source| SearchError::Io { path: path.to_owned(), source };
    match error {
        TantivyError::IoError(e) => io(std::io::Error::new(e.kind(), e.to_string())),
        TantivyError::OpenReadError(OpenReadError::IoError { io_error, .. }) => {
            io(std::io::Error::new(io_error.kind(), io_error.to_string()))
        }
        TantivyError::OpenDirectoryError(e) => io(std::io::Error::other(e.to_string())),
        TantivyError::OpenWriteError(e) => io(std::io::Error::other(e.to_string())),
        other => corrupt(path, &other.to_string()),
    }
}
