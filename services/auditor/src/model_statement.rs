//! The signed statement about a model's weights of now, beside them: the envelope with its place in the log, as a Sigstore
//! bundle. After a training or an adaptation that is training-run/v1, after a takedown erasure/v1. Not here: `model.sig`,
//! which has another key and covers the other files (`model_signature.rs`).
//!
//! It goes with `model.sig` before weights change, and is written once the statement about the new ones is in the log. Cut
//! off in between, it is written by whatever finishes the step, and by `obelus model sign`.

use anyhow::{Context as _, Result};
use obelus_core::Digest;
use obelus_ledger::{
    bundle::Place,
    canonical,
    keys::Role,
    statement::{Erasure, Predicate as _, TrainingRun},
};
use obelus_store::{erasures, log, models, models::ModelStatus};

use obelus_casework::{Deps, NotThere, case, durable::write_durably, exhibits, transparency};

/// Its name in the folder of a model.
pub const FILE_NAME: &str = "model.sigstore.json";

/// Writes the statement beside the weights where it is not there. While the weights are being changed there is none.
///
/// # Errors
/// When the statement or its place in the log is missing.
pub(crate) async fn complete(deps: &Deps, model: &str) -> Result<()> {
    if deps.data.model(model).join(FILE_NAME).is_file() { Ok(()) } else { write(deps, model).await }
}

/// Writes the statement beside the weights, whether or not one is there.
///
/// # Errors
/// As [`complete`].
pub(crate) async fn write(deps: &Deps, model: &str) -> Result<()> {
    let row = models::get(&deps.db, model).await?.ok_or_else(|| NotThere::model(model))?;
    if row.status != ModelStatus::Ready {
        return Ok(());
    }
    let (digest, role) = newest(deps, &row).await?;
    let index = log::index_of(&deps.db, &digest).await?;
    let index = index.with_context(|| format!("the statement {digest} about {model} is not in the log"))?;
    let mut proofs = transparency::prove(deps, &[index]).await?;
    let place = Place { index, path: proofs.paths.pop().context("one leaf has one path")? };
    let bundle = exhibits::bundle(deps, role, exhibits::envelope(deps, &digest).await?, &place, &proofs.note)?;
    write_durably(&deps.data.model(model).join(FILE_NAME), &canonical::to_bytes(&bundle)?)
}

/// The statement whose subject is the model's weight root of now.
async fn newest(deps: &Deps, row: &models::Model) -> Result<(Digest, Role)> {
    for request in case::of_model(deps, &row.name).await?.into_iter().rev() {
        let Some(erasure) = erasures::get(&deps.db, &request.reference).await? else { continue };
        if let Some(statement) = erasure.statement.filter(|_| erasure.root_after == row.weight_root) {
            return Ok((statement.0, Erasure::ROLE));
        }
    }
    let trained = row.training_statement.context("a finished model has a training statement")?;
    Ok((trained.0, TrainingRun::ROLE))
}
