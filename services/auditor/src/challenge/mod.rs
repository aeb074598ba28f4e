//! Blind challenges: probes that are deposited sealed before a takedown and opened after it, and what came of them. The
//! statement about a deposit is in the log before that about the erasure: who struck could not know what would be asked.
//!
//! Here: depositing and opening, each once, whenever it is cut off. `asking.rs` asks the erased model and the retrain,
//! `files.rs` is what outsiders get. Not here: the sealed file (`obelus_ledger::sealed_probes`), and the certificate's own
//! verdict, which a challenge never changes.

mod asking;
mod files;

use anyhow::{Context as _, Result, bail, ensure};
use obelus_core::Digest;
use obelus_ledger::{
    sealed_probes::{self, ProbeKey},
    statement::{
        BlindChallenge as Deposited, BlindChallengeResult, ChallengeFigure, Challenges, Statement, Subject,
        results_digest,
    },
};
use obelus_model::WeightTree;
use obelus_policy::Action;
use obelus_store::{
    audit,
    blind_challenges::{self, BlindChallenge, NewChallenge, NewResult},
    erasures, log, requests,
    requests::{RequestState, is_reversible},
};
use obelus_verdict::{Compared, Interval};
use serde_json::json;

pub use asking::{FORMAT, Results};
pub use files::ChallengeFiles;
pub(crate) use files::{countable, hand_out};

use crate::{export, subject::Opened};
use obelus_casework::{
    Deps, case,
    fault::point,
    transparency::{publish, sign},
};

/// Challenges of one request. Each takes up to four megabytes until it is opened, and minutes then.
const MOST_OF_A_REQUEST: usize = 32;

/// Deposits a sealed file for a request, or gives the deposit that was made of it.
///
/// # Errors
/// When it is no sealed file, zeroing has begun, or the person may not.
pub async fn deposit(deps: &Deps, by: &str, reference: &str, sealed: &[u8]) -> Result<BlindChallenge> {
    let person = case::permitted(deps, by, Action::DepositChallenge, Some(reference)).await?;
    let commitment = sealed_probes::commitment(sealed)?;
    let digest = Digest::sha256(sealed);
    let own = blind_challenges::all(&deps.db, Some(reference)).await?;
    if let Some(row) = own.iter().find(|row| row.sealed_digest.0 == digest) {
        return Ok(row.clone());
    }
    let request = case::existing(deps, reference).await?;
    ensure!(
        is_reversible(request.state),
        "{reference} is {}: probes are deposited while nothing is struck yet, because whoever deposits them later may know \
         what is left",
        request.state
    );
    ensure!(
        own.len() < MOST_OF_A_REQUEST,
        "{reference} has {} challenges, which is the most; put all probes into one sealed file",
        own.len()
    );
    let write = deps.db.write().await?;
    let id = blind_challenges::reserve(&write, deps.now()).await?;
    write.commit().await?;
    let now = deps.now();
    let statement = Statement::new(
        Subject::sha256(&id, digest),
        Deposited {
            challenge: id.clone(),
            request: reference.to_owned(),
            model: request.model.clone(),
            commitment,
            sealed_bytes: sealed.len() as u64,
            deposited_at: now,
            salt: deps.salt()?,
        },
    );
    publish(deps, sign(deps, &statement)?, async |write, deposit| {
        let new = NewChallenge {
            id: id.clone(),
            request: reference.to_owned(),
            sealed: sealed.to_vec(),
            commitment,
            deposit: *deposit,
            by: person.name.clone(),
        };
        blind_challenges::deposit(write, new, now).await?;
        let detail = json!({ "challenge": id, "sealed": digest }).to_string();
        Ok(audit::append(write, now, &person.name, Action::DepositChallenge.name(), reference, &detail).await?)
    })
    .await?;
    point("challenge-deposited");
    blind_challenges::get(&deps.db, &id).await?.context("the challenge was just deposited")
}

/// Opens the challenge of a request that a key is for, asks its probes and signs what came of them; or gives what came of
/// them when it was opened. The probes are in memory only.
///
/// # Errors
/// When nothing is struck yet, the key opens no deposit of the request, the probes cannot be asked, or the person may not;
/// then the challenge stays sealed.
pub async fn open(deps: &Deps, by: &str, reference: &str, key: &ProbeKey) -> Result<(BlindChallenge, Results)> {
    let person = case::permitted(deps, by, Action::OpenChallenge, Some(reference)).await?;
    let own = blind_challenges::all(&deps.db, Some(reference)).await?;
    let row = own.into_iter().find(|row| row.sealed_digest.0 == key.sealed());
    let row = row.with_context(|| {
        format!(
            "the key is that of the sealed file {}, which was not deposited for {reference}; obelus challenge list \
             {reference} shows what was",
            key.sealed()
        )
    })?;
    if row.opened_at.is_some() {
        let results = stored(&row)?;
        hand_out(deps, &row).await?;
        return Ok((row, results));
    }
    let request = case::existing(deps, reference).await?;
    match request.state {
        RequestState::Verifying
        | RequestState::Certified
        | RequestState::CertifiedWithResidual
        | RequestState::VerificationFailed => {}
        other => bail!(
            "{reference} is {other}: a challenge is opened once its takedown was executed. Until then its key belongs to \
             nobody but who sealed it"
        ),
    }
    let sealed = row.sealed.as_deref().with_context(|| format!("the sealed file of {} is gone", row.id))?;
    let unsealed = sealed_probes::open(sealed, key)?;
    let struck = requests::sources(&deps.db, reference).await?;
    // A takedown or an adaptation that goes on has the model alone.
    let _held = export::lock(deps, &request.model, false)?;
    let opened = Opened::open(deps, &request.model).await?;
    let probes = asking::probes(&unsealed, &opened, &struck, reference)?;
    let checkpoint = opened.record.checkpoint_path(&deps.data.model(&request.model));
    let found = WeightTree::read(&checkpoint, deps.hashing_threads(), |_| ())?.root();
    let signed = opened.row.weight_root.context("a finished model has a weight root")?.0;
    ensure!(
        found == signed,
        "{} has the weight root {found}, and {signed} was signed: what would be asked is not what was erased",
        checkpoint.display()
    );
    let retrains = asking::Retrains::of(deps, reference, &request.model, &struck).await?;
    let results = asking::ask(deps, &row, &opened, &retrains, &struck, &probes, unsealed.nonce)?;
    let bytes = serde_json::to_vec(&results)?;
    let statement = stated(deps, &row, &request.model, found, &retrains, &results, &bytes).await?;
    let (now, outcome) = (deps.now(), results.challenged.outcome.to_string());
    publish(deps, sign(deps, &statement)?, async |write, result| {
        let new =
            NewResult { results: bytes.clone(), outcome: outcome.clone(), result: *result, by: person.name.clone() };
        blind_challenges::open(write, &row.id, new, now).await?;
        let detail = json!({ "challenge": row.id, "outcome": outcome }).to_string();
        Ok(audit::append(write, now, &person.name, Action::OpenChallenge.name(), reference, &detail).await?)
    })
    .await?;
    point("challenge-opened");
    let row = blind_challenges::get(&deps.db, &row.id).await?.context("the challenge was just opened")?;
    hand_out(deps, &row).await?;
    point("challenge-written");
    Ok((row, results))
}

async fn stated(
    deps: &Deps,
    row: &BlindChallenge,
    model: &str,
    root: Digest,
    retrains: &asking::Retrains,
    results: &Results,
    bytes: &[u8],
) -> Result<Statement<BlindChallengeResult>> {
    let erasure = erasures::get(&deps.db, &row.request).await?.context("the takedown has no erasure")?;
    Ok(Statement::new(
        Subject::weights(model, root),
        BlindChallengeResult {
            challenge: row.id.clone(),
            request: row.request.clone(),
            model: model.to_owned(),
            deposit: row.deposit.0,
            erasure: erasure.statement.context("the erasure is not signed")?.0,
            commitment: row.commitment.0,
            probes: results.probes as u64,
            baselines: retrains.trainings(),
            results: Digest::sha256(bytes),
            outcome: results.challenged.outcome.to_string(),
            figures: figures(results),
            limits: results.challenged.limits.clone(),
            opened_at: deps.now(),
            salt: deps.salt()?,
        },
    ))
}

/// The shares of known facts, as decimals: a signed payload has no floating point. The results have every number.
fn figures(results: &Results) -> Vec<ChallengeFigure> {
    let known = results.challenged.compared.iter().filter(|(name, _)| name.ends_with(".known"));
    known
        .map(|(name, compared)| ChallengeFigure {
            name: name.clone(),
            outcome: compared.outcome.to_string(),
            facts: compared.items as u64,
            erased: decimal(Some(compared.erased), compared.erased_interval),
            retrain: decimal(compared.retrain, compared.retrain_interval),
            difference: decimal(compared.difference, compared.difference_interval),
        })
        .collect()
}

fn decimal(value: Option<f64>, interval: Option<Interval>) -> String {
    match (value, interval) {
        (Some(value), Some(i)) => format!("{value:.3} [{:.3}, {:.3}]", i.low, i.high),
        (Some(value), None) => format!("{value:.3}"),
        (None, _) => String::new(),
    }
}

/// The results of a challenge that was opened, as they were digested.
///
/// # Errors
/// When it is sealed, or they were changed.
pub fn stored(row: &BlindChallenge) -> Result<Results> {
    let bytes = row.results.as_deref().with_context(|| format!("{} is sealed still", row.id))?;
    ensure!(row.results_digest.map(|d| d.0) == Some(Digest::sha256(bytes)), "the results of {} were changed", row.id);
    serde_json::from_slice(bytes).with_context(|| format!("the results of {} are damaged", row.id))
}

/// What a certificate says of the challenges that were opened before it; nothing where there were none.
///
/// # Errors
/// When a result is not in the log.
pub(crate) async fn cited(deps: &Deps, reference: &str) -> Result<Option<Challenges>> {
    let mut opened = Vec::new();
    for row in blind_challenges::all(&deps.db, Some(reference)).await? {
        if let Some(result) = row.result {
            let index = log::index_of(&deps.db, &result.0).await?;
            opened.push((index.with_context(|| format!("the result of {} is not in the log", row.id))?, result.0));
        }
    }
    // Whatever is opened later comes behind in the log: the list of a certificate stays the beginning of every later one.
    opened.sort_unstable();
    let results: Vec<Digest> = opened.into_iter().map(|(_, result)| result).collect();
    let cited = Challenges { count: results.len() as u64, results: results_digest(&results)? };
    Ok((!results.is_empty()).then_some(cited))
}

/// A challenge in one line, for people.
///
/// # Errors
/// As [`stored`].
pub fn in_words(row: &BlindChallenge) -> Result<String> {
    let deposited = format!("Blind challenge {}, deposited {}", row.id, row.deposited_at.0);
    let Some(opened) = row.opened_at else { return Ok(format!("{deposited}: sealed still.")) };
    let results = stored(row)?;
    let known = |name: &str| {
        let found: &Compared = results.challenged.compared.get(name)?;
        let retrain = found.retrain.map_or_else(|| "none to compare with".to_owned(), |share| format!("{share:.3}"));
        Some(format!("; {name} of {}: erased {:.3}, retrain {retrain}", found.items, found.erased))
    };
    let known: String = ["specific.known", "shared.known", "inferred.known"].into_iter().filter_map(known).collect();
    Ok(format!("{deposited}, opened {}: {}{known}.", opened.0, results.challenged.outcome))
}
