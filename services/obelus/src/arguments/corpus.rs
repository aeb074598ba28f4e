//! Corpora, probes and sources on the command line.

use std::path::PathBuf;

use clap::Subcommand;

/// `obelus corpus`
#[derive(Debug, Subcommand)]
pub enum Corpus {
    /// Read documents into a new corpus
    Add {
        /// Name of the corpus
        name: String,
        /// .jsonl, .jsonl.gz, .jsonl.zst, or a folder of .txt
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// JSON field of the document's id
        #[arg(long, default_value = "id")]
        id_field: String,
        /// JSON field of the text
        #[arg(long, default_value = "text")]
        text_field: String,
        /// JSON field of the publisher
        #[arg(long, default_value = "publisher")]
        publisher_field: String,
        /// What one source is: `document`, or `field:NAME` for one source per value of a JSON field
        #[arg(long, default_value = "document")]
        source_by: String,
        /// Skip and count bad lines instead of refusing the input
        #[arg(long)]
        skip_bad: bool,
    },
    /// Generate the built-in corpus with planted facts and probes
    Generate {
        /// Name of the corpus
        name: String,
        /// Number of sources
        #[arg(long, default_value_t = 200)]
        sources: u32,
        /// Seed
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// List corpora
    List,
    /// Show one corpus and its sources
    Show {
        /// Name of the corpus
        name: String,
    },
}

/// `obelus probes`
#[derive(Debug, Subcommand)]
pub enum Probes {
    /// Add cloze probes to a corpus
    Add {
        /// The corpus
        corpus: String,
        /// Probes as JSON lines
        file: PathBuf,
        /// Skip and count bad lines instead of refusing the input
        #[arg(long)]
        skip_bad: bool,
    },
}

/// `obelus source`
#[derive(Debug, Subcommand)]
pub enum Source {
    /// Record, seed and neurons of a source
    Show {
        /// The corpus
        corpus: String,
        /// The source
        id: String,
        /// The model whose masks are meant
        #[arg(long)]
        model: Option<String>,
    },
    /// Signed provenance of a source with its inclusion path
    Statement {
        /// The model
        model: String,
        /// The source
        id: String,
        /// File to write; the record with its place in the manifest goes beside it, into NAME.presence.json
        #[arg(long)]
        out: PathBuf,
    },
    /// Proof that a model was trained on no source of this name, for somebody who may have the manifest key
    Absence {
        /// The model
        model: String,
        /// The name
        id: String,
        /// File to write
        #[arg(long)]
        out: PathBuf,
    },
}
