//! What a generation of the index was built from, written beside it last. Not here: the index itself.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use obelus_core::Digest;
use obelus_corpus::Document;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{error::SearchError, folder::at};

/// Another form of index, of words or of shingles gets another number, so that old ones are built again.
const FORMAT: &str = "obelus-search/v1";
const FILE: &str = "stamp.json";

/// The record of a generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stamp {
    format: String,
    pub(crate) documents_digest: Digest,
    pub(crate) documents: u64,
    /// Ascending by id; a document of the index names its source by the place here.
    pub(crate) sources: Vec<SourceSize>,
}

/// How large a source is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceSize {
    pub(crate) id: String,
    pub(crate) documents: u64,
    pub(crate) words: u64,
}

impl Stamp {
    pub(crate) fn new(documents_digest: Digest, documents: u64, sources: Vec<SourceSize>) -> Self {
        Self { format: FORMAT.into(), documents_digest, documents, sources }
    }

    /// The record of a generation; none if it is of another form.
    pub(crate) fn read(generation: &Path) -> Result<Option<Self>, SearchError> {
        #[derive(Deserialize)]
        struct Form {
            format: String,
        }
        let path = generation.join(FILE);
        let unreadable = |reason: String| SearchError::Corrupt { path: path.clone(), reason };
        let bytes = fs::read(&path).map_err(|e| match e.kind() {
            // It is written before the generation gets its name, so somebody has removed it.
            io::ErrorKind::NotFound => unreadable("it is missing".into()),
            _ => at(&path)(e),
        })?;
        let corrupt = |e: serde_json::Error| unreadable(e.to_string());
        let form: Form = serde_json::from_slice(&bytes).map_err(corrupt)?;
        if form.format != FORMAT {
            return Ok(None);
        }
        serde_json::from_slice(&bytes).map(Some).map_err(corrupt)
    }

    pub(crate) fn write(&self, generation: &Path) -> Result<(), SearchError> {
        let path = generation.join(FILE);
        let write = || {
            let mut file = fs::File::create(&path)?;
            file.write_all(&serde_json::to_vec(self)?)?;
            file.sync_all()
        };
        write().map_err(at(&path))
    }

    /// The place of a source among all.
    pub(crate) fn place(&self, source: &str) -> Option<usize> {
        self.sources.binary_search_by(|s| s.id.as_str().cmp(source)).ok()
    }
}

/// Takes in documents one after the other.
#[derive(Default)]
pub(crate) struct DocumentsDigest(Sha256);

impl DocumentsDigest {
    pub(crate) fn add(&mut self, document: &Document) {
        let line = serde_json::to_vec(document).expect("a document is texts only, and memory is written to");
        self.0.update(line);
        self.0.update(b"\n");
    }

    pub(crate) fn finish(self) -> Digest {
        Digest::new(self.0.finalize().into())
    }
}

/// What an index of these documents is stamped with: SHA-256 of their lines in `documents.jsonl`, ascending by id. For a
/// whole corpus it is the `documents_digest` of its record.
pub fn documents_digest<'a>(documents: impl IntoIterator<Item = &'a Document>) -> Digest {
    let mut digest = DocumentsDigest::default();
    for document in by_id(documents) {
        digest.add(document);
    }
    digest.finish()
}

/// Ascending by id, whatever the order in which they are given.
pub(crate) fn by_id<'a>(documents: impl IntoIterator<Item = &'a Document>) -> Vec<&'a Document> {
    let mut sorted: Vec<&Document> = documents.into_iter().collect();
    sorted.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    sorted
}
