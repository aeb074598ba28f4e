//! Plots: their exact bytes, and that nothing in a name gets out of its place. Not here: what they look like in a PDF.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

use std::{fs, path::Path};

use obelus_report::plot::{ConditionRow, Estimate, Plot, ResidualRow, known, residuals};

fn row(name: &str, residual: f64, low: f64, high: f64, margin: Option<f64>) -> ResidualRow {
    ResidualRow { name: name.to_owned(), residual, low, high, margin }
}

fn estimate(value: f64, low: f64, high: f64) -> Estimate {
    Estimate { value, low, high }
}

fn condition(name: &str, specific: Estimate, shared: Estimate) -> ConditionRow {
    ConditionRow { condition: name.to_owned(), specific, shared }
}

fn check(plot: &Plot) {
    let svg = &plot.svg;
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    for tag in ["<title>", "<desc>", "</svg>"] {
        assert_eq!(svg.matches(tag).count(), 1, "{tag} in {svg}");
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    assert!(plot.meaning.ends_with('.') && !plot.title.is_empty() && plot.description.contains(&plot.meaning));
    assert_eq!(plot.table.csv().lines().count(), plot.table.rows.len() + 1);
}

/// Compares a plot with the files of its name in `tests/plots/`, and leaves what it is now in the build folder: look at
/// it, and copy it over them where it is better.
fn check_bytes(name: &str, plot: &Plot) {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plots");
    let words = format!("{}\n{}\n", plot.title, plot.meaning);
    for (file, now) in [("svg", plot.svg.clone()), ("csv", plot.table.csv()), ("txt", words)] {
        let file = format!("{name}.{file}");
        let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&file);
        fs::write(&made, &now).unwrap();
        let before = fs::read_to_string(kept.join(&file)).unwrap_or_default();
        assert!(before == now, "{file} is not what it was; it is now {}", made.display());
    }
}

#[test]
fn residuals_are_drawn_as_they_were() {
    let plot = residuals(&[
        row("panel.specific_known", 0.021, -0.012, 0.055, Some(0.1)),
        row("source.text_loss", 0.142, 0.051, 0.223, Some(0.1)),
        row("source.nearest.text_loss", 0.3, -9.0, 7.5, None),
        row("source.extraction_strength", f64::NAN, f64::NAN, f64::NAN, Some(0.1)),
    ]);
    check(&plot);
    check_bytes("residuals", &plot);
}

#[test]
fn known_fractions_are_drawn_as_they_were() {
    let plot = known(&[
        condition("on", estimate(0.92, 0.88, 0.96), estimate(0.86, 0.8, 0.91)),
        condition("zeroed", estimate(0.23, 0.17, 0.3), estimate(0.83, f64::NAN, f64::NAN)),
        condition("retrain_none", estimate(f64::NAN, 0.0, 1.0), estimate(0.84, 0.78, 0.9)),
    ]);
    check(&plot);
    check_bytes("known", &plot);
}

#[test]
fn nothing_and_absurd_numbers_are_drawn_too() {
    check(&residuals(&[]));
    check(&known(&[]));
    let absurd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, 1e300, -1e300, 0.0, -0.0];
    for number in absurd {
        for other in absurd {
            check(&residuals(&[row("a", number, other, number, Some(other)), row("b", 0.1, number, other, None)]));
            check(&known(&[condition("a", estimate(number, other, number), estimate(0.1, number, other))]));
        }
    }
}

#[test]
fn names_stay_in_their_places() {
    let name = "</text></svg><script>alert('1')</script>\"&\0\u{202e}";
    check(&residuals(&[row(name, 0.1, 0.0, 0.2, None)]));
    let plot = known(&[condition(name, estimate(0.1, 0.0, 0.2), estimate(0.1, 0.0, 0.2))]);
    check(&plot);
    assert!(!plot.svg.contains("<script"));
}
