//! Executing a takedown: fix the protocol, record what erasure destroys, zero, prove, sign. Not here: the steps that
//! touch weights (`zeroing.rs`).
//!
//! Every step leaves a state in the database from which the next start goes on.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use obelus_attack::Salt;
use obelus_core::Digest;
use obelus_ledger::statement::{Erasure, Statement, Subject, TrainingRun, VerificationProtocol};
use obelus_model::ModelRecord;
use obelus_policy::Action;
use obelus_store::{
    adaptations, erasures, models,
    requests::{self, RequestState},
    sources,
    verifications::{self, NewRun, RunPhase},
};
use obelus_verdict::Protocol;
use serde::Serialize;

use crate::{
    adaptation, export,
    measurement::{Before, Setting},
    model_signature, model_statement,
    plan::{self, Plan},
    progress::Progress,
    subject::{self, Opened},
    targets::{self, Evidence},
    zeroing::{begin, finish, proof_path, struck, zero},
};
use obelus_casework::{
    Deps, case, decision, exhibits,
    fault::point,
    letters,
    step::{Act, take},
    transparency::{publish, sign},
    triggers,
};

/// The level that this release reaches: zeroed or destroyed in every registered copy of the weights that was found.
/// Stored text and token shards are destroyed after the verdict, by a step of its own (`shredding.rs`), so it is not L3.
pub const LEVEL: &str = "L2";

/// What an execution did.
#[derive(Clone, Debug, Serialize)]
pub struct Executed {
    /// The request.
    pub reference: String,
    /// Weight root before.
    pub root_before: Digest,
    /// Weight root after.
    pub root_after: Digest,
    /// The row proof's file.
    pub row_proof: PathBuf,
    /// Level.
    pub level: &'static str,
}

/// Executes a takedown that two persons have approved, or continues one that was cut off.
///
/// # Errors
/// When it is not approved, held, or a step fails; run it again when the reason is gone.
pub async fn execute(deps: &Deps, by: &str, reference: &str, progress: &Progress) -> Result<Executed> {
    let request = case::existing(deps, reference).await?;
    let mut tree = None;
    match request.state {
        RequestState::ApprovedTwice | RequestState::WindowOpen => {
            let person = case::permitted(deps, by, Action::Execute, Some(reference)).await?;
            decision::open_window(deps, reference).await?;
            decision::unhindered(deps, &case::existing(deps, reference).await?).await?;
            // One that goes on is waited for; what one that was cut off has left is no copy to be zeroed.
            if adaptations::unfinished(&deps.db, &request.model).await?.is_some() {
                let _alone = export::lock(deps, &request.model, true)?;
                adaptation::settle(deps, &request.model).await?;
            }
            // Another strike would change the weights that the one before is to be judged by.
            for other in case::of_model(deps, &request.model).await? {
                ensure!(
                    !matches!(other.state, RequestState::Zeroing | RequestState::Verifying),
                    "the takedown {0} of the same model is {1}: first obelus takedown execute {0} and obelus audit run {0}",
                    other.reference,
                    other.state
                );
            }
            let plan = plan::approved(deps, reference).await?;
            prepare(deps, &plan, progress).await?;
            progress.stage("writing the row proof");
            tree = Some(begin(deps, &person.name, &plan).await?);
        }
        // Whoever began may be gone; going on destroys nothing that was not approved.
        RequestState::Zeroing => tracing::info!("going on with the takedown that was cut off"),
        RequestState::Verifying
        | RequestState::Certified
        | RequestState::CertifiedWithResidual
        | RequestState::VerificationFailed => return executed(deps, reference).await,
        other => bail!(
            "request {reference} is {other}; a takedown is executed once two persons have approved its plan (obelus \
             takedown plan {reference}, then obelus request approve {reference} --as PERSON, twice)"
        ),
    }
    let tree = zero(deps, reference, tree, progress).await?;
    progress.stage("checking that these rows and no others became zero");
    finish(deps, reference, tree).await?;
    progress.stage("signing what was erased");
    state(deps, reference).await?;
    executed(deps, reference).await
}

async fn executed(deps: &Deps, reference: &str) -> Result<Executed> {
    let erasure = erasures::get(&deps.db, reference).await?.context("the takedown has no erasure")?;
    let row_proof = erasure.row_proof.context("the erasure has no row proof")?;
    model_statement::complete(deps, &erasure.model).await?;
    Ok(Executed {
        reference: reference.to_owned(),
        root_before: erasure.root_before.0,
        root_after: erasure.root_after.context("the erasure has no root after")?.0,
        row_proof: deps.data.resolve(&row_proof)?,
        level: LEVEL,
    })
}

/// Fixes the protocol, then records the scores that the erasure will destroy. Nothing is changed in the model.
async fn prepare(deps: &Deps, plan: &Plan, progress: &Progress) -> Result<()> {
    let reference = &plan.reference;
    let opened = Opened::open(deps, &plan.model).await?;
    let protocol_text = plan::protocol_of(deps, reference).await?;
    let protocol = Protocol::parse(&protocol_text)?;
    let salt = Salt::new(plan::score_salt(deps, &opened.row.lineage, reference).await?);
    let retrains = subject::retrains(deps, &plan.model, &plan.sources, None).await?;
    if retrains.is_empty() {
        tracing::warn!(
            "{} has no retrain to compare with: the erasure will be proved, and the verification will end not_verified; \
             obelus model train NAME --baseline-of {} --exclude ID... makes one",
            plan.model,
            plan.model
        );
    }
    let post_hoc = subject::post_hoc(deps, &opened, &plan.sources, &retrains).await?;
    let setting = Setting {
        opened: &opened,
        retrains: &retrains,
        post_hoc: &post_hoc,
        struck: &plan.sources,
        protocol: &protocol,
        salt,
        progress,
    };
    let run = match verifications::of_request(&deps.db, reference).await?.pop() {
        Some(run) if of_these_weights(&run, plan)? => run,
        _ => fix_protocol(deps, plan, &setting, &protocol_text).await?,
    };
    point("protocol-fixed");
    if run.phase == RunPhase::ProtocolFixed {
        let before = setting.before(deps, false)?;
        let write = deps.db.write().await?;
        verifications::record_before(&write, &run.id, serde_json::to_vec(&before)?).await?;
        write.commit().await?;
    }
    point("before-recorded");
    Ok(())
}

/// Whether a run that was cut off recorded nothing yet, or recorded the weights that the plan starts from: another
/// takedown may have come in between.
fn of_these_weights(run: &verifications::Run, plan: &Plan) -> Result<bool> {
    let Some(before) = &run.scores_before else { return Ok(true) };
    let before: Before = serde_json::from_slice(before).context("the scores from before are damaged")?;
    Ok(before.root == plan.root_before)
}

async fn fix_protocol(
    deps: &Deps,
    plan: &Plan,
    setting: &Setting<'_>,
    protocol_text: &str,
) -> Result<verifications::Run> {
    let protocol = Digest::sha256(protocol_text);
    ensure!(protocol == plan.protocol, "the approved plan names another verification protocol; plan again");
    let baselines = setting.retrains.iter().filter_map(|b| b.row.training_statement).map(|s| s.0).collect();
    let statement = Statement::new(
        Subject::sha256("protocol", protocol),
        VerificationProtocol {
            request: plan.reference.clone(),
            model: plan.model.clone(),
            sources: plan.sources_digest,
            protocol,
            probes: setting.probes_digest(),
            baselines,
            fixed_at: deps.now(),
            salt: deps.salt()?,
        },
    );
    let now = deps.now();
    publish(deps, sign(deps, &statement)?, async |write, digest| {
        let run = NewRun {
            request: Some(plan.reference.clone()),
            model: plan.model.clone(),
            source_id: plan.sources.join(", "),
            protocol: protocol_text.as_bytes().to_vec(),
            protocol_statement: *digest,
        };
        verifications::begin(write, run, now).await?;
        Ok(())
    })
    .await?;
    verifications::of_request(&deps.db, &plan.reference).await?.pop().context("the run was just begun")
}

/// Signs the erasure statement; in the same transaction the model is whole again and its sources are revoked for ever.
async fn state(deps: &Deps, reference: &str) -> Result<()> {
    let erasure = erasures::get(&deps.db, reference).await?.context("the takedown was not begun")?;
    let model = models::get(&deps.db, &erasure.model).await?.context("the erasure names a model")?;
    let request = case::existing(deps, reference).await?;
    let root_after = erasure.root_after.context("the zeroing was not finished")?.0;
    // Beside the weights, so that a copied folder says what it holds. Written and signed again it is the same.
    let folder = deps.data.model(&model.name);
    let mut record = ModelRecord::open(&folder)?;
    record.generation = u64::try_from(model.generation).context("generations count from 0")?;
    record.save(&folder)?;
    let model_sig = model_signature::sign(deps, &record, &folder)?;
    point("model-signed");
    let ids = requests::sources(&deps.db, reference).await?;
    let union = struck(deps, &erasure.model, &ids).await?;
    let proof = fs::read(proof_path(deps, reference)).context("cannot read the row proof")?;
    let mut done = Vec::new();
    for target in erasures::targets(&deps.db, reference).await? {
        let evidence: Evidence = serde_json::from_str(target.evidence.as_deref().unwrap_or_default())
            .with_context(|| format!("the target {} has no evidence", target.path))?;
        done.push((target, evidence));
    }
    let training = model.training_statement.context("the model has no training statement")?.0;
    // The manifest that it was trained by: sources may have been registered since, for an addition that was cut off.
    let trained: Statement<TrainingRun> = exhibits::statement(deps, &training).await?;
    let statement = Statement::new(
        Subject::signed_weights(&model.name, root_after, Some(model_sig)),
        Erasure {
            request: reference.to_owned(),
            model: model.name.clone(),
            sources: plan::sources_digest(deps, &model, &ids).await?,
            source_count: ids.len() as u64,
            manifest: trained.predicate.manifest,
            training,
            generation: u64::try_from(model.generation).context("generations count from 0")?,
            neuron_count: union.per_layer.iter().map(|l| l.len() as u64).sum(),
            neurons: plan::neurons_digest(&union)?,
            root_before: erasure.root_before.0,
            root_after,
            layout: model.layout_digest.context("the model has no layout")?.0,
            row_proof: Digest::sha256(&proof),
            plan: request.plan_digest.context("the request has no plan")?.0,
            level: LEVEL.to_owned(),
            targets: targets::stated(deps, reference, &done)?,
            erased_at: deps.now(),
            salt: deps.salt()?,
        },
    );
    let now = deps.now();
    let act = Act::new("erase", case::SERVICE, RequestState::Zeroing, RequestState::Verifying);
    take(deps, reference, &[act], vec![sign(deps, &statement)?], async |write, digests| {
        for digest in digests {
            erasures::record_statement(write, reference, digest).await?;
        }
        models::finish_strike(write, &model.name, &root_after).await?;
        for id in &ids {
            sources::revoke(write, &model.lineage, id, now).await?;
        }
        targets::record(write, &model.name, &done, &root_after, now).await?;
        requests::advance(write, reference, RequestState::Zeroing, RequestState::Verifying).await?;
        triggers::changed(write, &model.name, &format!("weights changed: {reference} was executed"), now).await?;
        letters::executed(deps, write, reference).await
    })
    .await?;
    point("erasure-signed");
    Ok(())
}
