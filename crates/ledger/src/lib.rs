//! What is signed and how it is checked: canonical bytes, statements, Merkle trees, the log's formats, proofs over
//! the weights and certificates, made and verified.
//!
//! Bytes in, bytes out; only a model's folder, which is too large for that, is read here. Not here: other files, databases,
//! clocks, networks, tensors; who may sign, and when.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report"))]

pub mod adaptation;
pub mod archive;
pub mod audit_bundle;
pub mod bundle;
pub mod canonical;
pub mod certificate;
pub mod change_proof;
pub mod checkpoint;
pub mod dsse;
pub mod growth_proof;
pub mod keys;
pub mod log_entry;
pub mod manifest;
pub mod manifest_proof;
pub mod merkle;
pub mod model_folder;
pub mod model_key;
pub mod model_signing;
pub mod multiproof;
pub mod node_tree;
pub mod proof_file;
pub mod row_proof;
pub mod sealed_probes;
pub mod statement;
pub mod status_list;
pub mod tile;
pub mod tile_edge;
pub mod tlog_proof;
pub mod tree_reader;
pub mod trust;
pub mod verify;
pub mod weight_tree;
