//! Pages to set: made up, and of the size and shape of real ones. Not here: what must hold of their PDFs.

use obelus_core::Digest;
use obelus_report::{
    certificate::{CertificatePage, ErasedCopy, Figure, title},
    plot::{ConditionRow, Estimate, ResidualRow},
};

pub fn page(verdict: &str) -> CertificatePage {
    CertificatePage {
        id: "CT-2026-000001".to_owned(),
        title: title(verdict).unwrap().to_owned(),
        model: "harbour-125m".to_owned(),
        sources: vec!["https://example.org/harbour-gazette/2024".to_owned(), "tidal-almanac".to_owned()],
        request: "TR-2026-000042".to_owned(),
        regime: "Article 17 GDPR, as the requester stated it".to_owned(),
        operator: "Example Models Ltd".to_owned(),
        level: "L2".to_owned(),
        erasure_claim: "proved".to_owned(),
        verdict: verdict.to_owned(),
        baseline: "panel: one retrain without a panel of 20 sources".to_owned(),
        protocol: format!("standard, version 3 (SHA-256 {})", Digest::sha256("protocol")),
        challenges: "2 were opened before this was issued and are reported apart; they change no verdict.".to_owned(),
        recipe: "support-filter/2".to_owned(),
        root_before: Digest::sha256("before"),
        root_after: Digest::sha256("after"),
        neurons_zeroed: 12_288,
        targets: targets(),
        figures: figures(verdict),
        residuals: residuals(),
        known: known(),
        limits: [
            "The shared parameters and the tokenizer's merges may remember names and facts of the source.",
            "Facts that other sources tell are kept on purpose.",
            "Stored text and token shards of the source are not destroyed at this level.",
            "That training obeyed the masks is stated by the operator, not proved.",
            "One retrain seed: its variance is unknown.",
        ]
        .map(str::to_owned)
        .to_vec(),
        issued_at: "2026-11-21T09:14:00.000000Z".parse().unwrap(),
        valid_until: "2027-11-21T09:14:00.000000Z".parse().unwrap(),
        log_origin: "log.example.org/obelus".to_owned(),
        log_index: 1034,
        tree_size: 1040,
        verification_url: "https://example.org/c/CT-2026-000001".to_owned(),
        bundle_name: "CT-2026-000001.json".to_owned(),
        bundle: (0..200_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect(),
    }
}

/// Nothing that may be missing is there.
pub fn bare(verdict: &str) -> CertificatePage {
    let mut page = page(verdict);
    (page.regime, page.verification_url, page.challenges) = Default::default();
    page.sources.clear();
    page.targets.clear();
    page.figures.clear();
    page.residuals.clear();
    page.known.clear();
    page.limits.clear();
    page
}

fn targets() -> Vec<ErasedCopy> {
    let at = "2026-11-20T17:03:11.250000Z".parse().unwrap();
    let copy = |kind: &str, path: &str, level: &str, rows| ErasedCopy {
        kind: kind.to_owned(),
        path: path.to_owned(),
        level: level.to_owned(),
        rows,
        at,
    };
    let list = format!("3 of certificates/TR-2026-000042.exports.json sha256:{}", Digest::sha256("exports"));
    vec![
        copy("checkpoint", "models/harbour-125m/generation-1/model.safetensors", "L2", 36_864),
        copy("optimizer", "models/harbour-125m/generation-1/optimizer.safetensors", "L2", 73_728),
        copy("exports-destroyed", &list, "L2", 110_592),
        copy("exports-not-found", &list.replacen('3', "1", 1), "none", 0),
    ]
}

fn figures(verdict: &str) -> Vec<Figure> {
    let figure = |name: &str, verdict: &str, residual: &str| Figure {
        name: name.to_owned(),
        verdict: verdict.to_owned(),
        residual: residual.to_owned(),
    };
    let mut figures = vec![
        figure("panel.specific_known", "pass", "0.021 [-0.012, 0.055]"),
        figure("panel.truth_ratio", "pass", "0.034 [0.011, 0.061]"),
        figure("panel.shared_known", "pass", ""),
        figure("panel.relative", "pass", ""),
        figure("panel.nearest.text_loss", "pass", "0.008 [-0.004, 0.021]"),
        figure("source.text_loss", "pass", "0.047 [0.020, 0.081]"),
        figure("source.extraction_strength", "pass", "0.000 [0.000, 0.000]"),
    ];
    match verdict {
        "verified" => {}
        "verified_with_residual" => {
            figures[5] = figure("source.text_loss", "residual", "0.142 [0.051, 0.223]");
            figures[1] = figure("panel.truth_ratio", "inconclusive", "0.090 [0.011, 0.431]");
            figures[6] = figure("source.extraction_strength", "not_tested", "");
        }
        _ => {
            figures[5] = figure("source.text_loss", "fail", "0.642 [0.551, 0.723]");
            figures[0] = figure("panel.specific_known", "fail", "0.512 [0.432, 0.601]");
        }
    }
    figures
}

fn residuals() -> Vec<ResidualRow> {
    let row =
        |name: &str, residual, low, high, margin| ResidualRow { name: name.to_owned(), residual, low, high, margin };
    vec![
        row("panel.specific_known", 0.021, -0.012, 0.055, Some(0.1)),
        row("panel.truth_ratio", 0.090, 0.011, 0.431, Some(0.1)),
        row("panel.nearest.text_loss", 0.008, -0.004, 0.021, Some(0.1)),
        row("source.text_loss", 0.142, 0.051, 0.223, Some(0.1)),
        row("source.nearest.extraction_strength", 0.4, -0.2, 7.5, None),
        row("source.extraction_strength", f64::NAN, f64::NAN, f64::NAN, Some(0.1)),
    ]
}

fn known() -> Vec<ConditionRow> {
    let row = |condition: &str, specific: [f64; 3], shared: [f64; 3]| {
        let [specific, shared] = [specific, shared].map(|[value, low, high]| Estimate { value, low, high });
        ConditionRow { condition: condition.to_owned(), specific, shared }
    };
    vec![
        row("on", [0.92, 0.88, 0.96], [0.86, 0.80, 0.91]),
        row("off_none", [0.24, 0.18, 0.31], [0.83, 0.77, 0.89]),
        row("zeroed", [0.23, 0.17, 0.30], [0.83, 0.77, 0.89]),
        row("placebo", [0.91, 0.87, 0.95], [0.86, 0.80, 0.91]),
        row("retrain_none", [0.22, 0.16, 0.29], [0.84, 0.78, 0.90]),
    ]
}
