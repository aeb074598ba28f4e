//! The PDF of a certificate: what its page shows, taken from the signed statements and from the results that they cite.
//! Not here: how a page is set (`obelus-report`).

use anyhow::{Context as _, Result};
use obelus_ledger::{
    certificate::{CertificateDocument, Exhibit},
    checkpoint::Checkpoint,
    statement::{Certificate, Erasure, Predicate, Statement, VerificationProtocol},
};
use obelus_report::certificate::{CertificatePage, ErasedCopy, Figure, render};
use obelus_store::{certificates, requests, verifications};
use obelus_verdict::Protocol;

use crate::{run_data, verification};
use obelus_casework::Deps;

/// Sets the PDF of a certificate, with its bundle attached under `bundle_name`. The same certificate gives the same bytes.
///
/// # Errors
/// When the evidence lacks a statement, or the page cannot be set.
pub(crate) async fn pdf(
    deps: &Deps,
    row: &certificates::Certificate,
    evidence: &CertificateDocument,
    bundle_name: &str,
    bundle: Vec<u8>,
) -> Result<Vec<u8>> {
    let run = verifications::get(&deps.db, &row.verification_run).await?.context("the certificate has no run")?;
    let request = requests::get(&deps.db, &row.request).await?.context("the certificate has no request")?;
    let results = verification::stored(&run)?;
    let protocol = Protocol::parse(std::str::from_utf8(&run.protocol)?)?;
    let erasure = said::<Erasure>(deps, evidence, Exhibit::Erasure)?;
    let certificate = said::<Certificate>(deps, evidence, Exhibit::Certificate)?;
    let checkpoint: Checkpoint = deps.keys.checkpoint(&evidence.checkpoint, &deps.settings.log_origin)?;
    let logged = evidence.exhibits.iter().find(|logged| logged.exhibit == Exhibit::Certificate);
    let page = CertificatePage {
        id: certificate.id,
        title: certificate.title,
        model: erasure.model,
        sources: requests::sources(&deps.db, &row.request).await?,
        request: erasure.request,
        regime: request.regime,
        operator: deps.settings.operator.clone(),
        level: certificate.level,
        erasure_claim: certificate.erasure_claim,
        verdict: certificate.verdict,
        baseline: certificate.baseline,
        protocol: format!(
            "{}, version {}, SHA-256 {}",
            protocol.name,
            protocol.version,
            said::<VerificationProtocol>(deps, evidence, Exhibit::Protocol)?.protocol
        ),
        challenges: certificate.challenges.map_or_else(String::new, |challenges| {
            format!("{} opened before this was issued; reported apart, they change no verdict", challenges.count)
        }),
        recipe: certificate.recipe,
        root_before: certificate.root_before,
        root_after: certificate.root_after,
        neurons_zeroed: erasure.neuron_count,
        targets: erasure
            .targets
            .into_iter()
            .map(|t| ErasedCopy { kind: t.kind, path: t.path, level: t.level, rows: t.rows, at: t.at })
            .collect(),
        figures: certificate
            .figures
            .into_iter()
            .map(|f| Figure { name: f.name, verdict: f.verdict, residual: f.residual })
            .collect(),
        residuals: run_data::residual_rows(&results),
        known: run_data::known_rows(&results, &protocol),
        limits: certificate.limits,
        issued_at: certificate.issued_at,
        valid_until: certificate.valid_until,
        log_origin: checkpoint.origin,
        log_index: logged.context("the evidence has its certificate")?.index,
        tree_size: checkpoint.size,
        verification_url: String::new(),
        bundle_name: bundle_name.to_owned(),
        bundle,
    };
    render(&page).with_context(|| format!("cannot set the PDF of {}", row.id))
}

/// What a statement of the evidence says, its signature verified: nothing else is printed.
fn said<P: Predicate>(deps: &Deps, evidence: &CertificateDocument, exhibit: Exhibit) -> Result<P> {
    let envelope = evidence.envelope(exhibit).with_context(|| format!("the evidence has no {}", P::NAME))?;
    Ok(Statement::<P>::verify(envelope, &deps.keys.verifier(P::ROLE, envelope)?)?.predicate)
}
