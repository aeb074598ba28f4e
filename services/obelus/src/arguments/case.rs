//! People, requests, takedowns, audits and certificates on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Baseline, Incident, Schedule};

/// `obelus person`
#[derive(Debug, Subcommand)]
pub enum Person {
    /// Add a person, or a role to a person
    Add {
        /// Name
        name: String,
        /// Role
        #[arg(long, required = true)]
        role: Vec<String>,
    },
}

/// What a request is about: one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Meant {
    /// Sources meant, by id
    #[arg(long, num_args = 1..)]
    pub source: Vec<String>,
    /// A file with text of the work: those sources that hold most of it
    #[arg(long, value_name = "FILE")]
    pub text: Option<PathBuf>,
    /// Everything that somebody has published
    #[arg(long, value_name = "NAME")]
    pub publisher: Option<String>,
}

/// What somebody says to a case.
#[derive(Debug, Args)]
pub struct Notice {
    /// Reference
    pub reference: String,
    /// Who sent it, as they call themselves
    #[arg(long, value_name = "NAME")]
    pub from: String,
    /// What it says
    #[arg(long, value_name = "TEXT")]
    pub words: String,
    /// Who notes it
    #[arg(long = "as", value_name = "PERSON")]
    pub person: Option<String>,
}

/// `obelus request`
#[derive(Debug, Subcommand)]
pub enum Request {
    /// File a request to strike sources
    File {
        #[command(flatten)]
        what: Meant,
        /// The model to strike them from; needed when the data directory holds several
        #[arg(long)]
        model: Option<String>,
        /// Regime under which it is filed
        #[arg(long)]
        regime: String,
        /// Who files
        #[arg(long = "as", value_name = "PERSON")]
        person: Option<String>,
    },
    /// List requests
    List,
    /// Show one request with its trail
    Show {
        /// Reference
        reference: String,
    },
    /// Approve the plan as it stands
    Approve {
        /// Reference
        reference: String,
        /// Who approves
        #[arg(long = "as", value_name = "PERSON")]
        person: Option<String>,
    },
    /// Refuse a request
    Refuse {
        /// Reference
        reference: String,
        /// Refusal code
        #[arg(long)]
        code: String,
        /// Reason in words
        #[arg(long)]
        reason: String,
        /// Who refuses
        #[arg(long = "as", value_name = "PERSON")]
        person: Option<String>,
    },
    /// Put a legal hold on a request: nothing is destroyed while it stands
    Hold {
        /// Reference
        reference: String,
        /// Who holds
        #[arg(long = "as", value_name = "PERSON")]
        person: Option<String>,
    },
    /// Note that somebody objects: nothing is zeroed until that is settled
    Object {
        #[command(flatten)]
        notice: Notice,
    },
    /// Note that somebody complains of how the request is treated
    Complain {
        #[command(flatten)]
        notice: Notice,
    },
    /// Note what came of an objection or a complaint
    Settle {
        /// Reference
        reference: String,
        /// Its number in the case, as `request show` says it
        number: i64,
        /// What came of it, in words
        #[arg(long, value_name = "TEXT")]
        outcome: String,
        /// Who settles it
        #[arg(long = "as", value_name = "PERSON")]
        person: Option<String>,
    },
    /// Agree to release a hold; two persons must
    Release {
        /// Reference
        reference: String,
        /// Who releases
        #[arg(long = "as", value_name = "PERSON")]
        person: Option<String>,
    },
}

/// `obelus takedown`
#[derive(Debug, Subcommand)]
pub enum Takedown {
    /// Impact of a request and the digest of its plan
    Plan {
        /// Reference
        reference: String,
        /// What it will be judged by: standard, quick, deep, or a file of your own [default: what was chosen before, else
        /// standard]
        #[arg(long)]
        protocol: Option<String>,
    },
    /// Zero the sources, prove it, sign it
    Execute {
        /// Reference
        reference: String,
        /// Who executes
        #[arg(long = "as", value_name = "PERSON")]
        person: Option<String>,
    },
    /// Destroy the stored text of the sources, after the verdict: documents, probes and tokens, by destroying their keys.
    /// The case cannot be verified again afterwards
    Shred {
        /// Reference
        reference: String,
        /// Also where verification failed, which can then never be made up for
        #[arg(long)]
        although_failed: bool,
        /// Who destroys
        #[arg(long = "as", value_name = "PERSON")]
        person: Option<String>,
    },
    /// Lift a suppression that has not been zeroed
    Undo {
        /// Reference
        reference: String,
        /// Who lifts it
        #[arg(long = "as", value_name = "PERSON")]
        person: Option<String>,
    },
}

/// `obelus audit`
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Judge a takedown, or rehearse one for a source that still stands
    Run {
        /// Reference of an executed request
        #[arg(required_unless_present = "source", conflicts_with = "source")]
        reference: Option<String>,
        /// A source to rehearse, struck in memory only
        #[arg(long, requires = "model")]
        source: Option<String>,
        /// The model, for a rehearsal
        #[arg(long)]
        model: Option<String>,
        /// What a rehearsal is judged by: standard, quick, deep, or a file of your own [default: quick]
        #[arg(long)]
        protocol: Option<String>,
        /// Retrain to compare with
        #[arg(long)]
        baseline: Option<String>,
        /// Folder for every number of the run as JSON and CSV, its plots and its limits
        #[arg(long)]
        out: Option<PathBuf>,
        /// Who verifies
        #[arg(long = "as", value_name = "PERSON")]
        person: Option<String>,
    },
    /// Offer takedowns that are broken on purpose, and models that are right, to a protocol: does it tell them apart?
    Drill {
        /// The model
        #[arg(long)]
        model: String,
        /// A source of it that its retrain was trained without, struck in memory only
        #[arg(long)]
        source: String,
        /// The protocol that is tried: standard, quick, deep, or a file of your own [default: standard]
        #[arg(long)]
        protocol: Option<String>,
        /// Retrain to compare with; another one with the same exclusions is offered as an erased model
        #[arg(long)]
        baseline: Option<String>,
    },
    /// Have the retrains trained that verifications compare with
    #[command(subcommand)]
    Baseline(Baseline),
    /// Verify certified cases again, at certain times and when something changed
    #[command(subcommand)]
    Schedule(Schedule),
    /// List the work of repeated verifications and retrains, newest first
    Jobs {
        /// Only what failed too often
        #[arg(long)]
        dead: bool,
    },
    /// Let work that failed too often be tried again
    Retry {
        /// Number of the job
        job: i64,
        /// Who has looked at it
        #[arg(long = "as", value_name = "PERSON")]
        person: Option<String>,
    },
    /// List and close what was found wrong with certificates
    #[command(subcommand)]
    Incident(Incident),
    /// Write everything about a certified case into one ZIP that outsiders can check
    Bundle {
        /// Reference of the request
        reference: String,
        /// The ZIP
        #[arg(long)]
        out: PathBuf,
        /// Who hands it out
        #[arg(long = "as", value_name = "PERSON")]
        person: Option<String>,
    },
}

/// `obelus certificate`
#[derive(Debug, Subcommand)]
pub enum Certificate {
    /// List certificates
    List,
    /// Show one certificate in words
    Show {
        /// Certificate id
        id: String,
    },
    /// Show the status of certificates today, and write the signed list of it
    Status {
        /// Certificate id [default: all]
        id: Option<String>,
        /// File for the signed list, which `obelus verify --status` takes
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Write a certificate with its evidence and proofs to a folder
    Download {
        /// Certificate id
        id: String,
        /// Folder
        #[arg(long)]
        out: PathBuf,
    },
}
