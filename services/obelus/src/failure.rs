//! Which exit status an error has, and how it is said.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use obelus_auditor::{baselines::BadBaseline, living::BadSchedule};
use obelus_casework::{NotThere, custody::Refused, filing::BadFiling, open::NotUsable};
use obelus_corpus::{LibraryError, ingest::IngestError};
use obelus_ledger::sealed_probes::SealError;
use obelus_model::ModelError;
use obelus_search::SearchError;
use obelus_verdict::{ProtocolError, UnknownCondition};

/// The command was used wrongly; the text says how.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct WrongUse(pub String);

/// Says the error on standard error, with the causes that it does not say itself.
pub fn report(error: &anyhow::Error) -> ExitCode {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    // Nothing can be done when standard error is gone.
    let _ = writeln!(io::stderr(), "obelus: {text}");
    ExitCode::from(if error.chain().any(is_wrong_use) { 2 } else { 3 })
}

fn is_wrong_use(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.is::<WrongUse>()
        || cause.is::<NotThere>()
        || cause.is::<NotUsable>()
        || cause.is::<BadFiling>()
        || cause.is::<Refused>()
        || cause.is::<BadSchedule>()
        || cause.is::<BadBaseline>()
        || cause.is::<IngestError>()
        || cause.is::<SealError>()
        || cause.is::<UnknownCondition>()
        || cause.is::<ProtocolError>()
        || cause.is::<obelus_verify::VerifyError>()
        || cause.downcast_ref::<LibraryError>().is_some_and(|e| !matches!(e, LibraryError::Io { .. }))
        || cause
            .downcast_ref::<SearchError>()
            .is_some_and(|e| matches!(e, SearchError::NoWords { .. } | SearchError::TooLong { .. }))
        || cause.downcast_ref::<ModelError>().is_some_and(|e| matches!(e, ModelError::Config(_)))
}
