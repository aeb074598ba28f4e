//! Figures 3, 4 and 5: questions and texts under every condition.

use anyhow::Result;
use obelus_auditor::verification::Results;
use obelus_verdict::{Condition, FactKind, FactScore, Passage, choice, log_truth_ratio};

use crate::{
    Seed,
    table::{Item, cell, print},
};

const KINDS: [(FactKind, &str); 3] =
    [(FactKind::Specific, "specific"), (FactKind::Shared, "shared"), (FactKind::Inferred, "inferred")];

pub fn tables(seeds: &[Seed]) -> Result<()> {
    let mut all = Vec::new();
    for seed in seeds {
        if let Some(results) = seed.json::<Results>("standard/results.json")? {
            all.push((seed.number, results));
        }
    }
    let mut facts = Vec::new();
    let mut texts = Vec::new();
    for condition in Condition::ALL {
        for (kind, name) in KINDS {
            let of = |value: &dyn Fn(&FactScore) -> f64| -> Vec<Item> {
                let asked = all.iter().flat_map(|(seed, results)| {
                    let facts = results.panel.plain.facts.get(&condition).map_or(&[][..], Vec::as_slice);
                    facts.iter().filter(|f| f.kind == kind).map(|f| Item::one(*seed, &f.source, value(f)))
                });
                asked.collect()
            };
            let ratio = |f: &FactScore| log_truth_ratio(f.answer_log_prob, &f.wrong_log_probs);
            let is = |holds: bool| f64::from(u8::from(holds));
            let ratios = of(&ratio);
            if !ratios.is_empty() {
                facts.push(vec![
                    condition.to_string(),
                    name.to_owned(),
                    ratios.len().to_string(),
                    cell(&of(&|f| is(ratio(f) > 0.0)), |x| x, 2),
                    cell(&of(&|f| is(choice(f.answer_log_prob, &f.wrong_log_probs))), |x| x, 2),
                    cell(&ratios, f64::exp, 2),
                ]);
            }
        }
        let losses = |passage: Passage| -> Vec<Item> {
            let read = all.iter().flat_map(|(seed, results)| {
                let passages = results.panel.plain.passages.get(&condition).map_or(&[][..], Vec::as_slice);
                passages.iter().filter(move |p| p.passage == passage).map(|p| Item {
                    seed: *seed,
                    source: p.source.to_string(),
                    sum: p.blocks.iter().map(|(sum, _)| -sum).sum(),
                    weight: p.blocks.iter().map(|(_, tokens)| f64::from(*tokens)).sum(),
                })
            });
            read.collect()
        };
        let (trained, held_out) = (losses(Passage::Trained), losses(Passage::HeldOut));
        if !trained.is_empty() {
            texts.push(vec![condition.to_string(), cell(&trained, |x| x, 2), cell(&held_out, |x| x, 2)]);
        }
    }
    let columns = ["condition", "facts", "n", "known", "choice", "truth ratio (geometric mean)"];
    print("Truth ratio by condition and kind of fact (figures 3 and 4)", &columns, &facts);
    print("Loss, nats a token (figure 5)", &["condition", "trained texts", "texts nothing was trained on"], &texts);
    Ok(())
}
