//! Every attack that a protocol can name. Not here: how it is run on a model, and how it is decided.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Condition, Instrument, Measures, MembershipScore, Metric, Protocol, Variant};

/// Whose facts a number is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Sources held out of the retrain, each struck alone in memory: they carry the mechanism's claim.
    Panel,
    /// The struck source.
    Source,
    /// Sources that stay and share most neurons with what is struck: what the takedown costs.
    Survivors,
}

impl Scope {
    /// Those whose sources are struck.
    pub const STRUCK: [Self; 2] = [Self::Panel, Self::Source];
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Panel => "panel",
            Self::Source => "source",
            Self::Survivors => "survivors",
        })
    }
}

/// Which sinks an adversary who has the weights lights, beside the source's own and its nearest neighbour's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lighting {
    /// Every sink of the pool.
    All,
    /// The sinks of all sources that share a neuron with the struck one.
    Union,
    /// Every surviving source's, one after another; the one that gives most away counts.
    Worst,
}

/// The two conditions that an attack compares; the third is always `on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// What stands before the metric's name.
    pub infix: &'static str,
    pub erased: Condition,
    pub retrain: Condition,
}

/// The zeroed sinks lit all the same, against the retrain's backbone.
pub(crate) const PLAIN: Comparison =
    Comparison { infix: "", erased: Condition::Zeroed, retrain: Condition::RetrainNone };
pub(crate) const NEAREST: Comparison =
    Comparison { infix: "nearest.", erased: Condition::ZeroedNearest, retrain: Condition::RetrainNearest };

/// What sources that stay must keep.
const KEPT: [Metric; 4] = [Metric::SpecificKnown, Metric::SpecificChoice, Metric::SharedKnown, Metric::TextLoss];

impl Lighting {
    const fn comparison(self) -> Comparison {
        match self {
            Self::All => Comparison { infix: "all.", erased: Condition::ZeroedAll, retrain: Condition::RetrainAll },
            Self::Union => {
                Comparison { infix: "union.", erased: Condition::ZeroedUnion, retrain: Condition::RetrainUnion }
            }
            Self::Worst => {
                Comparison { infix: "worst.", erased: Condition::ZeroedWorst, retrain: Condition::RetrainWorst }
            }
        }
    }

    /// What it is scored under: the erased model and the retrain.
    pub const fn conditions(self) -> [Condition; 2] {
        let comparison = self.comparison();
        [comparison.erased, comparison.retrain]
    }
}

/// What an attack looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// A mean over questions or texts.
    Mean { variant: Option<Variant>, comparison: Comparison, metric: Metric },
    /// Whether the erased model is nearer to the retrain than to the original.
    Relative,
    /// Whether trained texts are told from texts of the same sources that nothing was trained on.
    Membership(MembershipScore),
    /// TOFU's forget quality.
    ForgetQuality(Comparison),
    /// The source of a panel of which most is left.
    WorstSource,
    /// A mean over readings.
    Reading(Instrument),
    /// A mean over questions or texts of sources that stay, after against before.
    Kept(Metric),
}

/// An attack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attack {
    pub scope: Scope,
    pub question: Question,
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scope = self.scope;
        match self.question {
            Question::Mean { variant: Some(variant), metric, .. } => {
                write!(f, "{scope}.{variant}.{}", metric.name())
            }
            Question::Mean { variant: None, comparison, metric } => {
                write!(f, "{scope}.{}{}", comparison.infix, metric.name())
            }
            Question::Relative => write!(f, "{scope}.relative"),
            Question::Membership(score) => write!(f, "{scope}.membership.{}", score.name()),
            Question::ForgetQuality(comparison) => write!(f, "{scope}.{}forget_quality", comparison.infix),
            Question::WorstSource => write!(f, "{scope}.worst_source"),
            Question::Reading(instrument) => write!(f, "{scope}.{}", instrument.name()),
            Question::Kept(metric) => write!(f, "{scope}.{}", metric.name()),
        }
    }
}

impl Attack {
    /// Whether a pass shows that something the model knew is gone. What must still be there does not, and neither do rows
    /// that may never have held anything.
    pub(crate) fn shows_forgetting(&self) -> bool {
        match self.question {
            Question::Mean { metric, .. } => !metric.must_survive(),
            Question::Reading(instrument) => !instrument.is_exact(),
            Question::Kept(_) => false,
            _ => true,
        }
    }
}

/// Every attack that a protocol runs, in the order of tables.
pub(crate) fn attacks(protocol: &Protocol) -> Vec<Attack> {
    let of_scope =
        |scope| questions(protocol.measures(scope)).into_iter().map(move |question| Attack { scope, question });
    let mut attacks: Vec<Attack> = Scope::STRUCK.into_iter().flat_map(of_scope).collect();
    attacks.push(Attack { scope: Scope::Panel, question: Question::WorstSource });
    if protocol.survivors.is_some() {
        attacks.extend(KEPT.map(|metric| Attack { scope: Scope::Survivors, question: Question::Kept(metric) }));
    }
    attacks
}

fn questions(measures: &Measures) -> Vec<Question> {
    let mut questions = Vec::new();
    let mut means = |variant: Option<Variant>, comparison: Comparison, wanted: &dyn Fn(Metric) -> bool| {
        let metrics = Metric::ALL.into_iter().filter(|metric| wanted(*metric));
        questions.extend(metrics.map(|metric| Question::Mean { variant, comparison, metric }));
    };
    means(None, PLAIN, &|_| true);
    means(None, NEAREST, &|_| true);
    // With sinks lit that no request would light, nothing that others tell can be expected to survive.
    measures.lighting.iter().for_each(|lit| means(None, lit.comparison(), &|metric| !metric.must_survive()));
    for variant in &measures.variants {
        let asked = |metric: Metric| metric.is_about_facts() && !metric.must_survive();
        means(Some(*variant), PLAIN, &|metric| variant.alters_weights() || asked(metric));
    }
    questions.push(Question::Relative);
    questions.extend([PLAIN, NEAREST].map(Question::ForgetQuality));
    questions.extend(measures.membership.iter().map(|score| Question::Membership(*score)));
    questions.extend(measures.instruments.iter().map(|instrument| Question::Reading(*instrument)));
    questions
}
