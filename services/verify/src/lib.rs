//! The offline verifier.
