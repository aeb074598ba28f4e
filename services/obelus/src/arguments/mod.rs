//! The command line as clap sees it. A contract: scripts rely on every name here. What the commands do is in `commands`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

mod baseline;
mod bench;
mod case;
mod challenge;
mod corpus;
mod database;
mod evidence;
mod living;
mod model;
mod serve;

pub use baseline::{Baseline, Which};
pub use bench::{Bench, BenchDecode, BenchLog, BenchTrain, Erase, Register, TrainForm};
pub use case::{Audit, Certificate, Meant, Notice, Person, Request, Takedown};
pub use challenge::Challenge;
pub use corpus::{Corpus, Probes, Source};
pub use database::Database;
pub use evidence::{Keys, Log, LogCheck, Verify};
pub use living::{Incident, Schedule};
pub use model::{Export, ExportFormat, Fitting, Generate, Model, Repair, Route, RowsKind, Score, Train};
pub use serve::{Host, Serve};

/// Train, strike, prove and certify natively unlearnable language models.
#[derive(Debug, Parser)]
#[command(name = "obelus", version, propagate_version = true)]
pub struct Arguments {
    /// Data directory
    #[arg(long, global = true, env = "OBELUS_DATA", default_value = "./obelus-data", value_name = "DIR")]
    pub data: PathBuf,
    /// Print one JSON document on standard output, and nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// No progress on standard error
    #[arg(long, global = true)]
    pub quiet: bool,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a data directory: configuration template, keys, database
    Init,
    /// Tell the whole story on the built-in corpus, up to a verified certificate
    Demo(Demo),
    /// Add, generate and look at corpora
    #[command(subcommand)]
    Corpus(Corpus),
    /// Add probes to a corpus
    #[command(subcommand)]
    Probes(Probes),
    /// Look at a source and its signed provenance
    #[command(subcommand)]
    Source(Source),
    /// Train and look at models
    #[command(subcommand)]
    Model(Model),
    /// Continue a prompt
    Generate(Generate),
    /// Score probes under the conditions of a verification
    Score(Score),
    /// Add people
    #[command(subcommand)]
    Person(Person),
    /// File and decide requests
    #[command(subcommand)]
    Request(Request),
    /// Plan, execute and undo takedowns
    #[command(subcommand)]
    Takedown(Takedown),
    /// Verify a takedown against a retrain
    #[command(subcommand)]
    Audit(Audit),
    /// List, show and download certificates
    #[command(subcommand)]
    Certificate(Certificate),
    /// Seal probes, deposit them before a takedown, and open them after it
    #[command(subcommand)]
    Challenge(Challenge),
    /// Verify a certificate, statement or proof offline
    Verify(Verify),
    /// Look at the transparency log
    #[command(subcommand)]
    Log(Log),
    /// List, replace and revoke keys, and export trust
    #[command(subcommand)]
    Keys(Keys),
    /// Serve the portal and do what is due, in one process, until told to stop
    Serve(Serve),
    /// Keep a model in memory and answer with it over HTTP, until told to stop
    Host(Host),
    /// Measure what this machine does with a model of a given shape
    #[command(subcommand)]
    Bench(Bench),
    /// Migrate the database, and say who may do what to its tables
    #[command(subcommand)]
    Database(Database),
    /// Check the installation and say what is missing
    Doctor,
}

/// `obelus demo`
#[derive(Debug, Args)]
pub struct Demo {
    /// Stop after the story; without it the portal is started on what it has made, where somebody sits at a terminal
    #[arg(long)]
    pub no_serve: bool,
    /// Preset to train with
    #[arg(long, default_value = "demo")]
    pub preset: String,
    /// Seed of corpus and training
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Sources to generate
    #[arg(long, default_value_t = 200)]
    pub sources: u32,
    /// Sources held out of the retrain
    #[arg(long, default_value_t = 20)]
    pub panel: u32,
}

impl Demo {
    /// The story as it is told before its data are served.
    pub fn for_serving() -> Self {
        Self { no_serve: true, preset: "demo".to_owned(), seed: 1, sources: 200, panel: 20 }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
