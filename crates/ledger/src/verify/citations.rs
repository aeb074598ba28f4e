//! The seven statements of a certificate: opened with the right keys, in the log, in order, and in agreement.

use obelus_core::Digest;

use super::signed;
use crate::{
    certificate::{CertificateDocument, Exhibit},
    checkpoint::Checkpoint,
    log_entry, merkle,
    statement::{
        Campaign, Certificate, Erasure, Predicate, SourceManifest, Statement, TrainingRun, VerificationProtocol,
        VerificationRun,
    },
    trust::TrustedRoot,
};

/// The statements of a certificate, every signature verified.
pub(super) struct Opened {
    pub(super) campaign: Statement<Campaign>,
    pub(super) manifest: Statement<SourceManifest>,
    pub(super) training: Statement<TrainingRun>,
    pub(super) protocol: Statement<VerificationProtocol>,
    pub(super) erasure: Statement<Erasure>,
    pub(super) verification: Statement<VerificationRun>,
    pub(super) certificate: Statement<Certificate>,
    /// Envelope digests in log order.
    pub(super) digests: Vec<Digest>,
}

pub(super) fn open(
    document: &CertificateDocument,
    trust: &TrustedRoot,
    checkpoint: &Checkpoint,
) -> Result<Opened, String> {
    let order: Vec<Exhibit> = document.exhibits.iter().map(|e| e.exhibit).collect();
    if order != Exhibit::ALL {
        return Err("the exhibits are not one of each, in log order".to_owned());
    }
    if document.exhibits.windows(2).any(|w| w[0].index >= w[1].index) {
        return Err("the log does not hold the statements in the order in which they had to be made".to_owned());
    }
    let mut digests = Vec::new();
    for logged in &document.exhibits {
        digests.push(logged.envelope.digest().map_err(|e| e.to_string())?);
    }
    fn of<P: Predicate>(
        document: &CertificateDocument,
        i: usize,
        trust: &TrustedRoot,
        checkpoint: &Checkpoint,
    ) -> Result<Statement<P>, String> {
        let logged = &document.exhibits[i];
        let (statement, key) = signed::<P>(&logged.envelope, trust).map_err(|e| format!("{}: {e}", P::NAME))?;
        let leaf = log_entry::leaf(&logged.envelope, &key).map_err(|e| format!("{}: {e}", P::NAME))?;
        if merkle::verify_inclusion(&leaf, logged.index, checkpoint.size, &logged.path, &checkpoint.root) {
            Ok(statement)
        } else {
            Err(format!("{}: its inclusion proof does not lead to the checkpoint", P::NAME))
        }
    }
    Ok(Opened {
        campaign: of(document, 0, trust, checkpoint)?,
        manifest: of(document, 1, trust, checkpoint)?,
        training: of(document, 2, trust, checkpoint)?,
        protocol: of(document, 3, trust, checkpoint)?,
        erasure: of(document, 4, trust, checkpoint)?,
        verification: of(document, 5, trust, checkpoint)?,
        certificate: of(document, 6, trust, checkpoint)?,
        digests,
    })
}

/// Every citation between the statements, and every value that is said twice.
pub(super) fn citations(opened: &Opened) -> Result<String, String> {
    let [campaign, manifest, training, protocol, erasure, verification, _] = opened.digests[..] else {
        return Err("statements are missing".to_owned());
    };
    let (t, e) = (&opened.training.predicate, &opened.erasure.predicate);
    let (p, v, c) = (&opened.protocol.predicate, &opened.verification.predicate, &opened.certificate.predicate);
    let weights = |s: Option<Digest>, wanted: Digest| s == Some(wanted);
    let rules: [(&str, bool); 13] = [
        ("the manifest cites another campaign", opened.manifest.predicate.campaign == campaign),
        ("the manifest is of another lineage", opened.manifest.predicate.lineage == opened.campaign.predicate.lineage),
        ("the training cites another manifest", t.manifest == manifest),
        ("the erasure cites another manifest or training", e.manifest == manifest && e.training == training),
        ("the protocol is about other sources", p.sources == e.sources && p.model == e.model),
        ("the verification cites another protocol", v.protocol == protocol && v.baselines == p.baselines),
        (
            "the certificate cites another erasure or verification",
            c.erasure == erasure && c.verification == verification,
        ),
        (
            "request, model or training names differ",
            e.request == v.request && e.request == p.request && e.model == v.model && e.model == t.model,
        ),
        (
            "the certificate's roots or row proof differ",
            c.root_before == e.root_before && c.root_after == e.root_after && c.row_proof == e.row_proof,
        ),
        (
            "the certificate's level, recipe or verdict differs",
            c.level == e.level && c.verdict == v.verdict && c.recipe == t.recipe,
        ),
        (
            "the first strike does not start from the trained weights",
            e.generation != 1 || weights(opened.training.subject().digest.null_weight_tree_v1, e.root_before),
        ),
        (
            "a subject is not the weight root after",
            [opened.erasure.subject(), opened.verification.subject(), opened.certificate.subject()]
                .iter()
                .all(|s| weights(s.digest.null_weight_tree_v1, e.root_after)),
        ),
        (
            "the times contradict each other",
            p.fixed_at <= e.erased_at
                && e.erased_at <= v.judged_at
                && v.judged_at <= c.issued_at
                && c.issued_at < c.valid_until,
        ),
    ];
    match rules.iter().find(|(_, holds)| !holds) {
        Some((broken, _)) => Err((*broken).to_owned()),
        None => Ok(format!("{} citations agree; verdict {}, level {}", rules.len(), c.verdict, c.level)),
    }
}
