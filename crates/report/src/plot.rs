//! Plots, as SVG that is the same for the same numbers. Not here: where the numbers come from, and what they are called.

mod axis;
mod curves;
mod known;
mod losses;
mod residuals;
mod rows;
mod svg;
mod table;

pub use curves::curves;
pub use known::known;
pub use losses::losses;
pub use residuals::residuals;
pub use table::Table;

/// A plot, with everything that is said instead of it to somebody who does not see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// One sentence: what these numbers mean.
    pub meaning: String,
    /// What can be seen in it, in words.
    pub description: String,
    /// The drawing, a whole SVG file.
    pub svg: String,
    /// Its numbers.
    pub table: Table,
}

/// A measured number with its interval. What was not measured is NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// What remains under one attack. What was not measured is NaN.
#[derive(Clone, Debug, PartialEq)]
pub struct ResidualRow {
    /// Name of the attack or metric.
    pub name: String,
    /// Share of the source's effect that remains.
    pub residual: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end of its interval.
    pub high: f64,
    /// Largest upper end that passes; none where there is no such bound.
    pub margin: Option<f64>,
}

/// How many facts are known under one condition.
#[derive(Clone, Debug, PartialEq)]
pub struct ConditionRow {
    /// Name of the condition.
    pub condition: String,
    /// Share of the facts that the source alone tells.
    pub specific: Estimate,
    /// Share of the facts that other sources tell too.
    pub shared: Estimate,
}

/// A line over steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Name of the condition.
    pub name: String,
    /// Its points, in their order.
    pub points: Vec<CurvePoint>,
}

/// A point of a line, with its interval. What was not measured is NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// Where.
    pub at: f64,
    /// The number.
    pub value: f64,
    /// Lower end of its interval.
    pub low: f64,
    /// Upper end of its interval.
    pub high: f64,
}
