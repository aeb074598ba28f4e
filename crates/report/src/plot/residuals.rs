//! The plot of residuals: a row for each attack, with its interval and the margin that it is held against. Not here:
//! whether an attack passed, which the protocol decides by more than this.

use super::{
    Plot, ResidualRow,
    axis::Axis,
    rows::{self, LEFT, RIGHT, ROW, Stroke, TOP, WIDTH},
    svg::{Anchor, Drawing, INK, Marker},
    table::{Table, decimal},
};

const TITLE: &str = "What remains of the sources' effect, by attack";
const AXIS: &str = "residual (share of the effect: 0 = as the retrain, 1 = all of it remains)";

const WITHIN: Stroke = Stroke { marker: Marker::Circle, colour: "#0072b2" };
const BEYOND: Stroke = Stroke { marker: Marker::Diamond, colour: "#d55e00" };
const NO_MARGIN: Stroke = Stroke { marker: Marker::Square, colour: "#666666" };

impl ResidualRow {
    fn is_measured(&self) -> bool {
        [self.residual, self.low, self.high].iter().all(|number| number.is_finite())
    }

    /// Whether its interval ends below the margin; none without a margin.
    fn is_within(&self) -> Option<bool> {
        self.margin.map(|margin| self.high <= margin)
    }
}

/// Residuals with their intervals and margins.
pub fn residuals(rows: &[ResidualRow]) -> Plot {
    let meaning = meaning(rows);
    let description =
        format!("A row for each of {} attacks: a dot with its interval, and its margin. {meaning}", rows.len());
    Plot { title: TITLE.to_owned(), svg: svg(rows, &description), description, meaning, table: table(rows) }
}

fn meaning(rows: &[ResidualRow]) -> String {
    let measured: Vec<_> = rows.iter().filter(|row| row.is_measured()).collect();
    let Some(largest) = measured.iter().max_by(|a, b| a.residual.total_cmp(&b.residual)) else {
        return "No residual was measured.".to_owned();
    };
    let held = measured.iter().filter(|row| row.margin.is_some()).count();
    let within = measured.iter().filter(|row| row.is_within() == Some(true)).count();
    let largest = format!("the largest residual is {} ({})", decimal(largest.residual), largest.name);
    if held == 0 {
        return format!("Of the residuals, {largest}.");
    }
    format!("The intervals of {within} of {held} attacks end within their margins; {largest}.")
}

fn table(rows: &[ResidualRow]) -> Table {
    let row = |row: &ResidualRow| {
        let [residual, low, high] = [row.residual, row.low, row.high].map(decimal);
        vec![row.name.clone(), residual, low, high, row.margin.map(decimal).unwrap_or_default()]
    };
    let columns = vec!["attack", "residual", "low", "high", "margin"];
    Table { columns, rows: rows.iter().map(row).collect() }
}

fn svg(rows: &[ResidualRow], description: &str) -> String {
    let bottom = TOP + ROW * rows.len().max(1) as f64;
    let mut drawing = Drawing::new(WIDTH, bottom + 62.0);
    let numbers = rows.iter().flat_map(|row| [row.low, row.residual, row.high, row.margin.unwrap_or(0.0)]);
    let axis = Axis::new((LEFT, RIGHT), numbers);
    axis.draw(&mut drawing, TOP, bottom, AXIS);
    for (at, row) in rows.iter().enumerate() {
        let y = TOP + ROW * (at as f64 + 0.5);
        rows::label(&mut drawing, y, &row.name);
        if let Some(margin) = row.margin.filter(|margin| margin.is_finite()) {
            let x = axis.place(margin);
            drawing.line((x, y - ROW / 2.0), (x, y + ROW / 2.0), INK, 1.4, true);
        }
        if !row.is_measured() {
            rows::remark(&mut drawing, y, "not measured");
            continue;
        }
        let stroke = match row.is_within() {
            Some(true) => WITHIN,
            Some(false) => BEYOND,
            None => NO_MARGIN,
        };
        rows::estimate(&mut drawing, &axis, y, (row.residual, row.low, row.high), stroke);
        let [residual, low, high] = [row.residual, row.low, row.high].map(decimal);
        rows::remark(&mut drawing, y, &format!("{residual} [{low}, {high}]"));
    }
    let y = bottom + 52.0;
    let mut keys = Vec::new();
    for (stroke, what, is_there) in [
        (WITHIN, "interval ends within the margin", rows.iter().any(|row| row.is_within() == Some(true))),
        (BEYOND, "interval goes beyond the margin", rows.iter().any(|row| row.is_within() == Some(false))),
        (NO_MARGIN, "no margin", rows.iter().any(|row| row.margin.is_none())),
    ] {
        if is_there {
            keys.push((stroke, what));
        }
    }
    let x = rows::key(&mut drawing, y, &keys);
    if rows.iter().any(|row| row.margin.is_some()) {
        drawing.line((x, y - 10.0), (x, y + 3.0), INK, 1.4, true);
        drawing.text((x + 8.0, y), 11.0, Anchor::Start, "margin");
    }
    drawing.finish(TITLE, description)
}
