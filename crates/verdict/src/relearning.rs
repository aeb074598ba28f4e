//! Relearning: whether an erased model comes back faster than one that never saw the source.

/// Held-out loss after so many steps of fine-tuning on part of the source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Steps done.
    pub step: u32,
    /// Mean loss a token, nats.
    pub loss: f64,
}

/// Mean distance between two curves over the steps, `retrain` less `erased`, in nats: above 0 the erased model is ahead.
/// Trapezoids between the points. None unless both have the same ascending steps, at least two.
pub fn advantage(erased: &[Point], retrain: &[Point]) -> Option<f64> {
    let ascending = erased.windows(2).all(|pair| pair[0].step < pair[1].step);
    let same = erased.len() == retrain.len() && erased.iter().zip(retrain).all(|(a, b)| a.step == b.step);
    let (first, last) = (erased.first()?.step, erased.last()?.step);
    if !ascending || !same || first == last {
        return None;
    }
    let ahead: Vec<(f64, f64)> =
        erased.iter().zip(retrain).map(|(a, b)| (f64::from(a.step), b.loss - a.loss)).collect();
    let area: f64 = ahead.windows(2).map(|pair| (pair[1].0 - pair[0].0) * (pair[0].1 + pair[1].1) / 2.0).sum();
    Some(area / f64::from(last - first))
}

/// The first step of the curve at which the loss is at most `target`; none when it never is.
pub fn steps_to(curve: &[Point], target: f64) -> Option<u32> {
    curve.iter().find(|point| point.loss <= target).map(|point| point.step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(points: &[(u32, f64)]) -> Vec<Point> {
        points.iter().map(|(step, loss)| Point { step: *step, loss: *loss }).collect()
    }

    #[test]
    fn a_model_that_is_ahead_has_a_positive_area() {
        let retrain = curve(&[(0, 3.0), (10, 2.0), (40, 1.0)]);
        let erased = curve(&[(0, 2.0), (10, 1.0), (40, 1.0)]);
        // 10 steps at 1 nat, 30 falling from 1 to 0.
        assert!((advantage(&erased, &retrain).unwrap() - 25.0 / 40.0).abs() < 1e-12);
        assert!((advantage(&retrain, &erased).unwrap() + 25.0 / 40.0).abs() < 1e-12);
        assert_eq!(steps_to(&retrain, 2.0), Some(10));
        assert_eq!(steps_to(&retrain, 0.5), None);
    }

    #[test]
    fn curves_that_do_not_match_are_not_compared() {
        let two = curve(&[(0, 3.0), (10, 2.0)]);
        assert_eq!(advantage(&two, &curve(&[(0, 3.0), (11, 2.0)])), None);
        assert_eq!(advantage(&two, &two[..1]), None);
        assert_eq!(advantage(&two[..1], &two[..1]), None);
        assert_eq!(advantage(&[], &[]), None);
        let back = curve(&[(10, 3.0), (0, 2.0)]);
        assert_eq!(advantage(&back, &back), None);
    }
}
