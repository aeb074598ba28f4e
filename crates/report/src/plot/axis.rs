//! A horizontal axis: from numbers to places, with round ticks. Not here: what stands on it.

use super::svg::{Anchor, Drawing, FAINT, INK};

/// A horizontal axis between two edges of a drawing.
pub(crate) struct Axis {
    pub(crate) left: f64,
    pub(crate) right: f64,
    low: f64,
    high: f64,
    /// Steps between two numbers.
    step: f64,
}

/// The farthest that an axis goes: one interval that is nearly endless must not press all others together.
const FARTHEST: (f64, f64) = (-1.0, 2.0);

/// What rounding may add to a whole number of steps.
const SLACK: f64 = 1e-9;

impl Axis {
    /// An axis from 0 to 1, longer where `numbers` go beyond.
    pub(crate) fn new((left, right): (f64, f64), numbers: impl Iterator<Item = f64>) -> Self {
        let (mut low, mut high) = (0.0_f64, 1.0_f64);
        for number in numbers.filter(|number| number.is_finite()) {
            low = low.min(number);
            high = high.max(number);
        }
        (low, high) = (low.max(FARTHEST.0), high.min(FARTHEST.1));
        let step = if high - low > 1.6 { 0.5 } else { 0.2 };
        // Ends are on a step, so that zero and one are too, or nearly.
        (low, high) = ((low / step + SLACK).floor() * step, (high / step - SLACK).ceil() * step);
        (low, high) = (low.min(0.0), high.max(1.0));
        Self { left, right, low, high, step }
    }

    /// The place of a number, at the edge where it lies beyond.
    pub(crate) fn place(&self, number: f64) -> f64 {
        let number = number.clamp(self.low, self.high);
        self.left + (number - self.low) / (self.high - self.low) * (self.right - self.left)
    }

    pub(crate) fn is_beyond_left(&self, number: f64) -> bool {
        number < self.low
    }

    pub(crate) fn is_beyond_right(&self, number: f64) -> bool {
        number > self.high
    }

    /// Grid lines from `top` to `bottom`, numbers below them and the label below those.
    pub(crate) fn draw(&self, drawing: &mut Drawing, top: f64, bottom: f64, label: &str) {
        let ticks = |end: f64| (end / self.step).round() as i32;
        for at in ticks(self.low)..=ticks(self.high) {
            let number = f64::from(at) * self.step;
            let x = self.place(number);
            let (colour, width) = if at == 0 { (INK, 0.8) } else { (FAINT, 0.6) };
            drawing.line((x, top), (x, bottom), colour, width, false);
            drawing.text((x, bottom + 14.0), 11.0, Anchor::Middle, &tick(number));
        }
        drawing.text(((self.left + self.right) / 2.0, bottom + 31.0), 12.0, Anchor::Middle, label);
    }
}

fn tick(number: f64) -> String {
    let text = format!("{number:.1}");
    if text == "-0.0" { "0.0".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(numbers: &[f64], expected: (f64, f64)) {
        let axis = Axis::new((0.0, 100.0), numbers.iter().copied());
        assert!((axis.low - expected.0).abs() < 1e-9 && (axis.high - expected.1).abs() < 1e-9);
    }

    #[test]
    fn an_axis_holds_its_numbers_and_ends_somewhere() {
        check(&[], (0.0, 1.0));
        check(&[0.3, 0.9], (0.0, 1.0));
        check(&[-0.05, 1.1], (-0.2, 1.2));
        check(&[-0.2, 1.0], (-0.2, 1.0));
        check(&[-0.3, 1.4], (-0.5, 1.5));
        check(&[-40.0, 70.0], (-1.0, 2.0));
        check(&[f64::NAN, f64::INFINITY], (0.0, 1.0));
    }
}
