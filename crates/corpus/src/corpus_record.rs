//! `corpus.json`: what a corpus is, how much it has, where it came from, and the digests of its files. Not here: the files
//! (`library.rs`, `sealed_corpus.rs`).

use std::{fs, path::Path};

use obelus_core::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    durable::{at, corrupt},
    ingest::SourceBy,
    library::LibraryError,
    sealed_corpus::SealedFiles,
};

pub(crate) const FORMAT: &str = "obelus-corpus/v1";
/// The same with `sealed`: the text is encrypted.
const SEALED_FORMAT: &str = "obelus-corpus/v2";
pub(crate) const RECORD: &str = "corpus.json";

/// Where the documents of a corpus came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Read from files.
    Ingested {
        /// How documents became sources.
        source_by: SourceBy,
        /// Bad lines left out.
        skipped: u64,
    },
    /// Made by the built-in generator.
    Generated {
        /// How many sources.
        sources: u32,
        /// The generator's seed.
        seed: u64,
    },
}

/// `corpus.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorpusRecord {
    /// `obelus-corpus/v1`, or `obelus-corpus/v2` where the text is encrypted.
    pub format: String,
    /// The corpus' name.
    pub name: String,
    /// Number of documents.
    pub documents: usize,
    /// Number of sources.
    pub sources: usize,
    /// SHA-256 of `documents.jsonl`; of an encrypted corpus, what it would be.
    pub documents_digest: Digest,
    /// SHA-256 of `held_out.jsonl`, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out_digest: Option<Digest>,
    /// Where the documents came from.
    pub origin: Origin,
    /// The encrypted files, where the text is encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<SealedFiles>,
}

impl CorpusRecord {
    /// The same of a corpus whose text is encrypted.
    pub(crate) fn sealed(self, files: SealedFiles) -> Self {
        Self { format: SEALED_FORMAT.into(), sealed: Some(files), ..self }
    }
}

/// `corpus.json` as it is written.
pub(crate) fn record_bytes(path: &Path, record: &CorpusRecord) -> Result<Vec<u8>, LibraryError> {
    let mut json = serde_json::to_vec_pretty(record).map_err(|e| at(path)(e.into()))?;
    json.push(b'\n');
    Ok(json)
}

/// Reads `corpus.json`.
pub(crate) fn record(dir: &Path) -> Result<CorpusRecord, LibraryError> {
    let path = dir.join(RECORD);
    let bytes = fs::read(&path).map_err(at(&path))?;
    let record: CorpusRecord = serde_json::from_slice(&bytes).map_err(|e| corrupt(&path, e.to_string()))?;
    let format = if record.sealed.is_some() { SEALED_FORMAT } else { FORMAT };
    if record.format != format {
        let reason = format!("its format is {:?}, this program reads {FORMAT:?} and {SEALED_FORMAT:?}", record.format);
        return Err(corrupt(&path, reason));
    }
    Ok(record)
}
