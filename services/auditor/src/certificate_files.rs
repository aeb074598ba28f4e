//! The files of a certificate that anybody can check offline, written as soon as it is issued: the bundle, the evidence
//! under it, its log proof, the row proof, and the PDF for people. Nothing is signed here, and everything is made from stored bytes, so that a
//! file that was lost is made again byte for byte as long as the evidence is there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use obelus_core::Digest;
use obelus_ledger::{
    bundle::{Bundle, Place},
    canonical,
    certificate::{self, CertificateDocument, Exhibit},
    keys::Role,
    log_entry,
    statement::{Erasure, Statement},
    tlog_proof::TlogProof,
    weight_tree::Layout,
};
use obelus_model::{ModelRecord, WeightFile, checkpoint_layout};
use obelus_store::{campaigns, certificates, erasures, models, requests, verifications};

use crate::{certificate_pdf, challenge, standing, zeroing::proof_path};
use obelus_casework::{
    Deps,
    durable::write_durably,
    exhibits::{self, statement},
    transparency,
};

/// The files of a certificate beside each other, each named after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The Sigstore bundle: the certificate itself.
    pub bundle: PathBuf,
    /// The statements that it cites, with their places in the log.
    pub evidence: PathBuf,
    /// C2SP tlog-proof of the certificate.
    pub log_proof: PathBuf,
    /// The row proof of the strike.
    pub row_proof: PathBuf,
    /// The certificate for people, with the bundle attached.
    pub pdf: PathBuf,
}

impl CertificateFiles {
    /// The files of the certificate `id` in a folder.
    pub fn of(folder: &Path, id: &str) -> Self {
        let file = |end: &str| folder.join(format!("{id}{end}"));
        Self {
            bundle: file(".json"),
            evidence: file(".evidence.json"),
            log_proof: file(".tlog-proof"),
            row_proof: file(".rowproof.json"),
            pdf: file(".pdf"),
        }
    }

    /// All of them.
    pub fn all(&self) -> [&Path; 5] {
        [&self.bundle, &self.evidence, &self.log_proof, &self.row_proof, &self.pdf]
    }
}

/// The files of a certificate for somebody outside, written where they are missing.
///
/// # Errors
/// When a statement that it rests on is missing, or does not count because its key was revoked.
pub async fn hand_out(deps: &Deps, row: &certificates::Certificate) -> Result<CertificateFiles> {
    let bundle = deps.data.resolve(&row.path)?;
    let files = CertificateFiles::of(bundle.parent().context("a certificate lies in a folder")?, &row.id);
    if files.evidence.is_file() {
        renew(deps, &files).await?;
    }
    write(deps, row).await?;
    standing::certificate(deps, &row.id, &files)?;
    Ok(files)
}

/// The files of the blind challenges of a certificate's case, which lie beside it and are no part of it.
///
/// # Errors
/// When a statement about one is missing.
pub async fn challenges(deps: &Deps, row: &certificates::Certificate) -> Result<Vec<PathBuf>> {
    challenge::countable(deps, &row.request).await
}

/// Puts a certificate whose checkpoint was signed with a log key that was revoked since under the checkpoint of now: the
/// statements and their entries stay, only what leads to a signed root is another. Of what is derived from the evidence
/// the page is taken away, so that all of it is made again.
async fn renew(deps: &Deps, files: &CertificateFiles) -> Result<()> {
    let mut evidence = read_evidence(files)?;
    if standing::is_under_revoked_log_key(deps, &evidence)? {
        let indices: Vec<u64> = evidence.exhibits.iter().chain(&evidence.extensions).map(|l| l.index).collect();
        let proofs = transparency::prove(deps, &indices).await?;
        for (logged, path) in evidence.exhibits.iter_mut().chain(&mut evidence.extensions).zip(proofs.paths) {
            logged.path = path;
        }
        evidence.checkpoint = proofs.note;
        write_durably(&files.evidence, &canonical::to_bytes(&evidence)?)?;
    }
    if !files.bundle.is_file() || !files.pdf.is_file() {
        return Ok(());
    }
    let bundle = fs::read(&files.bundle).with_context(|| format!("cannot read {}", files.bundle.display()))?;
    // Killed in between, the bundle is still under the old checkpoint.
    let is_under = |bundle: Bundle| bundle.note().is_ok_and(|note| note == evidence.checkpoint);
    if !canonical::from_bytes::<Bundle>(&bundle).is_ok_and(is_under) {
        fs::remove_file(&files.pdf).with_context(|| format!("cannot remove {}", files.pdf.display()))?;
    }
    Ok(())
}

/// The statements that the certificate of a judged run cites, in log order.
///
/// # Errors
/// When the takedown has no signed erasure, or the run was not judged.
pub(crate) async fn cited(deps: &Deps, reference: &str, run: &verifications::Run) -> Result<Vec<(Exhibit, Digest)>> {
    let erasure_row = erasures::get(&deps.db, reference).await?.context("the takedown has no erasure")?;
    let erasure_digest = erasure_row.statement.context("the erasure is not signed")?.0;
    let erasure: Statement<Erasure> = statement(deps, &erasure_digest).await?;
    let lineage = lineage(deps, &run.model).await?;
    let campaign = campaigns::get(&deps.db, &lineage).await?.context("the model has a campaign")?;
    Ok(vec![
        (Exhibit::Campaign, campaign.statement.0),
        (Exhibit::Manifest, erasure.predicate.manifest),
        (Exhibit::Training, erasure.predicate.training),
        (Exhibit::Protocol, run.protocol_statement.0),
        (Exhibit::Erasure, erasure_digest),
        (Exhibit::Verification, run.statement.context("a judged run has a statement")?.0),
    ])
}

/// The lineage of a model.
///
/// # Errors
/// When there is no such model.
pub(crate) async fn lineage(deps: &Deps, model: &str) -> Result<String> {
    Ok(models::get(&deps.db, model).await?.context("a takedown names a model")?.lineage)
}

/// Writes the files of a certificate that are not there; gives the bundle's path.
///
/// # Errors
/// When a statement that it rests on is missing.
pub async fn write(deps: &Deps, row: &certificates::Certificate) -> Result<PathBuf> {
    let bundle = deps.data.resolve(&row.path)?;
    let files = CertificateFiles::of(bundle.parent().context("a certificate lies in a folder")?, &row.id);
    if files.all().iter().all(|file| file.is_file()) && !is_evidence(&files.bundle) {
        return Ok(files.bundle);
    }
    if !files.evidence.is_file() {
        // Before certificates were bundles, the evidence had their name.
        if is_evidence(&files.bundle) {
            fs::rename(&files.bundle, &files.evidence).context("cannot rename the evidence of a certificate")?;
        } else {
            let evidence = evidence(deps, row, &files).await?;
            write_durably(&files.evidence, &canonical::to_bytes(&evidence)?)?;
        }
    }
    write_row_proof(deps, row, &files)?;
    let evidence = read_evidence(&files)?;
    let (bundle, log_proof) = derived(deps, &evidence)?;
    write_durably(&files.log_proof, log_proof.to_text().as_bytes())?;
    let bundle = canonical::to_bytes(&bundle)?;
    write_durably(&files.bundle, &bundle)?;
    let name = format!("{}.json", row.id);
    write_durably(&files.pdf, &certificate_pdf::pdf(deps, row, &evidence, &name, bundle).await?)?;
    Ok(files.bundle)
}

fn is_evidence(path: &Path) -> bool {
    fs::read(path).is_ok_and(|bytes| canonical::from_bytes::<CertificateDocument>(&bytes).is_ok())
}

/// The evidence of a certificate as it lies on disk.
///
/// # Errors
/// When it cannot be read.
pub fn read_evidence(files: &CertificateFiles) -> Result<CertificateDocument> {
    let path = files.evidence.display();
    let bytes = fs::read(&files.evidence).with_context(|| format!("cannot read {path}"))?;
    canonical::from_bytes(&bytes).with_context(|| format!("{path} is damaged; restore it from a copy"))
}

/// Bundle and log proof, which say again what the evidence says of the certificate's place.
fn derived(deps: &Deps, evidence: &CertificateDocument) -> Result<(Bundle, TlogProof)> {
    let logged = evidence.exhibits.iter().find(|logged| logged.exhibit == Exhibit::Certificate);
    let logged = logged.context("the evidence has its certificate")?;
    let issuer = deps.keys.verifier(Role::Issuer, &logged.envelope)?;
    let log_proof = TlogProof {
        body: log_entry::body(&logged.envelope, &issuer)?,
        index: logged.index,
        path: logged.path.clone(),
        checkpoint: evidence.checkpoint.clone(),
    };
    let place = Place { index: logged.index, path: logged.path.clone() };
    let bundle = exhibits::bundle(deps, Role::Issuer, logged.envelope.clone(), &place, &evidence.checkpoint)?;
    Ok((bundle, log_proof))
}

/// Puts the row proof beside the certificate and under its name, so that either file leads to the other.
fn write_row_proof(deps: &Deps, row: &certificates::Certificate, files: &CertificateFiles) -> Result<()> {
    if files.row_proof.is_file() {
        return Ok(());
    }
    let proof = proof_path(deps, &row.request);
    ensure!(proof.is_file(), "the row proof {} is missing; restore it from a copy", proof.display());
    let proof = fs::read(&proof).with_context(|| format!("cannot read {}", proof.display()))?;
    write_durably(&files.row_proof, &proof)
}

/// Collects the evidence of a certificate: statements as stored, never made again.
async fn evidence(
    deps: &Deps,
    row: &certificates::Certificate,
    files: &CertificateFiles,
) -> Result<CertificateDocument> {
    let run = verifications::get(&deps.db, &row.verification_run).await?.context("the certificate has no run")?;
    let mut exhibits = cited(deps, &row.request, &run).await?;
    let of = |exhibit| exhibits.iter().find(|(of, _)| *of == exhibit).map(|(_, digest)| *digest);
    let erasure = of(Exhibit::Erasure).context("a certificate cites an erasure")?;
    let erasure: Statement<Erasure> = statement(deps, &erasure).await?;
    exhibits.push((Exhibit::Certificate, row.statement.0));
    let lineage = lineage(deps, &row.model).await?;
    let exhibits = exhibits::collect(deps, &lineage, &exhibits).await?;
    let struck = requests::sources(&deps.db, &row.request).await?;
    let sources = exhibits::presences(deps, &lineage, &struck, &erasure.predicate.manifest).await?;
    let layout = layout(deps, row, &erasure.predicate.layout, files).await?;
    Ok(CertificateDocument {
        format: certificate::FORMAT.to_owned(),
        exhibits: exhibits.logged,
        extensions: exhibits.extensions,
        sources,
        layout,
        checkpoint: exhibits.checkpoint,
        row_proof_file: format!("{}.rowproof.json", row.id),
    })
}

/// The layout of the struck checkpoint: that of the model, or where it was adapted since, the one in the evidence of an
/// earlier certificate of the case.
async fn layout(
    deps: &Deps,
    row: &certificates::Certificate,
    stated: &Digest,
    files: &CertificateFiles,
) -> Result<Layout> {
    let folder = deps.data.model(&row.model);
    let layout = checkpoint_layout(&WeightFile::open(&ModelRecord::open(&folder)?.checkpoint_path(&folder))?)?;
    if layout.digest()? == *stated {
        return Ok(layout);
    }
    for earlier in certificates::of_request(&deps.db, &row.request).await? {
        let files = CertificateFiles::of(&deps.data.certificates(), &earlier.id);
        if earlier.id != row.id && files.evidence.is_file() {
            let layout = read_evidence(&files)?.layout;
            if layout.digest()? == *stated {
                return Ok(layout);
            }
        }
    }
    bail!(
        "{} was adapted since its sources were struck, so the evidence of {} cannot be written again; restore {} from a copy",
        row.model,
        row.id,
        files.evidence.display()
    )
}
