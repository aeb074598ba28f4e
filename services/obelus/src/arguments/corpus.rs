//! Corpora, probes and sources on the command line.

use std::{num::NonZeroU64, path::PathBuf};

use clap::Subcommand;

/// `obelus corpus`
#[derive(Debug, Subcommand)]
pub enum Corpus {
    /// Read documents into a new corpus
    Add {
        /// Name of the corpus
        name: String,
        /// .jsonl, .jsonl.gz, .jsonl.zst, .parquet, or a folder of .txt
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Field or column of the document's id
        #[arg(long, default_value = "id")]
        id_field: String,
        /// Field or column of the text
        #[arg(long, default_value = "text")]
        text_field: String,
        /// Field or column of the publisher
        #[arg(long, default_value = "publisher")]
        publisher_field: String,
        /// What one source is: `document` (unless said otherwise), `field:NAME` for one source per value of a field or
        /// column, or `cluster:K` for K clusters of documents about the same things
        #[arg(long)]
        source_by: Option<String>,
        /// So many rows in turn are one source: 20 for the original files of TOFU
        #[arg(long, conflicts_with = "source_by")]
        rows_per_source: Option<NonZeroU64>,
        /// Skip and count bad lines instead of refusing the input
        #[arg(long)]
        skip_bad: bool,
        /// Keep the text in plain files, for text that nobody will ask to destroy: its tokens need no memory
        #[arg(long)]
        plain: bool,
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
        /// Keep the text in plain files
        #[arg(long)]
        plain: bool,
    },
    /// Encrypt a corpus that is in plain files, each source under a key of its own, so that its text can be destroyed
    Encrypt {
        /// Name of the corpus
        name: String,
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
        /// Probes, or questions with right and wrong answers as TOFU has them: .jsonl, .jsonl.gz, .jsonl.zst or .parquet
        file: PathBuf,
        /// Field or column that names the source of a question, where no document of the corpus is that question
        #[arg(long)]
        source_field: Option<String>,
        /// So many questions in turn are about one source, as with corpus add
        #[arg(long, conflicts_with = "source_field")]
        rows_per_source: Option<NonZeroU64>,
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
