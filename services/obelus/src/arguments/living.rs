//! What becomes of certificates, on the command line.

use clap::Subcommand;

/// `obelus audit schedule`
#[derive(Debug, Subcommand)]
pub enum Schedule {
    /// List the schedules
    List,
    /// Have a certified case, or all of a model, verified again at certain times
    Add {
        /// Reference of a request that has a certificate
        #[arg(required_unless_present = "model", conflicts_with = "model")]
        reference: Option<String>,
        /// Every certified case of this model
        #[arg(long)]
        model: Option<String>,
        /// Cron expression with seconds, in UTC, such as "0 17 3 1 * *" [default: that of the protocol]
        #[arg(long)]
        cron: Option<String>,
        /// Who makes it
        #[arg(long = "as", value_name = "PERSON")]
        person: Option<String>,
    },
    /// End a schedule
    Remove {
        /// Id of the schedule
        id: String,
        /// Who ends it
        #[arg(long = "as", value_name = "PERSON")]
        person: Option<String>,
    },
    /// Do what is due, verifications and retrains, now and until it is stopped; several may run on one database
    Run {
        /// Do what is due now, and end
        #[arg(long)]
        once: bool,
        /// After this many seconds without a sign of life another one takes a job over
        #[arg(long, value_name = "N", default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=86_400))]
        lease_seconds: u32,
        /// Who verifies
        #[arg(long = "as", value_name = "PERSON")]
        person: Option<String>,
    },
}

/// `obelus audit incident`
#[derive(Debug, Subcommand)]
pub enum Incident {
    /// List what was found wrong with certificates
    List,
    /// Close an incident: what it found is accepted, and the case is verified again
    Close {
        /// Id of the incident
        id: String,
        /// Why, in words
        #[arg(long)]
        reason: String,
        /// Who closes it
        #[arg(long = "as", value_name = "PERSON")]
        person: String,
    },
}
