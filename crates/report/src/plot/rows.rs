//! Rows of a plot: a label, a dot with its interval, a remark; and the key below. Not here: which rows there are.

use super::{
    axis::Axis,
    svg::{Anchor, Drawing, Marker},
};

/// Width of every plot, so that two below each other line up.
pub(crate) const WIDTH: f64 = 740.0;
/// Left edge of the axis.
pub(crate) const LEFT: f64 = 240.0;
/// Right edge of the axis.
pub(crate) const RIGHT: f64 = 590.0;
/// Upper edge of the first row.
pub(crate) const TOP: f64 = 10.0;
/// Height of a row.
pub(crate) const ROW: f64 = 24.0;
/// The label column holds this many characters; the table has the whole.
const LABEL_CHARS: usize = 36;

/// How a series is drawn: by shape and colour, never by colour alone.
#[derive(Clone, Copy)]
pub(crate) struct Stroke {
    pub(crate) marker: Marker,
    /// From the palette of Okabe and Ito, which the colour-blind can tell apart.
    pub(crate) colour: &'static str,
}

pub(crate) fn label(drawing: &mut Drawing, y: f64, text: &str) {
    let text = if text.chars().count() > LABEL_CHARS {
        text.chars().take(LABEL_CHARS - 1).chain(['…']).collect()
    } else {
        text.to_owned()
    };
    drawing.text((LEFT - 12.0, y + 4.0), 12.0, Anchor::End, &text);
}

pub(crate) fn remark(drawing: &mut Drawing, y: f64, text: &str) {
    drawing.text((RIGHT + 14.0, y + 4.0), 11.0, Anchor::Start, text);
}

/// A number with its interval; where the interval is none, the number alone.
pub(crate) fn estimate(
    drawing: &mut Drawing,
    axis: &Axis,
    y: f64,
    (value, low, high): (f64, f64, f64),
    stroke: Stroke,
) {
    if low.is_finite() && high.is_finite() {
        let (from, to) = (axis.place(low), axis.place(high));
        drawing.line((from, y), (to, y), stroke.colour, 2.0, false);
        for (end, x, beyond, right) in
            [(low, from, axis.is_beyond_left(low), false), (high, to, axis.is_beyond_right(high), true)]
        {
            if beyond || (right && axis.is_beyond_left(end)) || (!right && axis.is_beyond_right(end)) {
                drawing.arrow((x, y), right, stroke.colour);
            } else {
                drawing.line((x, y - 4.0), (x, y + 4.0), stroke.colour, 2.0, false);
            }
        }
    }
    // A dot at the edge would say that the number is there.
    if !axis.is_beyond_left(value) && !axis.is_beyond_right(value) {
        drawing.marker((axis.place(value), y), stroke.marker, stroke.colour);
    }
}

/// The key, and where it ends.
pub(crate) fn key(drawing: &mut Drawing, y: f64, entries: &[(Stroke, &str)]) -> f64 {
    let mut x = 60.0;
    for (stroke, what) in entries {
        drawing.marker((x, y - 4.0), stroke.marker, stroke.colour);
        drawing.text((x + 10.0, y), 11.0, Anchor::Start, what);
        // Fonts differ; more than half an em a letter leaves room in all of them.
        x += 36.0 + 6.0 * what.chars().count() as f64;
    }
    x
}
