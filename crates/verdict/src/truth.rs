//! Truth ratios: what a model gives the right answer against wrong ones. Natural logarithms; losses and log-probabilities
//! are means a token.

/// Against a division by nothing, as open-unlearning has it; part of the published numbers.
const TOFU_GUARD: f64 = 1e-10;

/// Natural log of the truth ratio: the right answer's probability a token over the arithmetic mean of the wrong ones'
/// (NULLs, arXiv 2606.13873). Above 0 the model knows the fact. `wrong` has at least one entry.
pub fn log_truth_ratio(answer: f64, wrong: &[f64]) -> f64 {
    // The largest is taken out, so that very improbable answers do not underflow.
    let top = wrong.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = wrong.iter().map(|w| (w - top).exp()).sum();
    answer - (top + (sum / wrong.len() as f64).ln())
}

/// Whether the right answer is more probable than every wrong one.
pub fn choice(answer: f64, wrong: &[f64]) -> bool {
    wrong.iter().all(|w| answer > *w)
}

/// TOFU's truth ratio (arXiv 2401.06121, as in open-unlearning): the geometric mean of the wrong answers' probabilities a
/// token over the right one's. It runs the other way: a model that knows the fact is near 0.
pub fn truth_ratio_tofu(answer: f64, wrong: &[f64]) -> f64 {
    let wrong = (wrong.iter().sum::<f64>() / wrong.len() as f64).exp();
    wrong / (answer.exp() + TOFU_GUARD)
}

/// TOFU's aggregate over forgotten facts: 1 where right and wrong answers are equally likely. None for no facts.
pub fn forget_truth_ratio(ratios: &[f64]) -> Option<f64> {
    mean(ratios.iter().map(|r| r.min(1.0 / (r + TOFU_GUARD))))
}

/// TOFU's aggregate over retained facts: 1 where wrong answers are impossible. None for no facts.
pub fn retain_truth_ratio(ratios: &[f64]) -> Option<f64> {
    mean(ratios.iter().map(|r| (1.0 - r).max(0.0)))
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    let count = values.len();
    (count > 0).then(|| values.sum::<f64>() / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_ratio_is_the_papers_formula() {
        // exp(-1) / mean(exp(-2), exp(-3)), computed by hand.
        let expected = ((-1f64).exp() / (((-2f64).exp() + (-3f64).exp()) / 2.0)).ln();
        assert!((log_truth_ratio(-1.0, &[-2.0, -3.0]) - expected).abs() < 1e-12);
        assert!((log_truth_ratio(-2000.0, &[-2001.0]) - 1.0).abs() < 1e-9, "no underflow");
    }

    #[test]
    fn a_tie_is_not_a_choice() {
        assert!(choice(-1.0, &[-1.1, -2.0]));
        assert!(!choice(-1.0, &[-1.0]));
    }

    #[test]
    fn no_facts_have_no_aggregate() {
        assert_eq!((forget_truth_ratio(&[]), retain_truth_ratio(&[])), (None, None));
    }
}
