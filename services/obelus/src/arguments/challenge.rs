//! Blind challenges on the command line.

use std::path::PathBuf;

use clap::Subcommand;

/// `obelus challenge`
#[derive(Debug, Subcommand)]
pub enum Challenge {
    /// Seal probes into a file that nobody can read or change; needs no data directory
    Seal {
        /// Probes, each with its source, as `obelus probes add` takes them: .jsonl
        probes: PathBuf,
        /// The sealed file; its key goes beside it, into FILE.key, which only you may read
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Deposit a sealed file for a request before its takedown is executed
    Deposit {
        /// Reference of the request
        reference: String,
        /// The sealed file
        sealed: PathBuf,
        /// Who deposits it
        #[arg(long = "as", value_name = "PERSON")]
        person: Option<String>,
    },
    /// Open a deposited file after its takedown, and ask the probes
    Open {
        /// Reference of the request
        reference: String,
        /// The key of the sealed file
        key: PathBuf,
        /// Who opens it
        #[arg(long = "as", value_name = "PERSON")]
        person: Option<String>,
    },
    /// List what was deposited, and what came of it
    List {
        /// Reference of a request [default: all]
        reference: Option<String>,
    },
}
