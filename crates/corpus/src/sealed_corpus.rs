//! The files of a corpus whose text is encrypted: `sources.jsonl` (what is known of each source without its key),
//! `documents.sealed`, `held_out.sealed` and `probes.sealed`. Not here: how a record is encrypted (`vault.rs`), and what a
//! corpus is (`library.rs`).
//!
//! The files of documents never change, and `corpus.json` has their digests; nor do they when a key is destroyed: then their
//! records of that source are read by nobody any more. Its entry in `sources.jsonl` stays, so that whoever names the
//! source learns that its text was destroyed and not that there never was one.

use std::{fs, path::Path};

use obelus_core::Digest;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    corpus_record::CorpusRecord,
    document::{Document, SourceInfo, sources},
    durable::{at, corrupt, lines, read_lines, write_file, write_lines},
    library::LibraryError,
    probe::Probe,
    text_keys,
    vault::{SealedSource, Vault},
};

const SOURCES: &str = "sources.jsonl";
pub(crate) const DOCUMENTS: &str = "documents.sealed";
pub(crate) const HELD_OUT: &str = "held_out.sealed";
pub(crate) const PROBES: &str = "probes.sealed";

/// In `corpus.json` of an encrypted corpus: the SHA-256 of its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedFiles {
    /// `sources.jsonl`
    pub sources: Digest,
    /// `documents.sealed`
    pub documents: Digest,
    /// `held_out.sealed`, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_out: Option<Digest>,
}

/// What could be read.
pub(crate) struct Text {
    pub(crate) vault: Vault,
    pub(crate) documents: Vec<Document>,
    pub(crate) held_out: Vec<Document>,
    pub(crate) probes: Vec<Probe>,
    pub(crate) probes_digest: Digest,
}

/// Writes all files into `dir`. Documents ascend by id.
pub(crate) fn write(
    dir: &Path,
    vault: &Vault,
    documents: &[&Document],
    held_out: Option<&[Document]>,
    probes: &[Probe],
) -> Result<SealedFiles, LibraryError> {
    let seal = |name: &str, documents: &mut dyn Iterator<Item = &Document>| {
        let path = dir.join(name);
        let mut records = Vec::new();
        for document in documents {
            records.push((document.source.as_str(), json(&path, document)?));
        }
        let file = vault.seal(name, records)?;
        write_file(&path, &file)?;
        Ok::<_, LibraryError>(Digest::sha256(&file))
    };
    let files = SealedFiles {
        sources: write_lines(&dir.join(SOURCES), vault.sources())?,
        documents: seal(DOCUMENTS, &mut documents.iter().copied())?,
        held_out: held_out.map(|held_out| seal(HELD_OUT, &mut held_out.iter())).transpose()?,
    };
    let path = dir.join(PROBES);
    write_file(&path, &vault.seal(PROBES, probe_records(&path, probes)?)?)?;
    Ok(files)
}

/// The sources of an encrypted corpus, and their keys as they are now.
pub(crate) fn vault(dir: &Path, record: &CorpusRecord, files: &SealedFiles) -> Result<Vault, LibraryError> {
    let sources: Vec<SealedSource> = read_lines(&dir.join(SOURCES), files.sources)?;
    Vault::open(&record.name, sources, &text_keys::path(dir, &record.name))
}

/// Reads everything whose key is there.
pub(crate) fn read(dir: &Path, record: &CorpusRecord, files: &SealedFiles) -> Result<Text, LibraryError> {
    let vault = vault(dir, record, files)?;
    let documents: Vec<Document> = open(dir, &vault, DOCUMENTS, Some(files.documents))?;
    let held_out = match files.held_out {
        Some(digest) => open(dir, &vault, HELD_OUT, Some(digest))?,
        None => Vec::new(),
    };
    let (probes, probes_digest) = probes(dir, &vault)?;
    let known: Vec<SealedSource> = all_sources(&vault, &documents).iter().map(SealedSource::from).collect();
    if known != vault.sources() {
        return Err(corrupt(&dir.join(SOURCES), "it does not describe the documents that are there".into()));
    }
    Ok(Text { vault, documents, held_out, probes, probes_digest })
}

/// The sources of these documents and those whose text was destroyed, ascending by id.
pub(crate) fn all_sources(vault: &Vault, documents: &[Document]) -> Vec<SourceInfo> {
    let mut all = sources(documents);
    all.extend(vault.destroyed());
    all.sort_by(|a, b| a.id.cmp(&b.id));
    all
}

/// The probes whose keys are there, and the SHA-256 of them as lines.
pub(crate) fn probes(dir: &Path, vault: &Vault) -> Result<(Vec<Probe>, Digest), LibraryError> {
    let probes: Vec<Probe> = open(dir, vault, PROBES, None)?;
    let digest = Digest::sha256(lines(&dir.join(PROBES), &probes)?);
    Ok((probes, digest))
}

/// The bytes of the file of probes with more behind those that are there.
pub(crate) fn with_probes(dir: &Path, vault: &Vault, more: &[Probe]) -> Result<Vec<u8>, LibraryError> {
    let path = dir.join(PROBES);
    let file = fs::read(&path).map_err(at(&path))?;
    vault.seal_behind(&path, PROBES, file, probe_records(&path, more)?)
}

fn probe_records<'p>(path: &Path, probes: &'p [Probe]) -> Result<Vec<(&'p str, Vec<u8>)>, LibraryError> {
    probes.iter().map(|probe| Ok((probe.source.as_str(), json(path, probe)?))).collect()
}

fn json(path: &Path, value: &impl Serialize) -> Result<Vec<u8>, LibraryError> {
    serde_json::to_vec(value).map_err(|e| at(path)(e.into()))
}

/// Reads a file of records, each one JSON value of the source that it is under.
fn open<T: DeserializeOwned + OfSource>(
    dir: &Path,
    vault: &Vault,
    name: &str,
    digest: Option<Digest>,
) -> Result<Vec<T>, LibraryError> {
    let path = dir.join(name);
    let file = fs::read(&path).map_err(at(&path))?;
    if digest.is_some_and(|digest| digest != Digest::sha256(&file)) {
        return Err(corrupt(&path, "its SHA-256 is not the one in corpus.json".into()));
    }
    let mut values = Vec::new();
    for (source, bytes) in vault.open_all(&path, name, &file)? {
        let value: T = serde_json::from_slice(&bytes).map_err(|e| corrupt(&path, e.to_string()))?;
        if value.source() != source {
            return Err(corrupt(&path, format!("a record of {source} is under another source's key")));
        }
        values.push(value);
    }
    Ok(values)
}

trait OfSource {
    fn source(&self) -> &str;
}

impl OfSource for Document {
    fn source(&self) -> &str {
        &self.source
    }
}

impl OfSource for Probe {
    fn source(&self) -> &str {
        &self.source
    }
}
