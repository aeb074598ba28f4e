//! Certificates: what is claimed and what is not. The files that anybody can check offline are in `certificate_files.rs`.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use obelus_core::Timestamp;
use obelus_ledger::{
    canonical,
    statement::{
        Certificate, Erasure, ErasureTarget, Figure, Renewal, Statement, Subject, TrainingRun, VerificationRun,
    },
};
use obelus_store::{
    audit, certificates,
    certificates::NewCertificate,
    erasures, requests,
    requests::RequestState,
    schedules,
    schedules::{NewSchedule, Scope},
    verifications,
    verifications::RunPhase,
};
use obelus_verdict::{AttackResult, Protocol, Verdict};
use serde_json::json;

use crate::{
    certificate_files, challenge,
    living::Attempt,
    standing, targets,
    verification::{self, Results},
};
use obelus_casework::{
    Deps, case,
    case::SERVICE,
    exhibits::statement,
    fault::point,
    letters::{self, Outcome},
    step::{Act, take},
    transparency::sign,
};

const DAY_US: i64 = 86_400_000_000;
/// Of the predicate alone: subject and type take some 400 bytes more of the 4 KB that a hardware signer takes.
const MOST_BYTES: usize = 3_500;

/// Issues the certificate of a judged takedown, or gives the one that was issued. The document is on disk afterwards.
///
/// # Errors
/// When the takedown was not judged, or a statement that the certificate rests on does not count because its key was
/// revoked.
pub async fn certify(deps: &Deps, reference: &str) -> Result<(certificates::Certificate, PathBuf)> {
    let run = verifications::first_of_request(&deps.db, reference).await?;
    let run = run.filter(|run| run.phase == RunPhase::Judged);
    let run = run.with_context(|| format!("{reference} was not judged; obelus audit run {reference}"))?;
    let issued = certificates::of_request(&deps.db, reference).await?;
    let row = match issued.into_iter().find(|c| c.verification_run == run.id) {
        Some(row) => row,
        None => issue(deps, reference, &run, None).await?,
    };
    point("certificate-signed");
    let files = certificate_files::hand_out(deps, &row).await?;
    point("certificate-written");
    Ok((row, files.bundle))
}

/// Issues the certificate that takes the place of `before`, on a run that repeated its verification; its validity begins
/// anew.
///
/// # Errors
/// When somebody else has the job or has renewed it, or a statement that it rests on does not count.
pub(crate) async fn renew(
    deps: &Deps,
    attempt: &Attempt<'_>,
    before: &certificates::Certificate,
    run: &verifications::Run,
) -> Result<certificates::Certificate> {
    issue(deps, &before.request, run, Some((attempt, before))).await
}

async fn issue(
    deps: &Deps,
    reference: &str,
    run: &verifications::Run,
    renewed: Option<(&Attempt<'_>, &certificates::Certificate)>,
) -> Result<certificates::Certificate> {
    let erasure_row = erasures::get(&deps.db, reference).await?.context("the takedown has no erasure")?;
    let erasure_digest = erasure_row.statement.context("the erasure is not signed")?.0;
    let erasure: Statement<Erasure> = statement(deps, &erasure_digest).await?;
    let training: Statement<TrainingRun> = statement(deps, &erasure.predicate.training).await?;
    let results = verification::stored(run)?;
    let protocol = Protocol::parse(std::str::from_utf8(&run.protocol).context("the protocol is not text")?)?;
    let lineage = certificate_files::lineage(deps, &run.model).await?;
    standing::certifiable(deps, reference, &lineage, &certificate_files::cited(deps, reference, run).await?).await?;
    let now = deps.now();
    let write = deps.db.write().await?;
    let id = certificates::reserve(&write, now).await?;
    write.commit().await?;
    let verdict = results.judgement.verdict;
    let e = &erasure.predicate;
    let renews = match renewed {
        None => None,
        Some((_, before)) => {
            let run = run.statement.context("a judged run has a statement")?.0;
            let said: Statement<VerificationRun> = statement(deps, &run).await?;
            let judged = said.subject().digest.null_weight_tree_v1.context("a run is about weights")?;
            Some(Renewal { certificate: before.statement.0, judged })
        }
    };
    let valid_until = Timestamp::from_micros(now.as_micros() + i64::from(protocol.validity_days) * DAY_US);
    let mut predicate = Certificate {
        id: id.clone(),
        title: title(verdict).to_owned(),
        erasure: erasure_digest,
        verification: run.statement.context("a judged run has a statement")?.0,
        erasure_claim: "proved".to_owned(),
        verdict: verdict.name().to_owned(),
        level: e.level.clone(),
        root_before: e.root_before,
        root_after: e.root_after,
        row_proof: e.row_proof,
        recipe: training.predicate.recipe.clone(),
        baseline: baseline(&results),
        figures: figures(&results),
        limits: limits(&results, &protocol, &e.targets),
        renews,
        challenges: challenge::cited(deps, reference).await?,
        issued_at: now,
        valid_until,
        salt: deps.salt()?,
    };
    let subject = Subject::signed_weights(&run.model, e.root_after, erasure.subject().digest.sha256);
    shorten(&mut predicate)?;
    let statement = Statement::new(subject, predicate);
    let stored = deps.data.relative(&path(deps, &id)).context("certificates lie in the data directory")?;
    let state = match verdict {
        Verdict::Verified => RequestState::Certified,
        Verdict::VerifiedWithResidual => RequestState::CertifiedWithResidual,
        Verdict::NotVerified => RequestState::VerificationFailed,
    };
    let schedule = match (&protocol.schedule, renewed) {
        (Some(cron), None) => Some(NewSchedule {
            scope: Scope::Case,
            subject: reference.to_owned(),
            cron: cron.clone(),
            protocol: protocol.name.clone(),
            created_by: SERVICE.to_owned(),
        }),
        _ => None,
    };
    let findings = findings(&figures(&results));
    let acts = conclusion(case::existing(deps, reference).await?.state, state, &id);
    take(deps, reference, &acts, vec![sign(deps, &statement)?], async |write, digests| {
        if let Some((attempt, _)) = renewed {
            attempt.fence(write, now).await?;
        }
        let digest = digests.first().context("a certificate is a statement")?;
        let new = NewCertificate {
            id: id.clone(),
            verification_run: run.id.clone(),
            level: e.level.clone(),
            path: stored.clone(),
            statement: *digest,
            valid_until,
            follows: renewed.map(|(_, before)| before.id.clone()),
        };
        certificates::issue(write, new, now).await?;
        if let Some(schedule) = &schedule {
            schedules::add(write, schedule.clone(), now).await?;
        }
        if renewed.is_some() {
            let detail = format!("{{\"certificate\":\"{id}\"}}");
            audit::append(write, now, SERVICE, "renew", reference, &detail).await?;
        }
        for act in &acts {
            requests::advance(write, reference, act.from.context("a certificate names a request")?, act.to).await?;
        }
        // A renewal that says the same as before is no news.
        if acts.is_empty() {
            return Ok(());
        }
        letters::concluded(deps, write, reference, outcome(verdict), (&id, valid_until), &findings).await
    })
    .await?;
    certificates::get(&deps.db, &id).await?.context("the certificate was just issued")
}

/// What takes a request to the state that the verdict gives it; through `verifying` where it had failed.
fn conclusion(mut from: RequestState, to: RequestState, certificate: &str) -> Vec<Act> {
    let mut acts = Vec::new();
    if from != to && from == RequestState::VerificationFailed {
        acts.push(Act::new("measure_again", SERVICE, from, RequestState::Verifying));
        from = RequestState::Verifying;
    }
    if from != to {
        acts.push(Act::new("certify", SERVICE, from, to).carrying(&json!({ "certificate": certificate })));
    }
    acts
}

/// What is told to the requester of figures that did not pass.
fn findings(figures: &[Figure]) -> Vec<String> {
    let left = figures.iter().filter(|figure| figure.verdict != "pass");
    left.map(|figure| format!("{}: {} {}", figure.name, figure.verdict, figure.residual).trim_end().to_owned())
        .collect()
}

fn outcome(verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Verified => Outcome::Certified,
        Verdict::VerifiedWithResidual => Outcome::WithResidual,
        Verdict::NotVerified => Outcome::Failed,
    }
}

fn path(deps: &Deps, id: &str) -> PathBuf {
    deps.data.certificates().join(format!("{id}.json"))
}

fn title(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Verified => "Certificate of erasure, verified",
        Verdict::VerifiedWithResidual => "Certificate of erasure, verified with residual",
        Verdict::NotVerified => "Erasure record, verification failed",
    }
}

fn baseline(results: &Results) -> String {
    let retrains = match results.further_baselines.len() {
        0 => "one retrain".to_owned(),
        more => format!("{} retrains with different seeds", more + 1),
    };
    match results.baseline_kind.as_str() {
        "none" => "none: nothing was compared with a retrain".to_owned(),
        "matched" => format!("matched: {retrains} without exactly these sources"),
        _ => format!("panel: {retrains} without a panel of {} sources", results.panel_sources),
    }
}

/// The required attacks with their residuals, those that came out worst first, as decimals: a signed payload has no floating
/// point.
fn figures(results: &Results) -> Vec<Figure> {
    let mut required: Vec<_> = results.judgement.attacks.iter().filter(|(_, attack)| attack.required).collect();
    required.sort_by_key(|(_, attack)| std::cmp::Reverse(attack.outcome));
    required
        .into_iter()
        .map(|(name, attack)| Figure {
            name: name.clone(),
            verdict: attack.outcome.to_string(),
            residual: residual(attack),
        })
        .collect()
}

/// Leaves out the figures that say least where the payload would not fit into a hardware signer, and says so. The results
/// that the cited run digests have them all.
fn shorten(certificate: &mut Certificate) -> Result<()> {
    let all = certificate.figures.len();
    while canonical::to_bytes(&*certificate)?.len() > MOST_BYTES && !certificate.figures.is_empty() {
        if certificate.figures.len() < all {
            certificate.limits.pop();
        }
        certificate.figures.pop();
        let left_out = all - certificate.figures.len();
        let which = match certificate.figures.last().map(|figure| figure.verdict.as_str()) {
            Some("pass") => "required attacks that passed",
            _ => "required attacks that came out no worse than the last one here",
        };
        certificate.limits.push(format!("{left_out} {which} are not listed here; the results of the run have them."));
    }
    Ok(())
}

fn residual(attack: &AttackResult) -> String {
    match (attack.residual, attack.residual_interval) {
        (Some(r), Some(i)) => format!("{r:.3} [{:.3}, {:.3}]", i.low, i.high),
        // Counted, or of one source alone: there is no chance of sampling to give.
        (Some(r), None) if attack.clusters > 0 => format!("{r:.3}"),
        _ => String::new(),
    }
}

/// What the certificate does not prove. Short: the payload must fit into a hardware signer.
fn limits(results: &Results, protocol: &Protocol, targets: &[ErasureTarget]) -> Vec<String> {
    let mut limits = vec![
        "The shared parameters and the tokenizer's merges may remember names and facts of the source.".to_owned(),
        "Facts that other sources tell are kept on purpose.".to_owned(),
        "Stored text and token shards of the source are not destroyed at this level.".to_owned(),
        "That training obeyed the masks is stated by the operator, not proved.".to_owned(),
    ];
    if results.baseline.is_some() && results.further_baselines.is_empty() {
        limits.push("One retrain seed: its variance is unknown.".to_owned());
    }
    let unusual = [
        (protocol.rehearsal, "that is for rehearsals"),
        (protocol.shipped_name().is_none(), "that this release does not ship"),
    ];
    for (_, which) in unusual.iter().filter(|(holds, _)| *holds) {
        let (name, version) = (&protocol.name, protocol.version);
        limits.push(format!("Judged by {name}, version {version}, a protocol {which}: see what it requires."));
    }
    if targets.iter().any(|target| target.kind == targets::NOT_FOUND) {
        limits.push("Registered exports that were no longer in their places were not erased.".to_owned());
    }
    // Outcomes are in the figures; here is what no figure says.
    limits.extend(results.judgement.limits.iter().filter(|l| l.starts_with("Not localised")).cloned());
    limits
}

#[cfg(test)]
mod tests {
    use obelus_core::Digest;

    use super::*;

    fn certificate(figures: usize) -> Certificate {
        let digest = Digest::sha256("");
        let figure = |number: usize| Figure {
            name: format!("panel.prompt.multiple_choice.attack_{number}"),
            verdict: if number < figures / 2 { "residual" } else { "pass" }.to_owned(),
            residual: "0.123 [0.045, 0.234]".to_owned(),
        };
        Certificate {
            id: "CT-2026-000001".to_owned(),
            title: title(Verdict::VerifiedWithResidual).to_owned(),
            erasure: digest,
            verification: digest,
            erasure_claim: "proved".to_owned(),
            verdict: "verified_with_residual".to_owned(),
            level: "L2".to_owned(),
            root_before: digest,
            root_after: digest,
            row_proof: digest,
            recipe: "support-filter/2".to_owned(),
            baseline: "panel: one retrain without a panel of 20 sources".to_owned(),
            figures: (0..figures).map(figure).collect(),
            limits: vec!["Facts that other sources tell are kept on purpose.".to_owned()],
            renews: None,
            challenges: None,
            issued_at: Timestamp::from_micros(0),
            valid_until: Timestamp::from_micros(0),
            salt: "0".repeat(32),
        }
    }

    #[test]
    fn what_does_not_fit_is_counted_and_the_worst_stays() {
        let mut short = certificate(4);
        shorten(&mut short).unwrap();
        assert_eq!((short.figures.len(), short.limits.len()), (4, 1));
        let mut long = certificate(60);
        shorten(&mut long).unwrap();
        assert!(canonical::to_bytes(&long).unwrap().len() <= MOST_BYTES);
        let left_out = 60 - long.figures.len();
        assert!(left_out > 0 && long.figures[0].name.ends_with("attack_0"));
        assert_eq!(long.limits.len(), 2);
        assert!(long.limits[1].starts_with(&format!("{left_out} required attacks that")), "{}", long.limits[1]);
    }
}
