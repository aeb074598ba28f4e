//! Closing what was found wrong with a certificate: a person looks at it and says why it may stand, or be renewed with
//! what was found. Not here: finding it (`reverification.rs`).

use anyhow::{Context as _, Result, ensure};
use obelus_policy::Action;
use obelus_store::{audit, incidents, incidents::Incident};
use serde_json::json;

use obelus_casework::{Deps, NotThere, case, triggers};

/// Closes an incident. What it found is accepted: the case is verified again, and its certificate is renewed unless it has
/// become worse than that.
///
/// # Errors
/// When there is none, it is closed, no reason is given, or the person may not.
pub async fn close(deps: &Deps, by: &str, id: &str, reason: &str) -> Result<Incident> {
    let incident = incidents::get(&deps.db, id).await?.ok_or_else(|| NotThere::incident(id))?;
    let person = case::permitted(deps, by, Action::CloseIncident, Some(&incident.request)).await?;
    ensure!(!reason.trim().is_empty(), "--reason must say why in words");
    let now = deps.now();
    let write = deps.db.write().await?;
    let closed = incidents::close(&write, id, &person.name, reason, now).await?;
    triggers::case_changed(&write, &incident.request, &format!("{id} was closed"), now).await?;
    let detail = json!({ "incident": id }).to_string();
    audit::append(&write, now, &person.name, "close_incident", &incident.request, &detail).await?;
    write.commit().await.context("cannot close the incident")?;
    Ok(closed)
}
