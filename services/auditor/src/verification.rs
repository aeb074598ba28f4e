//! Judging a takedown: score the erased model, compare with what was recorded before, sign the verdict.

use anyhow::{Context as _, Result, ensure};
use obelus_attack::Salt;
use obelus_core::Digest;
use obelus_ledger::{
    dsse::Envelope,
    keys::Role,
    statement::{Erasure, Statement, Subject, VerificationProtocol, VerificationRun},
};
use obelus_model::WeightTree;
use obelus_policy::Action;
use obelus_store::{
    audit, erasures, requests,
    requests::RequestState,
    statements, verifications,
    verifications::{Judgement as StoredJudgement, RunPhase},
};
use obelus_verdict::{Condition, ConditionSummary, Judgement, Protocol, Scores, judge, summarise};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::{
    living::Circumstances,
    measurement::{After, Before, Setting},
    plan,
    progress::Progress,
    subject::{self, Opened},
};
use obelus_casework::{
    Deps, case, exhibits,
    fault::point,
    transparency::{publish, sign},
};

/// Everything that a run found. Its bytes are digested into the signed statement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    /// `obelus-verification-results/v1`
    pub format: String,
    /// The retrain, if there is one.
    pub baseline: Option<String>,
    /// Retrains with other seeds.
    #[serde(default)]
    pub further_baselines: Vec<String>,
    /// `panel` or `matched`; `none` without a retrain.
    pub baseline_kind: String,
    /// Sources in the panel.
    pub panel_sources: usize,
    /// The verdict and every number that it rests on.
    pub judgement: Judgement,
    /// The panel's scores.
    pub panel: Scores,
    /// The struck sources' scores.
    pub source: Scores,
    /// The scores of sources that stay.
    #[serde(default)]
    pub survivors: Scores,
}

/// The format name.
pub const FORMAT: &str = "obelus-verification-results/v1";

/// A metric's row for each condition.
pub type Table = BTreeMap<Condition, ConditionSummary>;

impl Results {
    pub(crate) fn new(before: Before, after: After, protocol: &Protocol, matched: bool) -> Self {
        let After { source, survivors } = after;
        let judgement = judge(protocol, &before.panel, &source, &survivors);
        let baseline_kind = match (&before.baseline, matched) {
            (None, _) => "none",
            (_, true) => "matched",
            _ => "panel",
        };
        Self {
            format: FORMAT.to_owned(),
            baseline: before.baseline,
            further_baselines: before.further_baselines,
            baseline_kind: baseline_kind.to_owned(),
            panel_sources: before.panel_sources,
            judgement,
            panel: before.panel,
            source,
            survivors,
        }
    }

    /// The tables of conditions of panel and source.
    pub fn tables(&self, protocol: &Protocol) -> [Table; 2] {
        let resampler = protocol.resampler();
        [summarise(&self.panel, &resampler), summarise(&self.source, &resampler)]
    }
}

/// Judges an executed takedown, or gives the judgement that was made. The run's name comes with it.
///
/// # Errors
/// When the takedown was not executed, or the weights are not those that were signed.
pub async fn run(
    deps: &Deps,
    by: &str,
    reference: &str,
    baseline: Option<&str>,
    progress: &Progress,
) -> Result<(String, Results)> {
    let run = verifications::first_of_request(&deps.db, reference).await?;
    let run = run.with_context(|| format!("{reference} was not executed; obelus takedown execute {reference}"))?;
    if run.phase == RunPhase::Judged {
        let results = stored(&run)?;
        return Ok((run.id, results));
    }
    let request = case::existing(deps, reference).await?;
    ensure!(
        request.state == RequestState::Verifying,
        "{reference} is {}; it is judged once its takedown has been executed",
        request.state
    );
    let person = case::permitted(deps, by, Action::Verify, Some(reference)).await?;
    let before = scores_before(&run)?;
    ensure!(
        baseline.is_none() || baseline == before.baseline.as_deref(),
        "the protocol of {reference} was fixed with the baseline {}, before anything was erased; another one cannot be \
         taken now",
        before.baseline.as_deref().unwrap_or("none")
    );
    let erasure = erasures::get(&deps.db, reference).await?.context("the takedown has no erasure")?;
    let root_after = erasure.root_after.context("the erasure has no root after")?.0;
    let erased: Statement<Erasure> =
        exhibits::statement(deps, &erasure.statement.context("the erasure is not signed")?.0).await?;
    let opened = Opened::open(deps, &run.model).await?;
    let checkpoint = opened.record.checkpoint_path(&deps.data.model(&run.model));
    // From end to end, whatever the takedown took from a node cache: no certificate rests on one.
    progress.stage("hashing the checkpoint");
    let found = WeightTree::read(&checkpoint, deps.hashing_threads(), |_| ())?.root();
    ensure!(
        found == root_after,
        "{} has the weight root {found}, and {root_after} was signed: what would be judged is not what was erased",
        checkpoint.display()
    );
    let Measured { results, baselines, before } = measured(deps, &run, &opened, reference, progress).await?;
    let circumstances = serde_json::to_string(&Circumstances::now(deps, &opened, found, &run.protocol).await?)?;
    let bytes = serde_json::to_vec(&results)?;
    let verdict = results.judgement.verdict.name();
    let statement = Statement::new(
        Subject::signed_weights(&run.model, root_after, erased.subject().digest.sha256),
        VerificationRun {
            request: reference.to_owned(),
            model: run.model.clone(),
            protocol: run.protocol_statement.0,
            baselines,
            baseline_kind: results.baseline_kind.clone(),
            before,
            results: Digest::sha256(&bytes),
            verdict: verdict.to_owned(),
            repetition: None,
            judged_at: deps.now(),
            salt: deps.salt()?,
        },
    );
    let now = deps.now();
    publish(deps, sign(deps, &statement)?, async |write, digest| {
        let judgement = StoredJudgement {
            results: bytes.clone(),
            verdict: verdict.to_owned(),
            statement: *digest,
            circumstances: circumstances.clone(),
        };
        verifications::judge(write, &run.id, judgement, now).await?;
        let detail = format!("{{\"verdict\":\"{verdict}\"}}");
        Ok(audit::append(write, now, &person.name, "verify", reference, &detail).await?)
    })
    .await?;
    point("judged");
    Ok((run.id, results))
}

/// What was measured and judged, with what a statement says of it.
pub(crate) struct Measured {
    pub(crate) results: Results,
    /// Envelope digests of the baselines' training runs.
    pub(crate) baselines: Vec<Digest>,
    /// SHA-256 of the scores recorded before the erasure.
    pub(crate) before: Digest,
}

/// Scores the struck sources on a model, and judges by what was fixed and recorded for the takedown.
///
/// # Errors
/// When what was recorded is damaged, or other questions are asked than were asked before.
pub(crate) async fn measured(
    deps: &Deps,
    first: &verifications::Run,
    opened: &Opened,
    reference: &str,
    progress: &Progress,
) -> Result<Measured> {
    let protocol = Protocol::parse(std::str::from_utf8(&first.protocol).context("the protocol is not text")?)?;
    let before = scores_before(first)?;
    let before_digest = Digest::sha256(first.scores_before.as_deref().unwrap_or_default());
    let struck = requests::sources(&deps.db, reference).await?;
    let salt = Salt::new(plan::score_salt(deps, &opened.row.lineage, reference).await?);
    let setting =
        Setting { opened, retrains: &[], post_hoc: &[], struck: &struck, protocol: &protocol, salt, progress };
    let after = setting.after(deps, &before)?;
    ensure!(
        same_items(&before.source, &after.source),
        "the questions about {reference} are others than those asked before its erasure: probes or text of its sources were \
         changed; restore them"
    );
    let mut all = After { source: before.source.clone(), survivors: before.survivor_scores.clone() };
    all.source.complete(after.source);
    all.survivors.complete(after.survivors);
    let fixed = protocol_statement(deps, first).await?;
    let matched = match &before.baseline {
        Some(name) => {
            let row = obelus_store::models::get(&deps.db, name).await?.context("the baseline is gone")?;
            row.excluded.0 == struck
        }
        None => false,
    };
    let results = Results::new(before, all, &protocol, matched);
    Ok(Measured { results, baselines: fixed.predicate.baselines, before: before_digest })
}

pub(crate) fn scores_before(run: &verifications::Run) -> Result<Before> {
    let before = run.scores_before.as_deref().context("the run has no scores from before")?;
    serde_json::from_slice(before).context("the scores from before are damaged")
}

/// Whether two measurements have the same items in the same order: a judgement compares them pair by pair.
fn same_items(before: &Scores, after: &Scores) -> bool {
    let facts = |scores: &Scores| -> Vec<Vec<Digest>> {
        scores.plain.facts.values().map(|facts| facts.iter().map(|fact| fact.item).collect()).collect()
    };
    let passages = |scores: &Scores| -> Vec<Vec<Digest>> {
        scores.plain.passages.values().map(|passages| passages.iter().map(|passage| passage.item).collect()).collect()
    };
    let same = |before: Vec<Vec<Digest>>, after: Vec<Vec<Digest>>| {
        before.first().is_none_or(|first| after.iter().all(|items| items == first))
    };
    same(facts(before), facts(after)) && same(passages(before), passages(after))
}

/// The results of a judged run, as they were digested.
///
/// # Errors
/// When they are damaged.
pub fn stored(run: &verifications::Run) -> Result<Results> {
    let bytes = run.results.as_deref().with_context(|| format!("run {} was not judged", run.id))?;
    ensure!(run.results_digest.map(|d| d.0) == Some(Digest::sha256(bytes)), "the results of {} were changed", run.id);
    serde_json::from_slice(bytes).with_context(|| format!("the results of {} are damaged", run.id))
}

/// The protocol by which a takedown is judged.
///
/// # Errors
/// When it was not executed.
pub async fn protocol_of(deps: &Deps, reference: &str) -> Result<Protocol> {
    let run = verifications::of_request(&deps.db, reference).await?.pop();
    let run = run.with_context(|| format!("{reference} was not executed; obelus takedown execute {reference}"))?;
    Ok(Protocol::parse(std::str::from_utf8(&run.protocol).context("the protocol is not text")?)?)
}

async fn protocol_statement(deps: &Deps, run: &verifications::Run) -> Result<Statement<VerificationProtocol>> {
    let stored = statements::get(&deps.db, &run.protocol_statement.0).await?;
    let stored = stored.with_context(|| format!("the protocol statement of {} is gone", run.id))?;
    let envelope = Envelope::from_bytes(&stored.envelope)?;
    Ok(Statement::verify(&envelope, &deps.keys.verifier(Role::Issuer, &envelope)?)?)
}

/// Rehearses a takedown of a source that still stands: struck in memory, judged, nothing signed or stored.
///
/// # Errors
/// When the source is not in the model.
pub async fn rehearse(
    deps: &Deps,
    model: &str,
    source: &str,
    baseline: Option<&str>,
    protocol: &Protocol,
) -> Result<Results> {
    let opened = Opened::open(deps, model).await?;
    opened.mask(source)?;
    let struck = [source.to_owned()];
    let retrains = subject::retrains(deps, model, &struck, baseline).await?;
    let salt = Salt::new(plan::score_salt(deps, &opened.row.lineage, "rehearsal").await?);
    let post_hoc = subject::post_hoc(deps, &opened, &struck, &retrains).await?;
    let setting = Setting {
        opened: &opened,
        retrains: &retrains,
        post_hoc: &post_hoc,
        struck: &struck,
        protocol,
        salt,
        progress: &Progress::default(),
    };
    let before = setting.before(deps, true)?;
    let matched = retrains.first().is_some_and(|retrain| retrain.row.excluded.0 == struck);
    let after = After { source: before.source.clone(), survivors: before.survivor_scores.clone() };
    Ok(Results::new(before, after, protocol, matched))
}
