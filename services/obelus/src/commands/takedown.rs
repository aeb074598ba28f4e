//! `obelus takedown`.

use anyhow::Result;
use obelus_auditor::{plan, progress::Progress, shredding, strike};
use obelus_casework::{
    Deps,
    case::OWNER,
    decision,
    impact::{Advice, Budget, Forecast, Group, Loss, Remedy, Who, percent},
};
use obelus_verdict::Protocol;
use serde_json::json;

use crate::{
    arguments::Takedown,
    commands::protocols,
    output::{Answer, Output, table},
};

/// Survivors that words list; JSON lists all.
const SHOWN: usize = 10;

/// Runs `obelus takedown`.
pub async fn run(deps: &Deps, command: &Takedown, output: &Output) -> Result<Answer> {
    match command {
        Takedown::Plan { reference, protocol } => {
            let chosen = protocol.as_deref().map(protocols::named).transpose()?;
            let (plan, digest) = plan::set(deps, OWNER, reference, chosen.as_deref()).await?;
            let judged_by = Protocol::parse(&plan::protocol_of(deps, reference).await?)?;
            let fraction = |s: &plan::Survivor| s.lost_fraction.parse::<f64>().unwrap_or(0.0);
            let neurons: u64 = plan.neurons_per_layer.iter().sum();
            let touched = plan.survivors.iter().filter(|s| s.lost > 0).count();
            let mean = plan.survivors.iter().map(fraction).sum::<f64>() / plan.survivors.len().max(1) as f64;
            let rows: Vec<Vec<String>> = plan
                .survivors
                .iter()
                .take(SHOWN)
                .map(|s| vec![s.source.clone(), s.lost.to_string(), format!("{:.2} %", 100.0 * fraction(s))])
                .collect();
            let words = format!(
                "{reference}: strike {} from {} (generation {})\n{neurons} neurons in {} layers become zero.\n\
                 {touched} of {} surviving sources lose neurons, {:.2} % of their own on average. Those that lose \
                 most:\n\n{}\n\n{}It will be judged by the protocol {}, version {}.\nplan {digest}\nIts sources are suppressed. Two persons approve exactly this plan: \
                 obelus request approve {reference} --as PERSON",
                plan.sources.join(", "),
                plan.model,
                plan.generation,
                plan.neurons_per_layer.len(),
                plan.survivors.len(),
                100.0 * mean,
                table(&["SURVIVOR", "NEURONS", "OF ITS OWN"], &rows),
                plan.forecast.as_ref().map(in_words).unwrap_or_default(),
                judged_by.name,
                judged_by.version,
            );
            let survivors: Vec<_> = plan
                .survivors
                .iter()
                .map(|s| json!({ "source": s.source, "lost_fraction": fraction(s), "lost": s.lost }))
                .collect();
            let document = json!({
                "reference": reference,
                "plan_digest": digest,
                "sources": plan.sources,
                "neurons": neurons,
                "neurons_per_layer": plan.neurons_per_layer,
                "survivors": survivors,
                "forecast": plan.forecast,
                "protocol": { "name": judged_by.name, "version": judged_by.version, "sha256": plan.protocol },
            });
            output.print(&words, &document)?;
        }
        Takedown::Execute { reference, person } => {
            let executed =
                strike::execute(deps, person.as_deref().unwrap_or(OWNER), reference, &Progress::default()).await?;
            let words = format!(
                "{reference} executed, level {}.\nroot before {}\nroot after  {}\nrow proof   {}\nNext: obelus audit run \
                 {reference}",
                executed.level,
                executed.root_before,
                executed.root_after,
                executed.row_proof.display()
            );
            output.print(&words, &executed)?;
        }
        Takedown::Shred { reference, although_failed, person } => {
            let by = person.as_deref().unwrap_or(OWNER);
            let shredded = shredding::shred(deps, by, reference, *although_failed).await?;
            let mut rows = Vec::new();
            for corpus in &shredded.corpora {
                for left in &corpus.sources {
                    let (records, bytes) = (left.records.to_string(), left.bytes.to_string());
                    rows.push(vec![left.source.clone(), corpus.corpus.clone(), records, bytes]);
                }
            }
            let words = format!(
                "{reference}: the keys of the stored text are destroyed. What is left of it nobody can read, except with a copy \
                 of the keys from before: destroy those too.\n\n{}",
                table(&["SOURCE", "CORPUS", "RECORDS", "BYTES"], &rows)
            );
            output.print(&words, &shredded)?;
        }
        Takedown::Undo { reference, person } => {
            decision::undo(deps, person.as_deref().unwrap_or(OWNER), reference).await?;
            let words = format!("{reference} is restored: its sources may be lit again.");
            output.print(&words, &json!({ "reference": reference, "state": "restored" }))?;
        }
    }
    Ok(Answer::Done)
}

/// What a strike is expected to cost the sources that stay, in lines with an empty one after them.
fn in_words(forecast: &Forecast) -> String {
    let Forecast { kept_before, kept_after, budget, groups, advice } = forecast;
    let mut lines = vec![format!(
        "Survivors have {} of their sinks on average and would keep {}; the one hit hardest would keep {}.",
        percent(&kept_before.mean),
        percent(&kept_after.mean),
        percent(&kept_after.least)
    )];
    if let Some(Budget { whole, before, after }) = budget {
        lines.push(format!(
            "Budget: {after} strikes are left after this one ({before} before it, {whole} of an untouched model) until \
             survivors keep half of their sinks."
        ));
    }
    for Group { who, sources, losses } in groups {
        let rows: Vec<Vec<String>> = losses.iter().map(row).collect();
        let who = match who {
            Who::HitHardest => "that would lose most of their sinks",
            Who::Spread => "from all over the model",
        };
        lines.push(format!(
            "\nExpected of {sources} survivors {who}, with these neurons zeroed in memory:\n\n{}",
            table(&["METRIC", "ITEMS", "BEFORE", "AFTER", "CHANGE", "ALLOWED", "JUDGED"], &rows)
        ));
    }
    lines.extend(advice.iter().map(|Advice { what, why }| {
        let what = match what {
            Remedy::Batch => "strike the others first",
            Remedy::Repair => "repair the model afterwards (obelus model repair)",
            Remedy::Retrain => "train the model anew without what was struck",
        };
        format!("Advice: {what}: {why}.")
    }));
    lines.push(String::new());
    lines.join("\n") + "\n"
}

fn row(loss: &Loss) -> Vec<String> {
    let short = |number: &str| number.parse::<f64>().map_or_else(|_| number.to_owned(), |n| format!("{n:.3}"));
    let interval =
        loss.interval.as_ref().map_or("-".to_owned(), |[low, high]| format!("{} to {}", short(low), short(high)));
    let [before, after, margin] = [&loss.before, &loss.after, &loss.margin].map(|number| short(number));
    vec![loss.metric.clone(), loss.items.to_string(), before, after, interval, margin, loss.outcome.clone()]
}
