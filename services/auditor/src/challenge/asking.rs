//! Asking the probes of a challenge: of the erased model as it is now, and of a retrain that never saw what was struck. Not
//! here: what the numbers mean (`obelus_verdict::challenged`).

use anyhow::{Context as _, Result, ensure};
use obelus_attack::{Erased, Materials, Measurement, Salt, Strike, Subject, unwatched};
use obelus_core::Digest;
use obelus_corpus::{Probe, probe};
use obelus_ledger::sealed_probes::Unsealed;
use obelus_store::{blind_challenges::BlindChallenge, verifications};
use obelus_verdict::{Challenged, Condition, Protocol, Scope, Scores, challenged};
use serde::{Deserialize, Serialize};

use crate::{
    subject::{self, Opened},
    verification,
};
use obelus_casework::Deps;

/// The format name of results.
pub const FORMAT: &str = "obelus-blind-challenge-results/v1";

/// What is asked of the erased model: its zeroed sinks lit all the same, the nearest source's, and none.
const AFTER: [Condition; 3] = [Condition::Zeroed, Condition::ZeroedNearest, Condition::OffNone];
/// What is asked of the retrain.
const OF_RETRAIN: [Condition; 2] = [Condition::RetrainNone, Condition::RetrainNearest];

/// Everything that came of a challenge. Its bytes are digested into the signed statement. Probes are named by digests salted
/// with the random bytes that were sealed with them: whoever sealed them finds each again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    /// [`FORMAT`]
    pub format: String,
    /// The challenge.
    pub challenge: String,
    /// The request.
    pub request: String,
    /// What was deposited commits to this.
    pub commitment: Digest,
    /// Probes that were asked.
    pub probes: usize,
    /// The retrain, if there is one that never saw what was struck.
    pub baseline: Option<String>,
    /// Retrains with other seeds.
    pub further_baselines: Vec<String>,
    /// Whether the retrain is the one that the protocol of the case fixed before anything was struck.
    pub baseline_fixed_before: bool,
    /// SHA-256 of the protocol, whose margin and sizes decided.
    pub protocol: Digest,
    /// How it came out.
    pub challenged: Challenged,
    /// Every score.
    pub scores: Scores,
}

/// Retrains that never saw what was struck.
pub(super) struct Retrains {
    opened: Vec<Opened>,
    fixed_before: bool,
    protocol: Protocol,
    protocol_digest: Digest,
}

impl Retrains {
    /// Those that the protocol of the case fixed before the erasure where they never saw what was struck; else others of
    /// the model which did not, which were made for the challenge.
    pub(super) async fn of(deps: &Deps, reference: &str, model: &str, struck: &[String]) -> Result<Self> {
        let first = verifications::first_of_request(&deps.db, reference).await?;
        let first = first.context("an executed takedown has a protocol")?;
        let protocol = Protocol::parse(std::str::from_utf8(&first.protocol).context("the protocol is not text")?)?;
        let protocol_digest = Digest::sha256(&first.protocol);
        let before = verification::scores_before(&first)?;
        let usable = |retrains: &[Opened]| {
            !retrains.is_empty() && retrains.iter().all(|retrain| !struck.iter().any(|id| retrain.holds(id)))
        };
        if let Some(name) = before.baseline.as_deref() {
            let opened = subject::retrains(deps, model, struck, Some(name)).await?;
            if usable(&opened) {
                return Ok(Self { opened, fixed_before: true, protocol, protocol_digest });
            }
        }
        let mut opened = subject::retrains(deps, model, struck, None).await?;
        if !usable(&opened) {
            opened.clear();
        }
        Ok(Self { opened, fixed_before: false, protocol, protocol_digest })
    }

    /// Envelope digests of their training runs.
    pub(super) fn trainings(&self) -> Vec<Digest> {
        self.opened.iter().filter_map(|retrain| retrain.row.training_statement).map(|statement| statement.0).collect()
    }
}

/// The probes that were sealed, which must be about what the request strikes. Errors say where, and nothing of what is there.
pub(super) fn probes(unsealed: &Unsealed, opened: &Opened, struck: &[String], reference: &str) -> Result<Vec<Probe>> {
    let probes = probe::parse(&unsealed.probes).map_err(|bad| {
        anyhow::anyhow!(
            "line {} of what was sealed is no probe that can be asked; whoever sealed it finds out why with obelus challenge \
             seal",
            bad.line
        )
    })?;
    let known = opened.corpus.source_ids();
    for (number, probe) in (1..).zip(&probes) {
        ensure!(
            struck.contains(&probe.source),
            "probe {number} of what was sealed is about a source that {reference} does not strike"
        );
        ensure!(
            probe.also_in.iter().all(|id| known.contains(id.as_str())),
            "probe {number} of what was sealed names in also_in a source that is not in the corpus"
        );
    }
    Ok(probes)
}

/// Asks everything, and compares.
pub(super) fn ask(
    deps: &Deps,
    row: &BlindChallenge,
    opened: &Opened,
    retrains: &Retrains,
    struck: &[String],
    probes: &[Probe],
    nonce: [u8; 32],
) -> Result<Results> {
    let materials = Materials::new(&opened.corpus).with_probes(probes);
    let subject = opened.subject(deps, &materials)?;
    let of_retrains: Vec<Subject<'_>> =
        retrains.opened.iter().map(|retrain| retrain.subject(deps, &materials)).collect::<Result<_>>()?;
    let masks = struck.iter().map(|id| opened.neurons_of(id)).collect::<Result<Vec<_>>>()?;
    let mut strike = Strike::new(struck, &masks, &subject);
    (strike.erased, strike.retrains) = (Erased::AsItIs, &of_retrains);
    let conditions: Vec<Condition> =
        AFTER.into_iter().chain(OF_RETRAIN.into_iter().filter(|_| !of_retrains.is_empty())).collect();
    let salt = Salt::new(nonce);
    let (protocol, scope) = (&retrains.protocol, Scope::Source);
    let measurement = Measurement { strike, materials: &materials, protocol, scope, salt: &salt, watch: &unwatched };
    tracing::info!("asking {} probes of {}", probes.len(), row.id);
    let scores = measurement.questions(&conditions).context("cannot ask the probes")?;
    let mut challenged = challenged(protocol, &scores);
    if !retrains.opened.is_empty() && !retrains.fixed_before {
        challenged.limits.push(
            "The retrain is not the one that the protocol of the case fixed before anything was struck.".to_owned(),
        );
    }
    let names = || retrains.opened.iter().map(|retrain| retrain.row.name.clone());
    Ok(Results {
        format: FORMAT.to_owned(),
        challenge: row.id.clone(),
        request: row.request.clone(),
        commitment: row.commitment.0,
        probes: probes.len(),
        baseline: names().next(),
        further_baselines: names().skip(1).collect(),
        baseline_fixed_before: retrains.fixed_before,
        protocol: retrains.protocol_digest,
        challenged,
        scores,
    })
}
