//! The plot of known facts: a row for each condition, with the facts that the sources alone tell and those that others
//! tell too. Not here: what a condition is.

use super::{
    ConditionRow, Estimate, Plot,
    axis::Axis,
    rows::{self, LEFT, RIGHT, Stroke, TOP, WIDTH},
    svg::{Drawing, FAINT, Marker},
    table::{Table, decimal},
};

const TITLE: &str = "Facts known, by condition";
const AXIS: &str = "facts known (share of the facts asked: 0 = none, 1 = all)";
/// Height of a condition's two lanes.
const PAIR: f64 = 36.0;

const SPECIFIC: Stroke = Stroke { marker: Marker::Circle, colour: "#0072b2" };
const SHARED: Stroke = Stroke { marker: Marker::Square, colour: "#d55e00" };

/// Known fractions with their intervals, per condition.
pub fn known(rows: &[ConditionRow]) -> Plot {
    let meaning = meaning(rows);
    let description = format!(
        "A row for each of {} conditions: the share known of the facts that the sources alone tell, and of those that \
         other sources tell too. {meaning}",
        rows.len()
    );
    Plot { title: TITLE.to_owned(), svg: svg(rows, &description), description, meaning, table: table(rows) }
}

fn meaning(rows: &[ConditionRow]) -> String {
    let said = |what: &str, of: fn(&ConditionRow) -> Estimate| {
        let measured = || rows.iter().filter(|row| of(row).value.is_finite());
        let lowest = measured().min_by(|a, b| of(a).value.total_cmp(&of(b).value))?;
        let highest = measured().max_by(|a, b| of(a).value.total_cmp(&of(b).value))?;
        let [low, high] = [lowest, highest].map(|row| format!("{} ({})", decimal(of(row).value), row.condition));
        Some(if measured().count() == 1 { format!("{what} {high}") } else { format!("{what} from {low} to {high}") })
    };
    let specific = said("known of the facts that the sources alone tell:", |row| row.specific);
    let shared = said("of those that others tell too:", |row| row.shared);
    match (specific, shared) {
        (Some(specific), Some(shared)) => format!("Share {specific}; {shared}."),
        (Some(one), None) | (None, Some(one)) => format!("Share {one}."),
        (None, None) => "No known facts were counted.".to_owned(),
    }
}

fn table(rows: &[ConditionRow]) -> Table {
    let columns = vec!["condition", "specific", "specific low", "specific high", "shared", "shared low", "shared high"];
    let row = |row: &ConditionRow| {
        let numbers = [row.specific, row.shared].into_iter().flat_map(|e| [e.value, e.low, e.high]);
        std::iter::once(row.condition.clone()).chain(numbers.map(decimal)).collect()
    };
    Table { columns, rows: rows.iter().map(row).collect() }
}

fn svg(rows: &[ConditionRow], description: &str) -> String {
    let bottom = TOP + PAIR * rows.len().max(1) as f64;
    let mut drawing = Drawing::new(WIDTH, bottom + 62.0);
    let numbers = rows.iter().flat_map(|row| [row.specific, row.shared]).flat_map(|e| [e.low, e.value, e.high]);
    let axis = Axis::new((LEFT, RIGHT), numbers);
    axis.draw(&mut drawing, TOP, bottom, AXIS);
    for (at, row) in rows.iter().enumerate() {
        let middle = TOP + PAIR * (at as f64 + 0.5);
        if at > 0 {
            drawing.line((8.0, middle - PAIR / 2.0), (WIDTH - 8.0, middle - PAIR / 2.0), FAINT, 0.6, false);
        }
        rows::label(&mut drawing, middle, &row.condition);
        for (estimate, stroke, y) in [(row.specific, SPECIFIC, middle - 8.0), (row.shared, SHARED, middle + 8.0)] {
            let Estimate { value, low, high } = estimate;
            if !value.is_finite() {
                rows::remark(&mut drawing, y, "not measured");
                continue;
            }
            rows::estimate(&mut drawing, &axis, y, (value, low, high), stroke);
            let interval = [low, high].iter().all(|end| end.is_finite());
            let interval = if interval { format!(" [{}, {}]", decimal(low), decimal(high)) } else { String::new() };
            rows::remark(&mut drawing, y, &format!("{}{interval}", decimal(value)));
        }
    }
    rows::key(
        &mut drawing,
        bottom + 52.0,
        &[(SPECIFIC, "facts that the sources alone tell"), (SHARED, "facts that other sources tell too")],
    );
    drawing.finish(TITLE, description)
}
