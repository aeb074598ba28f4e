//! The index of an export: each case in one line, without personal data. Not here: the files that it lists.

use obelus_core::{Digest, Timestamp};
use serde::Serialize;

/// The format's name.
const FORMAT: &str = "obelus-export/v1";

/// The index; canonical JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    format: &'static str,
    /// The sample that it is about; none of a case.
    #[serde(skip_serializing_if = "Option::is_none")]
    sample: Option<String>,
    /// The cases, ascending by reference.
    pub(super) cases: Vec<Line>,
}

/// A case.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    pub(super) reference: String,
    /// Whether its files are in the archive.
    pub(super) included: bool,
    /// What there is to say of it; empty where nothing is.
    pub(super) note: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<String>,
    /// Whether a hold stands.
    pub(super) held: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) regime: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) received_at: Option<Timestamp>,
    pub(super) steps: Vec<Step>,
    pub(super) certificates: Vec<Certified>,
}

/// A step of a case.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Step {
    pub(super) sequence: i64,
    pub(super) action: String,
    /// State after it.
    pub(super) to: String,
    pub(super) happened_at: Timestamp,
    /// Envelope digest of its statement.
    pub(super) statement: Digest,
    /// Its place in the log; none until it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) log_entry: Option<u64>,
}

/// A certificate of a case, as it stood when the export was made.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Certified {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) level: String,
    pub(super) verdict: String,
    pub(super) issued_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) valid_until: Option<Timestamp>,
    /// Names of its files.
    pub(super) files: Vec<String>,
    /// Files that it should have, and that were not where they should be.
    pub(super) missing: Vec<String>,
}

impl Line {
    /// Of a case whose files are not in the archive.
    pub(super) fn left_out(reference: &str, note: &str) -> Self {
        Self {
            reference: reference.to_owned(),
            included: false,
            note: note.to_owned(),
            state: None,
            held: false,
            regime: None,
            model: None,
            received_at: None,
            steps: Vec::new(),
            certificates: Vec::new(),
        }
    }
}

impl Index {
    /// Of no case yet.
    pub(super) fn new(sample: Option<String>) -> Self {
        Self { format: FORMAT, sample, cases: Vec::new() }
    }

    /// The same as a table. No value in it has a comma or a quotation mark: names of our own, states, times and fixed words.
    pub(super) fn to_csv(&self) -> String {
        let mut csv = String::from("reference,included,state,received,last_step,last_step_at,certificates,note\r\n");
        for case in &self.cases {
            let last = case.steps.last();
            let certificates: Vec<_> = case.certificates.iter().map(|c| format!("{} ({})", c.id, c.status)).collect();
            let values = [
                case.reference.clone(),
                if case.included { "yes" } else { "no" }.to_owned(),
                case.state.clone().unwrap_or_default(),
                case.received_at.map(|at| at.to_string()).unwrap_or_default(),
                last.map(|step| step.action.clone()).unwrap_or_default(),
                last.map(|step| step.happened_at.to_string()).unwrap_or_default(),
                certificates.join(" "),
                case.note.clone(),
            ];
            csv.push_str(&values.join(","));
            csv.push_str("\r\n");
        }
        csv
    }
}
