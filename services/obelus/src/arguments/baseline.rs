//! Retrains that verifications compare with, on the command line.

use clap::{Args, Subcommand};

/// `obelus audit baseline`
#[derive(Debug, Subcommand)]
pub enum Baseline {
    /// Say which retrains serve, which are missing, and what those would cost; nothing is started
    Plan(Which),
    /// Have the missing retrains trained by `obelus audit schedule run`, once --yes says that the cost is accepted
    Add {
        /// Which retrains
        #[command(flatten)]
        which: Which,
        /// Start what the plan shows, at the cost that it shows
        #[arg(long)]
        yes: bool,
        /// Who asks for them
        #[arg(long = "as", value_name = "PERSON")]
        person: Option<String>,
    },
    /// List the retrains: what each leaves out, how far it is, who asked for it, and which runs compared with it
    List {
        /// Those of this model
        #[arg(long)]
        model: Option<String>,
    },
    /// Stop a retrain from being trained; what is trained of it is kept, and adding it again goes on from there
    Cancel {
        /// Name of the retrain, or number of its job
        retrain: String,
        /// Who stops it
        #[arg(long = "as", value_name = "PERSON")]
        person: Option<String>,
    },
    /// Train one retrain that was added: what `obelus audit schedule run` starts. Ends when its standard input does
    #[command(hide = true)]
    Train {
        /// Name of the retrain
        name: String,
    },
}

/// Retrains that somebody wants.
#[derive(Clone, Debug, Args)]
pub struct Which {
    /// The model
    #[arg(long)]
    pub model: String,
    /// Leave out the sources of this request
    #[arg(long, value_name = "REF", required_unless_present_any = ["source", "panel"], conflicts_with_all = ["source", "panel"])]
    pub matched: Option<String>,
    /// Leave out these sources
    #[arg(long, value_name = "ID", num_args = 1.., conflicts_with = "panel")]
    pub source: Vec<String>,
    /// Leave out a panel of this many sources, drawn at random from all parts of the corpus
    #[arg(long, value_name = "N")]
    pub panel: Option<u32>,
    /// What the panel is drawn with
    #[arg(long, value_name = "S", default_value_t = 1, requires = "panel")]
    pub panel_seed: u64,
    /// How many retrains, each with another seed of data order and initial weights
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub seeds: u32,
    /// Take no retrain that leaves out more than is asked for
    #[arg(long)]
    pub exact: bool,
}
