//! What outsiders check, on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `obelus verify`
#[derive(Debug, Args)]
pub struct Verify {
    /// Certificate, statement or proof
    pub file: PathBuf,
    /// Folder with `trusted_root.json`, obtained apart from the file
    #[arg(long)]
    pub trust: PathBuf,
}

/// `obelus log`
#[derive(Debug, Subcommand)]
pub enum Log {
    /// Print the signed checkpoint
    Checkpoint,
    /// Inclusion proof of one entry
    Prove {
        /// Index of the entry
        index: u64,
    },
    /// Recompute the whole log and compare it with its checkpoints
    Check,
}

/// `obelus keys`
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// List the public keys
    List,
    /// Write what a verifier needs to trust
    ExportTrust {
        /// Folder
        #[arg(long)]
        out: PathBuf,
    },
}
