//! From a page to the values that the template reads. Text from outside is spelled here and stays a value; nothing of it
//! becomes markup. Not here: words of ours (`wording.rs`).

use obelus_core::Digest;
use typst::foundations::{Array, Bytes, Dict, IntoValue, Value};

use super::{
    CertificatePage, qr,
    wording::{self, Standing},
};
use crate::{
    ReportError,
    plot::{self, Plot},
    spelling::{Alphabet, pieces},
};

/// Sources that are listed; the others are counted.
const LISTED_SOURCES: usize = 40;
/// Sources that the summary on the first page names.
const NAMED_SOURCES: usize = 3;
/// Copies that are listed; the others are counted.
const LISTED_TARGETS: usize = 60;
/// Figures, limits and rows of a plot that are listed; the others are counted.
const LISTED_ROWS: usize = 60;
/// Characters that are shown of one text from outside.
const MOST_CHARS: usize = 1000;
/// The same where it stands in a sentence or a table.
const MOST_CHARS_IN_A_LINE: usize = 160;

/// Values for the template.
struct Inputs {
    alphabet: Alphabet,
    values: Dict,
}

impl Inputs {
    fn put(&mut self, name: &str, value: impl IntoValue) {
        self.values.insert(name.into(), value.into_value());
    }

    /// Text from outside, in pieces that a line may end between.
    fn text(&self, text: &str, most_chars: usize) -> Value {
        let pieces = pieces(&self.alphabet.spell(text, most_chars));
        Value::Array(pieces.into_iter().map(|piece| piece.into_value()).collect())
    }

    fn short(&self, text: &str) -> Value {
        self.text(text, MOST_CHARS_IN_A_LINE)
    }

    fn long(&self, text: &str) -> Value {
        self.text(text, MOST_CHARS)
    }

    fn plot(&self, plot: &Plot) -> Value {
        let Plot { title, meaning, description, svg, table } = plot;
        let columns = table.columns.iter().map(|column| (*column).into_value()).collect::<Array>();
        let rows = table.rows.iter().map(|row| row.iter().map(|cell| self.short(cell)).collect::<Array>().into_value());
        let entries = [
            ("title", title.as_str().into_value()),
            ("meaning", meaning.as_str().into_value()),
            ("description", description.as_str().into_value()),
            ("svg", Bytes::new(svg.clone().into_bytes()).into_value()),
            ("columns", columns.into_value()),
            ("rows", rows.collect::<Array>().into_value()),
        ];
        dict(entries)
    }
}

fn dict<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Dict(entries.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

/// At most `most` of a list, and how many are left out.
fn first<T>(list: &[T], most: usize, value: impl FnMut(&T) -> Value) -> (Value, i64) {
    let shown: Array = list.iter().take(most).map(value).collect();
    (Value::Array(shown), list.len().saturating_sub(most) as i64)
}

/// A number with separators, as persons read it.
fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The template's inputs for a page that does not contradict itself.
///
/// # Errors
/// When a time or the QR code cannot be written.
pub(crate) fn inputs(page: &CertificatePage, standing: Standing, alphabet: Alphabet) -> Result<Dict, ReportError> {
    let mut inputs = Inputs { alphabet, values: Dict::new() };
    let digest = Digest::sha256(&page.bundle);
    words(&mut inputs, page, standing)?;
    lists(&mut inputs, page)?;
    plots(&mut inputs, page);
    for (name, text) in [
        ("id", &page.id),
        ("model", &page.model),
        ("request", &page.request),
        ("regime", &page.regime),
        ("operator", &page.operator),
        ("baseline", &page.baseline),
        ("protocol", &page.protocol),
        ("challenges", &page.challenges),
        ("recipe", &page.recipe),
        ("log_origin", &page.log_origin),
        ("verification_url", &page.verification_url),
    ] {
        let value = inputs.short(text);
        inputs.put(name, value);
    }
    inputs.put("id_text", alphabet.spell(&page.id, MOST_CHARS_IN_A_LINE));
    inputs.put("has_regime", !page.regime.is_empty());
    inputs.put("has_challenges", !page.challenges.is_empty());
    inputs.put("has_url", !page.verification_url.is_empty());
    inputs.put("root_before", page.root_before.to_string());
    inputs.put("root_after", page.root_after.to_string());
    inputs.put("digest", digest.to_string());
    inputs.put("neurons", count(page.neurons_zeroed));
    inputs.put("source_count", page.sources.len() as i64);
    inputs.put("log_index", page.log_index.to_string());
    inputs.put("tree_size", page.tree_size.to_string());
    inputs.put("bundle_name", page.bundle_name.as_str());
    inputs.put("bundle", Bytes::new(page.bundle.clone()));
    inputs.put("bundle_bytes", count(page.bundle.len() as u64));
    let code = qr::svg(&qr::payload(&page.id, &digest, &page.verification_url))?;
    inputs.put("qr", Bytes::new(code.into_bytes()));
    Ok(inputs.values)
}

fn words(inputs: &mut Inputs, page: &CertificatePage, standing: Standing) -> Result<(), ReportError> {
    inputs.put("title", standing.title());
    inputs.put("standing", standing.key());
    inputs.put("badge", standing.badge());
    inputs.put("document", standing.document());
    inputs.put("verdict", page.verdict.as_str());
    inputs.put("found", wording::found(standing, &page.figures));
    inputs.put("level", page.level.as_str());
    inputs.put("level_meaning", wording::level(&page.level).unwrap_or_default());
    inputs.put("issued", wording::moment(page.issued_at)?);
    inputs.put("valid_until", wording::moment(page.valid_until)?);
    Ok(())
}

fn lists(inputs: &mut Inputs, page: &CertificatePage) -> Result<(), ReportError> {
    let (sources, more) = first(&page.sources, LISTED_SOURCES, |source| inputs.long(source));
    let (named, more_named) = first(&page.sources, NAMED_SOURCES, |source| inputs.short(source));
    let (limits, more_limits) = first(&page.limits, LISTED_ROWS, |limit| inputs.long(limit));
    let (figures, more_figures) = first(&page.figures, LISTED_ROWS, |figure| {
        let said = wording::outcome(&figure.verdict);
        dict([
            ("name", inputs.short(&figure.name)),
            ("measures", wording::measures(&figure.name).unwrap_or_default().into_value()),
            ("key", said.map_or("other", |_| &figure.verdict).into_value()),
            ("outcome", said.map_or_else(|| inputs.short(&figure.verdict), |said| inputs.short(said))),
            ("residual", inputs.short(&figure.residual)),
        ])
    });
    let mut times = Vec::new();
    for target in page.targets.iter().take(LISTED_TARGETS) {
        times.push(wording::moment(target.at)?);
    }
    let mut times = times.into_iter();
    let (targets, more_targets) = first(&page.targets, LISTED_TARGETS, |target| {
        dict([
            ("kind", inputs.short(&target.kind)),
            ("what", wording::copy(&target.kind).unwrap_or_default().into_value()),
            ("lost", (!wording::was_found(&target.kind)).into_value()),
            ("path", inputs.long(&target.path)),
            ("level", inputs.short(&target.level)),
            ("rows", count(target.rows).into_value()),
            ("at", times.next().unwrap_or_default().into_value()),
        ])
    });
    for (name, list, left_out) in [
        ("sources", sources, more),
        ("named", named, more_named),
        ("limits", limits, more_limits),
        ("figures", figures, more_figures),
        ("targets", targets, more_targets),
    ] {
        inputs.put(name, list);
        inputs.put(&format!("more_{name}"), left_out);
    }
    let found = page.targets.iter().filter(|target| wording::was_found(&target.kind)).count();
    inputs.put("target_count", found as i64);
    inputs.put("not_found", found < page.targets.len());
    Ok(())
}

fn plots(inputs: &mut Inputs, page: &CertificatePage) {
    let spell = |text: &str| inputs.alphabet.spell(text, MOST_CHARS_IN_A_LINE);
    let mut residuals = page.residuals.clone();
    residuals.truncate(LISTED_ROWS);
    residuals.iter_mut().for_each(|row| row.name = spell(&row.name));
    let mut known = page.known.clone();
    known.truncate(LISTED_ROWS);
    known.iter_mut().for_each(|row| row.condition = spell(&row.condition));
    let mut plots = Array::new();
    if !residuals.is_empty() {
        plots.push(inputs.plot(&plot::residuals(&residuals)));
    }
    if !known.is_empty() {
        plots.push(inputs.plot(&plot::known(&known)));
    }
    inputs.put("plots", plots);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
    }
}
