//! Encrypted text: files of records, each a document, a probe or a document's tokens under the key of its source
//! (AES-256-GCM). Not here: the keys' file (`text_keys.rs`), and what the records mean (`library.rs`, `sealed_shards.rs`).
//!
//! A file is 24 bytes that name the format, then the records. A record is the number of its source (u32, ascending by id),
//! a random nonce (12 bytes), the length of what follows (u32) and the ciphertext with its tag. Integers are little-endian.
//! Corpus, kind of file, source and position are authenticated with it, so that no record opens in another's place or
//! under another's name. Nonces are random because files are written again when a process was killed, and one key seals
//! far fewer records than the 2^32 for which that is safe.
//!
//! Sizes, numbers of records and ids of sources are not hidden. Nothing here hides text from whoever may read the keys: it
//! lets text be destroyed, in every copy, by destroying 32 bytes.

use std::{io, path::Path};

use aes_gcm::{
    Aes256Gcm, KeyInit as _, Nonce,
    aead::{Aead as _, Payload},
};
use obelus_core::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    document::SourceInfo,
    durable::{at, corrupt},
    library::LibraryError,
    text_keys::{TextKeys, random},
};

const MAGIC: &[u8; 24] = b"obelus-sealed-texts/v1\n\0";
const NONCE_BYTES: usize = 12;
const HEADER_BYTES: usize = 4 + NONCE_BYTES + 4;

/// What is known of a source without its key. Publisher and licence are with its documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SealedSource {
    id: String,
    documents: usize,
    text_bytes: u64,
    content_digest: Digest,
}

impl From<&SourceInfo> for SealedSource {
    fn from(info: &SourceInfo) -> Self {
        let (documents, text_bytes, content_digest) = (info.documents, info.text_bytes, info.content_digest);
        Self { id: info.id.clone(), documents, text_bytes, content_digest }
    }
}

/// The sources of an encrypted corpus, and their keys as they were when it was opened.
#[derive(Clone, Debug)]
pub(crate) struct Vault {
    corpus: String,
    ids: Vec<String>,
    sources: Vec<SealedSource>,
    keys: TextKeys,
}

/// A record as it lies in its file.
struct Record<'a> {
    source: usize,
    nonce: &'a [u8; NONCE_BYTES],
    ciphertext: &'a [u8],
    whole: &'a [u8],
}

impl Vault {
    /// With fresh keys. `sources` ascend by id.
    pub(crate) fn draw(corpus: &str, sources: &[SourceInfo]) -> io::Result<Self> {
        Ok(Self::new(corpus, sources.iter().map(SealedSource::from).collect(), TextKeys::draw(sources.len())?))
    }

    fn new(corpus: &str, sources: Vec<SealedSource>, keys: TextKeys) -> Self {
        let ids = sources.iter().map(|source| source.id.clone()).collect();
        Self { corpus: corpus.to_owned(), ids, sources, keys }
    }

    /// With the keys that are there.
    pub(crate) fn open(corpus: &str, sources: Vec<SealedSource>, keys: &Path) -> Result<Self, LibraryError> {
        let mut vault = Self::new(corpus, sources, TextKeys(Vec::new()));
        vault.keys = TextKeys::read(keys, &vault.ids)?;
        Ok(vault)
    }

    /// Puts the keys on the disk.
    pub(crate) fn keep_keys(&self, path: &Path) -> Result<(), LibraryError> {
        self.keys.write(path, &self.ids)
    }

    /// Ids of the sources, ascending.
    pub(crate) fn ids(&self) -> &[String] {
        &self.ids
    }

    /// What is known of the sources without their keys.
    pub(crate) fn sources(&self) -> &[SealedSource] {
        &self.sources
    }

    /// Number of a source.
    pub(crate) fn number(&self, source: &str) -> Option<usize> {
        self.ids.binary_search_by(|id| id.as_str().cmp(source)).ok()
    }

    /// The sources whose keys were destroyed, ascending. Publisher and licence are gone with the text.
    pub(crate) fn destroyed(&self) -> Vec<SourceInfo> {
        let gone = |(number, _): &(usize, &SealedSource)| self.keys.get(*number).is_none();
        let info = |(_, source): (usize, &SealedSource)| SourceInfo {
            id: source.id.clone(),
            documents: source.documents,
            text_bytes: source.text_bytes,
            publisher: None,
            license: None,
            content_digest: source.content_digest,
        };
        self.sources.iter().enumerate().filter(gone).map(info).collect()
    }

    /// Seals records, each of a source, into the bytes of a file of this kind.
    pub(crate) fn seal<'s>(
        &self,
        kind: &str,
        records: impl IntoIterator<Item = (&'s str, Vec<u8>)>,
    ) -> Result<Vec<u8>, LibraryError> {
        self.append(kind, MAGIC.to_vec(), 0, records)
    }

    /// Seals records behind those of a file, which are kept as they are.
    pub(crate) fn seal_behind<'s>(
        &self,
        path: &Path,
        kind: &str,
        file: Vec<u8>,
        records: impl IntoIterator<Item = (&'s str, Vec<u8>)>,
    ) -> Result<Vec<u8>, LibraryError> {
        let count = parse(&file).map_err(|reason| corrupt(path, reason))?.len() as u64;
        self.append(kind, file, count, records)
    }

    fn append<'s>(
        &self,
        kind: &str,
        mut file: Vec<u8>,
        first: u64,
        records: impl IntoIterator<Item = (&'s str, Vec<u8>)>,
    ) -> Result<Vec<u8>, LibraryError> {
        let refused = |reason: String| at(Path::new(kind))(io::Error::other(reason));
        for (position, (source, payload)) in (first..).zip(records) {
            let number = self.number(source).ok_or_else(|| refused(format!("{source} has no document")))?;
            let key = self.keys.get(number).ok_or_else(|| refused(format!("the key of {source} was destroyed")))?;
            let mut nonce = [0; NONCE_BYTES];
            random(&mut nonce).map_err(at(Path::new(kind)))?;
            let sealed = cipher(key)
                .and_then(|cipher| {
                    let payload = Payload { msg: &payload, aad: &self.associated(kind, source, position) };
                    cipher.encrypt(&Nonce::from(nonce), payload).ok()
                })
                .filter(|sealed| u32::try_from(sealed.len()).is_ok())
                .ok_or_else(|| refused(format!("a text of {source} is too large to be encrypted")))?;
            file.extend_from_slice(&(number as u32).to_le_bytes());
            file.extend_from_slice(&nonce);
            file.extend_from_slice(&(sealed.len() as u32).to_le_bytes());
            file.extend_from_slice(&sealed);
        }
        Ok(file)
    }

    /// Opens every record whose key is there, in the order of the file, with the source that it is of.
    pub(crate) fn open_all(&self, path: &Path, kind: &str, file: &[u8]) -> Result<Vec<(&str, Vec<u8>)>, LibraryError> {
        let mut opened = Vec::new();
        for (position, record) in (0..).zip(parse(file).map_err(|reason| corrupt(path, reason))?) {
            let source = self.ids.get(record.source);
            let source = source.ok_or_else(|| corrupt(path, format!("record {position} is of no source")))?;
            let Some(key) = self.keys.get(record.source) else { continue };
            let payload = Payload { msg: record.ciphertext, aad: &self.associated(kind, source, position) };
            let text = cipher(key).and_then(|cipher| cipher.decrypt(&Nonce::from(*record.nonce), payload).ok());
            let text = text.ok_or_else(|| corrupt(path, format!("record {position} does not open with its key")))?;
            opened.push((source.as_str(), text));
        }
        Ok(opened)
    }

    /// The records of one source in a file, as they lie there.
    pub(crate) fn ciphertext_of<'f>(path: &Path, file: &'f [u8], number: usize) -> Result<Vec<&'f [u8]>, LibraryError> {
        let records = parse(file).map_err(|reason| corrupt(path, reason))?;
        Ok(records.into_iter().filter(|record| record.source == number).map(|record| record.whole).collect())
    }

    fn associated(&self, kind: &str, source: &str, position: u64) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for part in [self.corpus.as_str(), kind, source] {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes.extend_from_slice(&position.to_le_bytes());
        bytes
    }
}

fn cipher(key: &[u8; 32]) -> Option<Aes256Gcm> {
    Aes256Gcm::new_from_slice(key).ok()
}

fn parse(file: &[u8]) -> Result<Vec<Record<'_>>, String> {
    let mut rest = file.strip_prefix(MAGIC).ok_or("it is no file of encrypted text")?;
    let mut records = Vec::new();
    while !rest.is_empty() {
        let cut = || format!("record {} is cut off", records.len());
        let (source, tail) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
        let (nonce, tail) = tail.split_first_chunk::<NONCE_BYTES>().ok_or_else(cut)?;
        let (length, tail) = tail.split_first_chunk::<4>().ok_or_else(cut)?;
        let (ciphertext, tail) = tail.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(cut)?;
        let whole = &rest[..HEADER_BYTES + ciphertext.len()];
        records.push(Record { source: u32::from_le_bytes(*source) as usize, nonce, ciphertext, whole });
        rest = tail;
    }
    Ok(records)
}
