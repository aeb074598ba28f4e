//! Signed statements, Merkle trees, row proofs and certificates, made and verified.
