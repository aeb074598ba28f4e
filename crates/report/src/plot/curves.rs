//! The plot of curves: how something grows or falls with steps, a line with its band for each condition. Not here: what the
//! steps are.

use super::{
    Curve, CurvePoint, Plot,
    rows::{self, Stroke, WIDTH},
    svg::{Anchor, Drawing, FAINT, INK, Marker},
    table::{Table, decimal},
};

const LEFT: f64 = 70.0;
const RIGHT: f64 = WIDTH - 20.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 330.0;
/// About so many numbers beside an axis.
const TICKS: f64 = 6.0;

/// By shape and colour; more curves than these begin again.
const STROKES: [Stroke; 6] = [
    Stroke { marker: Marker::Circle, colour: "#0072b2" },
    Stroke { marker: Marker::Square, colour: "#d55e00" },
    Stroke { marker: Marker::Diamond, colour: "#009e73" },
    Stroke { marker: Marker::Square, colour: "#666666" },
    Stroke { marker: Marker::Circle, colour: "#cc79a7" },
    Stroke { marker: Marker::Diamond, colour: "#e69f00" },
];

/// Curves over common axes, named by what they measure.
pub fn curves(title: &str, across: &str, up: &str, curves: &[Curve]) -> Plot {
    let meaning = meaning(curves, up);
    let description = format!("A line for each of {} conditions over {across}. {meaning}", curves.len());
    let svg = svg(title, across, up, curves, &description);
    Plot { title: title.to_owned(), svg, description, meaning, table: table(curves) }
}

fn meaning(curves: &[Curve], up: &str) -> String {
    let ends: Vec<String> = curves.iter().filter_map(ends).collect();
    if ends.is_empty() { "Nothing was measured.".to_owned() } else { format!("{up}: {}.", ends.join("; ")) }
}

fn ends(curve: &Curve) -> Option<String> {
    let (first, last) = (measured(curve).next()?, measured(curve).next_back()?);
    Some(format!("{} from {} to {}", curve.name, decimal(first.value), decimal(last.value)))
}

/// A model that was ruined must not press all others together: a curve that lies nowhere below twice the highest number of the
/// others is named instead of drawn.
fn is_far_above(curve: &Curve, all: &[Curve]) -> bool {
    let lowest = measured(curve).map(|point| point.value).fold(f64::INFINITY, f64::min);
    let others = all.iter().filter(|other| other.name != curve.name);
    let highest = others.flat_map(measured).map(|point| point.value).fold(f64::NEG_INFINITY, f64::max);
    lowest.is_finite() && highest > 0.0 && lowest > 2.0 * highest
}

fn measured(curve: &Curve) -> impl DoubleEndedIterator<Item = &CurvePoint> {
    curve.points.iter().filter(|point| point.value.is_finite())
}

fn table(curves: &[Curve]) -> Table {
    let row = |curve: &Curve, point: &CurvePoint| {
        let numbers = [point.at, point.value, point.low, point.high].map(decimal);
        std::iter::once(curve.name.clone()).chain(numbers).collect()
    };
    let rows = curves.iter().flat_map(|curve| curve.points.iter().map(|point| row(curve, point)));
    Table { columns: vec!["condition", "at", "value", "low", "high"], rows: rows.collect() }
}

/// A scale with round steps from number to place.
struct Scale {
    low: f64,
    high: f64,
    step: f64,
    from: f64,
    to: f64,
}

impl Scale {
    fn new(numbers: impl Iterator<Item = f64>, (from, to): (f64, f64)) -> Self {
        let finite = numbers.filter(|number| number.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), n| (l.min(n), h.max(n)));
        let (low, high) = match (low <= high, high - low) {
            (true, span) if span > 0.0 => (low, high),
            (true, _) => (low - 0.5, high + 0.5),
            _ => (0.0, 1.0),
        };
        let rough = (high - low) / TICKS;
        let power = 10f64.powf(rough.log10().floor());
        let step = power * [1.0, 2.0, 5.0, 10.0].into_iter().find(|m| m * power >= rough).unwrap_or(10.0);
        Self { low: (low / step).floor() * step, high: (high / step).ceil() * step, step, from, to }
    }

    fn place(&self, number: f64) -> f64 {
        self.from + (number - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Numbers beside the axis, with as many decimals as tell them apart.
    fn ticks(&self) -> impl Iterator<Item = (f64, String)> {
        let places = (-self.step.log10().floor()).max(0.0) as usize;
        let count = ((self.high - self.low) / self.step).round() as u32;
        (0..=count).map(move |i| {
            let number = self.low + f64::from(i) * self.step;
            (number, format!("{number:.places$}"))
        })
    }
}

fn svg(title: &str, across: &str, up: &str, curves: &[Curve], description: &str) -> String {
    let mut drawing = Drawing::new(WIDTH, BOTTOM + 62.0 + 20.0);
    let (above, drawn): (Vec<&Curve>, Vec<&Curve>) = curves.iter().partition(|curve| is_far_above(curve, curves));
    let points = || drawn.iter().flat_map(|curve| &curve.points);
    let x = Scale::new(points().map(|point| point.at), (LEFT, RIGHT));
    let y = Scale::new(points().flat_map(|point| [point.low, point.value, point.high]), (BOTTOM, TOP + 14.0));
    for (number, text) in x.ticks() {
        drawing.line((x.place(number), BOTTOM), (x.place(number), BOTTOM + 4.0), INK, 0.8, false);
        drawing.text((x.place(number), BOTTOM + 17.0), 11.0, Anchor::Middle, &text);
    }
    for (number, text) in y.ticks() {
        drawing.line((LEFT, y.place(number)), (RIGHT, y.place(number)), FAINT, 0.6, false);
        drawing.text((LEFT - 8.0, y.place(number) + 4.0), 11.0, Anchor::End, &text);
    }
    drawing.text((LEFT, TOP + 2.0), 12.0, Anchor::Start, up);
    drawing.text(((LEFT + RIGHT) / 2.0, BOTTOM + 36.0), 12.0, Anchor::Middle, across);
    if !above.is_empty() {
        let named: Vec<String> = above.iter().filter_map(|curve| ends(curve)).collect();
        drawing.text((RIGHT, TOP + 2.0), 11.0, Anchor::End, &format!("above: {}", named.join("; ")));
    }
    for (curve, stroke) in drawn.iter().zip(STROKES.into_iter().cycle()) {
        let mut before: Option<(f64, f64)> = None;
        for point in measured(curve) {
            let here = (x.place(point.at), y.place(point.value));
            if point.low.is_finite() && point.high.is_finite() {
                drawing.line((here.0, y.place(point.low)), (here.0, y.place(point.high)), stroke.colour, 1.0, false);
            }
            if let Some(before) = before {
                drawing.line(before, here, stroke.colour, 1.6, false);
            }
            drawing.marker(here, stroke.marker, stroke.colour);
            before = Some(here);
        }
    }
    // Two lines of keys: five names do not fit beside each other.
    let named: Vec<(Stroke, &str)> =
        STROKES.into_iter().cycle().zip(drawn.iter().map(|curve| curve.name.as_str())).collect();
    for (line, keys) in named.chunks(3).enumerate() {
        rows::key(&mut drawing, BOTTOM + 58.0 + 18.0 * line as f64, keys);
    }
    drawing.finish(title, description)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn falling(name: &str, from: f64) -> Curve {
        let point = |i: u32| {
            let value = from - 0.1 * f64::from(i);
            CurvePoint { at: f64::from(4 * i), value, low: value - 0.05, high: value + 0.05 }
        };
        Curve { name: name.to_owned(), points: (0..6).map(point).collect() }
    }

    #[test]
    fn scales_hold_their_numbers_and_have_round_steps() {
        for (numbers, expected) in [
            (vec![0.0, 24.0], (0.0, 25.0, 5.0)),
            (vec![0.58, 1.47], (0.4, 1.6, 0.2)),
            (vec![-3.0, -3.0], (-3.6, -2.4, 0.2)),
            (vec![f64::NAN], (0.0, 1.0, 0.2)),
        ] {
            let scale = Scale::new(numbers.into_iter(), (0.0, 100.0));
            let found = [scale.low, scale.high, scale.step];
            for (found, expected) in found.into_iter().zip([expected.0, expected.1, expected.2]) {
                assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
            }
        }
    }

    #[test]
    fn every_curve_is_drawn_named_and_in_the_table() {
        let plot = curves("Loss", "steps", "nats", &[falling("zeroed", 1.5), falling("retrain_none", 1.4)]);
        assert_eq!(plot.svg.matches("<circle").count(), 6 + 1);
        assert!(plot.svg.contains(">zeroed<") && plot.svg.contains(">retrain_none<"));
        assert_eq!(plot.table.rows.len(), 12);
        assert_eq!(plot.meaning, "nats: zeroed from 1.500 to 1.000; retrain_none from 1.400 to 0.900.");
    }

    #[test]
    fn a_curve_far_above_all_others_is_named_and_not_drawn() {
        let plot = curves("Loss", "steps", "nats", &[falling("ruined", 15.0), falling("zeroed", 1.5)]);
        assert_eq!(plot.svg.matches("<circle").count(), 6 + 1);
        assert!(plot.svg.contains(">above: ruined from 15.000 to 14.500<"));
        assert!(plot.meaning.contains("ruined") && plot.table.rows.len() == 12);
    }

    #[test]
    fn nothing_measured_is_said() {
        assert_eq!(curves("Loss", "steps", "nats", &[]).meaning, "Nothing was measured.");
    }
}
