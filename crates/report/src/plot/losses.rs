//! The plot of losses: how many of the sources that stay lose how much of their sinks, a row for each range. Not here: what
//! that does to their answers.

use super::{
    Plot,
    axis::Axis,
    rows::{self, LEFT, RIGHT, ROW, TOP, WIDTH},
    svg::{Drawing, INK},
    table::{Table, decimal},
};

const TITLE: &str = "What the sources that stay lose of their sinks";
const AXIS: &str = "share of the sources that stay (0 = none, 1 = all)";
/// From the palette of Okabe and Ito. There is one series, so that nothing has to be told apart by it.
const BAR: &str = "#0072b2";
/// Ranges at most, besides the one of those that lose nothing.
const MOST_RANGES: usize = 10;
/// Widths of ranges in percent points; the narrowest that needs no more than the most ranges is taken.
const WIDTHS: [usize; 5] = [1, 2, 5, 10, 20];

/// Sources that lose more than `low` and at most `high` percent.
struct Range {
    name: String,
    sources: usize,
}

/// The shares, from 0 to 1, that each source loses.
pub fn losses(lost: &[f64]) -> Plot {
    let ranges = ranges(lost);
    let meaning = meaning(lost);
    let description = format!("A row for each of {} ranges, with a bar for the sources in it. {meaning}", ranges.len());
    let table = Table {
        columns: vec!["lost", "sources", "share"],
        rows: ranges
            .iter()
            .map(|range| vec![range.name.clone(), range.sources.to_string(), decimal(share(range, lost))])
            .collect(),
    };
    Plot { title: TITLE.to_owned(), svg: svg(&ranges, lost, &description), description, meaning, table }
}

fn share(range: &Range, lost: &[f64]) -> f64 {
    range.sources as f64 / lost.len().max(1) as f64
}

fn ranges(lost: &[f64]) -> Vec<Range> {
    // In millionths of percent points, as plans have shares: a bound is in one range and no other.
    let exact = |share: f64| (share.clamp(0.0, 1.0) * 1e8).round() as usize;
    let most = lost.iter().copied().map(exact).max().unwrap_or(0);
    let fits = |width: &&usize| most.div_ceil(**width * 1_000_000) <= MOST_RANGES;
    let width = WIDTHS.iter().find(fits).copied().unwrap_or(WIDTHS[WIDTHS.len() - 1]);
    let none = Range { name: "nothing".to_owned(), sources: lost.iter().filter(|s| exact(**s) == 0).count() };
    let mut ranges = vec![none];
    for at in 0..most.div_ceil(width * 1_000_000) {
        let (low, high) = (at * width, (at + 1) * width);
        let within = |share: &&f64| (low * 1_000_000 + 1..=high * 1_000_000).contains(&exact(**share));
        let name = format!("over {low} % to {high} %");
        ranges.push(Range { name, sources: lost.iter().filter(within).count() });
    }
    ranges
}

fn meaning(lost: &[f64]) -> String {
    let touched = lost.iter().filter(|share| **share > 0.0).count();
    if touched == 0 {
        return "No source that stays loses a sink.".to_owned();
    }
    let most = lost.iter().copied().fold(0.0, f64::max);
    let mean = lost.iter().sum::<f64>() / lost.len() as f64;
    format!(
        "{touched} of {} sources that stay lose sinks: {:.1} % of their own on average, and {:.1} % at most.",
        lost.len(),
        100.0 * mean,
        100.0 * most
    )
}

fn svg(ranges: &[Range], lost: &[f64], description: &str) -> String {
    let bottom = TOP + ROW * ranges.len() as f64;
    let mut drawing = Drawing::new(WIDTH, bottom + 42.0);
    let axis = Axis::new((LEFT, RIGHT), std::iter::empty());
    axis.draw(&mut drawing, TOP, bottom, AXIS);
    for (at, range) in ranges.iter().enumerate() {
        let y = TOP + ROW * (at as f64 + 0.5);
        rows::label(&mut drawing, y, &range.name);
        let share = share(range, lost);
        if range.sources > 0 {
            drawing.line((axis.place(0.0), y), (axis.place(share), y), BAR, ROW - 10.0, false);
            // Also where the bar is too short to be seen.
            drawing.line((axis.place(share), y - 7.0), (axis.place(share), y + 7.0), INK, 1.4, false);
        }
        rows::remark(&mut drawing, y, &format!("{} of {}", range.sources, lost.len()));
    }
    drawing.finish(TITLE, description)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lost: &[f64], expected: &[(&str, usize)]) {
        let found: Vec<(String, usize)> = ranges(lost).into_iter().map(|range| (range.name, range.sources)).collect();
        let expected: Vec<(String, usize)> = expected.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect();
        assert_eq!(found, expected, "{lost:?}");
    }

    #[test]
    fn every_source_is_in_one_range() {
        check(&[], &[("nothing", 0)]);
        check(&[0.0, 0.0], &[("nothing", 2)]);
        check(&[0.0, 0.01, 0.010_001, 0.02], &[("nothing", 1), ("over 0 % to 1 %", 1), ("over 1 % to 2 %", 2)]);
        let most: usize = ranges(&[1.0, 0.3, 0.999]).iter().map(|range| range.sources).sum();
        assert_eq!(most, 3);
        assert!(ranges(&[1.0]).len() <= MOST_RANGES + 1);
    }

    #[test]
    fn a_plot_says_in_words_what_it_shows() {
        let plot = losses(&[0.0, 0.25, 0.05]);
        assert_eq!(
            plot.meaning,
            "2 of 3 sources that stay lose sinks: 10.0 % of their own on average, and 25.0 % at most."
        );
        assert!(plot.svg.contains("<desc>A row for each of 6 ranges"), "{}", plot.svg);
        assert_eq!(plot.table.rows[1], ["over 0 % to 5 %", "1", "0.333"]);
    }
}
