//! The two-sample Kolmogorov-Smirnov test, exact: TOFU's forget quality is its p-value.

/// Result of the test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KolmogorovSmirnov {
    /// Largest distance between the two empirical distribution functions.
    pub statistic: f64,
    /// Probability of a distance at least as large when both samples come from one continuous distribution.
    pub p_value: f64,
}

/// Two-sided test. None when a sample is empty or has something that is no number. Time grows with the product of the
/// sizes.
pub fn kolmogorov_smirnov(a: &[f64], b: &[f64]) -> Option<KolmogorovSmirnov> {
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        values
    };
    if a.is_empty() || b.is_empty() || a.iter().chain(b).any(|v| v.is_nan()) {
        return None;
    }
    let (a, b) = (sorted(a), sorted(b));
    let (n, m) = (a.len() as u64, b.len() as u64);
    let (mut i, mut j, mut largest) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        // Values that are equal are passed together: the functions are compared where both have jumped.
        let at = a[i].min(b[j]);
        i += a[i..].iter().take_while(|v| **v <= at).count();
        j += b[j..].iter().take_while(|v| **v <= at).count();
        largest = largest.max(distance(i as u64, j as u64, n, m));
    }
    Some(KolmogorovSmirnov {
        statistic: largest as f64 / (n * m) as f64,
        p_value: if largest == 0 { 1.0 } else { share_of_paths_that_reach(largest, n, m) },
    })
}

/// Distance of the distribution functions after `i` of `n` and `j` of `m` values, times `n * m`: whole numbers, so that
/// equal distances are equal.
fn distance(i: u64, j: u64, n: u64, m: u64) -> u64 {
    (i * m).abs_diff(j * n)
}

/// Of all orders in which the values of both samples can follow each other, the share that reaches a distance (Hodges
/// 1958). It is summed up over the orders that do, not taken from 1, so that small ones keep their digits.
fn share_of_paths_that_reach(reach: u64, n: u64, m: u64) -> f64 {
    let outside = |i, j| distance(i, j, n, m) >= reach;
    // row[j]: of the paths to (i, j), the share that has been outside.
    let mut row: Vec<f64> = Vec::with_capacity(m as usize + 1);
    for j in 0..=m {
        let before = row.last().copied().unwrap_or(0.0);
        row.push(if outside(0, j) { 1.0 } else { before });
    }
    for i in 1..=n {
        for j in 0..=m {
            let at = j as usize;
            row[at] = match (outside(i, j), at.checked_sub(1)) {
                (true, _) => 1.0,
                (false, None) => row[0],
                // A path to (i, j) comes from (i - 1, j) in i of i + j cases.
                (false, Some(before)) => (row[at] * i as f64 + row[before] * j as f64) / (i + j) as f64,
            };
        }
    }
    row[m as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_samples_are_at_no_distance() {
        let found = kolmogorov_smirnov(&[1.0, 2.0, 2.0], &[2.0, 1.0, 2.0]).unwrap();
        assert_eq!(found, KolmogorovSmirnov { statistic: 0.0, p_value: 1.0 });
    }

    #[test]
    fn samples_apart_have_the_two_extreme_orders_of_all() {
        // 2 of 6 choose 3 = 20 orders.
        let found = kolmogorov_smirnov(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0]).unwrap();
        assert!((found.statistic - 1.0).abs() < 1e-15 && (found.p_value - 0.1).abs() < 1e-15, "{found:?}");
    }

    #[test]
    fn nothing_and_no_numbers_are_not_tested() {
        assert_eq!(kolmogorov_smirnov(&[], &[1.0]), None);
        assert_eq!(kolmogorov_smirnov(&[f64::NAN], &[1.0]), None);
    }
}
