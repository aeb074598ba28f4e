//! What a strike costs the sources that stay, as a plan says it before anybody approves: sinks kept, answers lost, how many
//! more strikes can be borne, and what to do about it. Types and arithmetic; not here: masks and models (`obelus-auditor`).
//!
//! Numbers are decimals in strings, because a plan is approved byte by byte and canonical JSON has no floating point.

use serde::{Deserialize, Serialize};

/// Share of their sinks that survivors should keep on average. The design's rule of thumb; what answers really cost is
/// forecast beside it.
const BEARABLE: f64 = 0.5;

/// What is expected of a strike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forecast {
    /// What survivors have of their sinks now: earlier strikes took some.
    pub kept_before: Kept,
    /// What they would have after this one.
    pub kept_after: Kept,
    /// How many strikes survivors can bear; none where no source shares a neuron with another.
    pub budget: Option<Budget>,
    /// Survivors that were asked, with these neurons zeroed in memory.
    pub groups: Vec<Group>,
    /// What to do about it; nothing where all is well.
    pub advice: Vec<Advice>,
}

/// Share of their sinks that survivors have, from 0 to 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// On average.
    pub mean: String,
    /// The survivor that has least.
    pub least: String,
}

impl Kept {
    /// Of the shares of all survivors; one who has no survivors keeps everything.
    pub fn of(shares: &[f64]) -> Self {
        let mean = if shares.is_empty() { 1.0 } else { shares.iter().sum::<f64>() / shares.len() as f64 };
        let least = shares.iter().copied().fold(1.0, f64::min);
        Self { mean: decimal(mean), least: decimal(least) }
    }
}

/// Strikes of one source each that can be borne until survivors keep half of their sinks in expectation: each leaves them
/// `1 - n_source/n_pool` of what they had (arXiv 2606.13873).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Of a model that nothing was struck from.
    pub whole: u64,
    /// Left now.
    pub before: u64,
    /// Left after this strike.
    pub after: u64,
}

impl Budget {
    /// The budget where a strike takes `lost` of a survivor's sinks in expectation (from 0 to 1) and survivors have
    /// `before` and would have `after` of theirs. None where strikes cost nothing.
    pub fn of(lost: f64, before: f64, after: f64) -> Option<Self> {
        let left = |kept: f64| ((BEARABLE / kept).ln() / (1.0 - lost).ln()).floor().max(0.0) as u64;
        (lost > 0.0 && lost < 1.0).then(|| Self { whole: left(1.0), before: left(before), after: left(after) })
    }
}

/// Who was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// Those that would lose most of their sinks.
    HitHardest,
    /// Some of all, evenly spaced from those that lose most to those that lose nothing.
    Spread,
}

/// Survivors that were asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Which.
    pub who: Who,
    /// How many.
    pub sources: u64,
    /// What each metric would be.
    pub losses: Vec<Loss>,
}

/// A metric with the struck neurons in place and zeroed, each survivor's own sinks lit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// The metric, as verification names it.
    pub metric: String,
    /// Facts or passages.
    pub items: u64,
    /// Before: a share, or nats a token.
    pub before: String,
    /// After.
    pub after: String,
    /// Interval of the mean paired difference, after minus before; none where there is too little to say.
    pub interval: Option<[String; 2]>,
    /// The difference that the protocol allows.
    pub margin: String,
    /// How verification would judge it.
    pub outcome: String,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advice {
    /// What.
    pub what: Remedy,
    /// Why, in words.
    pub why: String,
}

/// What can be done about losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// Strike what else is asked for first, then see to the survivors once.
    Batch,
    /// Fill the zeroed neurons again from the survivors' texts.
    Repair,
    /// Train anew without what was struck.
    Retrain,
}

/// What to do, from what is expected and how many other cases ask for sources of the same model.
pub fn advise(forecast: &Forecast, other_cases: usize) -> Vec<Advice> {
    let mut advice = Vec::new();
    let worse: Vec<&str> = forecast
        .groups
        .iter()
        .flat_map(|group| &group.losses)
        .filter(|l| l.outcome == "fail")
        .map(|l| &*l.metric)
        .collect();
    let least = forecast.kept_after.least.parse().unwrap_or(1.0);
    let (spent, repair) =
        (forecast.budget.as_ref().is_some_and(|b| b.after == 0), least < BEARABLE || !worse.is_empty());
    if spent {
        let kept = percent(&forecast.kept_after.mean);
        let why = format!("survivors would keep {kept} of their sinks on average: the pool is used up");
        advice.push(Advice { what: Remedy::Retrain, why });
    }
    if repair {
        let why = match worse.first() {
            Some(metric) => format!("survivors would lose more than the protocol allows ({metric})"),
            None => {
                format!("one survivor would keep no more than {} of its sinks", percent(&forecast.kept_after.least))
            }
        };
        advice.push(Advice { what: Remedy::Repair, why });
    }
    if other_cases > 0 && (spent || repair) {
        let cases = if other_cases == 1 {
            "1 other open case asks".to_owned()
        } else {
            format!("{other_cases} other open cases ask")
        };
        let why = format!("{cases} for sources of this model; strike those first, and see to the survivors once");
        advice.push(Advice { what: Remedy::Batch, why });
    }
    advice
}

/// A number as plans have it, with six places.
pub fn decimal(number: f64) -> String {
    // Rounded to nothing from below, it would read -0.000000.
    let text = format!("{number:.6}");
    if text.trim_start_matches('-').parse() == Ok(0.0) { text.trim_start_matches('-').to_owned() } else { text }
}

/// A share for people.
pub fn percent(share: &str) -> String {
    share.parse::<f64>().map_or_else(|_| share.to_owned(), |share| format!("{:.1} %", 100.0 * share))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forecast(least: &str, left: u64, outcome: &str) -> Forecast {
        let loss = Loss {
            metric: "specific_known".into(),
            items: 40,
            before: "0.800000".into(),
            after: "0.700000".into(),
            interval: None,
            margin: "0.050000".into(),
            outcome: outcome.into(),
        };
        Forecast {
            kept_before: Kept::of(&[1.0, 1.0]),
            kept_after: Kept { mean: "0.600000".into(), least: least.into() },
            budget: Some(Budget { whole: 55, before: 1, after: left }),
            groups: vec![Group { who: Who::HitHardest, sources: 2, losses: vec![loss] }],
            advice: vec![],
        }
    }

    fn advised(forecast: &Forecast, other_cases: usize) -> Vec<Remedy> {
        advise(forecast, other_cases).into_iter().map(|advice| advice.what).collect()
    }

    #[test]
    fn half_is_left_after_fifty_five_strikes_at_100_of_8000() {
        // The design's figure, and what is left of it after twenty.
        let twenty = (1.0_f64 - 0.0125).powi(20);
        let budget = Budget::of(0.0125, 1.0, twenty).unwrap();
        assert_eq!(budget, Budget { whole: 55, before: 55, after: 35 });
        assert_eq!(Budget::of(0.0125, 0.4, 0.3).map(|b| (b.before, b.after)), Some((0, 0)));
        assert_eq!(Budget::of(0.0, 1.0, 1.0), None, "where nothing is shared, nothing is used up");
    }

    #[test]
    fn advice_follows_from_what_is_lost() {
        assert_eq!(advised(&forecast("0.550000", 3, "pass"), 4), []);
        assert_eq!(advised(&forecast("0.550000", 3, "fail"), 0), [Remedy::Repair]);
        assert_eq!(advised(&forecast("0.450000", 3, "pass"), 1), [Remedy::Repair, Remedy::Batch]);
        assert_eq!(advised(&forecast("0.550000", 0, "inconclusive"), 0), [Remedy::Retrain]);
    }

    #[test]
    fn survivors_keep_what_nobody_takes() {
        assert_eq!(Kept::of(&[]), Kept { mean: "1.000000".into(), least: "1.000000".into() });
        assert_eq!(Kept::of(&[0.5, 1.0]), Kept { mean: "0.750000".into(), least: "0.500000".into() });
        assert_eq!((decimal(-0.000_000_1), decimal(-0.5)), ("0.000000".into(), "-0.500000".into()));
    }
}
