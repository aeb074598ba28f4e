//! A verification protocol: which attacks must pass and by which numbers, fixed before anything is measured.
//!
//! The shipped ones lie in `policies/verification/`. The bytes of the file are what is hashed and logged.

use serde::{Deserialize, Serialize};

use crate::{
    Answering, CompressionBudget, Continuing, Instrument, Lighting, MembershipScore, RelearningBudget, Resampler,
    Scope, Steering, SurvivorBudget, Variant, attack::attacks,
};

const STANDARD: &str = include_str!("../../../policies/verification/standard.toml");
const DEEP: &str = include_str!("../../../policies/verification/deep.toml");
const QUICK: &str = include_str!("../../../policies/verification/quick.toml");

/// Ten years.
const MOST_VALIDITY_DAYS: u32 = 3660;

/// A protocol, as in its file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// Name.
    pub name: String,
    /// Version; a change of any number below is another version.
    pub version: u32,
    /// Coverage of every interval, two-sided.
    pub confidence: f64,
    /// Bootstrap resamples.
    pub resamples: u32,
    /// Seed of the bootstrap and of the sources drawn by chance.
    pub seed: u64,
    /// Fewer facts than this and fact metrics are inconclusive.
    pub fewest_facts: usize,
    /// Fewer clusters than this and no interval is trusted.
    pub fewest_clusters: usize,
    /// A share is equivalent to the retrain's within this margin, both ways.
    pub share_margin: f64,
    /// A residual whose upper bound is at most this passes.
    pub residual_pass: f64,
    /// A residual whose upper bound is at most this is a residual; above it the attack fails.
    pub residual_bound: f64,
    /// The source's own sinks must be worth at least this many nats a token, or it was never stored in them.
    pub gate_nats: f64,
    /// Tokens in a block.
    pub block_tokens: u32,
    /// Most passages of a source that are scored.
    pub most_passages: u32,
    /// Share of tokens that `min_k` and `min_k_pp` look at.
    #[serde(default = "usual_min_k")]
    pub min_k: f64,
    /// How far the source's direction is added, for `steered`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steering: Option<Steering>,
    /// How far an attacker trains, for `relearning`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relearning: Option<RelearningBudget>,
    /// How long an attacker looks for prompts, for `compression`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<CompressionBudget>,
    /// How texts are continued, for `verbatim`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verbatim: Option<Continuing>,
    /// How questions are answered, for `knowledge`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub knowledge: Option<Answering>,
    /// Truth ratios are told from the retrain's when chance would do so less often than this.
    #[serde(default = "usual_level")]
    pub forget_quality_level: f64,
    /// Whether it is for rehearsals: a certificate under it says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rehearsal: bool,
    /// How long a certificate under this protocol is valid, in days, up to ten years.
    pub validity_days: u32,
    /// When a certificate under this protocol is verified again: a cron expression with seconds, in UTC. None where the
    /// protocol is from before there were schedules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// Attacks that must pass for `verified`, and must not fail for `verified_with_residual`.
    pub required: Vec<String>,
    /// What is run on every source of the panel, beside questions and texts as they are.
    #[serde(default)]
    pub panel: Measures,
    /// What is run on the struck source.
    #[serde(default)]
    pub source: Measures,
    /// How sources that stay are measured, before and after; not at all without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub survivors: Option<SurvivorBudget>,
}

/// What a protocol runs in one scope.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measures {
    /// Sinks that an adversary lights beside the source's own and its nearest neighbour's.
    #[serde(default)]
    pub lighting: Vec<Lighting>,
    /// Alterations under which questions, and where weights are altered texts, are scored again.
    #[serde(default)]
    pub variants: Vec<Variant>,
    /// What trained texts are told from others by.
    #[serde(default)]
    pub membership: Vec<MembershipScore>,
    /// Instruments that are read.
    #[serde(default)]
    pub instruments: Vec<Instrument>,
}

static NOTHING: Measures =
    Measures { lighting: Vec::new(), variants: Vec::new(), membership: Vec::new(), instruments: Vec::new() };

/// A protocol cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("verification protocol: {0}")]
pub struct ProtocolError(String);

impl Protocol {
    /// Names of the shipped protocols.
    pub const SHIPPED: [&'static str; 3] = ["standard", "quick", "deep"];

    /// The file of a shipped protocol.
    pub fn shipped(name: &str) -> Option<&'static str> {
        match name {
            "standard" => Some(STANDARD),
            "quick" => Some(QUICK),
            "deep" => Some(DEEP),
            _ => None,
        }
    }

    /// Its name, where it says what the shipped protocol of that name says.
    pub fn shipped_name(&self) -> Option<&'static str> {
        let own = Self::SHIPPED.into_iter().find(|name| *name == self.name)?;
        Self::shipped(own).and_then(|text| Self::parse(text).ok()).filter(|shipped| shipped == self).map(|_| own)
    }

    /// Reads a protocol file.
    ///
    /// # Errors
    /// Says which value makes no sense, or which required attack does not exist.
    pub fn parse(text: &str) -> Result<Self, ProtocolError> {
        let protocol: Self = toml::from_str(text).map_err(|e| ProtocolError(e.to_string()))?;
        let refuse = |what: &str| Err(ProtocolError(what.to_owned()));
        let named = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !(1..=64).contains(&protocol.name.len()) || !protocol.name.chars().all(named) {
            return refuse("name must be 1 to 64 letters, digits, hyphens, underscores and full stops");
        }
        let share = |x: f64| x > 0.0 && x < 1.0;
        if !share(protocol.confidence) || !share(protocol.share_margin) {
            return refuse("confidence and share_margin must lie between 0 and 1");
        }
        if !(share(protocol.residual_pass) && share(protocol.residual_bound))
            || protocol.residual_pass > protocol.residual_bound
        {
            return refuse("residual_pass must lie between 0 and residual_bound, and that below 1");
        }
        if !(200..=1_000_000).contains(&protocol.resamples) {
            return refuse("resamples must be between 200 and 1,000,000");
        }
        if !(protocol.gate_nats.is_finite() && protocol.gate_nats >= 0.0) {
            return refuse("gate_nats must be a number of nats from 0 on");
        }
        if protocol.fewest_clusters < 2 || protocol.block_tokens == 0 || protocol.most_passages == 0 {
            return refuse("fewest_clusters must be at least 2, block_tokens and most_passages at least 1");
        }
        if !(1..=MOST_VALIDITY_DAYS).contains(&protocol.validity_days) {
            return refuse("validity_days must be between 1 and 3660");
        }
        if protocol.required.is_empty() {
            return refuse("required names no attack: nothing could ever fail");
        }
        if !share(protocol.min_k) || !share(protocol.forget_quality_level) {
            return refuse("min_k and forget_quality_level must lie between 0 and 1");
        }
        let sound = |budget: &SurvivorBudget| budget.most_sources > 0 && budget.loss_margin > 0.0;
        if protocol.survivors.as_ref().is_some_and(|budget| !sound(budget)) {
            return refuse("survivors: most_sources must be at least 1 and loss_margin above 0");
        }
        if let Some(missing) = protocol.missing_budget() {
            return Err(ProtocolError(format!("{missing} is run, and there is no table that says how far")));
        }
        let names: Vec<String> = attacks(&protocol).iter().map(ToString::to_string).collect();
        if let Some(unknown) = protocol.required.iter().find(|name| !names.contains(name)) {
            return Err(ProtocolError(format!(
                "required names the attack {unknown:?}, which this protocol does not run; it runs {}",
                names.join(", ")
            )));
        }
        Ok(protocol)
    }

    /// An attack that it runs and gives no budget.
    fn missing_budget(&self) -> Option<String> {
        let measures = [&self.panel, &self.source];
        let steered = measures.iter().any(|m| m.variants.contains(&Variant::Steered));
        if steered && self.steering.is_none() {
            return Some(Variant::Steered.to_string());
        }
        let lacks = |instrument: &Instrument| match instrument {
            Instrument::RelearningBackbone | Instrument::RelearningOwn | Instrument::RelearningNeighbour => {
                self.relearning.is_none()
            }
            Instrument::Compression => self.compression.is_none(),
            Instrument::Verbatim => self.verbatim.is_none(),
            Instrument::Knowledge => self.knowledge.is_none(),
            Instrument::RowsLeft | Instrument::LogitLens | Instrument::SinkReadout => false,
        };
        measures.iter().flat_map(|m| &m.instruments).find(|i| lacks(i)).map(|i| i.name().to_owned())
    }

    /// What it runs in a scope.
    pub fn measures(&self, scope: Scope) -> &Measures {
        match scope {
            Scope::Panel => &self.panel,
            Scope::Source => &self.source,
            // Nobody attacks them: they are asked and read as they are.
            Scope::Survivors => &NOTHING,
        }
    }

    /// The bootstrap of this protocol.
    pub fn resampler(&self) -> Resampler {
        Resampler { resamples: self.resamples, confidence: self.confidence, seed: self.seed }
    }
}

/// 0.4, the share in open-unlearning.
const fn usual_min_k() -> f64 {
    0.4
}

const fn usual_level() -> f64 {
    0.05
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_protocols_are_usable_and_standard_has_the_designs_numbers() {
        for name in Protocol::SHIPPED {
            let shipped = Protocol::parse(Protocol::shipped(name).unwrap()).unwrap();
            assert_eq!((shipped.name.as_str(), shipped.shipped_name()), (name, Some(name)));
            assert_eq!(Protocol { resamples: 999, ..shipped }.shipped_name(), None);
        }
        let standard = Protocol::parse(STANDARD).unwrap();
        let numbers = (
            standard.confidence,
            standard.share_margin,
            standard.residual_pass,
            standard.residual_bound,
            standard.gate_nats,
        );
        assert_eq!(numbers, (0.90, 0.10, 0.10, 0.40, 0.5));
        assert_eq!(standard.fewest_facts, 20);
    }

    #[test]
    fn a_protocol_that_could_never_fail_is_refused() {
        let without = |from: &str, to: &str| Protocol::parse(&STANDARD.replace(from, to)).unwrap_err().to_string();
        assert!(without("residual_bound = 0.40", "residual_bound = 40").contains("residual_bound"));
        assert!(without("panel.specific_known", "panel.specific_unknown").contains("does not run"));
        assert!(without("version = 4", "version = 4\nsurprise = 2").contains("surprise"));
        assert!(without("validity_days = 365", "validity_days = 4294967295").contains("validity_days"));
        assert!(without("validity_days = 365", "validity_days = 0").contains("validity_days"));
        assert!(without("\"standard\"", "\"standard \u{202e}\"").contains("name must be"));
        let start = STANDARD.find("required = [").unwrap();
        assert!(
            Protocol::parse(&format!("{}required = []", &STANDARD[..start]))
                .unwrap_err()
                .to_string()
                .contains("no attack")
        );
    }
}
