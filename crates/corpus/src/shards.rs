//! Token ids of every document in one file that is mapped into memory, and the index that says whose they are.
//! Making token ids is the tokenizer's work; the order of training is the model's.
//!
//! `tokens.bin` holds unsigned integers, little-endian, two bytes each where the vocabulary has at most 65,536 tokens and
//! four otherwise: each document from its beginning mark to its end mark, one after the other. `tokens.json` is the
//! index. Neither is ever changed in place.

use std::{
    collections::HashSet,
    fs::{self, File},
    io::{self, BufWriter, Write},
    ops::Deref,
    path::{Path, PathBuf},
};

use obelus_core::Digest;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use crate::{
    document::Document,
    mapping::MappedFile,
    sealed_shards::Shape,
    tokenizer::{BOT_ID, EOT_ID, Tokenizer},
};

const FORMAT: &str = "obelus-tokens/v1";
pub(crate) const TOKENS: &str = "tokens.bin";
pub(crate) const INDEX: &str = "tokens.json";

/// Why token shards cannot be written or used.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// The file is not what was written.
    #[error("{}: {reason}; delete its directory and it is made anew from the corpus", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The system refused.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// A document in the token file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexEntry {
    /// The document's id.
    pub id: String,
    /// The source it belongs to.
    pub source: String,
    /// First token, counted in tokens from the beginning of the file.
    pub offset: u64,
    /// Number of tokens, both marks included.
    pub tokens: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Index {
    pub(crate) format: String,
    pub(crate) token_bytes: usize,
    pub(crate) vocab: usize,
    pub(crate) tokens: u64,
    pub(crate) tokens_digest: Digest,
    pub(crate) tokenizer_digest: Digest,
    pub(crate) documents: Vec<IndexEntry>,
}

/// Where token ids are read from.
#[derive(Debug)]
pub(crate) enum Bytes {
    /// The plain file.
    Mapped(MappedFile),
    /// What was decrypted.
    Memory(Vec<u8>),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Memory(bytes) => bytes,
        }
    }
}

/// Token ids of a corpus: mapped, or in memory where its text is encrypted.
#[derive(Debug)]
pub struct TokenShards {
    dir: PathBuf,
    index: Index,
    map: Bytes,
}

/// Token ids of one document, read from where they are: beginning mark, text, end mark.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    bytes: &'a [u8],
    width: usize,
}

/// Encodes `documents` in their order and writes both files into `dir`, which must exist.
///
/// # Errors
/// The system's reason; a file of an earlier write is replaced only by a complete one.
pub fn write(dir: &Path, tokenizer: &Tokenizer, documents: &[Document]) -> Result<TokenShards, ShardError> {
    let width = token_bytes(tokenizer.vocab());
    let path = dir.join(TOKENS);
    let partial = dir.join("tokens.bin.partial");
    let mut file = BufWriter::new(File::create(&partial).map_err(at(&partial))?);
    let mut hash = sha2::Sha256::new();
    let mut entries = Vec::with_capacity(documents.len());
    let mut offset = 0;
    for document in documents {
        let bytes = encoded(tokenizer, document);
        hash.update(&bytes);
        file.write_all(&bytes).map_err(at(&partial))?;
        let tokens = (bytes.len() / width) as u64;
        entries.push(IndexEntry { id: document.id.clone(), source: document.source.clone(), offset, tokens });
        offset += tokens;
    }
    let file = file.into_inner().map_err(|e| at(&partial)(e.into_error()))?;
    file.sync_all().map_err(at(&partial))?;
    fs::rename(&partial, &path).map_err(at(&path))?;
    let index = Index {
        format: FORMAT.into(),
        token_bytes: width,
        vocab: tokenizer.vocab(),
        tokens: offset,
        tokens_digest: Digest::new(hash.finalize().into()),
        tokenizer_digest: tokenizer.digest(),
        documents: entries,
    };
    let path = dir.join(INDEX);
    let json = serde_json::to_vec(&index).map_err(|e| at(&path)(e.into()))?;
    replace(&path, &json).map_err(at(&path))?;
    TokenShards::open(dir)
}

/// Writes a file under another name, makes it durable and renames it.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let partial = path.with_added_extension("partial");
    let mut file = File::create(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&partial, path)
}

/// A document's tokens as a file has them.
pub(crate) fn encoded(tokenizer: &Tokenizer, document: &Document) -> Vec<u8> {
    let width = token_bytes(tokenizer.vocab());
    tokenizer.encode_document(&document.text).iter().flat_map(|id| id.to_le_bytes().into_iter().take(width)).collect()
}

pub(crate) fn token_bytes(vocab: usize) -> usize {
    if vocab <= 1 << 16 { 2 } else { 4 }
}

fn at(path: &Path) -> impl Fn(io::Error) -> ShardError + '_ {
    move |source| ShardError::Io { path: path.to_owned(), source }
}

impl TokenShards {
    /// Maps the token file in `dir` and checks lengths, marks and that every id lies in the vocabulary. The digest is
    /// checked by [`TokenShards::verify_digest`].
    ///
    /// # Errors
    /// A file is missing, cut off, too long or says something impossible.
    pub fn open(dir: &Path) -> Result<Self, ShardError> {
        let index_path = dir.join(INDEX);
        let json = fs::read(&index_path).map_err(at(&index_path))?;
        let corrupt = |reason: String| ShardError::Corrupt { path: index_path.clone(), reason };
        let index: Index = serde_json::from_slice(&json).map_err(|e| corrupt(e.to_string()))?;
        if index.format != FORMAT {
            return Err(corrupt(format!("its format is {:?}, this program reads {FORMAT:?}", index.format)));
        }
        if index.token_bytes != token_bytes(index.vocab) {
            return Err(corrupt(format!("{} bytes a token do not go with its vocabulary", index.token_bytes)));
        }
        let path = dir.join(TOKENS);
        let map = MappedFile::open(&path).map_err(at(&path))?;
        Self::of(dir, index, Bytes::Mapped(map)).map_err(|reason| ShardError::Corrupt { path, reason })
    }

    /// Checks lengths, marks and that every id lies in the vocabulary; says what does not fit.
    pub(crate) fn of(dir: &Path, index: Index, map: Bytes) -> Result<Self, String> {
        let shards = Self { dir: dir.to_owned(), index, map };
        match shards.fault() {
            Some(reason) => Err(reason),
            None => Ok(shards),
        }
    }

    fn fault(&self) -> Option<String> {
        let expected = self.index.tokens.checked_mul(self.index.token_bytes as u64);
        if expected != Some(self.map.len() as u64) {
            return Some(format!("it has {} bytes where the index says {} tokens", self.map.len(), self.index.tokens));
        }
        let mut next = 0_u64;
        let mut ids = HashSet::new();
        for entry in &self.index.documents {
            let end = entry.offset.checked_add(entry.tokens).filter(|end| *end <= self.index.tokens);
            let Some(end) = end.filter(|_| entry.offset == next && entry.tokens >= 2) else {
                return Some(format!("the index gives document {:?} an impossible place", entry.id));
            };
            if !ids.insert(&entry.id) {
                return Some(format!("the index names document {:?} twice", entry.id));
            }
            next = end;
        }
        if next != self.index.tokens {
            return Some(format!("{} tokens belong to no document", self.index.tokens - next));
        }
        for (i, entry) in self.index.documents.iter().enumerate() {
            let tokens = self.doc(i);
            if tokens.iter().any(|t| t as usize >= self.index.vocab) {
                return Some(format!("document {:?} has a token outside the vocabulary", entry.id));
            }
            if tokens.get(0) != Some(BOT_ID) || tokens.get(tokens.len() - 1) != Some(EOT_ID) {
                return Some(format!("document {:?} does not begin and end with its marks", entry.id));
            }
        }
        None
    }

    /// Reads the whole token file and compares its SHA-256 with the index.
    ///
    /// # Errors
    /// They differ.
    pub fn verify_digest(&self) -> Result<(), ShardError> {
        // What was decrypted was authenticated, and is all there was only as long as no key was destroyed.
        if matches!(self.map, Bytes::Memory(_)) || Digest::sha256(&*self.map) == self.index.tokens_digest {
            return Ok(());
        }
        Err(ShardError::Corrupt { path: self.dir.join(TOKENS), reason: "its SHA-256 is not the index's".into() })
    }

    /// The directory of both files.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether they are decrypted: what is counted over them is not kept.
    pub(crate) fn are_sealed(&self) -> bool {
        matches!(self.map, Bytes::Memory(_))
    }

    /// How the ids are written.
    pub(crate) fn shape(&self) -> Shape {
        let Index { token_bytes, vocab, tokenizer_digest, .. } = self.index;
        Shape { token_bytes, vocab, tokenizer_digest }
    }

    /// Id, source and tokens of every document, in order.
    pub(crate) fn records(&self) -> impl Iterator<Item = (&str, &str, Vec<u8>)> {
        let entries = self.index.documents.iter().enumerate();
        entries.map(|(i, entry)| (entry.id.as_str(), entry.source.as_str(), self.doc(i).bytes.to_vec()))
    }

    /// Number of documents.
    pub fn len(&self) -> usize {
        self.index.documents.len()
    }

    /// Whether there is no document.
    pub fn is_empty(&self) -> bool {
        self.index.documents.is_empty()
    }

    /// Number of tokens in all documents, marks included.
    pub fn total_tokens(&self) -> u64 {
        self.index.tokens
    }

    /// Size of the vocabulary: every id is below it.
    pub fn vocab(&self) -> usize {
        self.index.vocab
    }

    /// SHA-256 of `tokens.bin`.
    pub fn digest(&self) -> Digest {
        self.index.tokens_digest
    }

    /// SHA-256 of the tokenizer that made the ids.
    pub fn tokenizer_digest(&self) -> Digest {
        self.index.tokenizer_digest
    }

    /// The documents, in the order of the file (ascending by id for a corpus of the library).
    pub fn index(&self) -> &[IndexEntry] {
        &self.index.documents
    }

    /// Token ids of document `i`.
    ///
    /// # Panics
    /// If there is no document `i`.
    pub fn doc(&self, i: usize) -> Tokens<'_> {
        let entry = &self.index.documents[i];
        let width = self.index.token_bytes;
        let start = entry.offset as usize * width;
        Tokens { bytes: &self.map[start..start + entry.tokens as usize * width], width }
    }
}

impl<'a> Tokens<'a> {
    /// How many.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.width
    }

    /// Whether there are none; a document of a shard always has its two marks.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Id at position `i`.
    pub fn get(&self, i: usize) -> Option<u32> {
        let start = i.checked_mul(self.width)?;
        self.bytes.get(start..start.checked_add(self.width)?).map(read_id)
    }

    /// The ids in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = u32> + use<'a> {
        self.bytes.chunks_exact(self.width).map(read_id)
    }

    /// The ids in memory.
    pub fn to_vec(&self) -> Vec<u32> {
        self.iter().collect()
    }
}

fn read_id(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |id, b| id << 8 | u32::from(*b))
}
