//! Figure 8, table 1 and collateral: from what `obelus score` printed.

use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, Result};
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

pub fn tables(seeds: &[Seed]) -> Result<()> {
    let mut pool = Vec::new();
    for name in measured(seeds, "pool-")?.iter().map(String::as_str).chain(["nulls"]) {
        let shape = name.trim_start_matches("pool-").replace('-', " / ").replace("nulls", "the preset's");
        let mut row = vec![shape];
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
    for name in &measured(seeds, "struck-")? {
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

/// What was scored under a name that begins so, by the numbers in it.
fn measured(seeds: &[Seed], prefix: &str) -> Result<Vec<String>> {
    let mut names = BTreeMap::new();
    for seed in seeds {
        for entry in fs::read_dir(&seed.folder).with_context(|| format!("cannot read {}", seed.folder.display()))? {
            let file = entry?.file_name().to_string_lossy().into_owned();
            let name = file.strip_prefix("score-").and_then(|rest| rest.strip_suffix(".json"));
            let Some(name) = name.filter(|name| name.starts_with(prefix)) else { continue };
            let numbers: Vec<u64> = name.split('-').filter_map(|part| part.parse().ok()).collect();
            names.insert(numbers, name.to_owned());
        }
    }
    Ok(names.into_values().collect())
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
