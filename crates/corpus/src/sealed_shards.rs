//! Token shards of an encrypted corpus: `tokens.sealed`, a record for each document with its id and its tokens, under the
//! key of its source, and `sealed.json`, which says nothing of any document. Not here: how a record is encrypted
//! (`vault.rs`), and shards in plain files (`shards.rs`).
//!
//! They are decrypted into memory when they are opened; the documents, several times as large, are there already. What is
//! not kept are the support counts (`support.rs`): pairs of neighbouring tokens would give text away, so that they are
//! counted each time.

use std::{fs, path::Path};

use obelus_core::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    durable::{at, corrupt, write_file},
    library::LibraryError,
    shards::{Bytes, Index, IndexEntry, TokenShards},
    vault::Vault,
};

const FORMAT: &str = "obelus-tokens/v2";
pub(crate) const TOKENS: &str = "tokens.sealed";
const INDEX: &str = "sealed.json";

/// What is known of the tokens without any key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SealedIndex {
    format: String,
    token_bytes: usize,
    vocab: usize,
    /// SHA-256 of the tokens of all documents that there were, as `tokens.bin` would have them: it names them for ever.
    tokens_digest: Digest,
    tokenizer_digest: Digest,
    /// SHA-256 of `tokens.sealed`.
    sealed_digest: Digest,
}

/// How tokens are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) token_bytes: usize,
    pub(crate) vocab: usize,
    pub(crate) tokenizer_digest: Digest,
}

/// The tokenizer made the tokens, so that those of two vocabularies do not open in each other's place.
fn kind(tokenizer: Digest) -> String {
    format!("tokens {tokenizer}")
}

/// Writes both files into `dir`: documents with id, source and the bytes of their tokens. Gives the digest of the tokens.
pub(crate) fn write<'d>(
    dir: &Path,
    vault: &Vault,
    shape: Shape,
    documents: impl IntoIterator<Item = (&'d str, &'d str, Vec<u8>)>,
) -> Result<Digest, LibraryError> {
    let (mut tokens, mut records) = (Vec::new(), Vec::new());
    for (id, source, bytes) in documents {
        tokens.extend_from_slice(&bytes);
        let record = [&(id.len() as u32).to_le_bytes()[..], id.as_bytes(), &bytes].concat();
        records.push((source, record));
    }
    let file = vault.seal(&kind(shape.tokenizer_digest), records)?;
    let index = SealedIndex {
        format: FORMAT.into(),
        token_bytes: shape.token_bytes,
        vocab: shape.vocab,
        tokens_digest: Digest::sha256(&tokens),
        tokenizer_digest: shape.tokenizer_digest,
        sealed_digest: Digest::sha256(&file),
    };
    write_file(&dir.join(TOKENS), &file)?;
    let path = dir.join(INDEX);
    write_file(&path, &serde_json::to_vec(&index).map_err(|e| at(&path)(e.into()))?)?;
    Ok(index.tokens_digest)
}

/// Reads the tokens of every document whose key is there.
pub(crate) fn open(dir: &Path, vault: &Vault) -> Result<TokenShards, LibraryError> {
    let path = dir.join(INDEX);
    let bytes = fs::read(&path).map_err(at(&path))?;
    let found: SealedIndex = serde_json::from_slice(&bytes).map_err(|e| corrupt(&path, e.to_string()))?;
    if found.format != FORMAT || !matches!(found.token_bytes, 2 | 4) {
        return Err(corrupt(&path, format!("its format is {:?}, this program reads {FORMAT:?}", found.format)));
    }
    let path = dir.join(TOKENS);
    let file = fs::read(&path).map_err(at(&path))?;
    if Digest::sha256(&file) != found.sealed_digest {
        return Err(corrupt(&path, "its SHA-256 is not the index's".into()));
    }
    let (mut tokens, mut documents) = (Vec::new(), Vec::new());
    for (source, record) in vault.open_all(&path, &kind(found.tokenizer_digest), &file)? {
        let (id, bytes) = split(&record).ok_or_else(|| corrupt(&path, "a record is no document's tokens".into()))?;
        let (offset, count) = (tokens.len() / found.token_bytes, bytes.len() / found.token_bytes);
        documents.push(IndexEntry { id, source: source.to_owned(), offset: offset as u64, tokens: count as u64 });
        tokens.extend_from_slice(bytes);
    }
    let index = Index {
        format: found.format,
        token_bytes: found.token_bytes,
        vocab: found.vocab,
        tokens: (tokens.len() / found.token_bytes) as u64,
        tokens_digest: found.tokens_digest,
        tokenizer_digest: found.tokenizer_digest,
        documents,
    };
    TokenShards::of(dir, index, Bytes::Memory(tokens)).map_err(|reason| corrupt(&path, reason))
}

fn split(record: &[u8]) -> Option<(String, &[u8])> {
    let (length, rest) = record.split_first_chunk::<4>()?;
    let (id, bytes) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    Some((String::from_utf8(id.to_vec()).ok()?, bytes))
}
