//! Figures 6 and 7: what a model says by itself, what a short prompt brings about, and how fast a source comes back.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result};
use obelus_auditor::verification::Results;
use obelus_report::plot::{Curve, CurvePoint, curves};
use obelus_verdict::{Condition, Instrument, Reading};
use serde_json::Value;

use crate::{
    Seed,
    table::{Item, cell, estimate, print},
};

const SHOWN: [Condition; 5] =
    [Condition::On, Condition::Zeroed, Condition::RetrainNone, Condition::PostHocGradientAscent, Condition::PostHocNpo];

/// Readings with the number of their seed.
type Read<'a> = Vec<(usize, &'a Reading)>;

pub fn tables(seeds: &[Seed], folder: &Path) -> Result<()> {
    let mut all = Vec::new();
    for seed in seeds {
        if let Some(results) = seed.json::<Results>("attacks/results.json")? {
            all.push((seed.number, results));
        }
    }
    let of = |instrument, condition| -> Read<'_> {
        let readings = all.iter().flat_map(|(seed, results)| {
            let own = results.panel.readings.get(&instrument).and_then(|own| own.get(&condition));
            own.map_or(&[][..], Vec::as_slice).iter().map(|reading| (*seed, reading))
        });
        readings.collect()
    };
    said(seeds, &of)?;
    compressed(&of);
    for instrument in [Instrument::RelearningBackbone, Instrument::RelearningOwn] {
        relearned(instrument, &of, folder)?;
    }
    Ok(())
}

fn said<'a>(seeds: &[Seed], of: &impl Fn(Instrument, Condition) -> Read<'a>) -> Result<()> {
    let mean = |instrument, condition| {
        let read = of(instrument, condition);
        let items: Vec<Item> = read.into_iter().map(|(seed, r)| Item::one(seed, &r.cluster, r.value)).collect();
        cell(&items, |x| x, 2)
    };
    let row = |condition: Condition| {
        vec![condition.to_string(), mean(Instrument::Verbatim, condition), mean(Instrument::Knowledge, condition)]
    };
    let columns = ["condition", "texts continued (ROUGE-L recall)", "questions answered (ROUGE-L recall)"];
    print("What it says by itself, greedy (figure 6)", &columns, &SHOWN.map(row));
    for seed in seeds {
        for name in ["generate-on", "generate-off"] {
            if let Some(said) = seed.json::<Value>(&format!("{name}.json"))? {
                println!("seed {}, {name}: {said}\n", seed.number + 1);
            }
        }
    }
    Ok(())
}

/// The detail of a search: tokens of the text, of the shortest prompt or 0, the longest length tried where none was found.
fn compressed<'a>(of: &impl Fn(Instrument, Condition) -> Read<'a>) {
    let row = |condition: Condition| {
        let read = of(Instrument::Compression, condition);
        let told: Vec<Item> = read.iter().map(|(seed, r)| Item::one(*seed, &r.cluster, r.value)).collect();
        let ratio = |(_, r): &(usize, &Reading)| match r.detail[..] {
            [text, found, ..] if found > 0.0 => Some(text / found),
            _ => None,
        };
        let mut ratios: Vec<f64> = read.iter().filter_map(ratio).collect();
        ratios.sort_by(f64::total_cmp);
        // Those that were not found come before all that were: their ratio is below what was tried.
        let censored = read.len() - ratios.len();
        let middle = (read.len() / 2).checked_sub(censored).and_then(|at| ratios.get(at));
        vec![
            condition.to_string(),
            read.len().to_string(),
            cell(&told, |x| x, 2),
            ratios.len().to_string(),
            middle.map_or("censored".to_owned(), |ratio| format!("{ratio:.2}")),
        ]
    };
    let columns = ["condition", "sentences", "brought about by a shorter prompt", "found", "median ratio"];
    print("Compression ratio (figure 7)", &columns, &SHOWN.map(row));
}

/// The detail of a curve: steps and losses in turn.
fn relearned<'a>(instrument: Instrument, of: &impl Fn(Instrument, Condition) -> Read<'a>, folder: &Path) -> Result<()> {
    let (mut rows, mut drawn, mut steps) = (Vec::new(), Vec::new(), Vec::new());
    for condition in SHOWN {
        let mut at: BTreeMap<u32, Vec<Item>> = BTreeMap::new();
        for (seed, reading) in of(instrument, condition) {
            for point in reading.detail.chunks_exact(2) {
                at.entry(point[0] as u32).or_default().push(Item::one(seed, &reading.cluster, point[1]));
            }
        }
        if at.is_empty() {
            continue;
        }
        steps = at.keys().copied().collect();
        let mut row = vec![condition.to_string()];
        row.extend(at.values().map(|items| cell(items, |x| x, 2)));
        rows.push(row);
        let point = |(step, items): (&u32, &Vec<Item>)| {
            let (value, interval) = estimate(items)?;
            let (low, high) = interval.map_or((f64::NAN, f64::NAN), |i| (i.low, i.high));
            Some(CurvePoint { at: f64::from(*step), value, low, high })
        };
        drawn.push(Curve { name: condition.to_string(), points: at.iter().filter_map(point).collect() });
    }
    let heads: Vec<String> = steps.iter().map(|step| format!("step {step}")).collect();
    let mut columns = vec!["condition"];
    columns.extend(heads.iter().map(String::as_str));
    print(&format!("Loss while it is trained on again, {} (figure 7)", instrument.name()), &columns, &rows);
    if !drawn.is_empty() {
        let path = folder.join(format!("{}.svg", instrument.name()));
        let svg = curves("Loss while the source is trained on again", "steps", "nats a token", &drawn).svg;
        fs::write(&path, svg).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
