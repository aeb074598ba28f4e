//! `obelus audit`.

use std::{fs, path::Path};

use anyhow::Result;
use obelus_auditor::{
    audit_bundle, certification,
    drill::{self, Drilled},
    living,
    progress::Progress,
    run_data,
    verification::{self, Results},
};
use obelus_casework::{
    Deps,
    case::{OWNER, SERVICE},
    durable::write_durably,
};
use obelus_core::Digest;
use obelus_verdict::{AttackResult, Interval, Outcome, Protocol, Verdict};
use serde_json::{Map, Value, json};

use crate::{
    arguments::Audit,
    commands::{baseline, coverage::not_tested, protocols, schedule},
    failure::WrongUse,
    output::{Answer, Output, table},
};

/// Runs `obelus audit`.
pub async fn run(deps: &Deps, command: &Audit, output: &Output) -> Result<Answer> {
    let (reference, source, model, protocol, baseline, out, person) = match command {
        Audit::Run { reference, source, model, protocol, baseline, out, person } => {
            (reference, source, model, protocol, baseline, out, person)
        }
        Audit::Drill { model, source, protocol, baseline } => {
            let protocol = protocols::named_or(protocol.as_deref(), "standard")?;
            let drilled = drill::run(deps, model, source, baseline.as_deref(), &protocol).await?;
            return report_drill(&drilled, output);
        }
        Audit::Baseline(command) => return baseline::run(deps, command, output).await,
        Audit::Schedule(command) => return schedule::run(deps, command, output).await,
        Audit::Jobs { dead } => return schedule::jobs(deps, *dead, output).await,
        Audit::Retry { job, person } => {
            return schedule::retry(deps, person.as_deref().unwrap_or(OWNER), *job, output).await;
        }
        Audit::Incident(command) => return schedule::incident(deps, command, output).await,
        Audit::Bundle { reference, out, person } => {
            return bundle(deps, person.as_deref().unwrap_or(OWNER), reference, out, output).await;
        }
    };
    if let Some(folder) = out {
        // Before minutes of measuring.
        fs::create_dir_all(folder)
            .map_err(|e| WrongUse(format!("cannot make the folder {}: {e}; name another --out", folder.display())))?;
    }
    let (run, results, protocol, certificate) = match (reference, source, model) {
        (Some(reference), ..) => {
            if protocol.is_some() {
                return Err(WrongUse(format!(
                    "the protocol of {reference} was fixed before its erasure; --protocol is for rehearsals with --source"
                ))
                .into());
            }
            let by = person.as_deref().unwrap_or(SERVICE);
            let (run, results) =
                verification::run(deps, by, reference, baseline.as_deref(), &Progress::default()).await?;
            let (row, path) = certification::certify(deps, reference).await?;
            let protocol = verification::protocol_of(deps, reference).await?;
            (run, results, protocol, Some((row.id, path)))
        }
        (None, Some(source), Some(model)) => {
            let protocol = protocols::named_or(protocol.as_deref(), "quick")?;
            let results = verification::rehearse(deps, model, source, baseline.as_deref(), &protocol).await?;
            ("rehearsal".to_owned(), results, protocol, None)
        }
        _ => return Err(WrongUse("name a request, or --source with --model".to_owned()).into()),
    };
    let mut words = format!("{run}: {}\n\n{}", results.judgement.verdict, attacks(&results));
    for limit in &results.judgement.limits {
        words.push_str(&format!("\n{limit}"));
    }
    let not_tested = not_tested(&[&results.panel, &results.source]);
    for gap in &not_tested {
        words.push_str(&format!("\n{gap}"));
    }
    let mut document = json!({
        "run": run,
        "verdict": results.judgement.verdict,
        "baseline": results.baseline,
        "baseline_kind": results.baseline_kind,
        "attacks": document(&results),
        "gate": results.judgement.gate,
        "placebo": results.judgement.placebo,
        "categories": results.judgement.categories,
        "limits": results.judgement.limits,
        "not_tested": not_tested,
    });
    if let Some((id, path)) = certificate {
        living::settle(deps).await?;
        words.push_str(&format!("\n\ncertificate {id}: {}", path.display()));
        document["certificate"] = json!({ "id": id, "path": path });
    }
    if let Some(folder) = out {
        write_data(folder, &results, &protocol)?;
        words.push_str(&format!("\n\nEvery number: {}", folder.display()));
        document["data"] = json!(folder);
    }
    output.print(&words, &document)?;
    Ok(if results.judgement.verdict == Verdict::NotVerified { Answer::No } else { Answer::Done })
}

fn report_drill(drilled: &[Drilled], output: &Output) -> Result<Answer> {
    let rows: Vec<Vec<String>> = drilled.iter().map(drill_row).collect();
    let wrong = drilled.iter().filter(|d| !d.is_answered_rightly()).count();
    let words = format!(
        "{}\n{}",
        table(&["OFFERED AS ERASED", "VERDICT", "ANSWERED", "FAILED ATTACKS"], &rows),
        if wrong == 0 { "Every answer is right.".to_owned() } else { format!("{wrong} answers are wrong.") }
    );
    output.print(&words, &json!({ "offered": drilled, "wrong": wrong }))?;
    Ok(if wrong == 0 { Answer::Done } else { Answer::No })
}

fn drill_row(drilled: &Drilled) -> Vec<String> {
    let name = drilled.offered.to_string();
    let Some(judgement) = &drilled.judgement else {
        return vec![name, "not offered: there is no such model".to_owned()];
    };
    let failed = |(name, attack): (&String, &AttackResult)| {
        (attack.required && attack.outcome == Outcome::Fail).then(|| name.clone())
    };
    let failed: Vec<String> = judgement.attacks.iter().filter_map(failed).collect();
    let answered = if drilled.is_answered_rightly() { "rightly" } else { "WRONGLY" };
    vec![name, judgement.verdict.to_string(), answered.to_owned(), failed.join(", ")]
}

fn write_data(folder: &Path, results: &Results, protocol: &Protocol) -> Result<()> {
    for (name, bytes) in run_data::files(results, protocol)? {
        write_durably(&folder.join(name), &bytes)?;
    }
    Ok(())
}

async fn bundle(deps: &Deps, by: &str, reference: &str, out: &Path, output: &Output) -> Result<Answer> {
    let archive = audit_bundle::hand_out(deps, by, reference).await?;
    write_durably(out, &archive)?;
    let digest = Digest::sha256(&archive);
    let words = format!(
        "{}: everything about {reference}, SHA-256 {digest}. obelus verify checks it; README.txt in it says how others can.",
        out.display()
    );
    output.print(&words, &json!({ "request": reference, "file": out, "sha256": digest, "bytes": archive.len() }))?;
    Ok(Answer::Done)
}

/// The attacks as a table: required ones, and others that were tested.
pub fn attacks(results: &Results) -> String {
    let shown = |a: &AttackResult| a.required || a.clusters > 0;
    let interval = |i: Option<Interval>| i.map_or_else(String::new, |i| format!("[{:.2}, {:.2}]", i.low, i.high));
    let rows: Vec<Vec<String>> = results
        .judgement
        .attacks
        .iter()
        .filter(|(_, a)| shown(a))
        .map(|(name, a)| {
            let name = format!("{}{name}", if a.required { "*" } else { " " });
            if a.clusters == 0 {
                // Nothing was measured: no number stands for that.
                return vec![name, a.outcome.to_string()];
            }
            let residual = a.residual.map_or_else(String::new, |r| format!("{r:.2}"));
            vec![
                name,
                a.outcome.to_string(),
                format!("{:.2}", a.original),
                format!("{:.2}", a.erased),
                format!("{:.2}", a.retrain),
                format!("{:+.2} {}", a.difference, interval(a.difference_interval)),
                format!("{residual} {}", interval(a.residual_interval)),
            ]
        })
        .collect();
    let headings = ["ATTACK (* required)", "OUTCOME", "ON", "ERASED", "RETRAIN", "DIFFERENCE", "RESIDUAL"];
    table(&headings, &rows)
}

fn document(results: &Results) -> Value {
    let entry = |a: &AttackResult| {
        let mut entry = json!(a);
        entry["verdict"] = json!(a.outcome);
        entry["value"] = json!(a.erased);
        entry["interval"] = json!(a.erased_interval.map(|i| [i.low, i.high]));
        entry["baseline"] = json!(a.retrain);
        if a.clusters == 0 {
            for number in ["value", "baseline", "original", "erased", "retrain", "difference"] {
                entry[number] = Value::Null;
            }
        }
        entry
    };
    let attacks: Map<String, Value> =
        results.judgement.attacks.iter().map(|(name, a)| (name.clone(), entry(a))).collect();
    Value::Object(attacks)
}
