//! Corpora: reading documents and probes, the directory they are kept in and the encryption of what is in it, the built-in
//! generator, the tokenizer, token shards and the support counts of the support filter.
//!
//! Not here: models and training, masks and seeds, databases, near-duplicate search.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report"))]

pub mod clusters;
pub mod corpus_record;
pub mod document;
mod durable;
pub mod encryption;
pub mod generator;
pub mod ingest;
pub mod library;
pub mod mapping;
pub mod probe;
mod questions;
mod sealed_corpus;
mod sealed_shards;
pub mod shards;
pub mod support;
mod text_keys;
pub mod tokenised;
pub mod tokenizer;
mod vault;

pub use document::{Document, SourceInfo};
pub use library::{Corpus, Library, LibraryError};
pub use probe::{Probe, ProbeKind};
pub use shards::TokenShards;
pub use support::PairSupport;
pub use tokenised::Tokenised;
pub use tokenizer::Tokenizer;
