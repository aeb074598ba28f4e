//! Means with their intervals, and rows of Markdown.

use std::collections::BTreeMap;

use obelus_verdict::{Interval, Resampler};

/// A value that counts in a mean as much as its weight says.
pub struct Item {
    /// Of the training.
    pub seed: usize,
    /// Items of one source are drawn together.
    pub source: String,
    pub sum: f64,
    pub weight: f64,
}

impl Item {
    pub fn one(seed: usize, source: &impl ToString, value: f64) -> Self {
        Self { seed, source: source.to_string(), sum: value, weight: 1.0 }
    }
}

/// The weighted mean, and its interval.
pub fn estimate(items: &[Item]) -> Option<(f64, Option<Interval>)> {
    let resampler = Resampler { resamples: 4000, confidence: 0.90, seed: 20_260_613 };
    // Sources of two seeds are two clusters: their masks and weights have nothing in common.
    let mut clusters: BTreeMap<(usize, &str), (f64, f64)> = BTreeMap::new();
    for item in items {
        let cluster = clusters.entry((item.seed, &item.source)).or_default();
        cluster.0 += item.sum;
        cluster.1 += item.weight;
    }
    let all: f64 = clusters.values().map(|(_, weight)| weight).sum();
    if all == 0.0 {
        return None;
    }
    let mut seeds: Vec<usize> = clusters.keys().map(|(seed, _)| *seed).collect();
    seeds.dedup();
    let of: Vec<(usize, f64, f64)> = clusters
        .iter()
        .map(|((seed, _), (sum, weight))| (seeds.iter().position(|s| s == seed).unwrap_or(0), *sum, *weight))
        .collect();
    let mean = |drawn: &[u32], seeds: &[u32]| {
        let times = |i: usize, seed: usize| f64::from(drawn[i]) * f64::from(seeds[seed]);
        let total = |part: fn(&(usize, f64, f64)) -> f64| -> f64 {
            of.iter().enumerate().map(|(i, cluster)| times(i, cluster.0) * part(cluster)).sum()
        };
        total(|c| c.1) / total(|c| c.2)
    };
    let value = mean(&vec![1; of.len()], &vec![1; seeds.len()]);
    Some((value, resampler.interval_of(resampler.resample_both(of.len(), seeds.len(), mean))))
}

/// A number with its interval, `of` what was measured.
pub fn cell(items: &[Item], of: impl Fn(f64) -> f64, places: usize) -> String {
    let Some((value, interval)) = estimate(items) else { return "-".to_owned() };
    let shown = |x: f64| format!("{:.places$}", of(x));
    let interval = interval.map_or_else(String::new, |i| format!(" [{}, {}]", shown(i.low), shown(i.high)));
    format!("{}{interval}", shown(value))
}

/// A table with a heading.
pub fn print(title: &str, columns: &[&str], rows: &[Vec<String>]) {
    println!("## {title}\n\n| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len()));
    for row in rows {
        println!("| {} |", row.join(" | "));
    }
    println!();
}
