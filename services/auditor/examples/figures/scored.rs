//! Figure 8, table 1 and collateral: from what `obelus score` printed.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Deserialize;

use crate::{
    Seed,
    table::{Item, cell, print},
};

/// What `obelus score --json` prints.
#[derive(Deserialize)]
struct Scored {
    conditions: BTreeMap<String, Summary>,
}

#[derive(Deserialize)]
struct Summary {
    text_loss_held_out: Option<f64>,
    text_loss_trained: Option<f64>,
    items: Vec<Asked>,
}

#[derive(Deserialize)]
struct Asked {
    source: String,
    kind: String,
    truth_ratio: f64,
}

/// Shapes: neurons in the pool and of a source; none for the preset's own.
const SHAPES: [(&str, &str); 6] = [
    ("512 / 8", "pool-512-8"),
    ("512 / 32", "pool-512-32"),
    ("512 / 128", "pool-512-128"),
    ("2048 / 8", "pool-2048-8"),
    ("2048 / 32 (preset)", "nulls"),
    ("2048 / 128", "pool-2048-128"),
];
const STRUCK: [&str; 5] = ["struck-0", "struck-2", "struck-10", "struck-20", "struck-40"];

pub fn tables(seeds: &[Seed]) -> Result<()> {
    let mut pool = Vec::new();
    for (shape, name) in SHAPES {
        let mut row = vec![shape.to_owned()];
        for condition in ["on", "off_nearest", "off_none"] {
            row.push(known(seeds, name, condition, "specific")?);
            row.push(known(seeds, name, condition, "shared")?);
        }
        pool.push(row);
    }
    let columns = [
        "pool / of a source",
        "on: specific",
        "on: shared",
        "off_nearest: specific",
        "off_nearest: shared",
        "off_none: specific",
        "off_none: shared",
    ];
    print("Pool size and active sinks: facts known (figure 8)", &columns, &pool);

    let mut capability = Vec::new();
    for (model, name, condition) in [
        ("NULLs, own sinks", "nulls", "on"),
        ("NULLs, nearest other", "nulls", "off_nearest"),
        ("NULLs, backbone", "nulls", "off_none"),
        ("transformer, active width", "plain", "off_none"),
        ("transformer, total width", "wide", "off_none"),
    ] {
        let mut row = vec![model.to_owned()];
        for kind in ["specific", "shared", "inferred"] {
            row.push(known(seeds, name, condition, kind)?);
        }
        row.push(loss(seeds, name, condition, |summary| summary.text_loss_trained)?);
        row.push(loss(seeds, name, condition, |summary| summary.text_loss_held_out)?);
        capability.push(row);
    }
    let columns =
        ["model", "specific known", "shared known", "inferred known", "loss, trained", "loss, unseen wording"];
    print("Capability against transformers (table 1)", &columns, &capability);

    let mut collateral = Vec::new();
    for name in STRUCK {
        collateral.push(vec![
            name.trim_start_matches("struck-").to_owned(),
            known(seeds, name, "on", "specific")?,
            known(seeds, name, "on", "shared")?,
            ratio(seeds, name, "on")?,
            loss(seeds, name, "on", |summary| summary.text_loss_held_out)?,
        ]);
    }
    let columns = ["struck", "specific known", "shared known", "truth ratio, specific", "loss, unseen wording"];
    print("Survivors after so many takedowns, own sinks lit (ours)", &columns, &collateral);
    Ok(())
}

fn asked(seeds: &[Seed], name: &str, condition: &str, kind: &str, value: fn(f64) -> f64) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    for seed in seeds {
        let Some(scored) = seed.json::<Scored>(&format!("score-{name}.json"))? else { continue };
        let own = scored.conditions.get(condition).map_or(&[][..], |summary| &summary.items);
        let of_kind = own.iter().filter(|item| item.kind == kind);
        items.extend(of_kind.map(|item| Item::one(seed.number, &item.source, value(item.truth_ratio))));
    }
    Ok(items)
}

fn known(seeds: &[Seed], name: &str, condition: &str, kind: &str) -> Result<String> {
    Ok(cell(&asked(seeds, name, condition, kind, |ratio| f64::from(u8::from(ratio > 1.0)))?, |x| x, 2))
}

fn ratio(seeds: &[Seed], name: &str, condition: &str) -> Result<String> {
    Ok(cell(&asked(seeds, name, condition, "specific", f64::ln)?, f64::exp, 1))
}

/// The mean of each seed, one after another: a score gives no loss of single sources.
fn loss(seeds: &[Seed], name: &str, condition: &str, of: fn(&Summary) -> Option<f64>) -> Result<String> {
    let mut losses = Vec::new();
    for seed in seeds {
        let scored = seed.json::<Scored>(&format!("score-{name}.json"))?;
        let loss = scored.as_ref().and_then(|scored| scored.conditions.get(condition)).and_then(of);
        losses.extend(loss.map(|loss| format!("{loss:.2}")));
    }
    Ok(if losses.is_empty() { "-".to_owned() } else { losses.join(" ") })
}
