//! Formulas against values that other people's programs give (`reference/compute.py` says which).
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

use obelus_verdict::{
    Ranking, Surprise, forget_truth_ratio, holm, kolmogorov_smirnov, log_truth_ratio, min_k, min_k_pp,
    retain_truth_ratio, rouge_l, truth_ratio_tofu,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    truth_ratios: TruthRatios,
    two_samples: Vec<TwoSamples>,
    areas: Vec<Area>,
    min_k: Vec<MinK>,
    rouge_l: Vec<Rouge>,
    holm: Vec<Holm>,
}

#[derive(Deserialize)]
struct TruthRatios {
    cases: Vec<TruthRatio>,
    forget: f64,
    retain: f64,
}

#[derive(Deserialize)]
struct TruthRatio {
    answer: f64,
    wrong: Vec<f64>,
    paper: f64,
    tofu: f64,
}

#[derive(Deserialize)]
struct TwoSamples {
    a: Vec<f64>,
    b: Vec<f64>,
    statistic: f64,
    p: f64,
}

#[derive(Deserialize)]
struct Area {
    members: Vec<f64>,
    strangers: Vec<f64>,
    auc: f64,
    weights: [Vec<u32>; 2],
    weighted: f64,
}

#[derive(Deserialize)]
struct MinK {
    k: f64,
    tokens: Vec<[f64; 3]>,
    min_k: f64,
    min_k_pp: f64,
}

#[derive(Deserialize)]
struct Rouge {
    reference: String,
    generated: String,
    scores: [f64; 3],
}

#[derive(Deserialize)]
struct Holm {
    p: Vec<f64>,
    adjusted: Vec<f64>,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("reference/metrics.json")).unwrap()
}

/// Equal to nine digits of the larger one.
#[track_caller]
fn same(found: f64, wanted: f64) {
    assert!((found - wanted).abs() <= 1e-9 * found.abs().max(wanted.abs()), "{found} is not {wanted}");
}

#[test]
fn truth_ratios_agree() {
    let TruthRatios { cases, forget, retain } = reference().truth_ratios;
    for case in &cases {
        same(log_truth_ratio(case.answer, &case.wrong), case.paper.ln());
        same(truth_ratio_tofu(case.answer, &case.wrong), case.tofu);
        // The design's remark, by the inequality of the means.
        assert!(case.paper <= 1.0 / case.tofu + 1e-9);
    }
    let ratios: Vec<f64> = cases.iter().map(|case| case.tofu).collect();
    same(forget_truth_ratio(&ratios).unwrap(), forget);
    same(retain_truth_ratio(&ratios).unwrap(), retain);
}

#[test]
fn kolmogorov_smirnov_agrees_with_scipy_down_to_the_smallest_probabilities() {
    let cases = reference().two_samples;
    for case in &cases {
        let found = kolmogorov_smirnov(&case.a, &case.b).unwrap();
        same(found.statistic, case.statistic);
        same(found.p_value, case.p);
    }
    assert!(cases.iter().any(|case| case.p < 1e-50) && cases.iter().any(|case| case.p > 0.2));
}

#[test]
fn areas_under_the_curve_agree_with_scikit_learn() {
    for case in reference().areas {
        let ranking = Ranking::new(&case.members, &case.strangers);
        same(ranking.auc(), case.auc);
        same(ranking.weighted_auc(&case.weights[0], &case.weights[1]), case.weighted);
    }
}

#[test]
fn the_least_likely_tokens_agree() {
    for case in reference().min_k {
        let tokens: Vec<Surprise> = case
            .tokens
            .iter()
            .map(|[log_prob, mean, mean_square]| Surprise {
                log_prob: *log_prob,
                mean: *mean,
                mean_square: *mean_square,
            })
            .collect();
        let log_probs: Vec<f64> = tokens.iter().map(|token| token.log_prob).collect();
        same(min_k(&log_probs, case.k), case.min_k);
        same(min_k_pp(&tokens, case.k), case.min_k_pp);
    }
}

#[test]
fn rouge_l_agrees_with_rouge_score() {
    for case in reference().rouge_l {
        let found = rouge_l(&case.reference, &case.generated);
        for (found, wanted) in [found.precision, found.recall, found.f_measure].into_iter().zip(case.scores) {
            same(found, wanted);
        }
    }
}

#[test]
fn adjusted_probabilities_agree_with_statsmodels() {
    for case in reference().holm {
        for (found, wanted) in holm(&case.p).into_iter().zip(case.adjusted) {
            same(found, wanted);
        }
    }
}
