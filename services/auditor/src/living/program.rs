//! Whether this program has other attacks than a certified case was last verified with. Not here: changes that put cases
//! into the queue in their own transaction (`obelus_casework::triggers`), and what is due by the calendar (`schedule.rs`).

use anyhow::Result;
use obelus_casework::{Deps, triggers::case_changed};
use obelus_store::{certificates, verifications};

use super::circumstances::{self, Circumstances};

/// Puts those cases into the queue whose last run had other attacks than this program has.
///
/// # Errors
/// When the database fails.
pub(crate) async fn changed(deps: &Deps) -> Result<usize> {
    let mut new = 0;
    for certificate in super::all(deps).await? {
        if certificate.status == certificates::CertificateStatus::Superseded {
            continue;
        }
        let last = verifications::of_request(&deps.db, &certificate.request).await?.pop();
        let Some(run) = last else { continue };
        let Some(before) = Circumstances::of(&run)? else { continue };
        if before.attack != circumstances::attack(&run.protocol)? {
            let write = deps.db.write().await?;
            new += usize::from(case_changed(&write, &certificate.request, "the attacks changed", deps.now()).await?);
            write.commit().await?;
        }
    }
    Ok(new)
}
